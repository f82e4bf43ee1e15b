"""The price of a transition: the core's cycles plus the memory's, for one board at one clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256

from vtarget.data.board import Board, Region
from vtarget.data.calibration import AppliedCalibration
from vtarget.data.core import Core
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.logic import isa
from vtarget.logic.bursts import Passage
from vtarget.logic.cost import CostModel, Exit
from vtarget.logic.decode import Block
from vtarget.logic.memory_cost import MemoryModel, Moved
from vtarget.logic.zones import CHANGED, MISPREDICTED, UNALIGNED, zones


@dataclass(frozen=True)
class Pricer:
    """Prices transitions and dynamic instructions: the same one for a run's live clock and for the profile after it."""

    core: Core
    board: Board
    memory: MemoryModel
    model: CostModel = field(repr=False)
    zones: tuple[Region, ...]  # a region of each zone that events of data are counted by
    pinned: bool = False  # the clock was asked for: what the firmware does to it is left out
    calibration: AppliedCalibration | None = None  # for profiles; prices themselves are those of the model

    @classmethod
    def of(
        cls,
        core: Core,
        board: Board,
        *,
        clock_hz: int | None = None,
    ) -> Pricer:
        """A pricer for ``board`` at ``clock_hz``; if None, at its typical clock until the firmware chooses one."""
        memory = MemoryModel(board, clock_hz or board.clock.typical)
        configured = core.configured(fpu=board.fpu, dsp=board.dsp)
        regions = tuple(board.region(names[0]) for names in zones(board))
        return cls(configured, board, memory, _model(configured.following_branches), regions, clock_hz is not None)

    def at(
        self,
        clock_hz: int,
        wait_states: tuple[tuple[str, int], ...] = (),
        switches: tuple[tuple[str, bool], ...] = (),
    ) -> Pricer:
        """The same prices at another clock, with the wait states and cache switches that a firmware programmed."""
        return replace(self, memory=replace(self.memory, clock_hz=clock_hz, programmed=wait_states, switches=switches))

    def supposing(
        self,
        *,
        placement: tuple[Moved, ...] = (),
        wait_states: int | None = None,
        caches_on: bool | None = None,
    ) -> Pricer:
        """Prices of the board as it isn't: memory moved, wait states and caches as given."""
        memory = replace(self.memory, placement=placement, wait_states_override=wait_states, caches_on=caches_on)
        return replace(self, memory=memory)

    def watching(self, zones: tuple[Region, ...], *, simulated: bool, branches: bool) -> Pricer:
        """The same prices for a record whose data events are counted by these zones; ``simulated``: as this board's
        caches and regions need it. ``branches``: how they were predicted is known."""
        model = _model(self.core.following_branches if branches else self.core)
        if (zones, simulated, model) == (self.zones, self.memory.simulated, self.model):
            return self
        return replace(self, zones=zones, memory=replace(self.memory, simulated=simulated), model=model)

    @cached_property
    def board_sha256(self) -> str:
        """A digest of the board's and the core's facts: what a price depends on besides clock and placement."""
        return sha256(repr((self.board, self.core)).encode()).hexdigest()

    @property
    def clock_hz(self) -> int:
        """Core clock that wait states and time are computed for."""
        return self.memory.clock_hz

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

    def data(self, block: Block, index: int, event: int, reach: tuple[int, int] = (-1, -1)) -> Cycles:
        """What one event of the load or store at ``index`` adds: unaligned, in another memory than the load
        before, or an access of a zone (hit or miss).

        ``reach`` is the lowest and highest address that it accessed in the run, if that is known.
        """
        if event == UNALIGNED:
            return self.model.unaligned
        if event == CHANGED:
            return self.model.changed_memory(block, index)
        zone, missed = divmod(event, 2)
        if not 1 <= zone <= len(self.zones):
            return NO_CYCLES
        moved = self.memory.moved(*reach) if self.memory.placement else None
        region = moved or self.zones[zone - 1]
        before = block.insns[index - 1] if index > 0 else None
        return self.memory.data(block.insns[index], before, region, missed=bool(missed))

    def data_alike(self, event: int) -> Cycles | None:
        """What ``data`` says of an event of every load and store; None if that depends on more than the event."""
        if event == UNALIGNED:
            return self.model.unaligned
        if event == CHANGED or self.memory.placement:
            return None
        zone, missed = divmod(event, 2)
        if not 1 <= zone <= len(self.zones):
            return NO_CYCLES
        return self.memory.data_alike(self.zones[zone - 1], missed=bool(missed))

    def fetch(self, block: Block, index: int, event: int) -> Cycles:
        """What one miss of the line in which instruction ``index`` stands adds, after a jump or in sequence."""
        region = self.memory.region(block.address)
        unit = None if region is None else self.memory.instruction_cache(region)
        if region is None or unit is None or unit.line is None:
            return NO_CYCLES
        pace = self._cycles_per_byte(block) if self.memory.prefetches(region) else 0.0
        return self.memory.fetched(region, event, pace * unit.line)

    def branch(self, block: Block, index: int, event: int) -> Cycles:
        """What one misprediction of the branch at ``index``, the block's last instruction, adds."""
        if event != MISPREDICTED:
            return NO_CYCLES
        penalty = self.model.mispredicted(block)
        return penalty + self.memory.wrong_path(block.address, penalty)

    def prefix(self, block: Block, index: int) -> int:
        """Nominal cycles of the block's first ``index`` instructions."""
        return self.model.prefix(block, index)

    def _fetch(self, source: Block, leaving: Exit, target: Block) -> Cycles:
        region = self.memory.region(target.address)
        if region is None or self.memory.instruction_cache(region) is not None:
            return NO_CYCLES  # as ``stall`` would find, too
        before = source.address + len(source.code) - 1
        jumped = leaving is not Exit.FALLTHROUGH
        interface = self.memory.read_ahead(region)
        if interface is not None and self.core.fetch is not None and self.memory.region(source.address) is region:
            shown = self.model.fetched(source, leaving, target, interface)
            under_way = interface.waits if jumped and shown else 0  # the rest of a read that may not be given up
            lines = interface.lines(before, target.address, target.address + len(target.code) - 1)
            return Cycles(0, shown, max(lines * interface.waits, shown + under_way))
        pace, transfers = partial(self._cycles_per_byte, target), partial(_transfers, target)
        come = partial(self._passage, source)
        return self.memory.stall(target.address, len(target.code), before, jumped, pace, transfers, come)

    def _passage(self, block: Block) -> Passage:
        return Passage(block.address, block.address + len(block.code) - 1, self._cycles_per_byte(block))

    def _cycles_per_byte(self, block: Block) -> float:
        return self.model.prefix(block, len(block.insns)) / max(1, len(block.code))


def _transfers(block: Block) -> int:
    """Bus cycles of the block's loads and stores."""
    return sum(max(1, insn.register_count) for insn in block.insns if insn.kind in isa.MEMORY_KINDS)


_MODELS: list[CostModel] = []
MOST_MODELS, MOST_KNOWN = 8, 200_000


def _model(core: Core) -> CostModel:
    """The model of a core: one for all boards that have it, because it remembers what it has priced."""
    for model in _MODELS:
        if model.core == core and model.known < MOST_KNOWN:
            return model
    made = CostModel(core)
    _MODELS[:] = [made, *(model for model in _MODELS if model.core != core)][:MOST_MODELS]
    return made
