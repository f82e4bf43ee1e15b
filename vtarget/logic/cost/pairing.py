"""Which two instructions issue in one cycle, on the cores that can."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from vtarget.data.core import CostClass
from vtarget.data.insn import Flow, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import cost_class, is_multiply
from vtarget.logic.forms import has_shifted_constant, is_bit_field, is_extend, is_shift

# Sets of the bounds low, nominal and high, a bit each.
NEVER, AT_BEST, NOT_AT_WORST, ALWAYS = 0, 1, 3, 7

_ARITHMETIC_OR_ACCESS = frozenset({Kind.ALU, Kind.MUL, Kind.LOAD, Kind.STORE, Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE})


def pairs_m33(older: Insn, younger: Insn, *, skipped: tuple[bool, bool], taken: bool) -> int:
    """Cortex-M33: two 16-bit instructions, the second of them a NOP, an IT or a branch; a false one acts as a NOP.

    ``skipped`` (older, younger): their condition is false. ``taken``: ``younger`` is a branch that is taken. The
    answer, like those of the other cores: the bounds at which they pair.
    """
    if older.size != 2 or younger.size != 2 or older.kind in (Kind.BRANCH, Kind.CALL):
        return NEVER
    if younger.kind is Kind.IT:
        return ALWAYS
    if younger.kind is Kind.BRANCH:
        return AT_BEST if taken and older.sets_flags else ALWAYS
    idle = (older.kind is Kind.NOP or skipped[0], younger.kind is Kind.NOP or skipped[1])
    if not idle[1]:  # whether a NOP pairs with what follows it, too, isn't quite clear
        return AT_BEST if idle[0] and younger.kind in _ARITHMETIC_OR_ACCESS else NEVER
    return ALWAYS if idle[0] or older.kind in _ARITHMETIC_OR_ACCESS else NEVER


_M55_PARTNERS = ("add", "sub", "mov", "uxt", "sxt")


def pairs_m55(older: Insn, younger: Insn, *, skipped: tuple[bool, bool], taken: bool) -> int:
    """Cortex-M55: two 16-bit instructions, one of them a NOP, an IT, a branch, an ADD, SUB or MOV of a constant, or an
    extension (LLVM-M55)."""
    if older.size != 2 or younger.size != 2 or older.kind in (Kind.BRANCH, Kind.CALL):
        return NEVER
    partners = _is_m55_partner(older) or _is_m55_partner(younger) or younger.kind is Kind.BRANCH
    return ALWAYS if partners else NEVER


def _is_m55_partner(insn: Insn) -> bool:
    if insn.kind in (Kind.NOP, Kind.IT):
        return True
    extension = is_extend(insn) and insn.kind is Kind.ALU
    constant = insn.kind is Kind.ALU and insn.mnemonic.startswith(_M55_PARTNERS) and "#" in insn.text
    return extension or constant or (insn.kind is Kind.ALU and insn.mnemonic.startswith("mov"))


class _Unit(StrEnum):
    """What an instruction needs of a Cortex-M7 for itself in its cycle. ``OLDER``: the first of both places."""

    ANY = "any"
    SHIFT = "shift"
    SHIFTED = "shifted"
    BIT_FIELD = "bit_field"
    OLDER = "older"
    MULTIPLIER = "multiplier"
    LOAD = "load"
    STORE = "store"
    FP_MAC = "fp_mac"
    FLOAT = "float"
    FP_DOUBLE = "fp_double"
    FP_LOAD = "fp_load"
    FP_STORE = "fp_store"
    BRANCH = "branch"
    ALONE = "alone"


_NEVER_YOUNGER = {_Unit.OLDER, _Unit.BIT_FIELD, _Unit.FP_DOUBLE, _Unit.ALONE}
_LOADS = {_Unit.LOAD, _Unit.FP_LOAD}
_STORES = {_Unit.STORE, _Unit.FP_STORE}
_FLOATS = {_Unit.FP_MAC, _Unit.FLOAT, _Unit.FP_DOUBLE}
# Units that exclude each other, by the older one.
_EXCLUDED = (
    {_Unit.SHIFTED: {_Unit.SHIFTED}, _Unit.SHIFT: {_Unit.SHIFTED}, _Unit.BIT_FIELD: {_Unit.SHIFTED}}
    | {_Unit.MULTIPLIER: {_Unit.MULTIPLIER, *_STORES}, _Unit.BRANCH: {_Unit.BRANCH}}
    | {_Unit.STORE: {*_STORES, _Unit.MULTIPLIER}, _Unit.FP_STORE: {*_STORES, _Unit.MULTIPLIER, _Unit.FP_MAC}}
    | {_Unit.FP_MAC: {*_FLOATS, _Unit.FP_LOAD, _Unit.FP_STORE}, _Unit.FLOAT: _FLOATS, _Unit.FP_DOUBLE: _FLOATS}
    | {_Unit.FP_LOAD: {_Unit.FP_MAC}}
)


def pairs_m7(older: Insn, younger: Insn, *, skipped: tuple[bool, bool], taken: bool) -> int:
    """Cortex-M7: by what both need; whether the results are there in time is the scoreboard's part."""
    first, second = _unit(older), _unit(younger)
    if first is _Unit.ALONE or second in _NEVER_YOUNGER or second in _EXCLUDED.get(first, ()):
        return NEVER
    if older.kind is Kind.IT and younger.kind is Kind.IT:
        return NEVER
    if first in _LOADS and second in _LOADS:
        return NOT_AT_WORST if _different_banks(older, younger) else AT_BEST
    return ALWAYS


def _unit(insn: Insn) -> _Unit:
    kind = insn.kind
    if is_multiply(insn):
        return _Unit.MULTIPLIER
    if kind in isa.FP_KINDS:
        return _fp_unit(insn)
    if kind in (Kind.ALU, Kind.DSP):
        return _alu_unit(insn)
    if kind is Kind.LOAD:
        return _Unit.ALONE if insn.flow is not Flow.NONE else _Unit.LOAD
    if kind is Kind.STORE:
        return _Unit.STORE
    if kind in (Kind.NOP, Kind.IT):
        return _Unit.ANY
    return _Unit.BRANCH if kind in (Kind.BRANCH, Kind.CALL) else _Unit.ALONE


def _alu_unit(insn: Insn) -> _Unit:
    if is_bit_field(insn):
        return _Unit.BIT_FIELD
    if insn.kind is Kind.DSP or is_extend(insn) or insn.mnemonic == "clz":
        return _Unit.OLDER
    if is_shift(insn):
        return _Unit.SHIFT
    return _Unit.SHIFTED if insn.shifted_operand or has_shifted_constant(insn) else _Unit.ANY


def _fp_unit(insn: Insn) -> _Unit:
    kind = insn.kind
    if kind in (Kind.FP_LOAD, Kind.FP_STORE):
        single = _Unit.FP_LOAD if kind is Kind.FP_LOAD else _Unit.FP_STORE
        return _Unit.ALONE if insn.double else single
    if kind in isa.MULTIPLES or cost_class(insn) is CostClass.FP_MOVE_PAIR:
        return _Unit.ALONE
    if insn.double:
        return _Unit.FP_DOUBLE
    return _Unit.FP_MAC if kind is Kind.FP_MAC else _Unit.FLOAT


def _different_banks(older: Insn, younger: Insn) -> bool:
    """Whether two words are known to lie in different banks (address bit 2): same base, odd word distance."""
    a, b = older.address, younger.address
    if a is None or b is None or a.base != b.base or a.index >= 0 or b.index >= 0 or older.writeback:
        return False
    if older.access_bytes != 4 or younger.access_bytes != 4:
        return False
    return (a.offset - b.offset) % 8 == 4


_LOAD_KINDS = frozenset({Kind.LOAD, Kind.FP_LOAD})


class Pairing:
    """Which places in a cycle two instructions can share, by their sorts: numbers of all that the core's rule looks at.
    Remembers every pair of sorts that it was asked for."""

    def __init__(self, pipeline: str) -> None:
        self._rule, self._facts = _RULES[pipeline]
        self._banked = pipeline == "m7"
        self._sorts: dict[tuple[object, ...], int] = {}
        self._examples: list[tuple[Insn, bool, bool]] = []
        self.known: dict[tuple[int, int], int] = {}

    def sort(self, insn: Insn, *, skipped: bool = False, taken: bool = False) -> int:
        """Of an instruction but for its bank; ``skipped``: its condition is false; ``taken``: it branches."""
        return self._number((*self._facts(insn), skipped, taken), insn, skipped, taken)

    def banked(self, insn: Insn, sort: int) -> int:
        """The sort of an instruction that is of this ``sort``: for loads it matters where they go, too."""
        address = insn.address
        if not self._banked or address is None or insn.kind not in _LOAD_KINDS:
            return sort
        return self._number((sort, address.base, address.index >= 0, address.offset % 8), insn, False, False)

    def _number(self, facts: tuple[object, ...], insn: Insn, skipped: bool, taken: bool) -> int:
        found = self._sorts.setdefault(facts, len(self._examples))
        if found == len(self._examples):
            self._examples.append((insn, skipped, taken))
        return found

    def bounds(self, older: int, younger: int) -> int:
        """The bounds at which two sorts pair; ``known`` has those that were asked for."""
        found = self.known.get((older, younger))
        if found is None:
            (first, first_skipped, _), (second, second_skipped, taken) = self._examples[older], self._examples[younger]
            found = self._rule(first, second, skipped=(first_skipped, second_skipped), taken=taken)
            self.known[older, younger] = found
        return found


# The rule of each kind of core, and what it looks at.
_RULES: dict[str, tuple[Callable[..., int], Callable[[Insn], tuple[object, ...]]]] = {
    "m33": (pairs_m33, lambda insn: (insn.size, insn.kind, insn.sets_flags)),
    "m55": (pairs_m55, lambda insn: (insn.size, insn.kind, _is_m55_partner(insn))),
    "m7": (pairs_m7, lambda insn: (_unit(insn), insn.kind is Kind.IT, insn.writeback, insn.access_bytes)),
}
