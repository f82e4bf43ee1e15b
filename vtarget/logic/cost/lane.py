"""The scoreboard of a Cortex-M33, M55, M7 or M85, run at one bound of the core's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vtarget.data.core import Core, CostClass, Rule
from vtarget.data.insn import Insn
from vtarget.logic.cost.latency import HIGH, LOW, Needs, Result, Use
from vtarget.logic.cost.pairing import ALWAYS, pairs_m7, pairs_m33, pairs_m55
from vtarget.logic.cost.steps import Step, at_bounds, same_at
from vtarget.logic.decode import Block

_PAIRS = {"m33": pairs_m33, "m55": pairs_m55, "m7": pairs_m7}
_STORE_BUFFER = 5
_EARLY_FLAGS = 3
_NARROW = 2
Pending = tuple[int, int, Result]  # when its slowest use can have it, when it was made, and what


@dataclass(slots=True)
class State:
    """Where one run stands: the next free cycle, results under way, and who could be paired with.

    ``fp_free`` is the first cycle for any floating-point instruction, ``add_free`` for one that a multiply-add
    holds up, ``drained`` when the store buffer is empty, ``flags`` when they were set last. ``joins``: what follows
    the block's taken branch may issue beside it. ``alike``: the bounds at which all so far went the same, a bit each.
    """

    clock: int = 0
    pending: Sequence[Pending] = ()
    open_insn: Insn | None = None
    open_cycle: int = 0
    open_skipped: bool = False
    fp_free: int = 0
    add_free: int = 0
    drained: int = 0
    last_store: Insn | None = None
    flags: int = -1
    joins: bool = False
    alike: int = ALWAYS

    def busy_after(self, gap: int) -> bool:
        """Whether what follows ``gap`` cycles later can still feel what is under way."""
        start = self.clock + gap
        return self.fp_free > start or self.add_free > start or any(p[0] > start for p in self.pending)

    def behind(self, gap: int) -> State:
        """The same, ``gap`` cycles later."""
        return State(
            self.clock + gap,
            self.pending,
            self.open_insn,
            self.open_cycle,
            self.open_skipped,
            self.fp_free,
            self.add_free,
            self.drained,
            self.last_store,
            self.flags,
            self.joins,
            self.alike,
        )


class Lane:
    """The scoreboard at one bound."""

    def __init__(self, core: Core, bound: int) -> None:
        self._bound = bound
        self._bit = 1 << bound
        self._drains = at_bounds(core, Rule.SMALL_STORE_DRAIN)
        self._early_flags_saving = at_bounds(core, Rule.EARLY_FLAGS_SAVING)[bound]
        self._skipped = core.cycles[CostClass.SKIPPED].cycles.bounds
        self._two_wide = core.pipeline == "m7"
        self._joins = core.predictor is not None and bound != HIGH
        self._pairs = _PAIRS[core.pipeline]

    def issue(self, state: State, step: Step, skipped: bool, taken: bool) -> None:
        """Advance ``state`` by one instruction; a Cortex-M7 holds on to what a false one would have needed."""
        if skipped and not self._two_wide:
            step = self._idle(step)
        flow, clock, pending = step.flow, state.clock, state.pending
        free = self._unit_free(state, step) if step.is_float or step.is_small_store else 0
        ready = max(free, _operands_ready(pending, flow.needs)) if pending else free
        pair = state.open_insn is not None and ready <= state.open_cycle and self._is_pair(state, step, skipped, taken)
        cycle = state.open_cycle if pair else clock if clock > ready else ready
        issued = cycle
        if step.ahead and cycle > clock:
            issued = max(clock, free, _operands_ready(pending, flow.needs, step.ahead))
        results = flow.results
        if flow.early_results and (not pair or step.is_shift) and _operands_ready(pending, flow.early_needs) <= cycle:
            results = flow.early_results
        if issued + step.issue > clock:
            state.clock = clock = issued + step.issue
        state.open_insn = None if pair or not step.issue else step.insn
        state.open_cycle, state.open_skipped = issued, skipped
        made = cycle + step.results_at
        state.pending = [p for p in pending if p[0] > clock]
        state.pending += [(made + result.longest, made, result) for result in results]
        state.fp_free = max(state.fp_free, cycle + (step.fp_blocks or issued < cycle))
        state.add_free = max(state.add_free, cycle + step.blocks_add)
        state.alike &= step.alike
        if step.sets_flags:
            state.flags = cycle
        if step.is_small_store:
            state.drained = max(state.drained, cycle) + self._drain(state, step.insn)
            state.last_store = step.insn
            state.alike &= same_at(self._drains, self._bound)

    def joins(self, block: Block) -> bool:
        """Whether a direct branch at the block's end, taken, issues beside what it leads to: behind two 16-bit
        instructions (JNK cortex_m7.md, branching: highly sensitive to alignment; that decides at the bounds)."""
        narrow = sum(insn.size == 2 for insn in block.insns[:-1])
        direct = bool(block.insns) and block.insns[-1].branch_offset is not None
        return self._joins and direct and (self._bound == LOW or narrow >= _NARROW)

    def early_flags(self, state: State) -> int:
        """What a misprediction costs less if the flags were set long before the branch, the last instruction."""
        return self._early_flags_saving if state.clock - 1 - state.flags >= _EARLY_FLAGS else 0

    def _idle(self, step: Step) -> Step:
        """The step if its condition is false: a slot and nothing else."""
        alike = same_at(self._skipped, self._bound)
        return Step(step.insn, self._skipped[self._bound], alike=alike, is_fp_transfer=step.is_fp_transfer)

    def _is_pair(self, state: State, step: Step, skipped: bool, taken: bool) -> bool:
        if step.issue == 0 or state.open_insn is None:
            return False
        if step.is_fp_transfer and state.add_free > state.open_cycle:
            return False  # a multiply-add before leaves these the older place alone
        bounds = self._pairs(state.open_insn, step.insn, skipped=(state.open_skipped, skipped), taken=taken)
        pair = bounds & self._bit != 0
        state.alike &= bounds if pair else ~bounds
        return pair

    def _unit_free(self, state: State, step: Step) -> int:
        """The first cycle in which the FPU or the store buffer takes it."""
        if step.is_float:
            return max(state.fp_free, state.add_free if step.waits_add else 0)
        return state.drained - _STORE_BUFFER * self._drain(state, step.insn)

    def _drain(self, state: State, store: Insn) -> int:
        """Cycles in which the store buffer merges a byte or halfword; half as many in both banks by turns."""
        full = self._drains[self._bound]
        return full if _same_bank(state.last_store, store) else full // 2


def _operands_ready(pending: Sequence[Pending], needs: Needs, ahead: int = 0) -> int:
    """The first cycle in which all operands are there; ``ahead`` cycles before where the FPU can wait for them."""
    ready = 0
    for left, use in needs:
        for _, made, result in reversed(pending):
            if result.writes & left:
                at = made + result.latencies[use]
                if ahead and result.awaited and use is not Use.ACCUMULATE:
                    at -= ahead
                if at > ready:
                    ready = at
                left &= ~result.writes
    return ready


def _same_bank(before: Insn | None, store: Insn) -> bool:
    """Whether both are known to store to words of one bank (address bit 2)."""
    a, b = None if before is None else before.address, store.address
    if a is None or b is None or a.base != b.base or a.index >= 0 or b.index >= 0 or store.writeback:
        return False
    return not (a.offset ^ b.offset) & 4
