"""Cortex-M33 and M7: in-order issue, one or two instructions a cycle, each waiting for its operands.

The same block is run at the low, nominal and high figures of the core; results carry over to the next block.
"""

from __future__ import annotations

from vtarget.data.core import Core
from vtarget.data.cycles import Cycles
from vtarget.data.insn import Dynamic, Flow, Kind
from vtarget.logic.cost.lane import Lane, State
from vtarget.logic.cost.pairing import Bound
from vtarget.logic.cost.timing import Timing
from vtarget.logic.decode import Block

_REACH = 4


class ScoreboardPipeline:
    """The timing model of one in-order core with latencies."""

    def __init__(self, core: Core) -> None:
        self._lanes = tuple(Lane(core, bound) for bound in Bound)

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """See ``Pipeline``."""
        states = tuple(State() for _ in self._lanes)
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
            state.joins = lane.joins(block)
        return Timing(_ordered([state.clock for state in states]), tuple(before), states)

    def _finish(self, block: Block, lane: Lane, state: State) -> None:
        """A divide of the FPU still running at the end is charged here, except at the low bound."""
        divides = any(insn.kind is Kind.FP_DIVIDE for insn in block.insns)
        if divides and lane is not self._lanes[0]:
            state.clock = max(state.clock, state.fp_free)

    def early_flags(self, timing: Timing) -> Cycles:
        """What a misprediction at the end of the block costs less, if the flags were set long before."""
        assert isinstance(timing.state, tuple)
        savings = [lane.early_flags(state) for lane, state in zip(self._lanes, timing.state, strict=True)]
        return Cycles(min(savings), savings[1], max(savings))

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """See ``Pipeline``; the first few instructions of ``target`` tell."""
        assert isinstance(timing.state, tuple)
        gaps = (gap.low, gap.nominal, gap.high)
        changes = [
            self._change(lane, state, target, wait, taken)
            for lane, state, wait in zip(self._lanes, timing.state, gaps, strict=True)
        ]
        return Cycles(changes[0], changes[1], changes[2])

    def _change(self, lane: Lane, state: State, target: Block, gap: int, taken: bool) -> int:
        saved = 0 if taken or not gap else min(gap, lane.early_flags(state))
        apart = gap > 0 or (taken and not state.joins)
        if not state.busy_after(gap) and (apart or state.open_insn is None):
            return -saved
        start = state.clock + gap
        after = state.copy(start)
        if apart:
            after.open_insn = None
        fresh = State()
        for insn in target.insns[:_REACH]:
            skipped = insn.dynamic is Dynamic.PREDICATED
            lane.issue(after, insn, skipped, False)
            lane.issue(fresh, insn, skipped, False)
            if insn.flow is not Flow.NONE:
                break
        return after.clock - start - fresh.clock - saved


def _ordered(clocks: list[int]) -> Cycles:
    low, nominal, high = clocks
    return Cycles(min(low, nominal), nominal, max(high, nominal))
