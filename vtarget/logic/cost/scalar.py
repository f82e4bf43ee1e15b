"""Cortex-M0, M0+, M3 and M4: one instruction at a time, with the overlaps that the manuals state.

An instruction costs its table row; rules of the core say what its predecessor takes off or adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vtarget.data.core import Core, CostClass, Rule
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import PC, Dynamic, Flow, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class
from vtarget.logic.cost.fetch import Prefetch, at_target
from vtarget.logic.cost.timing import Timing
from vtarget.logic.decode import Block
from vtarget.logic.forms import form_number

_LOADS = frozenset({Kind.LOAD, Kind.FP_LOAD})
_DATA = _LOADS | {Kind.STORE, Kind.FP_STORE}
_ALL_LOADS = _LOADS | {Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE, Kind.FP_LOAD_MULTIPLE}
_ADDRESS_SOURCES = frozenset(
    {Kind.ALU, Kind.MUL, Kind.MLA, Kind.LONG_MUL, Kind.LONG_MLA, Kind.DIVIDE, Kind.DSP, Kind.FP_MOVE}
)
_FP_ARITHMETIC = frozenset({Kind.FP_ALU, Kind.FP_MAC, Kind.FP_DIVIDE})
_BY_OPERANDS = (Dynamic.DIVIDE, Dynamic.LONG_MULTIPLY)


_FELT = isa.MEMORY_KINDS | isa.FP_KINDS | {Kind.IT, Kind.NOP}  # which the instruction before matters to


@dataclass(slots=True)
class _State:
    """What the next instruction can feel of those before it.

    ``indexed_run``: the last load stands in a run of loads, each pipelined behind the one before; its first is indexed.
    """

    previous: Insn | None = None
    executed: Insn | None = None
    indexed_run: bool = False
    divide_left: int = 0
    clock: int = 0
    end: int = -1
    prefetch: Prefetch | None = None


class _Own(NamedTuple):
    """An instruction by itself: its bounds, whether what stands before it matters, whether its operands decide what it
    takes (then the bounds are those without that), and what the prefetch queue gains at least from it."""

    low: int
    nominal: int
    high: int
    felt: bool
    by_operands: bool
    shortest: int


class _Ran(NamedTuple):
    """Cycles of a stretch of code, the nominal ones before each of its instructions, and those of each if the prefetch
    queue held nothing up."""

    cycles: Cycles
    before: tuple[int, ...]
    quiet: tuple[int, ...]


class ScalarPipeline:
    """The timing model of one scalar core; holds nothing but what it looks up in the core's tables."""

    def __init__(self, core: Core) -> None:
        self._base = {key: figure.cycles for key, figure in core.cycles.items()}
        self._rules = {rule: core.rules[rule].cycles if rule in core.rules else NO_CYCLES for rule in Rule}
        self._stated = frozenset(core.rules)
        self._queue = core.fetch
        self._least_divide = core.divide.least if core.divide is not None else 0
        self._words_per_cycle = core.words_per_cycle
        self._known: dict[int, _Own] = {}
        self._alone: dict[tuple[int, bytes], Cycles] = {}
        self._quiet: dict[tuple[int, bytes], int] = {}

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """See ``Pipeline``."""
        state = self._at_rest(block)
        ran = self._run(state, block, skipped)
        left = state.divide_left
        state.divide_left = 0
        cost, quiet = ran.cycles, None
        if ran.cycles.nominal != sum(ran.quiet):
            divides = any(insn.kind is Kind.FP_DIVIDE for insn in block.insns)  # then waits hide cycles of the divide
            quiet = self._run(_State(), block, skipped).quiet if divides else ran.quiet
        return Timing(Cycles(max(cost.low, 0), cost.nominal + left, cost.high + left), ran.before, state, quiet)

    def alone(self, insn: Insn) -> int:
        """See ``Pipeline``."""
        return self._step(_State(), insn, 0, False)[1]

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """See ``Pipeline``; a taken branch leaves nothing that could overlap."""
        if taken or not target.insns:
            return NO_CYCLES
        before = timing.state
        assert isinstance(before, _State)
        after = self._at_rest(target)
        after.previous, after.executed, after.indexed_run = before.previous, before.executed, before.indexed_run
        if before.prefetch is not None and before.previous is not None and before.end == target.address:
            after.clock, after.prefetch = before.clock, before.prefetch.copy()
            after.prefetch.branch(before.previous, before.clock)
        return self._run(after, target, target.observed).cycles + self._by_itself(target) * -1

    def quiet_overlap(self, timing: Timing, target: Block) -> int:
        """Nominal cycles of the overlap with ``target`` if the prefetch queue held nothing up."""
        before = timing.state
        assert isinstance(before, _State)
        key = (target.address & 2, target.code)
        alone = self._quiet.get(key)
        if alone is None:
            alone = self._quiet[key] = self._run(_State(), target, target.observed).cycles.nominal
        after = _State(before.previous, before.executed, before.indexed_run)
        return self._run(after, target, target.observed).cycles.nominal - alone

    def _by_itself(self, target: Block) -> Cycles:
        """The cycles of ``target`` after nothing; of its address only the place in a word matters."""
        key = (target.address & 3, target.code)
        found = self._alone.get(key)
        if found is None:
            found = self._alone[key] = self._run(self._at_rest(target), target, target.observed).cycles
        return found

    def changed_memory(self, insn: Insn) -> Cycles:
        """What a load or store that pipelines behind a load takes more when it goes to another memory."""
        load = insn.kind in _LOADS
        return self._rules[Rule.LOAD_FROM_OTHER_MEMORY_PENALTY if load else Rule.STORE_TO_OTHER_MEMORY_PENALTY]

    def pipelined(self, block: Block, skipped: frozenset[int]) -> frozenset[int]:
        """The loads and stores that take less because they pipeline behind the load right before them, if both go to
        one memory; literals aside, which have a bound of their own. Empty where the core has no rule."""
        found = set()
        if Rule.LOAD_FROM_OTHER_MEMORY_PENALTY in self._stated:
            state = self._at_rest(block)
            for index, insn in enumerate(block.insns):
                load = state.executed
                loads = load is not None and load.kind in _LOADS and not (load.literal or insn.literal)
                if loads and insn.kind in _DATA and self._neighbour(insn, state).nominal < 0:
                    found.add(index)
                self._step(state, insn, block.addresses[index], index in skipped)
        return frozenset(found - skipped)

    def _at_rest(self, block: Block) -> _State:
        """Nothing before: as right after a branch, whose refill is counted elsewhere."""
        if self._queue is None or not block.insns:
            return _State()
        return _State(prefetch=at_target(self._queue, block.insns[0], block.address))

    def _run(self, state: _State, block: Block, skipped: frozenset[int]) -> _Ran:
        """Through ``block``; advances ``state``."""
        low = nominal = high = 0
        before, quiet = [], []
        for index, insn in enumerate(block.insns):
            before.append(nominal)
            least, typical, most, unhindered = self._step(state, insn, block.addresses[index], index in skipped)
            low, nominal, high = low + least, nominal + typical, high + most
            quiet.append(unhindered)
        return _Ran(Cycles(low, nominal, high), tuple(before), tuple(quiet))

    def _step(self, state: _State, insn: Insn, address: int, skipped: bool) -> tuple[int, int, int, int]:
        """The cycles ``insn`` adds (low, nominal, high), and its nominal ones without the prefetch queue; advances
        ``state``."""
        start, wait = state.clock, 0
        if skipped:
            low, nominal, high = self._base[CostClass.SKIPPED].bounds
        else:
            low, nominal, high, felt, by_operands, shortest = self._known.get(form_number(insn)) or self._own(insn)
            if by_operands:
                state.clock += shortest
            elif felt:
                neighbour = self._neighbour(insn, state)
                if neighbour is not NO_CYCLES:
                    low, nominal, high = low + neighbour.low, nominal + neighbour.nominal, high + neighbour.high
                if insn.kind in _LOADS and neighbour.nominal >= 0:
                    state.indexed_run = insn.writeback
                start += 0 if insn.kind is Kind.IT else neighbour.nominal
        if state.prefetch is not None:
            wait = state.prefetch.wait(insn, address, start)
        if state.divide_left or insn.kind is Kind.FP_DIVIDE:
            low, nominal, high = self._divide(state, insn, Cycles(low, nominal + wait, high + wait), skipped).bounds
            nominal, high = nominal - wait, high - wait
        quiet = nominal if nominal > low else low
        nominal, high = nominal + wait, high + wait
        state.clock += nominal
        state.end = address + insn.size
        state.previous = insn
        state.executed = None if skipped else insn
        if low <= nominal <= high:
            return low, nominal, high, quiet
        return low, max(nominal, low), max(high, nominal), quiet

    def _own(self, insn: Insn) -> _Own:
        """Its table row, with the words of a multiple transfer: the same for all instructions of its form."""
        cost = self._base.get(cost_class(insn), self._base[CostClass.UNDEFINED])
        if insn.kind in isa.MULTIPLES:
            words = -(-insn.register_count // self._words_per_cycle)
            cost = cost + Cycles(words, words, words)
        if insn.literal:
            cost = cost + self._rules[Rule.LITERAL_LOAD_PENALTY]
        found = _Own(cost.low, cost.nominal, cost.high, insn.kind in _FELT, False, 0)
        if insn.dynamic in _BY_OPERANDS:
            shortest = max(cost.low, self._least_divide) if insn.dynamic is Dynamic.DIVIDE else cost.low
            slot = self._base[CostClass.SKIPPED] if insn.predicated else NO_CYCLES
            found = _Own(slot.low, slot.nominal, slot.high, False, True, shortest)
        self._known[form_number(insn)] = found
        return found

    def _neighbour(self, insn: Insn, state: _State) -> Cycles:
        """What the instruction before adds or takes off."""
        before = state.previous
        if before is None:
            return NO_CYCLES
        if insn.kind is Kind.IT:
            return _less(self._rules[Rule.IT_AFTER_16BIT_SAVING]) if before.size == 2 else NO_CYCLES
        executed = state.executed
        if executed is None:
            return NO_CYCLES
        if insn.kind in isa.MEMORY_KINDS:
            return self._access(insn, executed, state.indexed_run)
        if insn.kind is Kind.NOP:
            return self._nop(insn, executed)
        if insn.kind in isa.FP_KINDS:
            return self._fp_dependency(insn, executed)
        return NO_CYCLES

    def _nop(self, insn: Insn, before: Insn) -> Cycles:
        """A 16-bit NOP fits into the second cycle of a load, or of a store that takes two."""
        two_cycles = before.kind is Kind.LOAD or (before.kind is Kind.STORE and before.register_offset)
        free = two_cycles and insn.size == 2 and before.flow is Flow.NONE
        return _less(self._rules[Rule.NOP_AFTER_LOAD_SAVING]) if free else NO_CYCLES

    def _access(self, insn: Insn, before: Insn, indexed_run: bool) -> Cycles:
        if before.kind in _ADDRESS_SOURCES and before.writes & 0xFFFF:
            uses = before.writes & insn.address_reads & ~(1 << PC)
            return self._rules[Rule.ALU_TO_ADDRESS_PENALTY] if uses else NO_CYCLES
        if before.kind in _LOADS and before.flow is Flow.NONE and insn.flow is Flow.NONE:
            return self._after_load(insn, before, indexed_run)
        cost = NO_CYCLES
        if insn.kind is before.kind is Kind.STORE and insn.writeback and before.writeback:
            cost = self._rules[Rule.SAME_BASE_STORE_PENALTY] if _base_bit(insn) == _base_bit(before) else NO_CYCLES
        if insn.kind in _ALL_LOADS and _is_buffered(before) and not insn.literal:
            cost = self._rules[Rule.LOAD_AFTER_STORE_PENALTY]
        if insn.kind is Kind.STORE_MULTIPLE and before.kind is Kind.STORE:
            cost = _less(self._rules[Rule.STORE_MULTIPLE_AFTER_STORE_SAVING])
        return cost + self._fp_dependency(insn, before) if insn.kind in isa.FP_KINDS else cost

    def _after_load(self, insn: Insn, load: Insn, indexed_run: bool) -> Cycles:
        """A load or store pipelines behind a load unless its address needs what that one loads."""
        loaded = load.writes & ~_base_bit(load) if load.writeback else load.writes
        if loaded & insn.address_reads:
            return NO_CYCLES
        if insn.kind in _LOADS:
            return self._load_after_load(insn, load, indexed_run)
        if insn.kind not in (Kind.STORE, Kind.FP_STORE):
            return NO_CYCLES
        if insn.writeback and Rule.INDEXED_STORE_AFTER_LOAD_PENALTY in self._stated:
            return self._rules[Rule.INDEXED_STORE_AFTER_LOAD_PENALTY]
        return _less(self._rules[Rule.STORE_AFTER_LOAD_SAVING])

    def _load_after_load(self, insn: Insn, load: Insn, indexed_run: bool) -> Cycles:
        """Of indexed loads of one base, those pipeline that stand in a run which a plain load began."""
        rule = Rule.INDEXED_LOAD_AFTER_LOAD_SAVING if insn.writeback else Rule.LOAD_AFTER_LOAD_SAVING
        if insn.writeback and load.writeback and _base_bit(insn) == _base_bit(load):
            return NO_CYCLES if indexed_run else _less(self._rules[Rule.SAME_BASE_LOAD_SAVING])
        cost = _less(self._rules[rule])
        return cost + self._rules[Rule.MIXED_MEMORIES_PENALTY] if insn.literal != load.literal else cost

    def _fp_dependency(self, insn: Insn, before: Insn) -> Cycles:
        """An FP result used by the next instruction comes a cycle late, except as the addend of a multiply-add."""
        needed = insn.reads & ~insn.accumulator
        late = before.kind in _FP_ARITHMETIC and before.writes & needed
        return self._rules[Rule.FP_DEPENDENCY_PENALTY] if late else NO_CYCLES

    def _divide(self, state: _State, insn: Insn, cost: Cycles, skipped: bool) -> Cycles:
        """Integer instructions run beside a VDIV or VSQRT; the next FP instruction waits for it."""
        if insn.kind not in isa.FP_KINDS or skipped:
            state.divide_left = max(0, state.divide_left - cost.nominal)
            return cost
        wait = state.divide_left
        cost = cost + Cycles(wait, wait, wait)
        state.divide_left = 0
        if insn.kind is Kind.FP_DIVIDE:
            hidden = min(
                self._rules[Rule.FP_DIVIDE_OVERLAP].nominal,
                (self._known.get(form_number(insn)) or self._own(insn)).nominal,
            )
            state.divide_left = hidden
            cost = cost + Cycles(-hidden, -hidden, -hidden)
        return cost


def _base_bit(insn: Insn) -> int:
    return 1 << insn.address.base if insn.address is not None else 0


def _is_buffered(insn: Insn) -> bool:
    """Whether it is a store whose data phase passes beside the next instruction."""
    return insn.kind is Kind.STORE and not insn.register_offset


def _less(saving: Cycles) -> Cycles:
    """A saving as what it adds: the largest saving makes the low bound."""
    return Cycles(-saving.high, -saving.nominal, -saving.low)
