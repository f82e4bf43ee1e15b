"""What one run on a board is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vtarget.shell.onlooking import NOBODY, Onlooker


@dataclass(frozen=True)
class End:
    """Where a run ends: before the instruction at ``address``. If that is a semihosting call, only one that exits."""

    address: int


@dataclass(frozen=True)
class Visits:
    """Stops besides those that time calls: ``writes`` are put to memory at ``start`` (reset, if None), once; the
    onlooker is told at ``entries`` (address to name), and when a timed call has returned. Unless ``to_the_end``, the
    run is over with its last timed call."""

    onlooker: Onlooker = NOBODY
    start: int | None = None
    writes: tuple[tuple[int, bytes], ...] = ()
    entries: Mapping[int, str] = field(default_factory=dict)
    to_the_end: bool = True


NO_VISITS = Visits()


@dataclass
class Lap:
    """What one run gave: cycles of each call by kernel, and what went unexpectedly. ``total_cycles`` of the whole run
    still have the overhead of ``stops`` in them. ``timed_out`` is endless firmware that wasn't waited for."""

    calls: dict[int, list[int]] = field(default_factory=dict)  # by the kernel's address
    total_cycles: int | None = None
    stops: int = 0
    exit_code: int | None = None
    timed_out: bool = False
    notes: list[str] = field(default_factory=list)
