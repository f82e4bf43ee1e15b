"""Cortex-M33, M55, M7 and M85: in-order issue, one or two instructions a cycle, each waiting for its operands.

The same block is run at the low, nominal and high figures of the core; results carry over to the next block.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import sub
from typing import NamedTuple

from vtarget.data.core import Core
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import Flow, Insn, Kind
from vtarget.logic.cost.lane import AT_REST, NOBODY, Lane, Run, State
from vtarget.logic.cost.latency import BOUNDS, HIGH, LOW, NOMINAL
from vtarget.logic.cost.pairing import Pairing
from vtarget.logic.cost.steps import Step, Steps, StepTable
from vtarget.logic.cost.stores import Accessed, Left, Loads, StoreRule
from vtarget.logic.cost.timing import Timing
from vtarget.logic.decode import Block
from vtarget.logic.forms import alike

_REACH = 4
_NO_BRANCH = Flow.NONE  # looking up the member of an enum takes a while
_ALL_AT_REST = (AT_REST, AT_REST, AT_REST)
_NEVER = (False, False, False)
_NARROW = 2
Runs = tuple[Run, ...]  # at each bound
Columns = list[tuple[Step, ...]]  # the steps of a stretch of code at each bound
_Key = tuple[bytes, int, frozenset[int], bool]


class _Ran(NamedTuple):
    """What the lanes did with a block from rest, its first steps (those that may be felt, and perhaps more), and its
    last stores."""

    runs: Runs
    beginning: Columns
    stores: Sequence[Accessed]


class _Begun(NamedTuple):
    """The first steps of a block, their cycles behind nothing, and the registers that they read (and stores before the
    block); -1 where the FPU or the store buffer matters to them, too."""

    columns: Columns
    alone: list[int]
    reads: int

    def feels(self, state: State) -> bool:
        """Whether it may matter to these steps what is under way or could be paired with them."""
        if self.reads < 0 or state.open_sort != NOBODY:
            return True
        writes = 0
        for result in state.pending:
            writes |= result[2]
        return writes & self.reads != 0


class _Left(NamedTuple):
    """Where a block leaves each lane, whether what its taken branch leads to may issue beside that branch, and which
    stores a load may still have to wait for."""

    states: tuple[State, ...]
    joins: tuple[bool, ...]
    stores: Sequence[Left] = ()


class ScoreboardPipeline:
    """The timing model of one in-order core with latencies.

    A lane that would do what the nominal one did is the same run; else it starts where they part (``Run.forks``).
    """

    def __init__(self, core: Core) -> None:
        pairing = Pairing(core.pipeline)
        self._steps = StepTable(core, pairing)
        self._lanes = tuple(Lane(core, bound, pairing) for bound in BOUNDS)
        self._stores = StoreRule(core)
        self._ran: dict[_Key, _Ran] = {}
        self._joins = core.predictor is not None
        self._begun: dict[tuple[bytes, int], _Begun] = {}

    def time(self, block: Block, skipped: frozenset[int], taken: bool) -> Timing:
        """See ``Pipeline``."""
        if not block.insns:
            return Timing(NO_CYCLES, (), _Left(_ALL_AT_REST, _NEVER))
        ran = self._run(block, skipped, taken)
        runs = ran.runs
        states = [run.state for run in runs]
        if any(state.fp_free > state.clock for state in states) and any(i.kind is Kind.FP_DIVIDE for i in block.insns):
            for bound in (NOMINAL, HIGH):  # one still running at the end is charged here, except at the low bound
                states[bound] = states[bound]._replace(clock=max(states[bound].clock, states[bound].fp_free))
        low, nominal, high = (state.clock for state in states)
        cycles = Cycles(min(low, nominal), nominal, max(high, nominal))
        left = _Left(tuple(states), self._joined(block), self._under_way(ran) if ran.stores else ())
        return Timing(cycles, tuple(runs[NOMINAL].clocks[:-1]), left)

    def _under_way(self, ran: _Ran) -> list[Left]:
        """The block's last stores, as far as a load that follows it may have to wait for them."""
        low, nominal, high = ran.runs
        found = []
        for store in ran.stores:
            after = store.at + 1
            made = low.clocks[after] - 1, nominal.clocks[after] - 1, high.clocks[after] - 1
            ends = low.clocks[-1], nominal.clocks[-1], high.clocks[-1]
            if max(map(sub, made, ends)) + self._stores.longest > 0:
                found.append(Left(store, made))
        return found

    def _joined(self, block: Block) -> tuple[bool, bool, bool]:
        """Whether a direct branch at the block's end, taken, issues beside what it leads to: behind two 16-bit
        instructions (JNK cortex_m7.md, branching: highly sensitive to alignment; that decides at the bounds)."""
        last = block.insns[-1]
        if not self._joins or last.branch_offset is None:
            return _NEVER
        before = len(block.insns) - 1
        narrow = (4 * before - (block.size - last.size)) // 2  # each of them is 2 bytes short of 4
        return True, narrow >= _NARROW, False

    def alone(self, insn: Insn) -> int:
        """See ``Pipeline``."""
        return self._steps(insn)[NOMINAL].issue

    def _run(self, block: Block, skipped: frozenset[int], taken: bool) -> _Ran:
        """All lanes through a block, from rest."""
        key = (block.code, block.address & 2, skipped, taken)
        found = self._ran.get(key)
        if found is None:
            columns, stores = self._columns(block.insns, skipped, taken)
            found = _Ran(self._together(_ALL_AT_REST, columns), [column[:_REACH] for column in columns], stores)
            self._ran[key] = found
        return found

    def _columns(
        self, insns: Sequence[Insn], skipped: frozenset[int], taken: bool
    ) -> tuple[Columns, Sequence[Accessed]]:
        """The steps of each bound, and the last stores; ``taken``: the last instruction branches."""
        known = self._steps.known
        steps = [known.get(alike(insn)) or self._steps(insn) for insn in insns]
        for index in skipped:
            steps[index] = self._steps.special(insns[index], skipped=True, taken=False)
        if taken:
            last = len(insns) - 1
            steps[last] = self._steps.special(insns[last], skipped=last in skipped, taken=True)
        stores = self._connect(steps, insns, skipped) if self._stores else ()
        return list(zip(*steps, strict=True)), stores

    def _connect(self, steps: list[Steps], insns: Sequence[Insn], skipped: frozenset[int]) -> Sequence[Accessed]:
        """Has loads wait for the stores before them."""
        traced = self._stores.trace(insns, skipped)
        for index, bit in traced.stores.items():
            steps[index] = self._stores.storing(steps[index], bit)
        for index, reads in traced.loads.items():
            steps[index] = self._stores.loading(steps[index], reads)
        return traced.left

    def _together(self, states: Sequence[State], columns: Columns) -> Runs:
        """All lanes through the same instructions; those with the nominal lane's very state go with it."""
        nominal = self._lanes[NOMINAL].run(states[NOMINAL], columns[NOMINAL])
        runs = [nominal, nominal, nominal]
        for bound in (LOW, HIGH):
            if states[bound] is not states[NOMINAL]:
                runs[bound] = self._lanes[bound].run(states[bound], columns[bound])
                continue
            for parting, index, before in nominal.forks:
                if parting >> bound & 1:
                    rest = self._lanes[bound].run(before, columns[bound][index:])
                    runs[bound] = Run(rest.state, nominal.clocks[:index] + rest.clocks)
        return tuple(runs)

    def early_flags(self, timing: Timing) -> Cycles:
        """What a misprediction at the end of the block costs less, if the flags were set long before."""
        assert isinstance(timing.state, _Left)
        savings = [lane.early_flags(state) for lane, state in zip(self._lanes, timing.state.states, strict=True)]
        return Cycles(min(savings), savings[1], max(savings))

    def overlap(self, timing: Timing, target: Block, gap: Cycles, taken: bool) -> Cycles:
        """See ``Pipeline``; the first few instructions of ``target`` tell."""
        left, gaps = timing.state, gap.bounds
        assert isinstance(left, _Left)
        waiting = self._waiting(left.stores, target) if left.stores else {}
        starts = _starts(left, gaps, taken, always=bool(waiting))
        changes = [0, 0, 0]
        if target.insns and starts != _ALL_AT_REST:
            begun = self._beginning(target)
            if waiting:
                begun, starts = self._behind_stores(begun, waiting), self._with_stores(starts, left.stores)
            starts = tuple([start if begun.feels(start) else AT_REST for start in starts])
            for bound, run in self._behind(starts, begun.columns):
                changes[bound] = run.state.clock - starts[bound].clock - begun.alone[bound]
        if not taken and gap is not NO_CYCLES:
            for bound, state in enumerate(left.states):
                changes[bound] -= min(gaps[bound], self._lanes[bound].early_flags(state))
        return Cycles(*changes) if changes != [0, 0, 0] else NO_CYCLES

    def _behind(self, starts: Sequence[State], columns: Columns) -> list[tuple[int, Run]]:
        """The lanes that don't start at rest, through the same instructions."""
        moving = [bound for bound in BOUNDS if starts[bound] is not AT_REST]
        if NOMINAL not in moving:
            return [(bound, self._lanes[bound].run(starts[bound], columns[bound])) for bound in moving]
        runs = self._together(starts, columns)
        return [(bound, runs[bound]) for bound in moving]

    def store_awaited(self, block: Block, skipped: frozenset[int], index: int) -> int | None:
        """The last store of the block whose bytes its load ``index`` reads, if that is soon behind it."""
        traced = self._stores.trace(block.insns, skipped) if self._stores else None
        reads = traced.loads.get(index) if traced is not None else None
        if traced is None or reads is None or not reads.written:
            return None
        return max(at for at, bit in traced.stores.items() if at < index and bit & reads.written)

    def store_felt(self, timing: Timing, target: Block) -> int | None:
        """The last store of the block whose bytes the first instructions of ``target`` read, if they are so soon."""
        left = timing.state
        assert isinstance(left, _Left)
        felt = [stored for stored in left.stores if any(r.written for r in self._waiting([stored], target).values())]
        return felt[-1].store.at if felt else None

    def _waiting(self, stores: Sequence[Left], target: Block) -> Loads:
        """Which of the first instructions of ``target`` wait for stores of the block before."""
        return self._stores.behind(stores, target.insns[: _felt(target.insns)], target.observed)

    def _behind_stores(self, begun: _Begun, waiting: Loads) -> _Begun:
        """The first steps of a block where these wait for stores of the block before."""
        steps, read = list(zip(*begun.columns, strict=True)), 0
        for index, reads in waiting.items():
            low, nominal, high = steps[index]
            steps[index] = self._stores.loading((low, nominal, high), reads)
            read |= reads.written | reads.near
        return _Begun(list(zip(*steps, strict=True)), begun.alone, begun.reads | read)

    def _with_stores(self, starts: Sequence[State], stores: Sequence[Left]) -> tuple[State, ...]:
        nominal = self._stores.under_way(starts[NOMINAL], stores, NOMINAL)
        low, high = (
            nominal if starts[bound] is starts[NOMINAL] else self._stores.under_way(starts[bound], stores, bound)
            for bound in (LOW, HIGH)
        )
        return low, nominal, high

    def _beginning(self, target: Block) -> _Begun:
        """The steps that tell what ``target`` feels of the block before it."""
        key = (target.code, target.address & 2)
        found = self._begun.get(key)
        if found is None:
            ran, count = self._run(target, target.observed, False), _felt(target.insns)
            alone = [run.clocks[count] for run in ran.runs]
            columns = [column[:count] for column in ran.beginning]
            reads = 0
            for step in columns[NOMINAL]:
                reads |= step.reads if step.special is None else -1
            found = self._begun[key] = _Begun(columns, alone, reads)
        return found


def _starts(left: _Left, gaps: Sequence[int], taken: bool, *, always: bool) -> tuple[State, ...]:
    """Where each lane goes on behind a gap: at rest if it doesn't matter what came before (unless ``always``), in the
    nominal lane's very state if it does the same."""
    found = list(_ALL_AT_REST)
    usual = left.states[NOMINAL], gaps[NOMINAL], taken and left.joins[NOMINAL]
    for bound in (NOMINAL, LOW, HIGH):
        state, gap, joins = left.states[bound], gaps[bound], taken and left.joins[bound]
        if bound != NOMINAL and state is usual[0] and gap == usual[1] and joins is usual[2]:
            found[bound] = found[NOMINAL]
            continue
        apart = gap > 0 or (taken and not joins)
        if always or state.busy_after(gap) or not (apart or state.open_sort == NOBODY):
            found[bound] = state.behind(gap, apart=apart)
    return tuple(found)


def _felt(insns: Sequence[Insn]) -> int:
    """How many instructions at the beginning of a block tell what it feels of the one before it."""
    for index, insn in enumerate(insns[:_REACH]):
        if insn.flow is not _NO_BRANCH:
            return index + 1
    return min(_REACH, len(insns))
