"""Cortex-M0, M0+, M3 and M4: one instruction at a time, with the overlaps that the manuals state.

An instruction costs its table row; rules of the core say what its predecessor takes off or adds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vtarget.data.core import Core, CostClass, Rule
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import PC, Dynamic, Flow, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class
from vtarget.logic.cost.timing import Timing
from vtarget.logic.decode import Block

_LOADS = frozenset({Kind.LOAD, Kind.FP_LOAD})
_DATA_PROCESSING = frozenset({Kind.ALU, Kind.MUL, Kind.MLA, Kind.LONG_MUL, Kind.LONG_MLA, Kind.DIVIDE, Kind.DSP})
_FP_ARITHMETIC = frozenset({Kind.FP_ALU, Kind.FP_MAC, Kind.FP_DIVIDE})
_SEVERAL = frozenset({*isa.MULTIPLES, Kind.LOAD_PAIR, Kind.STORE_PAIR})
_BY_OPERANDS = (Dynamic.DIVIDE, Dynamic.LONG_MULTIPLY)
_RUN = 3


@dataclass(slots=True)
class _State:
    """What the next instruction can feel of those before it."""

    previous: Insn | None = None
    executed: Insn | None = None
    divide_left: int = 0
    misaligned: int = 0
    cost: Cycles = field(default=NO_CYCLES)


class ScalarPipeline:
    """The timing model of one scalar core; holds nothing but what it looks up in the core's tables."""

    def __init__(self, core: Core) -> None:
        self._base = {key: figure.cycles for key, figure in core.cycles.items()}
        self._rules = {rule: core.rules[rule].cycles if rule in core.rules else NO_CYCLES for rule in Rule}
        self._words_per_cycle = core.words_per_cycle
        self._costs: dict[Insn, Cycles] = {}

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """See ``Pipeline``."""
        state = _State()
        low = nominal = high = 0
        before = []
        for index, insn in enumerate(block.insns):
            before.append(nominal)
            cost = self._step(state, insn, block.addresses[index], index in skipped)
            low, nominal, high = low + cost.low, nominal + cost.nominal, high + cost.high
        left = state.divide_left
        state.divide_left = 0
        return Timing(Cycles(max(low, 0), nominal + left, high + left), tuple(before), state)

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """See ``Pipeline``; a taken branch leaves nothing that could overlap."""
        if taken or not target.insns:
            return NO_CYCLES
        first, address = target.insns[0], target.address
        assert isinstance(timing.state, _State)
        after = _State(timing.state.previous, timing.state.executed)
        skipped = first.dynamic is Dynamic.PREDICATED
        joined = self._step(after, first, address, skipped)
        return joined + self._step(_State(), first, address, skipped) * -1

    def _step(self, state: _State, insn: Insn, address: int, skipped: bool) -> Cycles:
        """The cycles ``insn`` adds; advances ``state``."""
        if skipped:
            cost = self._base[CostClass.SKIPPED]
        elif insn.dynamic in _BY_OPERANDS:
            cost = self._base[CostClass.SKIPPED] if insn.predicated else NO_CYCLES
        else:
            cost = self._own(insn) + self._neighbour(insn, state)
        cost = cost + self._fetch(state, insn, address)
        if state.divide_left or insn.kind is Kind.FP_DIVIDE:
            cost = self._divide(state, insn, cost, skipped)
        state.previous = insn
        state.executed = None if skipped else insn
        return Cycles(cost.low, max(cost.nominal, cost.low), max(cost.high, cost.nominal))

    def _own(self, insn: Insn) -> Cycles:
        """Its table row, with the words of a multiple transfer."""
        cost = self._costs.get(insn)
        if cost is None:
            cost = self._base.get(cost_class(insn), self._base[CostClass.UNDEFINED])
            if insn.kind in isa.MULTIPLES:
                words = -(-insn.register_count // self._words_per_cycle)
                cost = cost + Cycles(words, words, words)
            if insn.literal:
                cost = cost + self._rules[Rule.LITERAL_LOAD_PENALTY]
            self._costs[insn] = cost
        return cost

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
            return self._access(insn, executed)
        if insn.kind is Kind.NOP and executed.kind in _LOADS:
            return _less(self._rules[Rule.NOP_AFTER_LOAD_SAVING])
        if insn.kind in isa.FP_KINDS:
            return self._fp_dependency(insn, executed)
        return NO_CYCLES

    def _access(self, insn: Insn, before: Insn) -> Cycles:
        if before.kind in _DATA_PROCESSING:
            uses = before.writes & insn.address_reads & ~(1 << PC)
            return self._rules[Rule.ALU_TO_ADDRESS_PENALTY] if uses else NO_CYCLES
        if before.kind in _LOADS and before.flow is Flow.NONE and insn.flow is Flow.NONE:
            return self._after_load(insn, before)
        cost = NO_CYCLES
        if insn.kind is Kind.STORE_MULTIPLE and before.kind is Kind.STORE:
            cost = _less(self._rules[Rule.STORE_MULTIPLE_AFTER_STORE_SAVING])
        return cost + self._fp_dependency(insn, before) if insn.kind in isa.FP_KINDS else cost

    def _after_load(self, insn: Insn, load: Insn) -> Cycles:
        """A load or store pipelines behind a load unless its address needs what that one loads."""
        loaded = load.writes & ~_base_bit(load) if load.writeback else load.writes
        if loaded & insn.address_reads:
            return NO_CYCLES
        if insn.kind in _LOADS:
            return self._load_after_load(insn, load)
        store_waits = insn.kind is Kind.FP_STORE or (insn.kind is Kind.STORE and insn.register_offset)
        return _less(self._rules[Rule.STORE_AFTER_LOAD_SAVING]) if store_waits else NO_CYCLES

    def _load_after_load(self, insn: Insn, load: Insn) -> Cycles:
        rule = Rule.INDEXED_LOAD_AFTER_LOAD_SAVING if insn.writeback else Rule.LOAD_AFTER_LOAD_SAVING
        if insn.writeback and load.writeback and _base_bit(insn) == _base_bit(load):
            return NO_CYCLES
        cost = _less(self._rules[rule])
        return cost + self._rules[Rule.MIXED_MEMORIES_PENALTY] if insn.literal != load.literal else cost

    def _fp_dependency(self, insn: Insn, before: Insn) -> Cycles:
        """An FP result used by the next instruction comes a cycle late, except as the addend of a multiply-add."""
        needed = insn.reads & ~insn.accumulator
        late = before.kind in _FP_ARITHMETIC and before.writes & needed
        return self._rules[Rule.FP_DEPENDENCY_PENALTY] if late else NO_CYCLES

    def _fetch(self, state: _State, insn: Insn, address: int) -> Cycles:
        """Three 32-bit instructions in a row, none word aligned, may outrun the fetch."""
        if insn.size == 2 or not address & 2:
            state.misaligned = 0
            return NO_CYCLES
        state.misaligned += 1
        return NO_CYCLES if state.misaligned % _RUN else self._rules[Rule.THREE_MISALIGNED_WIDE_PENALTY]

    def _divide(self, state: _State, insn: Insn, cost: Cycles, skipped: bool) -> Cycles:
        """Integer instructions run beside a VDIV or VSQRT; the next FP instruction waits for it."""
        if insn.kind not in isa.FP_KINDS or skipped:
            state.divide_left = max(0, state.divide_left - cost.nominal)
            return cost
        wait = state.divide_left
        cost = cost + Cycles(wait, wait, wait)
        state.divide_left = 0
        if insn.kind is Kind.FP_DIVIDE:
            hidden = min(self._rules[Rule.FP_DIVIDE_OVERLAP].nominal, self._own(insn).nominal)
            state.divide_left = hidden
            cost = cost + Cycles(-hidden, -hidden, -hidden)
        return cost


def _base_bit(insn: Insn) -> int:
    return 1 << insn.address.base if insn.address is not None else 0


def _less(saving: Cycles) -> Cycles:
    """A saving as what it adds: the largest saving makes the low bound."""
    return Cycles(-saving.high, -saving.nominal, -saving.low)
