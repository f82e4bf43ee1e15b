"""The price of a transition: the core's cycles plus the memory's, for one board at one clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256

from vtarget.data.board import Board
from vtarget.data.core import Core
from vtarget.data.cycles import Cycles
from vtarget.logic.cost import CostModel, Exit
from vtarget.logic.decode import Block
from vtarget.logic.memory_cost import FetchModel


@dataclass(frozen=True)
class Pricer:
    """Prices transitions and dynamic instructions: the same one for a run's live clock and for the profile after it."""

    core: Core
    board: Board
    fetch: FetchModel
    model: CostModel = field(repr=False)
    pinned: bool = False  # the clock was asked for: what the firmware does to it is left out

    @classmethod
    def of(
        cls,
        core: Core,
        board: Board,
        *,
        clock_hz: int | None = None,
        placement: tuple[tuple[str, str], ...] = (),
        wait_states: int | None = None,
    ) -> Pricer:
        """A pricer for ``board`` at ``clock_hz``; if None, at its typical clock until the firmware chooses one."""
        fetch = FetchModel(board, clock_hz or board.clock.typical, placement, wait_states)
        configured = core.configured(fpu=board.fpu, dsp=board.dsp)
        return cls(configured, board, fetch, CostModel(configured), clock_hz is not None)

    def at(self, clock_hz: int, wait_states: tuple[tuple[str, int], ...] = ()) -> Pricer:
        """The same prices at another clock, with the wait states that a firmware programmed."""
        return replace(self, fetch=replace(self.fetch, clock_hz=clock_hz, programmed=wait_states))

    @cached_property
    def board_sha256(self) -> str:
        """A digest of the board's and the core's facts: what a price depends on besides clock and placement."""
        return sha256(repr((self.board, self.core)).encode()).hexdigest()

    @property
    def clock_hz(self) -> int:
        """Core clock that wait states and time are computed for."""
        return self.fetch.clock_hz

    def edge(self, source: Block | None, leaving: Exit, target: Block | None) -> Cycles:
        """All cycles that ``source`` takes when left that way, and the fetch stalls of getting to ``target``.

        Without a ``source`` it is what the core takes to enter the handler at ``target``, without a ``target`` what
        returning from one adds.
        """
        if source is None:
            return self.model.overhead(leaving)
        if target is None:
            return self.model.edge(source, Exit.END, None) + self.model.overhead(leaving)
        return self.model.edge(source, leaving, target) + self._fetch(source, leaving, target)

    def site(self, block: Block, index: int, operand_class: int) -> Cycles:
        """What one execution of dynamic instruction ``index`` adds for operands of that class."""
        return self.model.site(block, index, operand_class)

    def prefix(self, block: Block, index: int) -> int:
        """Nominal cycles of the block's first ``index`` instructions."""
        return self.model.prefix(block, index)

    def _fetch(self, source: Block, leaving: Exit, target: Block) -> Cycles:
        before = source.address + len(source.code) - 1 if leaving is Exit.FALLTHROUGH else None
        return self.fetch.stall(target.address, len(target.code), before)
