"""What a pipeline model answers about one block."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vtarget.data.cycles import Cycles
from vtarget.data.insn import Insn
from vtarget.logic.decode import Block


class Timing(NamedTuple):
    """``cycles`` of a block, ``nominal_before`` each of its instructions, and the ``state`` it leaves the core in.
    ``quiet``: what each takes where the prefetch queue holds nothing up; None if it didn't."""

    cycles: Cycles
    nominal_before: tuple[int, ...]
    state: object
    quiet: tuple[int, ...] | None = None


class Pipeline(Protocol):
    """A timing model of one core. ``skipped`` are the indices of instructions whose condition is false.

    Instructions whose cost depends on their operands count 0 cycles, or 1 if they stand in an IT block: the rest of
    their cost is added where it is known.
    """

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """The block from a core at rest; ``taken``: it is left by its last instruction's branch."""

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """What running ``target`` right after (``gap`` cycles of refill between) adds to both alone; may be < 0."""

    def alone(self, insn: Insn) -> int:
        """Nominal cycles of one instruction behind nothing."""
