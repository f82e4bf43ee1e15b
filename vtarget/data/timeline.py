"""When things happened in one run, in core cycles since reset, awake and asleep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LaneKind(StrEnum):
    """What a lane shows: calls of a spanned function, one exception, one sleep state."""

    SPAN = "span"
    EXCEPTION = "exception"
    SLEEP = "sleep"


@dataclass(frozen=True)
class LeftOut:
    """Stretches of a lane beyond those that are kept: how many, how many cycles they are together, when the first of
    them began and the last ended."""

    count: int = 0
    cycles: int = 0
    first_cycle: int = 0
    last_cycle: int = 0


NOTHING_LEFT_OUT = LeftOut()


@dataclass(frozen=True)
class Lane:
    """Stretches of time of one kind: number i lasted from ``begins[i]`` to ``ends[i]``.

    An exception's begins with its entry sequence and ends with that of its return; what preempts it lies inside.
    ``number`` is an exception's, ``handler`` the function that its vector named at first. An ``unfinished`` lane's last
    stretch was cut off by the end of the run.
    """

    kind: LaneKind
    name: str
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    number: int = 0
    handler: str = ""
    left_out: LeftOut = NOTHING_LEFT_OUT
    unfinished: bool = False

    @property
    def count(self) -> int:
        """How many stretches there were, kept or not."""
        return len(self.begins) + self.left_out.count

    @property
    def cycles(self) -> int:
        """How long they lasted together."""
        return sum(self.ends) - sum(self.begins) + self.left_out.cycles


@dataclass(frozen=True)
class ClockChange:
    """From ``cycle`` on the core's clock is ``clock_hz``."""

    cycle: int
    clock_hz: int


@dataclass(frozen=True)
class Timeline:
    """The moments of a run on ``board``. The first of ``clocks`` is at cycle 0, and of each name and kind there is one
    lane. From ``known_cycles`` on nothing is told; that is ``end_cycle``, where all fitted in."""

    board: str
    end_cycle: int
    known_cycles: int
    clocks: tuple[ClockChange, ...]
    lanes: tuple[Lane, ...] = ()
