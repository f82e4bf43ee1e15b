"""Which two instructions issue in one cycle, on the cores that can."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from vtarget.data.insn import Flow, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import is_multiply


class Bound(StrEnum):
    """Which end of the estimate a run of the scoreboard is for."""

    LOW = "low"
    NOMINAL = "nominal"
    HIGH = "high"


_ARITHMETIC_OR_ACCESS = frozenset({Kind.ALU, Kind.MUL, Kind.LOAD, Kind.STORE, Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE})


def pairs_m33(older: Insn, younger: Insn, bound: Bound, *, skipped: tuple[bool, bool], taken: bool) -> bool:
    """Cortex-M33: two 16-bit instructions, one of them a NOP, an IT or a branch; a false one acts as a NOP.

    ``skipped`` (older, younger): their condition is false. ``taken``: ``younger`` is a branch that is taken.
    """
    if older.size != 2 or younger.size != 2 or older.kind in (Kind.BRANCH, Kind.CALL):
        return False
    if younger.kind is Kind.IT:
        return True
    if younger.kind is Kind.BRANCH:
        return not (taken and older.sets_flags) or bound is Bound.LOW
    idle = (older.kind is Kind.NOP or skipped[0], younger.kind is Kind.NOP or skipped[1])
    if idle[0] == idle[1]:
        return False
    other = younger if idle[0] else older
    return other.kind in _ARITHMETIC_OR_ACCESS


class _Unit(StrEnum):
    """What an instruction needs of a Cortex-M7 for itself in its cycle."""

    ANY = "any"
    SHIFTER = "shifter"
    OLDER = "older"
    MULTIPLIER = "multiplier"
    LOAD = "load"
    STORE = "store"
    FLOAT = "float"
    BRANCH = "branch"
    ALONE = "alone"


_ONLY_OLDER = ("bf", "sbfx", "ubfx", "clz", "rbit")
_SHIFTS = ("lsl", "lsr", "asr", "ror", "rrx")
_ALONE = (
    {_Unit.STORE},
    {_Unit.MULTIPLIER},
    {_Unit.MULTIPLIER, _Unit.STORE},
    {_Unit.SHIFTER},
    {_Unit.OLDER},
    {_Unit.FLOAT},
)


def pairs_m7(older: Insn, younger: Insn, bound: Bound, *, skipped: tuple[bool, bool], taken: bool) -> bool:
    """Cortex-M7: by what both need; whether the results are there in time is the scoreboard's part."""
    units = (_unit(older), _unit(younger))
    if _Unit.ALONE in units or units[0] is _Unit.BRANCH or units[1] is _Unit.OLDER:
        return False
    if units == (_Unit.LOAD, _Unit.LOAD):
        return bound is Bound.LOW or (bound is Bound.NOMINAL and _different_banks(older, younger))
    return set(units) not in _ALONE


@cache
def _unit(insn: Insn) -> _Unit:
    kind = insn.kind
    if is_multiply(insn):
        return _Unit.MULTIPLIER
    if kind is Kind.DSP or insn.mnemonic.startswith(_ONLY_OLDER):
        return _Unit.OLDER
    if kind is Kind.ALU:
        return _Unit.SHIFTER if insn.shifted_operand or insn.mnemonic.startswith(_SHIFTS) else _Unit.ANY
    if kind in (Kind.LOAD, Kind.FP_LOAD):
        return _Unit.ALONE if insn.flow is not Flow.NONE else _Unit.LOAD
    if kind in (Kind.STORE, Kind.FP_STORE):
        return _Unit.STORE
    if kind in (Kind.NOP, Kind.IT):
        return _Unit.ANY
    if kind in (Kind.BRANCH, Kind.CALL):
        return _Unit.BRANCH
    return _Unit.FLOAT if kind in isa.FP_KINDS and kind not in isa.MULTIPLES else _Unit.ALONE


def _different_banks(older: Insn, younger: Insn) -> bool:
    """Whether two words are known to lie in different banks (address bit 2): same base, odd word distance."""
    a, b = older.address, younger.address
    if a is None or b is None or a.base != b.base or a.index >= 0 or b.index >= 0 or older.writeback:
        return False
    if older.access_bytes != 4 or younger.access_bytes != 4:
        return False
    return (a.offset - b.offset) % 8 == 4
