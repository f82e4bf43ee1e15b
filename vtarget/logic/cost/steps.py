"""What a scoreboard has to know of an instruction, at the three bounds of the core's figures."""

from __future__ import annotations

from typing import NamedTuple

from vtarget.data.core import Core, CostClass, Latency, Rule
from vtarget.data.insn import FLAGS, FLOATS, Dynamic, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class
from vtarget.logic.cost.forms import has_shifted_constant, is_shift
from vtarget.logic.cost.latency import BOUNDS, NO_DATAFLOW, Dataflow, LatencyTable
from vtarget.logic.cost.pairing import ALWAYS

_FP_ARITHMETIC = frozenset({Kind.FP_ALU, Kind.FP_MAC})
_FP_TRANSFERS = frozenset({Kind.FP_LOAD, Kind.FP_STORE, Kind.FP_MOVE})
ByBound = tuple[int, int, int]  # low, nominal, high
NOTHING: ByBound = (0, 0, 0)


class Step(NamedTuple):
    """One instruction at one bound, as far as it doesn't depend on its place.

    ``blocks_add``: how long those with ``waits_add`` wait behind it. ``ahead``: cycles that it may issue before
    its operands are there. ``alike``: the bounds at which all of this is the same, a bit each.
    """

    insn: Insn
    issue: int
    flow: Dataflow = NO_DATAFLOW
    results_at: int = 0
    fp_blocks: int = 0
    blocks_add: int = 0
    ahead: int = 0
    alike: int = ALWAYS
    sets_flags: bool = False
    waits_add: bool = False
    is_float: bool = False
    is_fp_transfer: bool = False
    is_small_store: bool = False
    is_shift: bool = False


Steps = tuple[Step, Step, Step]


def at_bounds(core: Core, rule: Rule) -> ByBound:
    """What a rule adds or takes off; 0 if the core doesn't have it."""
    figure = core.rules.get(rule)
    return figure.cycles.bounds if figure is not None else NOTHING


def same_at(cycles: ByBound, bound: int) -> int:
    """The bounds that have the same figure as ``bound``, a bit each."""
    return sum(1 << other for other in BOUNDS if cycles[other] == cycles[bound])


class StepTable:
    """The steps of a core's instructions; remembers those that it was asked for."""

    def __init__(self, core: Core) -> None:
        self._issue = {row: figure.cycles.bounds for row, figure in core.cycles.items()}
        self._rules = {rule: at_bounds(core, rule) for rule in Rule}
        self._latency = LatencyTable(core)
        self._words_per_cycle = core.words_per_cycle
        self._known: dict[Insn, Steps] = {}

    def __call__(self, insn: Insn) -> Steps:
        """Low, nominal and high; one object where they are the same."""
        found = self._known.get(insn)
        if found is None:
            found = self._known[insn] = self._new(insn)
        return found

    def _new(self, insn: Insn) -> Steps:
        flows, issue, late = self._latency.dataflow(insn), self._issue_cycles(insn), self._two_stage_penalty(insn)
        ahead = self._rules[Rule.FP_ISSUES_EARLY] if insn.kind in _FP_ARITHMETIC else NOTHING
        mac = insn.kind is Kind.FP_MAC
        blocks_fp = self._latency[Latency.FP_MAC_BLOCKS_FP] if mac else NOTHING
        blocks_add = self._latency.get(Latency.FP_MAC_BLOCKS_ADD) if mac else NOTHING
        low, nominal, high = zip(flows, issue, late, ahead, blocks_fp, blocks_add, strict=True)
        step = _step(insn, nominal, 2 | (low == nominal) | (high == nominal) << 2)
        return (
            step if low == nominal else _step(insn, low, 1 | (high == low) << 2),
            step,
            step if high == nominal else _step(insn, high, 4 | (high == low)),
        )

    def _two_stage_penalty(self, insn: Insn) -> ByBound:
        if insn.kind is Kind.MUL and insn.size == 2:
            return self._rules[Rule.NARROW_MULTIPLY_PENALTY]
        if insn.sets_flags and has_shifted_constant(insn) and not insn.mnemonic.startswith("mov"):
            return self._rules[Rule.SHIFTED_CONSTANT_FLAGS_PENALTY]
        return NOTHING

    def _issue_cycles(self, insn: Insn) -> ByBound:
        if insn.dynamic is Dynamic.DIVIDE:
            return self._issue[CostClass.SKIPPED] if insn.predicated else NOTHING
        row = cost_class(insn)
        cycles = self._issue.get(row, self._issue[CostClass.UNDEFINED])
        if insn.kind in isa.MULTIPLES:
            words = -(-insn.register_count // self._words_per_cycle)
            cycles = (cycles[0] + words, cycles[1] + words, cycles[2] + words)
        if row is CostClass.FP_MOVE_PAIR and insn.writes & FLOATS and insn.reads & ~FLOATS:
            saving = self._rules[Rule.PAIR_TO_FP_SAVING]
            low, nominal, high = (c - min(c - 1, saved) for c, saved in zip(cycles, saving, strict=True))
            cycles = (low, nominal, high)
        return cycles


def _step(insn: Insn, figures: tuple[Dataflow, int, int, int, int, int], alike: int) -> Step:
    flow, issue, late, ahead, blocks_fp, blocks_add = figures
    divide = insn.kind is Kind.FP_DIVIDE
    return Step(
        insn,
        issue + late,
        flow,
        0 if divide else max(issue, 1) - 1,
        max(r.longest for r in flow.results) if divide else blocks_fp,
        blocks_add,
        ahead,
        alike,
        bool(insn.writes & FLAGS),
        _waits_add(insn),
        insn.kind in isa.FP_KINDS,
        insn.kind in _FP_TRANSFERS,
        insn.kind is Kind.STORE and insn.access_bytes < 4,
        is_shift(insn),
    )


def _waits_add(insn: Insn) -> bool:
    """Whether a multiply-add of a Cortex-M7 holds it up."""
    if insn.kind is Kind.FP_ALU:
        return insn.mnemonic.startswith(("vadd", "vsub"))
    if insn.kind is Kind.FP_MOVE:
        return not insn.reads
    return insn.kind in isa.MULTIPLES or (insn.kind in (Kind.FP_LOAD, Kind.FP_STORE) and insn.double)
