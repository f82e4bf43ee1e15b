"""Waiting: what the core does until something happens, asleep (WFI, WFE) or in a loop that does nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from vtarget.data.record import Sleep
from vtarget.logic.cost import Exit
from vtarget.shell import layout
from vtarget.shell.chipset import Chipset
from vtarget.shell.recorder import Edge, Recorder
from vtarget.shell.scb import SCR, SLEEPDEEP
from vtarget.shell.schedule import NEVER

# How far to go at a time while input may come.
PACE_SECONDS = 0.05
# A firmware that waits for so long, reached by nothing but its own periodic wake-ups, waits for what can't come.
QUIET_SECONDS = 60
POLL_SECONDS = 10  # one that polls a register all the while needs less patience


class Outside(Protocol):
    """The host's side of the consoles."""

    @property
    def live(self) -> bool:
        """Whether input may come."""

    def pace(self, seconds: float) -> None:
        """The core waits for so long: while input may come, wait for it as long."""


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
        self._quiet_since = 0  # moved on by what the core computes
        self._waited_until = 0
        self._activity = activity
        self._active = 0
        self.late: Callable[[], bool] = lambda: False  # whether the host's time is up

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
        moments, ahead = self._recorder.moments, self._uncounted()
        begin = self._recorder.moments.now + ahead
        moments.clock(key[1], begin)
        awoke = self._pass_time(key, wakes, limit, ahead)
        moments.slept(key[0], begin, self._recorder.moments.now + ahead)
        return awoke

    def _uncounted(self) -> int:
        """Cycles of the block that put the core to sleep: it is counted when it is left, but comes before the sleep."""
        recorder, node = self._recorder, self._recorder.current
        if node is None or recorder.stopped_by_limit:
            return 0
        return recorder.pricer.edge(node.block, Exit.END, None).nominal

    def _pass_time(self, key: tuple[str, int], wakes: Callable[[], bool], limit: int, ahead: int) -> bool:
        chipset = self._chipset
        while not wakes():
            now = chipset.timeline.now()
            if now >= limit or self.late():
                return True
            following = self._following(now, limit, QUIET_SECONDS)
            if following >= NEVER:
                return False
            counted = ahead if following < limit else 0
            passed = max(0, following - now - counted)
            chipset.timeline.asleep += passed
            self._outside.pace(passed / chipset.clocks.core_hz)
            self._cycles[key] += passed
            chipset.run_due(counted)
        self._wakeups[key] += 1
        if key[0] != "sleep":
            chipset.wake_from(key[0])
        return True

    def spin(self, edge: Edge, limit: int) -> bool:
        """Go round a loop that does nothing until the next event or ``limit``; False if there is neither."""
        chipset, words = self._chipset, self._recorder.words
        if self.late():
            return True
        now = chipset.timeline.now()
        following = self._following(now, limit, QUIET_SECONDS)
        if following >= NEVER:
            return False
        self._outside.pace((following - now) / chipset.clocks.core_hz)
        cycles = int(words[edge.offset + layout.E_FLAGS]) >> layout.CYCLES_SHIFT
        rounds = max(1, -(-(following - now) // max(cycles, 1)))
        words[edge.offset + layout.E_COUNT] += rounds
        words[layout.H_CYCLES] += rounds * cycles
        words[layout.H_INSTRUCTIONS] += rounds * int(words[edge.offset + layout.E_INSTRUCTIONS])
        words[layout.H_SKIP] = 1
        return True

    def horizon(self, limit: int) -> int:
        """How far a loop that polls can go on alike: to the next event or the end of the run; NEVER if it can't end."""
        now = self._chipset.timeline.now()
        following = self._following(now, limit, POLL_SECONDS)
        if following < NEVER:
            self._outside.pace((following - now) / self._chipset.clocks.core_hz)
        return min(following, max(now, self._chipset.schedule.next_cycle)) if following < NEVER else NEVER

    def _following(self, now: int, limit: int, patience_seconds: int) -> int:
        """When the next event comes, the run ends, or input is to be looked for; NEVER if none of that can be."""
        core_hz = self._chipset.clocks.core_hz
        following = min(self._chipset.schedule.next_cycle, limit)
        if self._outside.live:
            return now if self.late() else min(following, now + int(PACE_SECONDS * core_hz))
        if self._too_quiet(now, limit, patience_seconds):
            return NEVER
        self._waited_until = following
        return following

    def heard(self) -> None:
        """Something was printed, arrived or changed: the firmware isn't merely ticking."""
        self._quiet_since = self._chipset.timeline.now()

    def quiet_until(self, limit: int) -> int:
        """Up to which cycle the core may sleep from one wake-up to the next without anybody looking; 0: not at all."""
        if self._outside.live or self._too_quiet(self._chipset.timeline.now(), limit, QUIET_SECONDS):
            return 0
        return limit if limit < NEVER else self._quiet_since + QUIET_SECONDS * self._chipset.clocks.core_hz

    def slept(self, cycles: int, wakeups: int) -> None:
        """The core has slept (not deeply) for so long, and woken up so often."""
        key = ("sleep", self._chipset.clocks.core_hz)
        self._cycles[key] += cycles
        self._wakeups[key] += wakeups
        self._waited_until = self._chipset.timeline.now()

    def result(self) -> tuple[Sleep, ...]:
        """The sleep states used."""
        return tuple(
            Sleep(state, clock_hz, cycles, self._wakeups[(state, clock_hz)])
            for (state, clock_hz), cycles in sorted(self._cycles.items())
        )

    def _too_quiet(self, now: int, limit: int, seconds: int) -> bool:
        if self._activity() != self._active:
            self._active, self._quiet_since = self._activity(), now
        if now > self._waited_until:
            self._quiet_since, self._waited_until = min(now, self._quiet_since + now - self._waited_until), now
        return limit >= NEVER and now - self._quiet_since > seconds * self._chipset.clocks.core_hz
