"""What a scoreboard has to know of an instruction, at the three bounds of the core's figures."""

from __future__ import annotations

from typing import NamedTuple

from vtarget.data.core import Core, CostClass, Latency, Rule
from vtarget.data.insn import FLAGS, FLOATS, Dynamic, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class
from vtarget.logic.cost.latency import (
    BOUNDS,
    HIGH,
    LOW,
    NOMINAL,
    ByBound,
    LatencyTable,
    Needs,
    Pace,
    Result,
    Use,
    needs,
    plain_use,
    results,
    whole_needs,
)
from vtarget.logic.cost.pairing import ALWAYS, Pairing
from vtarget.logic.forms import alike, extracted, form_number, has_shifted_constant, is_extend_add, is_shift

_FP_ARITHMETIC = frozenset({Kind.FP_ALU, Kind.FP_MAC})
_FP_TRANSFERS = frozenset({Kind.FP_LOAD, Kind.FP_STORE, Kind.FP_MOVE})
NOTHING: ByBound = (0, 0, 0)


class Fpu(NamedTuple):
    """How an instruction occupies the FPU: how long it ``blocks`` all others, and ``blocks_add`` those that
    ``waits_add``; ``ahead``: cycles that it may issue before its operands are there."""

    blocks: int
    blocks_add: int
    ahead: int
    waits_add: bool


class Special(NamedTuple):
    """What most instructions haven't: a use of the FPU, and itself if it is a store of less than a word that the core's
    store buffer merges. ``is_fp_transfer``: it can't be paired while a multiply-add holds up others."""

    fpu: Fpu | None
    store: Insn | None
    is_fp_transfer: bool


class Step(NamedTuple):
    """One instruction at one bound, as far as it doesn't depend on its place.

    ``reads`` has all registers of ``needs``; ``early`` and ``early_needs`` are its results and needs in the first of 2
    stages of ALUs, empty where that can't execute it. ``alike``: the bounds at which all of this is the same, a bit
    each.
    """

    issue: int
    reads: int
    needs: Needs
    results: tuple[Result, ...]
    early: tuple[Result, ...]
    early_needs: Needs
    results_at: int
    alike: int
    sort: int
    is_shift: bool
    sets_flags: bool
    special: Special | None


class _Model(NamedTuple):
    """What the steps of all instructions of a form have in common.

    ``figures`` are those of the bounds that differ, ``of_bound`` says which are whose. ``plain``: one result, none
    written back. ``whole``: no register goes through a shifter first; then what they read is for ``use``, but for
    addresses, accumulators and flags.
    """

    figures: tuple[tuple[int, int, int, Special | None, Pace], ...]  # issue, results_at, alike, special
    of_bound: tuple[int, int, int]
    sort: int
    early: bool
    waits_for_nothing: bool
    plain: bool
    whole: bool
    use: Use
    is_small_store: bool
    is_shift: bool
    sets_flags: bool


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

    def __init__(self, core: Core, pairing: Pairing) -> None:
        self._issue = {row: figure.cycles.bounds for row, figure in core.cycles.items()}
        self._rules = {rule: at_bounds(core, rule) for rule in Rule}
        self._drains = self._rules[Rule.SMALL_STORE_DRAIN]
        self._latency = LatencyTable(core)
        self._words_per_cycle = core.words_per_cycle
        self._two_wide = core.pipeline == "m7"
        self._skipped_row = self._issue[CostClass.SKIPPED]
        self._pairing = pairing
        self._models: dict[int, _Model] = {}
        self.known: dict[int, Steps] = {}  # by what ``alike`` says
        self._special: dict[tuple[Insn, bool, bool], Steps] = {}

    def __call__(self, insn: Insn) -> Steps:
        """Low, nominal and high; one object where they are the same."""
        number = alike(insn)
        found = self.known.get(number)
        if found is None:
            found = self.known[number] = self._new(insn)
        return found

    def special(self, insn: Insn, *, skipped: bool, taken: bool) -> Steps:
        """Those of an instruction whose condition is false (a Cortex-M7 holds on to what it would have needed, else it
        takes a slot and nothing more) or that is a branch and taken."""
        key = (insn, skipped, taken)
        found = self._special.get(key)
        if found is None:
            found = self._special[key] = self._idle(insn) if skipped and not self._two_wide else self(insn)
            if taken:
                sort = self._pairing.sort(insn, skipped=skipped, taken=True)
                low, nominal, high = (step._replace(sort=sort) for step in found)
                found = self._special[key] = (low, nominal, high)
        return found

    def _new(self, insn: Insn) -> Steps:
        key = form_number(insn)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = self._new_model(insn)
        return _steps(insn, model, self._pairing.banked(insn, model.sort))

    def _idle(self, insn: Insn) -> Steps:
        cycles = self._skipped_row
        sort = self._pairing.sort(insn, skipped=True)
        special = Special(None, None, True) if insn.kind in _FP_TRANSFERS else None
        low, nominal, high = (
            Step(cycles[bound], 0, (), (), (), (), 0, same_at(cycles, bound), sort, False, False, special)
            for bound in BOUNDS
        )
        return low, nominal, high

    def _new_model(self, insn: Insn) -> _Model:
        paces, issue, late = self._latency.paces(insn), self._issue_cycles(insn), self._two_stage_penalty(insn)
        kind = insn.kind
        special = self._special_of(insn, paces) if kind in isa.FP_KINDS else _NOTHING_SPECIAL
        small = kind is _STORE and insn.access_bytes < 4 and self._drains != NOTHING
        rows = paces, issue, late, special, self._drains if small else NOTHING
        low, nominal, high = zip(*rows, strict=True)
        same = (low == nominal) << LOW | 1 << NOMINAL | (high == nominal) << HIGH
        figures = [
            (
                issue[bound] + late[bound],
                issue[bound] - 1 if issue[bound] > 1 and kind is not _FP_DIVIDE else 0,
                same if bound == NOMINAL else ALWAYS,
                special[bound],
                paces[bound],
            )
            for bound in BOUNDS
            if bound == NOMINAL or not same >> bound & 1
        ]
        return _Model(
            tuple(figures),
            (0, 1 - (same & 1), len(figures) - 1),
            self._pairing.sort(insn),
            self._latency.can_be_early(insn),
            self._latency.waits_for_nothing(insn),
            kind not in _SEVERAL_RESULTS and not insn.writeback,
            not extracted(insn) and not is_extend_add(insn),
            plain_use(insn),
            small,
            is_shift(insn),
            bool(insn.writes & FLAGS),
        )

    def _special_of(self, insn: Insn, paces: tuple[Pace, ...]) -> tuple[Special, ...]:
        """How an instruction of the FPU occupies it, at each bound."""
        ahead = self._rules[Rule.FP_ISSUES_EARLY] if insn.kind in _FP_ARITHMETIC else NOTHING
        blocks, blocks_add = NOTHING, NOTHING
        if insn.kind is Kind.FP_MAC:
            blocks, blocks_add = self._latency[Latency.FP_MAC_BLOCKS_FP], self._latency.get(Latency.FP_MAC_BLOCKS_ADD)
        found = []
        for bound in BOUNDS:
            busy = paces[bound].longest if insn.kind is _FP_DIVIDE else blocks[bound]
            fpu = Fpu(busy, blocks_add[bound], ahead[bound], _waits_add(insn))
            found.append(Special(fpu, None, insn.kind in _FP_TRANSFERS))
        return tuple(found)

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


_NO_NEEDS: Needs = ()
_make = tuple.__new__  # half of the time that making a named tuple takes by its name
_NOTHING_SPECIAL = (None, None, None)
_SEVERAL_RESULTS = (Kind.LOAD_MULTIPLE, Kind.FP_MOVE)
# Looking up members of an enum takes a while.
_PLAIN, _EARLY = Use.PLAIN, Use.EARLY
_STORE, _FP_DIVIDE = Kind.STORE, Kind.FP_DIVIDE


def _steps(insn: Insn, model: _Model, sort: int) -> Steps:
    needed, early_needs = _NO_NEEDS, _NO_NEEDS
    if not model.waits_for_nothing:
        needed = whole_needs(insn, model.use) if model.whole else needs(insn)
        if model.early:
            early_needs = tuple([(mask, _EARLY if use is _PLAIN else use) for mask, use in needed])
    store = Special(None, insn, False) if model.is_small_store else None
    reads, writes, shift, sets = insn.reads, insn.writes, model.is_shift, model.sets_flags
    steps = []
    for issue, results_at, same, special, pace in model.figures:
        made: tuple[Result, ...] = ()
        if not model.plain:
            made = results(insn, pace)
        elif writes:
            made = ((writes, pace.late, pace.longest, True),)
        early = ((writes, pace.early, pace.longest_early, True),) if model.early else ()
        uses = issue, reads, needed, made, early, early_needs, results_at, same
        steps.append(_make(Step, (*uses, sort, shift, sets, store or special)))
    low, nominal, high = model.of_bound
    return steps[low], steps[nominal], steps[high]


def _waits_add(insn: Insn) -> bool:
    """Whether a multiply-add of a Cortex-M7 holds it up."""
    if insn.kind is Kind.FP_ALU:
        return insn.mnemonic.startswith(("vadd", "vsub"))
    if insn.kind is Kind.FP_MOVE:
        return not insn.reads
    return insn.kind in isa.MULTIPLES or (insn.kind in (Kind.FP_LOAD, Kind.FP_STORE) and insn.double)
