"""Cortex-M33, M55, M7 and M85: in-order issue, one or two instructions a cycle, each waiting for its operands.

The same block is run at the low, nominal and high figures of the core; results carry over to the next block.
"""

from __future__ import annotations

from dataclasses import replace

from vtarget.data.core import Core
from vtarget.data.cycles import Cycles
from vtarget.data.insn import Dynamic, Flow, Insn, Kind
from vtarget.logic.cost.lane import Lane, State
from vtarget.logic.cost.latency import BOUNDS, HIGH, LOW, NOMINAL
from vtarget.logic.cost.steps import StepTable
from vtarget.logic.cost.timing import Timing
from vtarget.logic.decode import Block

_REACH = 4


class ScoreboardPipeline:
    """The timing model of one in-order core with latencies.

    Where a lane would do what the nominal one did, that one's answer is taken: ``State.alike``.
    """

    def __init__(self, core: Core) -> None:
        self._steps = StepTable(core)
        self._lanes = tuple(Lane(core, bound) for bound in BOUNDS)
        self._alone: dict[tuple[Insn, ...], tuple[State, ...]] = {}

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """See ``Pipeline``."""
        nominal = State()
        before = self._run(NOMINAL, nominal, block, skipped, taken)
        states = []
        for bound in BOUNDS:
            state = nominal
            if not nominal.alike >> bound & 1:
                state = State()
                self._run(bound, state, block, skipped, taken)
            states.append(state)
        divides = any(insn.kind is Kind.FP_DIVIDE for insn in block.insns)
        joins = [lane.joins(block) for lane in self._lanes]
        for bound in (LOW, HIGH):
            if states[bound] is nominal and (divides or joins[bound] != joins[NOMINAL]):
                states[bound] = replace(nominal)
        for bound, state in enumerate(states):
            state.joins = joins[bound]
            if divides and bound != LOW:  # one still running at the end is charged here, except at the low bound
                state.clock = max(state.clock, state.fp_free)
        return Timing(_ordered([state.clock for state in states]), before, tuple(states))

    def _run(self, bound: int, state: State, block: Block, skipped: frozenset[int], taken: bool) -> tuple[int, ...]:
        """Advance ``state`` by a block, and tell the clock before each of its instructions."""
        lane, last, clocks = self._lanes[bound], len(block.insns) - 1, []
        for index, insn in enumerate(block.insns):
            clocks.append(state.clock)
            lane.issue(state, self._steps(insn)[bound], index in skipped, taken and index == last)
        return tuple(clocks)

    def early_flags(self, timing: Timing) -> Cycles:
        """What a misprediction at the end of the block costs less, if the flags were set long before."""
        assert isinstance(timing.state, tuple)
        savings = [lane.early_flags(state) for lane, state in zip(self._lanes, timing.state, strict=True)]
        return Cycles(min(savings), savings[1], max(savings))

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """See ``Pipeline``; the first few instructions of ``target`` tell."""
        states, gaps = timing.state, gap.bounds
        assert isinstance(states, tuple)
        nominal, alike = self._change(NOMINAL, states[NOMINAL], target, gaps[NOMINAL], taken)
        changes = []
        for bound, state in enumerate(states):
            change = nominal
            same = state is states[NOMINAL] and gaps[bound] == gaps[NOMINAL] and alike >> bound & 1
            if not same:
                change, _ = self._change(bound, state, target, gaps[bound], taken)
            saved = 0 if taken or not gaps[bound] else min(gaps[bound], self._lanes[bound].early_flags(state))
            changes.append(change - saved)
        return Cycles(changes[LOW], changes[NOMINAL], changes[HIGH])

    def _change(self, bound: int, state: State, target: Block, gap: int, taken: bool) -> tuple[int, int]:
        """What the beginning of ``target`` takes longer behind that state, and the bounds at which it is the same."""
        apart = gap > 0 or (taken and not state.joins)
        if not state.busy_after(gap) and (apart or state.open_insn is None):
            return 0, state.alike
        first = _beginning(target)
        start = state.clock + gap
        after = state.behind(gap)
        if apart:
            after.open_insn = None
        self._begin(bound, after, first)
        alone = self._by_itself(first)
        return after.clock - start - alone[bound].clock, after.alike & alone[bound].alike

    def _by_itself(self, first: tuple[Insn, ...]) -> tuple[State, ...]:
        found = self._alone.get(first)
        if found is None:
            found = tuple(State() for _ in BOUNDS)
            for bound, state in enumerate(found):
                self._begin(bound, state, first)
            self._alone[first] = found
        return found

    def _begin(self, bound: int, state: State, first: tuple[Insn, ...]) -> None:
        for insn in first:
            self._lanes[bound].issue(state, self._steps(insn)[bound], insn.dynamic is Dynamic.PREDICATED, False)


def _beginning(target: Block) -> tuple[Insn, ...]:
    """The instructions that tell what ``target`` feels of the block before it."""
    for index, insn in enumerate(target.insns[:_REACH]):
        if insn.flow is not Flow.NONE:
            return target.insns[: index + 1]
    return target.insns[:_REACH]


def _ordered(clocks: list[int]) -> Cycles:
    low, nominal, high = clocks
    return Cycles(min(low, nominal), nominal, max(high, nominal))
