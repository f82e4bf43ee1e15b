"""How long a firmware may wait before it counts as one that waits for good: its own computing is no waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from vtarget.shell.chipset import Chipset
from vtarget.shell.recorder import Recorder
from vtarget.shell.schedule import NEVER
from vtarget.shell.waiting import POLL_SECONDS, QUIET_SECONDS, Waiting

HZ = 1000
POLL, QUIET = POLL_SECONDS * HZ, QUIET_SECONDS * HZ


class Firmware:
    """Time and events of a made-up run on a core of 1 kHz, and what it has printed."""

    def __init__(self) -> None:
        self.cycle, self.printed = 0, 0
        self.schedule = SimpleNamespace(next_cycle=NEVER)
        clocks = SimpleNamespace(core_hz=HZ)
        chipset = SimpleNamespace(
            clocks=clocks, schedule=self.schedule, timeline=SimpleNamespace(now=lambda: self.cycle)
        )
        outside = SimpleNamespace(live=False, pace=lambda _seconds: None)
        self.waiting = Waiting(
            cast(Recorder, None), cast(Chipset, chipset), cast("object", outside), lambda: self.printed
        )  # type: ignore[arg-type]

    def computes(self, cycles: int) -> None:
        self.cycle += cycles

    def polls(self, cycles: int) -> bool:
        """Whether it is let poll until an event that comes in so many cycles."""
        self.schedule.next_cycle = self.cycle + cycles
        horizon = self.waiting.horizon(NEVER)
        if horizon >= NEVER:
            return False
        self.cycle = horizon
        return True


def test_polls_are_waited_for_as_long_as_they_take() -> None:
    firmware = Firmware()
    assert [firmware.polls(POLL // 2) for _ in range(4)] == [True, True, True, False]


def test_what_it_computes_in_between_does_not_count() -> None:
    firmware = Firmware()
    for _ in range(2):
        firmware.computes(5 * POLL)
        assert firmware.polls(POLL // 2)
    firmware.computes(5 * POLL)
    assert firmware.polls(1)
    firmware.computes(5 * POLL)
    assert not firmware.polls(1)


def test_patience_begins_anew_with_what_it_prints() -> None:
    firmware = Firmware()
    assert firmware.polls(POLL) and firmware.polls(1)
    firmware.printed += 1
    assert firmware.polls(POLL) and firmware.polls(1)
    assert not firmware.polls(1)


def test_ticks_that_nobody_looks_at_have_the_same_patience() -> None:
    firmware = Firmware()
    firmware.computes(2 * QUIET)
    assert firmware.waiting.quiet_until(NEVER) == firmware.cycle + QUIET
    firmware.cycle += QUIET + 1
    firmware.waiting.slept(QUIET + 1, 3)
    assert firmware.waiting.quiet_until(NEVER) == 0
