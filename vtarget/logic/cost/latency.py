"""How long results take, by who made them and who needs them."""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import NamedTuple

from vtarget.data.core import Core, Latency
from vtarget.data.insn import FLAGS, FLOATS, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import is_multiply
from vtarget.logic.forms import (
    extracted,
    has_shifted_constant,
    is_extend_add,
    is_reverse,
    is_shift,
    registers,
)

ByBound = tuple[int, int, int]  # low, nominal, high
BOUNDS = (LOW, NOMINAL, HIGH) = (0, 1, 2)
_NO_ROW = (1, 1, 1)


class Use(IntEnum):
    """What a consumer needs a register for. ``EARLY``: in a stage before the one that most instructions read in."""

    PLAIN = 0
    ADDRESS = 1
    STORE_DATA = 2
    MULTIPLY = 3
    EARLY = 4
    ACCUMULATE = 5
    EXTEND_ADD = 6
    FLAGS = 7
    TO_CORE = 8
    TO_FLOAT = 9


# Registers (and flags) written, their latency by use, the longest of these, and whether the FPU can take an instruction
# that waits for them before they are there.
Result = tuple[int, tuple[int, ...], int, bool]
Needs = tuple[tuple[int, int], ...]  # registers, and what for (Use); stores, and which of their latencies counts
Rows = tuple[tuple[Use, tuple[Latency, ...]], ...]  # the rows for some uses, the first that the core has


_EARLY = ("add", "adds", "addw", "sub", "subs", "subw", "mov", "movs", "movw")
_CHAINED = ("vmla", "vmls", "vnmla", "vnmls")
_AT_ONCE = (1,) * len(Use)


class Pace(NamedTuple):
    """Latencies by use of all instructions of a form: their results, those of a core with two stages of ALUs when the
    first one executes it (empty where it can't), and a base written back (empty without one)."""

    late: tuple[int, ...]
    early: tuple[int, ...]
    base: tuple[int, ...]
    longest: int
    longest_early: int


class LatencyTable:
    """The latency rows of a core at its three bounds."""

    def __init__(self, core: Core) -> None:
        self._rows = {row: figure.cycles.bounds for row, figure in core.latency.items()}
        self._predicts = core.pipeline == "m7"
        self._two_stages = Latency.EARLY_ALU in self._rows
        self._paces: dict[tuple[Latency | None, Rows, bool, bool, bool], tuple[Pace, ...]] = {}

    def __getitem__(self, row: Latency | None) -> ByBound:
        """The row at each bound, 1 if the core doesn't have it."""
        return _NO_ROW if row is None else self._rows.get(row, _NO_ROW)

    def get(self, row: Latency) -> ByBound:
        """The row at each bound, 0 if the core doesn't have it."""
        return self._rows.get(row, (0, 0, 0))

    def paces(self, insn: Insn) -> tuple[Pace, ...]:
        """What the scoreboard must know of the results of all instructions of its form, at each bound."""
        early = self.can_be_early(insn)
        key = (self._plain(insn), self._exceptions(insn), early, early and is_reverse(insn), insn.writeback)
        found = self._paces.get(key)
        if found is None:
            found = self._paces[key] = tuple(self._pace(bound, *key) for bound in BOUNDS)
        return found

    def can_be_early(self, insn: Insn) -> bool:
        """Whether the core has two stages of ALUs, and the first one can execute it."""
        return self._two_stages and _can_be_early(insn)

    def waits_for_nothing(self, insn: Insn) -> bool:
        """Branches don't wait for flags: their resolution is part of the refill. Predicted ones wait for nothing."""
        return insn.kind is Kind.BRANCH and self._predicts

    def _pace(
        self, bound: int, plain: Latency | None, exceptions: Rows, early: bool, reverse: bool, writeback: bool
    ) -> Pace:
        late = [self[plain][bound]] * len(Use)
        for use, rows in exceptions:
            late[use] = next((self._rows[row][bound] for row in rows if row in self._rows), late[Use.PLAIN])
        quick = self._early_latencies(late, bound, reverse) if early else ()
        base = list(_AT_ONCE)
        base[Use.PLAIN] = self[Latency.EARLY_ALU][bound]
        return Pace(tuple(late), tuple(quick), tuple(base) if writeback else (), max(late), max(quick, default=0))

    def _early_latencies(self, late: list[int], bound: int, reverse: bool) -> list[int]:
        """Flags come out of the late stage all the same."""
        found = list(late)
        found[Use.PLAIN] = found[Use.EXTEND_ADD] = found[Use.MULTIPLY] = self[Latency.EARLY_ALU][bound]
        if not reverse:
            found[Use.ADDRESS] = found[Use.EARLY] = self[Latency.EARLY_ALU_TO_EARLY][bound]
        return found

    def _plain(self, insn: Insn) -> Latency | None:
        """The row of its latency; None: always 1."""
        kind = insn.kind
        if kind in isa.FP_KINDS:
            return self._float(insn)
        if is_multiply(insn):
            return Latency.MULTIPLY
        if kind is Kind.DSP:
            return Latency.DSP
        if kind is Kind.ALU:
            return Latency.SHIFTED if _is_two_stage(insn) else Latency.ALU
        if kind in _INTEGER_LOADS:
            return Latency.LOAD if insn.access_bytes == 4 else Latency.LOAD_SMALL
        return None

    def _float(self, insn: Insn) -> Latency | None:
        kind, double = insn.kind, insn.double
        if kind is Kind.FP_LOAD:
            return Latency.FP_LOAD
        if kind is Kind.FP_MAC:
            chained = Latency.FP_CHAINED_MAC in self._rows and insn.mnemonic.startswith(_CHAINED)
            single = Latency.FP_CHAINED_MAC if chained else Latency.FP_MAC
            return Latency.FP_MAC_DOUBLE if double else single
        if kind is Kind.FP_DIVIDE:
            single = Latency.FP_SQRT if insn.mnemonic.startswith("vsqrt") else Latency.FP_DIVIDE
            return Latency.FP_DIVIDE_DOUBLE if double else single
        if kind is Kind.FP_ALU:
            multiply = insn.mnemonic.startswith(("vmul", "vnmul"))
            return (Latency.FP_MUL_DOUBLE if multiply else Latency.FP_ALU_DOUBLE) if double else Latency.FP_ALU
        return self._move(insn) if kind is Kind.FP_MOVE else None

    def _move(self, insn: Insn) -> Latency:
        if insn.mnemonic in ("vmrs", "vmsr"):
            return Latency.FP_TO_CORE
        pair = (insn.writes & FLOATS).bit_count() == 2 or (insn.writes & ~FLOATS).bit_count() == 2
        if insn.writes & ~FLOATS:
            known = pair and Latency.FP_PAIR_TO_CORE in self._rows
            return Latency.FP_PAIR_TO_CORE if known else Latency.FP_TO_CORE
        if insn.reads & ~FLOATS:
            return Latency.PAIR_TO_FP if pair and Latency.PAIR_TO_FP in self._rows else Latency.CORE_TO_FP
        return Latency.FP_MOVE

    def _exceptions(self, insn: Insn) -> Rows:
        """The rows that replace the plain latency for some uses."""
        if is_multiply(insn):
            return _OF_MULTIPLY
        kind = insn.kind
        if kind is Kind.ALU or kind is Kind.DSP:
            return _of_alu(_is_two_stage(insn) or is_extend_add(insn), insn.shifted_operand)
        if kind in _INTEGER_LOADS:
            return _OF_LOAD if insn.access_bytes == 4 else _OF_SMALL_LOAD
        if kind is Kind.FP_LOAD:
            return _OF_FP_LOAD
        if kind is Kind.FP_MAC:
            chained = _OF_CHAINED_MAC if insn.mnemonic.startswith(_CHAINED) else _OF_MAC
            return _OF_DOUBLE_MAC if insn.double else chained
        return _OF_FP_ALU if kind is Kind.FP_ALU and not insn.double else ()


def needs(insn: Insn) -> Needs:
    """What it waits for; a branch doesn't wait for flags."""
    address = insn.address_reads
    accumulator, early = insn.accumulator & ~address, extracted(insn) & ~address
    addend = 1 << registers(insn)[-2] & ~early if is_extend_add(insn) else 0
    found = (
        (address, Use.ADDRESS),
        (accumulator, Use.ACCUMULATE),
        (addend, Use.EXTEND_ADD),
        (early, Use.EARLY),
        (insn.reads & ~(address | accumulator | addend | early | FLAGS), plain_use(insn)),
        (0 if insn.kind is Kind.BRANCH else insn.reads & FLAGS, Use.FLAGS),
    )
    return tuple([need for need in found if need[0]])


# Looking up members of an enum takes a while.
_ADDRESS, _ACCUMULATE, _FLAGS, _BRANCH = Use.ADDRESS, Use.ACCUMULATE, Use.FLAGS, Kind.BRANCH


def whole_needs(insn: Insn, use: Use) -> Needs:
    """``needs``, the quick way, of the many that neither shift a register on the way nor extend and add."""
    reads, address, found = insn.reads, insn.address_reads, []
    accumulator = insn.accumulator & ~address
    if address:
        found.append((address, _ADDRESS))
    if accumulator:
        found.append((accumulator, _ACCUMULATE))
    if rest := reads & ~(address | accumulator | FLAGS):
        found.append((rest, use))
    if reads & FLAGS and insn.kind is not _BRANCH:
        found.append((FLAGS, _FLAGS))
    return tuple(found)


_INTEGER_LOADS = frozenset({Kind.LOAD, Kind.LOAD_EXCLUSIVE, Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE})
_OF_MULTIPLY: Rows = (
    (Use.ADDRESS, (Latency.MULTIPLY_TO_ADDRESS,)),
    (Use.EARLY, (Latency.MULTIPLY_TO_EARLY,)),
    (Use.ACCUMULATE, (Latency.MULTIPLY_TO_ACCUMULATOR,)),
    (Use.EXTEND_ADD, (Latency.MULTIPLY_TO_EXTEND_ADD,)),
    (Use.STORE_DATA, (Latency.MULTIPLY_TO_STORE_DATA,)),
    (Use.TO_FLOAT, (Latency.MULTIPLY_TO_STORE_DATA,)),
)
_OF_LOAD: Rows = (
    (Use.ADDRESS, (Latency.LOAD_TO_ADDRESS,)),
    (Use.STORE_DATA, (Latency.LOAD_TO_STORE_DATA,)),
    (Use.MULTIPLY, (Latency.LOAD_TO_MULTIPLY,)),
    (Use.EARLY, (Latency.LOAD_TO_EARLY,)),
    (Use.ACCUMULATE, (Latency.LOAD_TO_ACCUMULATOR,)),
)
_OF_SMALL_LOAD: Rows = (
    (Use.ADDRESS, (Latency.LOAD_SMALL_TO_ADDRESS, Latency.LOAD_TO_ADDRESS)),
    (Use.STORE_DATA, (Latency.LOAD_TO_STORE_DATA,)),
    (Use.MULTIPLY, (Latency.LOAD_TO_MULTIPLY,)),
    (Use.EARLY, (Latency.LOAD_SMALL_TO_EARLY, Latency.LOAD_TO_EARLY)),
    (Use.ACCUMULATE, (Latency.LOAD_TO_ACCUMULATOR,)),
)
_OF_FP_LOAD: Rows = (
    (Use.ACCUMULATE, (Latency.FP_LOAD_TO_ACCUMULATOR,)),
    (Use.TO_CORE, (Latency.FP_LOAD_TO_CORE,)),
)
_OF_MAC: Rows = (
    (Use.ACCUMULATE, (Latency.FP_MAC_TO_ACCUMULATOR,)),
    (Use.STORE_DATA, (Latency.FP_MAC_TO_STORE_DATA,)),
)
_OF_CHAINED_MAC: Rows = (
    (Use.ACCUMULATE, (Latency.FP_MAC_TO_ACCUMULATOR,)),
    (Use.STORE_DATA, (Latency.FP_CHAINED_MAC_TO_STORE_DATA, Latency.FP_MAC_TO_STORE_DATA)),
)
_OF_DOUBLE_MAC: Rows = ((Use.ACCUMULATE, (Latency.FP_MAC_DOUBLE_TO_ACCUMULATOR,)),)
_OF_FP_ALU: Rows = ((Use.STORE_DATA, (Latency.FP_ALU_TO_STORE_DATA,)),)


@cache
def _of_alu(two_stage: bool, shifted_operand: bool) -> Rows:
    """``two_stage``: with a shift on the way, or extending and adding."""
    found: dict[Use, tuple[Latency, ...]] = {
        Use.ADDRESS: (Latency.ALU_TO_ADDRESS,),
        Use.EARLY: (Latency.ALU_TO_EARLY,),
        Use.STORE_DATA: (Latency.ALU_TO_STORE_DATA,),
        Use.ACCUMULATE: (Latency.ALU_TO_ACCUMULATOR,),
    }
    if two_stage:
        found[Use.ACCUMULATE] = (Latency.SHIFTED_TO_ACCUMULATOR, Latency.ALU_TO_ACCUMULATOR)
        found[Use.EXTEND_ADD] = (Latency.SHIFTED_TO_ACCUMULATOR,)
        found[Use.STORE_DATA] = (Latency.SHIFTED_TO_STORE_DATA, Latency.ALU_TO_STORE_DATA)
        found[Use.TO_FLOAT] = (Latency.SHIFTED_TO_STORE_DATA,)
    if shifted_operand:
        found[Use.FLAGS] = (Latency.FLAGS_OF_SHIFTED,)
    return tuple(found.items())


def results(insn: Insn, pace: Pace) -> tuple[Result, ...]:
    """Of a multiple load only the last register comes late, a base register written back at once."""
    base = 1 << insn.address.base if insn.writeback and insn.address is not None else 0
    last = rest = insn.writes & ~base
    if insn.kind is Kind.LOAD_MULTIPLE and rest:
        last = 1 << (rest.bit_length() - 1)
    awaited = not (insn.kind is Kind.FP_MOVE and insn.reads & ~FLOATS)
    found: list[Result] = [(last, pace.late, pace.longest, awaited)] if last else []
    if rest != last:
        found.append((rest & ~last, _AT_ONCE, 1, awaited))
    if base:
        found.append((base, pace.base, max(pace.base), awaited))
    return tuple(found)


def _is_two_stage(insn: Insn) -> bool:
    """Whether its second operand is shifted on the way; a MOV has nothing to do after that."""
    return insn.shifted_operand or (has_shifted_constant(insn) and not insn.mnemonic.startswith("mov"))


def _can_be_early(insn: Insn) -> bool:
    """Whether the first of two stages of ALUs can execute it."""
    if insn.kind is not Kind.ALU or insn.predicated:
        return False
    simple = insn.mnemonic in _EARLY and not insn.shifted_operand and not has_shifted_constant(insn)
    return simple or is_shift(insn) or is_reverse(insn)


def plain_use(insn: Insn) -> Use:
    """What it needs registers for that are neither an address nor an addend and aren't shifted first."""
    if insn.kind in isa.STORES:
        return Use.STORE_DATA
    if is_multiply(insn) or insn.kind is Kind.DIVIDE:
        return Use.MULTIPLY
    if insn.kind is Kind.FP_MOVE:
        return Use.TO_CORE if insn.writes & ~FLOATS else Use.TO_FLOAT if insn.reads & ~FLOATS else Use.PLAIN
    return Use.PLAIN
