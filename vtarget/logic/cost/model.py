"""Prices edges between blocks for one core, with zero-wait-state memory."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from vtarget.data.core import Core, CostClass, Overhead, Refill, Rule
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import LR, Dynamic, Flow, Insn
from vtarget.logic.cost.classes import cost_class, refill_class
from vtarget.logic.cost.operands import divide_cycles, long_multiply_cycles
from vtarget.logic.cost.readahead import NO_WAITS, Interface, Left, Leg, leave, stall, stall_of_queue
from vtarget.logic.cost.scalar import ScalarPipeline
from vtarget.logic.cost.scoreboard import ScoreboardPipeline
from vtarget.logic.cost.timing import Pipeline, Timing
from vtarget.logic.decode import Block


class Exit(StrEnum):
    """How a block was left: on to the next address, by its branch, for nothing that follows (the run ended, or an
    exception was taken), or by returning from an exception. ``ENTRY`` and ``TAIL_CHAIN`` lead into a handler from no
    block at all; ``_FP`` says that floating-point registers were moved, ``LAZY`` that the handler made it so."""

    FALLTHROUGH = "fallthrough"
    TAKEN = "taken"
    END = "end"
    ENTRY = "entry"
    ENTRY_FP = "entry_fp"
    TAIL_CHAIN = "tail_chain"
    RETURN = "return"
    RETURN_FP = "return_fp"
    RETURN_LAZY_FP = "return_lazy_fp"


# How a record stores them.
EXITS = tuple(Exit)
_OVERHEADS = {
    Exit.ENTRY: (Overhead.ENTRY,),
    Exit.ENTRY_FP: (Overhead.ENTRY_FP,),
    Exit.TAIL_CHAIN: (Overhead.TAIL_CHAIN,),
    Exit.RETURN: (Overhead.RETURN,),
    Exit.RETURN_FP: (Overhead.RETURN_FP,),
    Exit.RETURN_LAZY_FP: (Overhead.RETURN_FP, Overhead.LAZY_FP),
}


class Terms(NamedTuple):
    """What prices a transition: the block by itself (without the instructions ``skipped``), the ``gap`` behind its
    branch, and what the ``overlap`` with the block that follows adds (may be < 0); ``total`` is their sum."""

    timing: Timing
    skipped: frozenset[int]
    gap: Cycles
    overlap: Cycles
    total: Cycles


# Looking up the member of an enum takes a while.
_FALLTHROUGH, _TAKEN, _END = Exit.FALLTHROUGH, Exit.TAKEN, Exit.END
_LIKE = {Refill.COMPARE: Refill.DIRECT, Refill.LINK: Refill.REGISTER}


ALIGNMENT = 32  # no rule of a core looks at more of an address; what else counts is the way from block to block


def placeless(block: Block) -> tuple[int, bytes]:
    """What a block costs by: the same code on another board, in another region, is no other block."""
    return block.address % ALIGNMENT, block.code


class CostModel:
    """Cycles of blocks on ``core`` (as ``configured``); pure, it only remembers what it has priced."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._pipeline: Pipeline = ScalarPipeline(core) if core.pipeline == "scalar" else ScoreboardPipeline(core)
        self._refill = {key: figure.cycles for key, figure in core.refill.items()}
        self.taken_pairs = core.pipeline == "m33"  # elsewhere a block costs the same whichever way it is left
        self._edges: dict[tuple[int, bytes, Exit, tuple[int, bytes] | None], Terms] = {}
        self._fetched: dict[tuple[Interface, int, bytes, Exit, tuple[int, bytes]], int] = {}
        self._legs: dict[tuple[int, bytes, frozenset[int]], Leg] = {}
        self._left: dict[tuple[Interface, int, bytes, frozenset[int]], Left] = {}
        self._timings: dict[tuple[int, bytes, frozenset[int], bool], Timing] = {}
        self._sites: dict[tuple[int, bytes, int, int], Cycles] = {}
        self._pipelined: dict[tuple[int, bytes], frozenset[int]] = {}
        self._overheads = {exit: self._overhead(parts) for exit, parts in _OVERHEADS.items()}

    def edge(self, source: Block, exit: Exit, target: Block | None) -> Cycles:
        """All cycles ``source`` takes when it is left by ``exit`` for ``target``.

        Instructions with a ``dynamic`` cost count as not executed (1 cycle if predicated, else 0): see ``site``. A
        taken branch includes its refill; without one, what the pipeline overlaps with ``target`` is taken off.
        """
        return self.terms(source, exit, target).total

    @property
    def known(self) -> int:
        """How many transitions it remembers."""
        return len(self._edges) + len(self._fetched)

    def overhead(self, exit: Exit) -> Cycles:
        """What the core itself takes to enter or leave a handler; none for exits that do neither."""
        return self._overheads.get(exit, NO_CYCLES)

    def _overhead(self, parts: tuple[Overhead, ...]) -> Cycles:
        total = NO_CYCLES
        for part in parts:
            figure = self.core.exceptions.get(part)
            total = total + (figure.cycles if figure is not None else NO_CYCLES)
        return total

    def site(self, block: Block, index: int, operand_class: int) -> Cycles:
        """What one execution of the dynamic instruction ``index`` adds to the edge, its operands of that class."""
        key = (*placeless(block), index, operand_class)
        found = self._sites.get(key)
        if found is None:
            found = self._sites[key] = self._site(block, index, operand_class)
        return found

    def mispredicted(self, block: Block) -> Cycles:
        """What it costs that the branch at the block's end went the other way than predicted; nothing where the core
        has no predictor."""
        if self.core.predictor is None or not isinstance(self._pipeline, ScoreboardPipeline):
            return NO_CYCLES
        predictor, offset = self.core.predictor, block.insns[-1].branch_offset
        if predictor.mispredicted_forward is not None and offset is not None and offset >= 0:
            return predictor.mispredicted_forward.cycles
        saved = self._pipeline.early_flags(self._timing(block, block.observed, False))
        full = predictor.mispredicted.cycles
        return _sane(Cycles(full.low - saved.high, full.nominal - saved.nominal, full.high - saved.low))

    def pipelined(self, block: Block) -> frozenset[int]:
        """The instructions that take less because they pipeline behind the load before them, inside one memory."""
        found = self._pipelined.get(placeless(block))
        if found is None:
            scalar = self._pipeline if isinstance(self._pipeline, ScalarPipeline) else None
            found = scalar.pipelined(block, block.observed) if scalar is not None else frozenset()
            self._pipelined[placeless(block)] = found
        return found

    def changed_memory(self, block: Block, index: int) -> Cycles:
        """What it costs that the load or store ``index`` goes to another memory than the load before."""
        if index not in self.pipelined(block) or not isinstance(self._pipeline, ScalarPipeline):
            return NO_CYCLES
        return self._pipeline.changed_memory(block.insns[index])

    @property
    def unaligned(self) -> Cycles:
        """What each further bus transfer of an access that isn't aligned takes."""
        figure = self.core.rules.get(Rule.UNALIGNED_TRANSFER_PENALTY)
        return figure.cycles if figure is not None else NO_CYCLES

    def prefix(self, block: Block, index: int) -> int:
        """Nominal cycles from the block's start to its instruction ``index``."""
        timing = self._timing(block, block.observed, False)
        before = timing.nominal_before
        return before[index] if index < len(before) else timing.cycles.nominal

    def alone(self, insn: Insn) -> int:
        """Nominal cycles of one instruction behind nothing, 0 if its operands decide; it is in no IT block."""
        return self._pipeline.alone(insn)

    def store_awaited(self, block: Block, skipped: frozenset[int], index: int) -> int | None:
        """The last store of the block whose bytes its load ``index`` reads, where the core has such loads wait."""
        if not isinstance(self._pipeline, ScoreboardPipeline):
            return None
        return self._pipeline.store_awaited(block, skipped, index)

    def store_felt(self, terms: Terms, target: Block) -> int | None:
        """The last store of the block left whose bytes the first instructions of ``target`` read, likewise."""
        return (
            self._pipeline.store_felt(terms.timing, target) if isinstance(self._pipeline, ScoreboardPipeline) else None
        )

    def quiet_overlap(self, terms: Terms, target: Block) -> int:
        """Nominal cycles of the overlap with ``target`` if the prefetch queue held nothing up."""
        if self.core.fetch is None or not isinstance(self._pipeline, ScalarPipeline):
            return terms.overlap.nominal
        return self._pipeline.quiet_overlap(terms.timing, target)

    def fetched(self, source: Block, exit: Exit, target: Block, interface: Interface) -> int:
        """Nominal cycles that ``target`` waits for its fetches through a buffer that reads ahead, on a core with a
        prefetch queue, beyond what the edge has of that. ``source`` is taken to have been jumped to."""
        line = interface.line_bytes
        following = (target.address - source.address, target.code)
        key = (interface, source.address % max(line, ALIGNMENT), source.code, exit, following)
        found = self._fetched.get(key)
        if found is None:
            assert self.core.fetch is not None
            if source.insns and target.insns:
                terms, leg = self.terms(source, exit, target), self._leg(target, target.observed)
                gap = None if exit is _FALLTHROUGH else terms.gap.nominal
                found = stall(self._leave(source, terms, interface), leg, gap)
                if found:
                    found = max(0, found - self._queue_stall(source, terms, leg, gap))
            self._fetched[key] = found = found or 0
        return found

    def _queue_stall(self, source: Block, terms: Terms, target: Leg, gap: int | None) -> int:
        """What ``fetched`` finds without wait states, which the edge has by its overlap."""
        assert self.core.fetch is not None
        if gap is not None:
            return stall_of_queue(self.core.fetch, target)
        return stall(self._leave(source, terms, NO_WAITS), target, None)

    def _leave(self, block: Block, terms: Terms, interface: Interface) -> Left:
        key = (interface, block.address, block.code, terms.skipped)
        found = self._left.get(key)
        if found is None:
            assert self.core.fetch is not None
            found = self._left[key] = leave(self.core.fetch, interface, self._leg(block, terms.skipped))
        return found

    def _leg(self, block: Block, skipped: frozenset[int]) -> Leg:
        key = (block.address, block.code, skipped)
        found = self._legs.get(key)
        if found is None:
            timing = self._timing(block, skipped, False)
            ends = (*timing.nominal_before[1:], timing.cycles.nominal)
            cycles = timing.quiet or [end - start for start, end in zip(timing.nominal_before, ends, strict=True)]
            found = self._legs[key] = Leg.of(block.insns, block.addresses, cycles)
        return found

    def terms(self, source: Block, exit: Exit, target: Block | None) -> Terms:
        """What ``edge`` adds up, for those who explain it."""
        following = None if target is None else (target.address - source.address, target.code)
        key = (*placeless(source), exit, following)
        found = self._edges.get(key)
        if found is None:
            found = self._edges[key] = self._price(source, exit, target)
        return found

    def _price(self, source: Block, exit: Exit, target: Block | None) -> Terms:
        if not source.insns:
            return Terms(Timing(NO_CYCLES, (), None), frozenset(), NO_CYCLES, NO_CYCLES, NO_CYCLES)
        last = source.insns[-1]
        taken = exit is _TAKEN
        skipped = source.observed
        if exit is _FALLTHROUGH and last.predicated and last.flow is not Flow.NONE:
            skipped |= {len(source.insns) - 1}
        timing = self._timing(source, skipped, taken)
        gap = self._gap(source, exit, target)
        overlap = NO_CYCLES
        if target is not None and exit is not _END:
            overlap = self._pipeline.overlap(timing, target, gap, taken)
        return Terms(timing, skipped, gap, overlap, _sane(timing.cycles + gap + overlap))

    def _gap(self, source: Block, exit: Exit, target: Block | None) -> Cycles:
        """Cycles between the block's last instruction and the next block's first."""
        last = source.insns[-1]
        if exit is _FALLTHROUGH:
            return self._mispredictions(last, taken=False)
        kind = refill_class(last)
        if exit is not _TAKEN or kind is None:
            return NO_CYCLES
        if kind is Refill.LINK and len(source.insns) > 1 and source.insns[-2].writes >> LR & 1:
            kind = Refill.REGISTER  # DDI0337G Table 15-3: LR must not be written while the branch is decoded
        refill = self._refill.get(kind)
        if refill is None:
            refill = self._refill.get(_LIKE.get(kind, kind), NO_CYCLES)
        if (kind in (Refill.DIRECT, Refill.CALL) or self.core.fetch is not None) and _is_misaligned(target):
            refill = refill + self._refill.get(Refill.MISALIGNED_TARGET, NO_CYCLES)
        return refill + self._mispredictions(last, taken=True)

    def _mispredictions(self, last: Insn, *, taken: bool) -> Cycles:
        """What a branch predictor gets wrong: the exits of loops, and its share of the branches forward."""
        if last.flow is not Flow.CONDITIONAL or last.branch_offset is None:
            return NO_CYCLES
        if last.branch_offset < 0:
            return NO_CYCLES if taken else self._refill.get(Refill.LOOP_EXIT, NO_CYCLES)
        return self._refill.get(Refill.FORWARD_TAKEN if taken else Refill.FORWARD_NOT_TAKEN, NO_CYCLES)

    def _timing(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        pairs = taken and self.taken_pairs and _decides_pair(block)
        key = (*placeless(block), skipped, pairs)
        found = self._timings.get(key)
        if found is None:
            found = self._timings[key] = self._pipeline.time(block, skipped, pairs)
        return found

    def _site(self, block: Block, index: int, operand_class: int) -> Cycles:
        insn = block.insns[index]
        if insn.dynamic is None:
            raise ValueError(f"instruction {index} of the block at 0x{block.address:08x} has no dynamic cost")
        if insn.dynamic is Dynamic.PREDICATED:
            return self._executed(block, index)
        if insn.dynamic is Dynamic.LONG_MULTIPLY and self.core.pipeline != "scalar":
            return NO_CYCLES  # always the same there, and part of the edge
        cost = self._by_operands(insn, operand_class)
        if insn.predicated:
            skipped = self.core.cycles[CostClass.SKIPPED].cycles
            cost = cost + skipped * -1
        return _sane(cost)

    def _by_operands(self, insn: Insn, operand_class: int) -> Cycles:
        if insn.dynamic is Dynamic.DIVIDE:
            return divide_cycles(self.core.divide, operand_class) if self.core.divide is not None else NO_CYCLES
        row = cost_class(insn)
        figure = self.core.cycles.get(row, self.core.cycles[CostClass.UNDEFINED]).cycles
        table = self.core.long_multiply
        by_class = None if table is None else table.mla if row is CostClass.LONG_MLA else table.mul
        return long_multiply_cycles(figure, by_class, operand_class)

    def _executed(self, block: Block, index: int) -> Cycles:
        """What executing a predicated instruction costs beyond its slot, after its likes before it in the block."""
        skipped = block.observed
        condition = block.insns[index].condition
        before = frozenset(i for i in skipped if i >= index or block.insns[i].condition != condition)
        without = self._timing(block, before, False).cycles
        executed = self._timing(block, before - {index}, False).cycles
        return _sane(executed + without * -1)


def _decides_pair(block: Block) -> bool:
    """Whether a Cortex-M33 may pair the branch at its end otherwise if it is taken: behind flags that are set."""
    return len(block.insns) > 1 and block.insns[-2].sets_flags


def _is_misaligned(target: Block | None) -> bool:
    """Whether the first instruction of ``target`` is 32 bits wide and straddles a word."""
    return target is not None and bool(target.address & 2) and bool(target.insns) and target.insns[0].size == 4


def _sane(cycles: Cycles) -> Cycles:
    """Bounds in order and no time gained."""
    if 0 <= cycles.low <= cycles.nominal <= cycles.high:
        return cycles
    nominal = max(cycles.nominal, 0)
    return Cycles(max(0, min(cycles.low, nominal)), nominal, max(cycles.high, nominal))
