"""The blocks of a kernel, instruction by instruction: what each took, and why."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.waterfall import CyclePart


@dataclass(frozen=True)
class Why:
    """One reason: it was met ``times`` times and took ``cycles`` in all. ``text`` says what it takes each time."""

    text: str
    part: CyclePart
    times: int
    cycles: int


@dataclass(frozen=True)
class ExplainedInsn:
    """One instruction of a block, executed ``count`` times; ``source`` is ``file:line`` where the image tells."""

    address: int
    text: str
    count: int
    cycles: int
    whys: tuple[Why, ...]
    source: str | None = None


@dataclass(frozen=True)
class ExplainedBlock:
    """A block of ``function``: its instructions, and under ``whys`` what belongs to none (entering a handler)."""

    address: int
    function: str
    entered: int
    cycles: int
    insns: tuple[ExplainedInsn, ...]
    whys: tuple[Why, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """All blocks that a kernel executed, most cycles first; ``callees``: with those of all that it calls.

    The blocks' cycles add up to ``cycles``, which are estimated and uncalibrated; ``calibrated_cycles`` are those of a
    calibrated profile, None of any other. ``beside_board`` says that a real board ran it too, and ``measured_cycles``
    what the kernel took there, None if that isn't known. ``note`` says why there are no source lines.
    """

    name: str
    callees: bool
    cycles: int
    blocks: tuple[ExplainedBlock, ...]
    note: str | None = None
    calibrated_cycles: int | None = None
    beside_board: bool = False
    measured_cycles: int | None = None
