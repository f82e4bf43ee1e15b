"""Waiting: what the core does until something happens, asleep (WFI, WFE) or in a loop that does nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from vtarget.data.record import Sleep
from vtarget.shell import layout
from vtarget.shell.chipset import Chipset
from vtarget.shell.recorder import Edge, Recorder
from vtarget.shell.scb import SCR, SLEEPDEEP
from vtarget.shell.schedule import NEVER

# A firmware that nothing but its own periodic wake-ups has reached for so long waits for something that can't come.
QUIET_SECONDS = 60
POLL_SECONDS = 10  # one that polls a register all the while needs less patience


class Outside(Protocol):
    """The host's side of the consoles."""

    def wait(self) -> bool:
        """Wait a moment for input; False if none can come."""

    def pace(self, seconds: float) -> None:
        """The core has slept for so long: let somebody who types keep up."""


class Waiting:
    """Moves virtual time ahead to the next event, or waits for the host where only that can wake the firmware.

    ``activity`` tells how much the firmware has printed.
    """

    def __init__(self, recorder: Recorder, chipset: Chipset, outside: Outside, activity: Callable[[], int]) -> None:
        self._recorder = recorder
        self._chipset = chipset
        self._outside = outside
        self._cycles: Counter[tuple[str, int]] = Counter()
        self._wakeups: Counter[tuple[str, int]] = Counter()
        self._quiet_since = 0
        self._activity = activity
        self._active = 0

    def sleep(self, wakes: Callable[[], bool], limit: int) -> bool:
        """Sleep until ``wakes``, or until virtual time reaches ``limit``; False if neither can happen."""
        chipset = self._chipset
        deep = bool(chipset.control.word(SCR) & SLEEPDEEP)
        key = (chipset.deep_sleep_state() if deep else "sleep", chipset.clocks.core_hz)
        if not (deep or chipset.systick_sleeps) or wakes():
            return self._sleep(key, wakes, limit)
        chipset.systick.hold()
        try:
            return self._sleep(key, wakes, limit)
        finally:
            chipset.systick.release()

    def _sleep(self, key: tuple[str, int], wakes: Callable[[], bool], limit: int) -> bool:
        chipset = self._chipset
        while not wakes():
            now, following = chipset.timeline.now(), chipset.schedule.next_cycle
            if now >= limit:
                return True
            if min(following, limit) >= NEVER or self._too_quiet(now, limit):
                if not self._outside.wait():
                    return False
                continue
            passed = max(0, min(following, limit) - now)
            chipset.timeline.asleep += passed
            self._outside.pace(passed / chipset.clocks.core_hz)
            self._cycles[key] += passed
            chipset.run_due()
        self._wakeups[key] += 1
        if key[0] != "sleep":
            chipset.wake_from(key[0])
        return True

    def spin(self, edge: Edge, limit: int) -> bool:
        """Go round a loop that does nothing until the next event or ``limit``; False if there is neither."""
        chipset, words = self._chipset, self._recorder.words
        now, following = chipset.timeline.now(), min(chipset.schedule.next_cycle, limit)
        while following >= NEVER or self._too_quiet(now, limit):
            if not self._outside.wait():
                return False
            following = min(chipset.schedule.next_cycle, limit)
        cycles = int(words[edge.offset + layout.E_FLAGS]) >> layout.CYCLES_SHIFT
        rounds = max(1, -(-(following - now) // max(cycles, 1)))
        words[edge.offset + layout.E_COUNT] += rounds
        words[layout.H_CYCLES] += rounds * cycles
        words[layout.H_INSTRUCTIONS] += rounds * int(words[edge.offset + layout.E_INSTRUCTIONS])
        words[layout.H_SKIP] = 1
        return True

    def horizon(self, limit: int) -> int:
        """When the next event comes, or the run ends; NEVER if neither can happen."""
        following = min(self._chipset.schedule.next_cycle, limit)
        if following < NEVER and not self._too_quiet(self._chipset.timeline.now(), limit, POLL_SECONDS):
            return following
        # Somebody may type: let a millisecond of polling pass at a time.
        core_hz = self._chipset.clocks.core_hz
        return self._chipset.timeline.now() + core_hz // 1000 if self._outside.wait() else NEVER

    def heard(self) -> None:
        """Something was printed, arrived or changed: the firmware isn't merely ticking."""
        self._quiet_since = self._chipset.timeline.now()

    def result(self) -> tuple[Sleep, ...]:
        """The sleep states used."""
        return tuple(
            Sleep(state, clock_hz, cycles, self._wakeups[(state, clock_hz)])
            for (state, clock_hz), cycles in sorted(self._cycles.items())
        )

    def _too_quiet(self, now: int, limit: int, seconds: int | None = None) -> bool:
        if self._activity() != self._active:
            self._active, self._quiet_since = self._activity(), now
        return limit >= NEVER and now - self._quiet_since > (seconds or QUIET_SECONDS) * self._chipset.clocks.core_hz
