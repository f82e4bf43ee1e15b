"""Which instruction of a block every cycle of a transition belongs to, in which part of the waterfall, and why.

The pipeline models answer with sums. What one instruction takes is the difference of the sums before and behind it;
what it takes by itself, the sum of a block that holds nothing else. The rest is a matter of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise

from vtarget.data.core import CostClass, Latency
from vtarget.data.insn import Dynamic, Insn, Kind
from vtarget.data.waterfall import CyclePart
from vtarget.logic import isa
from vtarget.logic.cost import CostModel, Exit
from vtarget.logic.cost.model import Terms, placeless
from vtarget.logic.decode import Block

HEAD = -1  # the index of what belongs to no instruction: entering a handler


class Cause(StrEnum):
    """Why an instruction takes cycles. ``Charge.other`` is the instruction that has to do with it, if one has."""

    ISSUE = "issue"  # its slot
    OWN = "own"  # what it takes by itself beyond its slot
    FREE = "free"  # paired with or folded into another
    SAVED = "saved"  # what is left of its own cycles beside its neighbour
    ADDRESS = "address"  # the instruction before made its address
    RESULT = "result"  # it needs a result that isn't there yet
    UNIT = "unit"  # the FPU or the store buffer is busy
    RUNNING = "running"  # a divide of the FPU still runs at the end of the block
    BEFORE = "before"  # held up by the instruction before
    QUEUE = "queue"  # the prefetch queue doesn't hold it yet
    REFILL = "refill"  # a taken branch
    MISPREDICTED = "mispredicted"  # a branch that the predictor thought taken
    NEXT = "next"  # what the first instruction of the next block gains or loses beside it
    NEXT_WAITS = "next_waits"  # the next block waits for a result
    NEXT_QUEUE = "next_queue"  # the prefetch queue at the next block
    LINES = "lines"  # wait states of the lines that the next block lies in
    ENTRY = "entry"  # entering a handler
    RETURN = "return"  # returning from one
    OPERANDS = "operands"  # a site: by its operands, or because it executed
    DATA = "data"  # a site: what memory adds to an access
    LINE_MISS = "line_miss"  # a site: a line that a cache missed


@dataclass(frozen=True, slots=True)
class Charge:
    """Nominal cycles of the instruction ``index``; may be 0 (with a reason) and < 0 (gained over a block's border)."""

    index: int
    part: CyclePart
    cycles: int
    cause: Cause
    other: Insn | None = None


def part_of(insn: Insn) -> CyclePart:
    """The part that an instruction's cycles beyond its slot belong to."""
    if insn.kind in isa.MEMORY_KINDS or insn.kind is Kind.TABLE_BRANCH:
        return CyclePart.LOAD_STORE
    if insn.kind is Kind.BARRIER:
        return CyclePart.BRANCH_REFILL if insn.mnemonic == "isb" else CyclePart.LOAD_STORE
    if insn.kind in (Kind.BRANCH, Kind.CALL):
        return CyclePart.BRANCH_REFILL
    return CyclePart.FPU_DIVIDE if insn.kind in isa.FP_KINDS or insn.kind in _ARITHMETIC else CyclePart.ISSUE


_ARITHMETIC = frozenset({Kind.ALU, Kind.MUL, Kind.MLA, Kind.LONG_MUL, Kind.LONG_MLA, Kind.DIVIDE, Kind.DSP})
_BY_OPERANDS = (Dynamic.DIVIDE, Dynamic.LONG_MULTIPLY)
_REACH = 4
_BUSY = frozenset({Kind.FP_MAC, Kind.FP_DIVIDE})
_ISSUE = CyclePart.ISSUE
_NOP = b"\x00\xbf"
_LATENCIES = {
    Kind.LOAD: Latency.LOAD,
    Kind.LOAD_PAIR: Latency.LOAD,
    Kind.LOAD_MULTIPLE: Latency.LOAD,
    Kind.LOAD_EXCLUSIVE: Latency.LOAD,
    Kind.MUL: Latency.MULTIPLY,
    Kind.MLA: Latency.MULTIPLY,
    Kind.LONG_MUL: Latency.MULTIPLY,
    Kind.LONG_MLA: Latency.MULTIPLY,
    Kind.DSP: Latency.MULTIPLY,
    Kind.FP_ALU: Latency.FP_ALU,
    Kind.FP_MAC: Latency.FP_MAC,
    Kind.FP_DIVIDE: Latency.FP_DIVIDE,
    Kind.FP_LOAD: Latency.FP_LOAD,
    Kind.FP_MOVE: Latency.FP_TO_CORE,
}


_Key = tuple[int, bytes, frozenset[int], bool]


class Attribution:
    """Charges of one core's transitions; remembers those of blocks."""

    def __init__(self, model: CostModel, *, remarks: bool = True) -> None:
        """Without ``remarks`` charges of 0 cycles are left out, which is quicker."""
        self._model = model
        self._remarks = remarks
        self._scalar = model.core.pipeline == "scalar"
        self._own: dict[Insn, int] = {}
        self._blocks: dict[_Key, tuple[Charge, ...]] = {}
        self._sums: dict[_Key, list[int]] = {}

    def edge(self, source: Block | None, leaving: Exit, target: Block | None, nominal: int) -> list[Charge]:
        """The charges of a transition that costs ``nominal`` cycles (``Pricer.edge``); they add up to it."""
        if source is None:
            return [Charge(HEAD, CyclePart.INTERRUPT, nominal, Cause.ENTRY)]
        core_exit = leaving if target is not None else Exit.END
        terms = self._model.terms(source, core_exit, target)
        own = self._block(source, core_exit, terms)
        return [*own, *self._beyond(source, leaving, target, terms, nominal, sum(charge.cycles for charge in own))]

    def parts(self, source: Block | None, leaving: Exit, target: Block | None, nominal: int) -> list[int]:
        """The sums of ``edge`` by CyclePart."""
        if source is None:
            return sum_parts(self.edge(source, leaving, target, nominal))
        core_exit = leaving if target is not None else Exit.END
        terms = self._model.terms(source, core_exit, target)
        key = self._key(source, core_exit, terms)
        found = self._sums.get(key)
        if found is None:
            found = sum_parts(self._charges(source, terms, slots=False))
            found[_ISSUE] += terms.timing.cycles.nominal - sum(found)
            self._sums[key] = found
        sums = list(found)
        for charge in self._beyond(source, leaving, target, terms, nominal, sum(sums)):
            sums[charge.part] += charge.cycles
        return sums

    def _beyond(
        self, source: Block, leaving: Exit, target: Block | None, terms: Terms, nominal: int, own: int
    ) -> list[Charge]:
        """What a transition costs beyond the ``own`` cycles of the block."""
        last = len(source.insns) - 1
        charges = []
        if terms.gap.nominal:
            cause = Cause.MISPREDICTED if leaving is Exit.FALLTHROUGH else Cause.REFILL
            charges.append(Charge(last, CyclePart.BRANCH_REFILL, terms.gap.nominal, cause))
        if terms.overlap.nominal and target is not None:
            charges += self._overlap(source, leaving, target, terms)
        if nominal != terms.total.nominal:
            part, cause = CyclePart.FETCH_WAIT, Cause.LINES
            if target is None:
                part, cause = CyclePart.INTERRUPT, Cause.RETURN
            charges.append(Charge(last, part, nominal - terms.total.nominal, cause))
        rest = nominal - own - sum([charge.cycles for charge in charges])
        if rest:
            charges.append(Charge(last, CyclePart.ISSUE, rest, Cause.NEXT))
        return charges

    def site(self, block: Block, index: int, cycles: int) -> list[Charge]:
        """The charges of one observation of a dynamic instruction that costs ``cycles`` (``Pricer.site``)."""
        insn = block.insns[index]
        slot = 1 if cycles and insn.dynamic in _BY_OPERANDS and self._alone(block, index) == 0 else 0
        found = [Charge(index, CyclePart.ISSUE, slot, Cause.ISSUE)] if slot else []
        if cycles > slot:
            found.append(Charge(index, part_of(insn), cycles - slot, Cause.OPERANDS))
        return found

    def _block(self, source: Block, leaving: Exit, terms: Terms) -> tuple[Charge, ...]:
        """What the block takes by itself; which branch leaves it matters to pairs on the Cortex-M33 only."""
        key = self._key(source, leaving, terms)
        found = self._blocks.get(key)
        if found is None:
            found = self._blocks[key] = tuple(self._charges(source, terms, slots=True))
        return found

    def _key(self, source: Block, leaving: Exit, terms: Terms) -> _Key:
        return (*placeless(source), terms.skipped, self._model.taken_pairs and leaving is Exit.TAKEN)

    def _charges(self, source: Block, terms: Terms, *, slots: bool) -> list[Charge]:
        """Of all instructions of a block; those that take nothing but their slots are left out without ``slots``."""
        taken = _differences(terms)
        charges: list[Charge] = []
        for index, (cycles, unhindered) in enumerate(zip(taken, terms.timing.quiet or taken, strict=True)):
            if cycles > unhindered:
                charges.append(Charge(index, CyclePart.FETCH_WAIT, cycles - unhindered, Cause.QUEUE))
                cycles = unhindered
            if cycles > 1 or self._remarks or source.insns[index].dynamic in _BY_OPERANDS:
                charges += self._instruction(source, index, cycles, index in terms.skipped, terms)
            elif cycles and slots:
                charges.append(_slot(index))
        return charges

    def _instruction(self, block: Block, index: int, cycles: int, skipped: bool, terms: Terms) -> list[Charge]:
        insn = block.insns[index]
        own = self._model.core.cycles[CostClass.SKIPPED].nominal if skipped else self._alone(block, index)
        issue = 1 if cycles > 0 and own > 0 else 0
        found = [Charge(index, CyclePart.ISSUE, issue, Cause.ISSUE)] if issue else []
        before = block.insns[index - 1] if index else None
        if cycles < own:
            folded = own == 1 and (not self._scalar or insn.kind is Kind.IT)
            cause, part = (Cause.FREE, CyclePart.ISSUE) if folded else (Cause.SAVED, part_of(insn))
            found.append(Charge(index, part, cycles - issue, cause, before))
            return found
        if own > 1:
            found.append(Charge(index, part_of(insn), own - 1, Cause.OWN))
        wait = cycles - own
        if wait > 0:
            found.append(self._wait(block, index, wait, skipped, terms))
        return found

    def _alone(self, block: Block, index: int) -> int:
        """Cycles of one instruction with nothing before it and a NOP behind it."""
        insn = block.insns[index]
        own = self._own.get(insn)
        if own is None:
            if not insn.predicated:
                self._own[insn] = self._model.alone(insn)
                return self._own[insn]
            start = block.addresses[index] - block.address
            alone = Block(block.addresses[index], block.code[start : start + insn.size] + _NOP)
            own = self._model.terms(alone, Exit.END, None).timing.nominal_before[1]
            if insn.dynamic in _BY_OPERANDS and insn.predicated:
                own = self._model.core.cycles[CostClass.SKIPPED].nominal
            self._own[insn] = own
        return own

    # --- waits ------------------------------------------------------------------------------------------------------

    def _wait(self, block: Block, index: int, cycles: int, skipped: bool, terms: Terms) -> Charge:
        insns, insn = block.insns, block.insns[index]
        divide = _last(insns[:index], Kind.FP_DIVIDE)
        if index == len(insns) - 1 and (insn.kind is Kind.FP_DIVIDE or (divide and _integer(insn, skipped))):
            return Charge(index, CyclePart.FPU_DIVIDE, cycles, Cause.RUNNING, divide or insn)
        before = insns[index - 1] if index else None
        if self._scalar:
            return _scalar_wait(index, insn, cycles, before, divide)
        starts = terms.timing.nominal_before[: index + 1]
        if insn.kind in isa.LOADS and not skipped:
            stored = self._model.store_awaited(block, terms.skipped, index)
            if stored is not None and self._arrives(stored, insns, starts) == starts[index] + cycles:
                return Charge(index, CyclePart.LOAD_STORE, cycles, Cause.RESULT, insns[stored])
        producer, late = (None, False) if skipped else self._producer(insns[:index], insn, starts)
        busy = _last_of(insns[:index], _BUSY) if insn.kind in isa.FP_KINDS else None
        if producer is not None and (late or (busy is None and insn.kind not in isa.STORES)):
            return Charge(index, _part_of_wait(producer), cycles, Cause.RESULT, producer)
        if busy is not None or insn.kind in isa.STORES or insn.kind in isa.FP_KINDS:
            return Charge(index, part_of(insn), cycles, Cause.UNIT, busy or before)
        return Charge(index, part_of(insn), cycles, Cause.BEFORE, before)

    def _producer(self, before: Sequence[Insn], insn: Insn, starts: Sequence[int]) -> tuple[Insn | None, bool]:
        """Of the instructions that make what ``insn`` reads, the one whose result comes last, and whether that is
        behind the cycle in which ``insn`` could issue."""
        found, latest, left = None, -1, insn.reads
        for index in range(len(before) - 1, -1, -1):
            made = before[index].writes & left
            if made:
                left &= ~made
                arrives = self._arrives(index, before, starts)
                if arrives > latest:
                    found, latest = before[index], arrives
        return found, latest > starts[-1]

    def _arrives(self, index: int, insns: Sequence[Insn], starts: Sequence[int]) -> int:
        return starts[index + 1] - 1 + self._latency(insns[index])

    def _latency(self, insn: Insn) -> int:
        """About how long its result takes; only to tell the slowest of several producers."""
        row = Latency.STORE_TO_LOAD if insn.kind in isa.STORES else _LATENCIES.get(insn.kind)
        figure = self._model.core.latency.get(row) if row is not None else None
        return figure.nominal if figure is not None else 1

    def _overlap(self, source: Block, leaving: Exit, target: Block, terms: Terms) -> list[Charge]:
        """What both blocks take together beyond each alone; it stands with the last instruction of ``source``."""
        cycles, last, first = terms.overlap.nominal, len(source.insns) - 1, target.insns[0]
        if not self._scalar:
            return [self._joined(source, target, cycles, terms)]
        unhindered = self._model.quiet_overlap(terms, target)
        found = []
        if cycles != unhindered:
            found.append(Charge(last, CyclePart.FETCH_WAIT, cycles - unhindered, Cause.NEXT_QUEUE, first))
        if unhindered:
            found.append(Charge(last, part_of(first), unhindered, Cause.NEXT, first))
        return found

    def _joined(self, source: Block, target: Block, cycles: int, terms: Terms) -> Charge:
        last = len(source.insns) - 1
        if cycles < 0:
            return Charge(last, CyclePart.ISSUE, cycles, Cause.NEXT, target.insns[0])
        stored = self._model.store_felt(terms, target)
        if stored is not None:
            return Charge(last, CyclePart.LOAD_STORE, cycles, Cause.NEXT_WAITS, source.insns[stored])
        written = 0
        for insn in target.insns[:_REACH]:
            needed = insn.reads & ~written
            for producer in reversed(source.insns):
                if producer.writes & needed and self._latency(producer) > 1:
                    return Charge(last, _part_of_wait(producer), cycles, Cause.NEXT_WAITS, producer)
                needed &= ~producer.writes
            written |= insn.writes
        busy = _last_of(source.insns, isa.FP_KINDS)
        part = CyclePart.FPU_DIVIDE if busy is not None else part_of(target.insns[0])
        return Charge(last, part, cycles, Cause.NEXT, busy or target.insns[0])


@cache
def _slot(index: int) -> Charge:
    return Charge(index, CyclePart.ISSUE, 1, Cause.ISSUE)


def sum_parts(charges: Iterable[Charge]) -> list[int]:
    """Cycles by CyclePart."""
    parts = [0] * len(CyclePart)
    for charge in charges:
        parts[charge.part] += charge.cycles
    return parts


def _scalar_wait(index: int, insn: Insn, cycles: int, before: Insn | None, divide: Insn | None) -> Charge:
    """On the cores that execute one instruction at a time only neighbours and a divide of the FPU hold up."""
    if before is not None and insn.kind in isa.MEMORY_KINDS and before.writes & insn.address_reads:
        return Charge(index, CyclePart.LOAD_STORE, cycles, Cause.ADDRESS, before)
    if insn.kind in isa.FP_KINDS and divide is not None:
        return Charge(index, CyclePart.FPU_DIVIDE, cycles, Cause.UNIT, divide)
    if before is not None and insn.kind in isa.FP_KINDS and before.writes & insn.reads:
        return Charge(index, CyclePart.FPU_DIVIDE, cycles, Cause.RESULT, before)
    return Charge(index, part_of(insn), cycles, Cause.BEFORE, before)


def _integer(insn: Insn, skipped: bool) -> bool:
    """Whether the FPU doesn't matter to it."""
    return skipped or insn.kind not in isa.FP_KINDS


def _part_of_wait(producer: Insn) -> CyclePart:
    return CyclePart.LOAD_STORE if producer.kind in isa.MEMORY_KINDS else CyclePart.FPU_DIVIDE


def _differences(terms: Terms) -> list[int]:
    """Cycles of each instruction of the block."""
    before = (*terms.timing.nominal_before, terms.timing.cycles.nominal)
    return [after - at for at, after in pairwise(before)]


def _last(insns: Sequence[Insn], kind: Kind) -> Insn | None:
    return _last_of(insns, frozenset({kind}))


def _last_of(insns: Sequence[Insn], kinds: frozenset[Kind]) -> Insn | None:
    return next((insn for insn in reversed(insns) if insn.kind in kinds), None)
