"""The scoreboard of a Cortex-M33 or M7, run at one bound of the core's figures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vtarget.data.core import Core, CostClass, Latency, Rule
from vtarget.data.cycles import NO_CYCLES
from vtarget.data.insn import FLAGS, FLOATS, Dynamic, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class
from vtarget.logic.cost.forms import has_shifted_constant, is_shift
from vtarget.logic.cost.latency import NO_DATAFLOW, Dataflow, LatencyTable, Result, Use
from vtarget.logic.cost.pairing import Bound, pairs_m7, pairs_m33, pairs_m55
from vtarget.logic.decode import Block

_FP_ARITHMETIC = frozenset({Kind.FP_ALU, Kind.FP_MAC})
_FP_TRANSFERS = frozenset({Kind.FP_LOAD, Kind.FP_STORE, Kind.FP_MOVE})
_PAIRS = {"m33": pairs_m33, "m55": pairs_m55, "m7": pairs_m7}
_STORE_BUFFER = 5
_EARLY_FLAGS = 3
_NARROW = 2


@dataclass(slots=True)
class State:
    """Where one run stands: the next free cycle, results under way, and who could be paired with.

    ``fp_free`` is the first cycle for any floating-point instruction, ``add_free`` for one that a multiply-add
    holds up, ``drained`` when the store buffer is empty, ``flags`` when they were set last. ``joins``: what follows
    the block's taken branch may issue beside it.
    """

    clock: int = 0
    pending: list[tuple[Result, int]] = field(default_factory=list)
    open_insn: Insn | None = None
    open_cycle: int = 0
    open_skipped: bool = False
    fp_free: int = 0
    add_free: int = 0
    drained: int = 0
    last_store: Insn | None = None
    flags: int = -1
    joins: bool = False

    def busy_after(self, gap: int) -> bool:
        """Whether what follows ``gap`` cycles later can still feel what is under way."""
        start = self.clock + gap
        return max(self.fp_free, self.add_free) > start or any(at + r.longest > start for r, at in self.pending)

    def copy(self, clock: int) -> State:
        """The same at another time."""
        return replace(self, clock=clock, pending=list(self.pending))


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction at one bound, as far as it doesn't depend on its place.

    ``blocks_add``: how long those with ``waits_add`` wait behind it. ``ahead``: cycles that it may issue before
    its operands are there.
    """

    issue: int
    results_at: int = 0
    flow: Dataflow = NO_DATAFLOW
    fp_blocks: int = 0
    blocks_add: int = 0
    waits_add: bool = False
    ahead: int = 0


class Lane:
    """The scoreboard at one bound."""

    def __init__(self, core: Core, bound: Bound) -> None:
        self._bound = bound
        self._issue = {key: int(getattr(figure.cycles, bound.value)) for key, figure in core.cycles.items()}
        self._rules = {
            rule: int(getattr(core.rules[rule].cycles if rule in core.rules else NO_CYCLES, bound.value))
            for rule in Rule
        }
        self._latency = LatencyTable(core, bound)
        self._words_per_cycle = core.words_per_cycle
        self._two_wide = core.pipeline == "m7"
        self._joins = core.predictor is not None and bound is not Bound.HIGH
        self._pairs = _PAIRS[core.pipeline]
        self._steps: dict[Insn, _Step] = {}
        self._idle = _Step(self._issue[CostClass.SKIPPED])

    def issue(self, state: State, insn: Insn, skipped: bool, taken: bool) -> None:
        """Advance ``state`` by one instruction; a Cortex-M7 holds on to what a false one would have needed."""
        idle = skipped and not self._two_wide
        step = self._idle if idle else self._step(insn)
        free = self._unit_free(state, step, insn, idle)
        ready = max(free, _operands_ready(state, step.flow.needs))
        pair = self._is_pair(state, insn, step, ready, skipped, taken)
        cycle = state.open_cycle if pair else max(state.clock, ready)
        issued = cycle
        if step.ahead and cycle > state.clock:
            issued = max(state.clock, free, _operands_ready(state, step.flow.needs, step.ahead))
        results = _results(state, step.flow, insn, cycle, pair)
        state.clock = max(state.clock, issued + step.issue)
        alone = not pair and step.issue > 0
        state.open_insn, state.open_cycle, state.open_skipped = insn if alone else None, issued, skipped
        state.pending = [p for p in state.pending if p[1] + p[0].longest > state.clock]
        state.pending += [(result, cycle + step.results_at) for result in results]
        state.fp_free = max(state.fp_free, cycle + (step.fp_blocks or int(issued < cycle)))
        state.add_free = max(state.add_free, cycle + step.blocks_add)
        if not idle:
            self._note(state, insn, cycle)

    def joins(self, block: Block) -> bool:
        """Whether a direct branch at the block's end, taken, issues beside what it leads to: behind two 16-bit
        instructions (JNK cortex_m7.md, branching: highly sensitive to alignment; that decides at the bounds)."""
        narrow = sum(insn.size == 2 for insn in block.insns[:-1])
        direct = bool(block.insns) and block.insns[-1].branch_offset is not None
        return self._joins and direct and (self._bound is Bound.LOW or narrow >= _NARROW)

    def early_flags(self, state: State) -> int:
        """What a misprediction costs less if the flags were set long before the branch, the last instruction."""
        return self._rules[Rule.EARLY_FLAGS_SAVING] if state.clock - 1 - state.flags >= _EARLY_FLAGS else 0

    def _note(self, state: State, insn: Insn, cycle: int) -> None:
        """Keep what a misprediction and the store buffer depend on."""
        if insn.writes & FLAGS:
            state.flags = cycle
        if _is_small_store(insn):
            state.drained = max(state.drained, cycle) + self._drain(state, insn)
            state.last_store = insn

    def _is_pair(self, state: State, insn: Insn, step: _Step, ready: int, skipped: bool, taken: bool) -> bool:
        older = state.open_insn
        if older is None or ready > state.open_cycle or step.issue == 0:
            return False
        if insn.kind in _FP_TRANSFERS and state.add_free > state.open_cycle:
            return False  # a multiply-add before leaves these the older place alone
        return self._pairs(older, insn, self._bound, skipped=(state.open_skipped, skipped), taken=taken)

    def _unit_free(self, state: State, step: _Step, insn: Insn, idle: bool) -> int:
        """The first cycle in which the FPU or the store buffer takes it."""
        if idle:
            return 0
        if insn.kind in isa.FP_KINDS:
            return max(state.fp_free, state.add_free if step.waits_add else 0)
        return state.drained - _STORE_BUFFER * self._drain(state, insn) if _is_small_store(insn) else 0

    def _step(self, insn: Insn) -> _Step:
        step = self._steps.get(insn)
        if step is None:
            step = self._steps[insn] = self._new_step(insn)
        return step

    def _new_step(self, insn: Insn) -> _Step:
        issue = self._issue_cycles(insn)
        flow = self._latency.dataflow(insn)
        mac = insn.kind is Kind.FP_MAC
        return _Step(
            issue=issue + self._two_stage_penalty(insn),
            results_at=0 if insn.kind is Kind.FP_DIVIDE else max(issue, 1) - 1,
            flow=flow,
            fp_blocks=self._fp_blocks(insn, flow),
            blocks_add=self._latency.get(Latency.FP_MAC_BLOCKS_ADD) if mac else 0,
            waits_add=_waits_add(insn),
            ahead=self._rules[Rule.FP_ISSUES_EARLY] if insn.kind in _FP_ARITHMETIC else 0,
        )

    def _two_stage_penalty(self, insn: Insn) -> int:
        if insn.kind is Kind.MUL and insn.size == 2:
            return self._rules[Rule.NARROW_MULTIPLY_PENALTY]
        if insn.sets_flags and has_shifted_constant(insn) and not insn.mnemonic.startswith("mov"):
            return self._rules[Rule.SHIFTED_CONSTANT_FLAGS_PENALTY]
        return 0

    def _issue_cycles(self, insn: Insn) -> int:
        if insn.dynamic is Dynamic.DIVIDE:
            return self._issue[CostClass.SKIPPED] if insn.predicated else 0
        row = cost_class(insn)
        cycles = self._issue.get(row, self._issue[CostClass.UNDEFINED])
        if insn.kind in isa.MULTIPLES:
            cycles += -(-insn.register_count // self._words_per_cycle)
        if row is CostClass.FP_MOVE_PAIR and insn.writes & FLOATS and insn.reads & ~FLOATS:
            cycles -= min(cycles - 1, self._rules[Rule.PAIR_TO_FP_SAVING])
        return cycles

    def _fp_blocks(self, insn: Insn, flow: Dataflow) -> int:
        if insn.kind is Kind.FP_MAC:
            return self._latency[Latency.FP_MAC_BLOCKS_FP]
        return max(r.longest for r in flow.results) if insn.kind is Kind.FP_DIVIDE else 0

    def _drain(self, state: State, store: Insn) -> int:
        """Cycles in which the store buffer merges a byte or halfword; half as many in both banks by turns."""
        full = self._rules[Rule.SMALL_STORE_DRAIN]
        return full if _same_bank(state.last_store, store) else full // 2


def _operands_ready(state: State, needs: tuple[tuple[int, Use], ...], ahead: int = 0) -> int:
    """The first cycle in which all operands are there; ``ahead`` cycles before where the FPU can wait for them."""
    ready = 0
    for mask, use in needs:
        left = mask
        for result, at in reversed(state.pending):
            if result.writes & left:
                waits = ahead if use is not Use.ACCUMULATE and result.awaited else 0
                ready = max(ready, at + result.latencies[use] - waits)
                left &= ~result.writes
    return ready


def _results(state: State, flow: Dataflow, insn: Insn, cycle: int, pair: bool) -> tuple[Result, ...]:
    """What it writes and when: the early ALU takes it if it can, and has its operands and the older place."""
    early = flow.early_results and (not pair or is_shift(insn))
    if early and _operands_ready(state, flow.early_needs) <= cycle:
        return flow.early_results
    return flow.results


def _is_small_store(insn: Insn) -> bool:
    return insn.kind is Kind.STORE and insn.access_bytes < 4


def _waits_add(insn: Insn) -> bool:
    """Whether a multiply-add of a Cortex-M7 holds it up."""
    if insn.kind is Kind.FP_ALU:
        return insn.mnemonic.startswith(("vadd", "vsub"))
    if insn.kind is Kind.FP_MOVE:
        return not insn.reads
    return insn.kind in isa.MULTIPLES or (insn.kind in (Kind.FP_LOAD, Kind.FP_STORE) and insn.double)


def _same_bank(before: Insn | None, store: Insn) -> bool:
    """Whether both are known to store to words of one bank (address bit 2)."""
    a, b = None if before is None else before.address, store.address
    if a is None or b is None or a.base != b.base or a.index >= 0 or b.index >= 0 or store.writeback:
        return False
    return not (a.offset ^ b.offset) & 4
