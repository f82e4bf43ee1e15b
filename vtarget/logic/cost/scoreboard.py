"""Cortex-M33 and M7: in-order issue, one or two instructions a cycle, each waiting for its operands.

The same block is run at the low, nominal and high figures of the core; results carry over to the next block.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vtarget.data.core import Core, CostClass, Latency, Rule
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import Dynamic, Flow, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class
from vtarget.logic.cost.latency import Dataflow, LatencyTable
from vtarget.logic.cost.pairing import Bound, pairs_m7, pairs_m33
from vtarget.logic.cost.timing import Timing
from vtarget.logic.decode import Block

_BY_OPERANDS = (Dynamic.DIVIDE, Dynamic.LONG_MULTIPLY)
_REACH = 4


@dataclass(slots=True)
class _State:
    """Where one run stands: the next free cycle, results under way, and who could be paired with."""

    clock: int = 0
    pending: list[tuple[Dataflow, int]] = field(default_factory=list)
    open_insn: Insn | None = None
    open_cycle: int = 0
    open_skipped: bool = False
    fp_free: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction at one bound, as far as it doesn't depend on its place."""

    issue: int
    flow: Dataflow
    fp_blocks: int


class _Lane:
    """The scoreboard at one bound."""

    def __init__(self, core: Core, bound: Bound) -> None:
        self._bound = bound
        self._issue = {key: int(getattr(figure.cycles, bound.value)) for key, figure in core.cycles.items()}
        self._narrow_multiply = _rule(core, Rule.NARROW_MULTIPLY_PENALTY, bound)
        self._latency = LatencyTable(core, bound)
        self._words_per_cycle = core.words_per_cycle
        self._pairs = pairs_m7 if core.pipeline == "m7" else pairs_m33
        self._steps: dict[Insn, _Step] = {}
        self._idle = _Step(self._issue[CostClass.SKIPPED], Dataflow(0, (), 0, ()), 0)

    def issue(self, state: _State, insn: Insn, skipped: bool, taken: bool) -> None:
        """Advance ``state`` by one instruction."""
        step = self._idle if skipped else self._step(insn)
        ready = self._ready(state, step, insn)
        older = state.open_insn
        pair = (
            older is not None
            and ready <= state.open_cycle
            and step.issue > 0
            and self._pairs(older, insn, self._bound, skipped=(state.open_skipped, skipped), taken=taken)
        )
        cycle = state.open_cycle if pair else max(state.clock, ready)
        state.clock = max(state.clock, cycle + step.issue)
        alone = not pair and step.issue > 0
        state.open_insn, state.open_cycle, state.open_skipped = insn if alone else None, state.clock - 1, skipped
        if step.flow.longest > 1 or step.flow.writes:
            state.pending = [p for p in state.pending if p[1] + p[0].longest > state.clock]
            state.pending.append((step.flow, cycle + max(step.issue, 1) - 1))
        if step.fp_blocks:
            state.fp_free = cycle + step.fp_blocks

    def _ready(self, state: _State, step: _Step, insn: Insn) -> int:
        """The first cycle in which all operands (and the FPU) are there."""
        ready = state.fp_free if insn.kind in isa.FP_KINDS and step is not self._idle else 0
        for mask, use in step.flow.needs:
            left = mask
            for flow, cycle in reversed(state.pending):
                if flow.writes & left:
                    ready = max(ready, cycle + flow.latencies[use])
                    left &= ~flow.writes
        return ready

    def _step(self, insn: Insn) -> _Step:
        step = self._steps.get(insn)
        if step is None:
            step = _Step(self._issue_cycles(insn), self._latency.dataflow(insn), self._fp_blocks(insn))
            self._steps[insn] = step
        return step

    def _issue_cycles(self, insn: Insn) -> int:
        if insn.dynamic in _BY_OPERANDS:
            return self._issue[CostClass.SKIPPED] if insn.predicated else 0
        cycles = self._issue.get(cost_class(insn), self._issue[CostClass.UNDEFINED])
        if insn.kind in isa.MULTIPLES:
            cycles += -(-insn.register_count // self._words_per_cycle)
        if insn.kind is Kind.MUL and insn.size == 2:
            cycles += self._narrow_multiply
        return cycles

    def _fp_blocks(self, insn: Insn) -> int:
        if insn.kind is Kind.FP_MAC:
            return self._latency[Latency.FP_MAC_BLOCKS_FP]
        return self._latency.dataflow(insn).longest if insn.kind is Kind.FP_DIVIDE else 0


class ScoreboardPipeline:
    """The timing model of one in-order core with latencies."""

    def __init__(self, core: Core) -> None:
        self._lanes = tuple(_Lane(core, bound) for bound in Bound)

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """See ``Pipeline``."""
        states = tuple(_State() for _ in self._lanes)
        last = len(block.insns) - 1
        before: list[int] = []
        for lane, state in zip(self._lanes, states, strict=True):
            clocks = []
            for index, insn in enumerate(block.insns):
                clocks.append(state.clock)
                lane.issue(state, insn, index in skipped, taken and index == last)
            if lane is self._lanes[1]:
                before = clocks
            self._finish(block, lane, state)
        return Timing(_ordered([state.clock for state in states]), tuple(before), states)

    def _finish(self, block: Block, lane: _Lane, state: _State) -> None:
        """A divide of the FPU still running at the end is charged here, except at the low bound."""
        divides = any(insn.kind is Kind.FP_DIVIDE for insn in block.insns)
        if divides and lane is not self._lanes[0]:
            state.clock = max(state.clock, state.fp_free)

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """See ``Pipeline``; the first few instructions of ``target`` tell."""
        assert isinstance(timing.state, tuple)
        gaps = (gap.low, gap.nominal, gap.high)
        changes = [
            self._change(lane, state, target, wait, taken)
            for lane, state, wait in zip(self._lanes, timing.state, gaps, strict=True)
        ]
        return Cycles(changes[0], changes[1], changes[2])

    def _change(self, lane: _Lane, state: _State, target: Block, gap: int, taken: bool) -> int:
        busy = any(cycle + flow.longest > state.clock + gap for flow, cycle in state.pending)
        if not busy and state.fp_free <= state.clock + gap and (taken or state.open_insn is None):
            return 0
        start = state.clock + gap
        after = replace(state, clock=start, pending=list(state.pending))
        if taken:
            after.open_insn = None
        fresh = _State()
        for insn in target.insns[:_REACH]:
            skipped = insn.dynamic is Dynamic.PREDICATED
            lane.issue(after, insn, skipped, False)
            lane.issue(fresh, insn, skipped, False)
            if insn.flow is not Flow.NONE:
                break
        return after.clock - start - fresh.clock


def _rule(core: Core, rule: Rule, bound: Bound) -> int:
    figure = core.rules[rule].cycles if rule in core.rules else NO_CYCLES
    return int(getattr(figure, bound.value))


def _ordered(clocks: list[int]) -> Cycles:
    low, nominal, high = clocks
    return Cycles(min(low, nominal), nominal, max(high, nominal))
