"""How long results take, by who made them and who needs them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vtarget.data.core import Core, Latency
from vtarget.data.insn import FLAGS, FLOATS, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import is_multiply
from vtarget.logic.cost.forms import (
    extracted,
    has_shifted_constant,
    is_extend_add,
    is_reverse,
    is_shift,
    registers,
)
from vtarget.logic.cost.pairing import Bound


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


@dataclass(frozen=True, slots=True)
class Result:
    """Registers (and flags) written, and their latency by use. ``awaited``: the FPU can take an instruction before."""

    writes: int
    latencies: tuple[int, ...]
    longest: int
    awaited: bool = True


@dataclass(frozen=True, slots=True)
class Dataflow:
    """Of one instruction at one bound: its results, and what it needs as (registers, use).

    ``early_results`` and ``early_needs`` are those of a core with two stages of ALUs when the first one executes it;
    empty where it can't.
    """

    results: tuple[Result, ...]
    needs: tuple[tuple[int, Use], ...]
    early_results: tuple[Result, ...] = ()
    early_needs: tuple[tuple[int, Use], ...] = ()


NO_DATAFLOW = Dataflow((), ())
_EARLY = ("add", "adds", "addw", "sub", "subs", "subw", "mov", "movs", "movw")
_CHAINED = ("vmla", "vmls", "vnmla", "vnmls")


class LatencyTable:
    """The latency rows of a core at one bound."""

    def __init__(self, core: Core, bound: Bound) -> None:
        self._rows = {row: int(getattr(figure.cycles, bound.value)) for row, figure in core.latency.items()}
        self._predicts = core.pipeline == "m7"

    def __getitem__(self, row: Latency) -> int:
        return self._rows.get(row, 1)

    def get(self, row: Latency) -> int:
        """The row, 0 if the core doesn't have it."""
        return self._rows.get(row, 0)

    def dataflow(self, insn: Insn) -> Dataflow:
        """What the scoreboard must know of ``insn``."""
        plain = self._plain(insn)
        latencies = [plain] * len(Use)
        for use, rows in self._exceptions(insn).items():
            latencies[use] = next((self._rows[row] for row in rows if row in self._rows), plain)
        needs = self._needs(insn)
        results = self._results(insn, latencies)
        if Latency.EARLY_ALU not in self._rows or not _can_be_early(insn):
            return Dataflow(results, needs)
        early_needs = tuple((mask, Use.EARLY if use is Use.PLAIN else use) for mask, use in needs)
        return Dataflow(results, needs, self._early_results(insn, latencies), early_needs)

    def _results(self, insn: Insn, latencies: list[int]) -> tuple[Result, ...]:
        """Of a multiple load only the last register comes late; a base register written back comes at once."""
        base = 1 << insn.address.base if insn.writeback and insn.address is not None else 0
        rest = insn.writes & ~base
        last = 1 << (rest.bit_length() - 1) if insn.kind is Kind.LOAD_MULTIPLE and rest else rest
        updated = [1] * len(Use)
        updated[Use.PLAIN] = self._rows.get(Latency.EARLY_ALU, 1)
        parts = ((last, latencies), (rest & ~last, [1] * len(Use)), (base, updated))
        awaited = not (insn.kind is Kind.FP_MOVE and insn.reads & ~FLOATS)
        return tuple(Result(mask, tuple(found), max(found), awaited) for mask, found in parts if mask)

    def _early_results(self, insn: Insn, late: list[int]) -> tuple[Result, ...]:
        """Flags come out of the late stage all the same."""
        found = list(late)
        found[Use.PLAIN] = found[Use.EXTEND_ADD] = found[Use.MULTIPLY] = self[Latency.EARLY_ALU]
        if not is_reverse(insn):
            found[Use.ADDRESS] = found[Use.EARLY] = self[Latency.EARLY_ALU_TO_EARLY]
        return (Result(insn.writes, tuple(found), max(found)),)

    def _plain(self, insn: Insn) -> int:
        kind = insn.kind
        if kind in isa.FP_KINDS:
            return self._float(insn)
        if is_multiply(insn):
            return self[Latency.MULTIPLY]
        if kind is Kind.DSP:
            return self[Latency.DSP]
        if kind is Kind.ALU:
            return self[Latency.SHIFTED if _is_two_stage(insn) else Latency.ALU]
        if kind in (Kind.LOAD, Kind.LOAD_EXCLUSIVE, Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE):
            return self[Latency.LOAD if insn.access_bytes == 4 else Latency.LOAD_SMALL]
        return 1

    def _float(self, insn: Insn) -> int:
        kind, double = insn.kind, insn.double
        if kind is Kind.FP_LOAD:
            return self[Latency.FP_LOAD]
        if kind is Kind.FP_MAC:
            chained = Latency.FP_CHAINED_MAC in self._rows and insn.mnemonic.startswith(_CHAINED)
            single = Latency.FP_CHAINED_MAC if chained else Latency.FP_MAC
            return self[Latency.FP_MAC_DOUBLE if double else single]
        if kind is Kind.FP_DIVIDE:
            single = Latency.FP_SQRT if insn.mnemonic.startswith("vsqrt") else Latency.FP_DIVIDE
            return self[Latency.FP_DIVIDE_DOUBLE if double else single]
        if kind is Kind.FP_ALU:
            multiply = insn.mnemonic.startswith(("vmul", "vnmul"))
            return self[(Latency.FP_MUL_DOUBLE if multiply else Latency.FP_ALU_DOUBLE) if double else Latency.FP_ALU]
        return self._move(insn) if kind is Kind.FP_MOVE else 1

    def _move(self, insn: Insn) -> int:
        if insn.mnemonic in ("vmrs", "vmsr"):
            return self[Latency.FP_TO_CORE]
        pair = (insn.writes & FLOATS).bit_count() == 2 or (insn.writes & ~FLOATS).bit_count() == 2
        if insn.writes & ~FLOATS:
            return self[
                Latency.FP_PAIR_TO_CORE if pair and Latency.FP_PAIR_TO_CORE in self._rows else Latency.FP_TO_CORE
            ]
        if insn.reads & ~FLOATS:
            return self[Latency.PAIR_TO_FP if pair and Latency.PAIR_TO_FP in self._rows else Latency.CORE_TO_FP]
        return self[Latency.FP_MOVE]

    def _exceptions(self, insn: Insn) -> dict[Use, tuple[Latency, ...]]:
        """The rows that replace the plain latency for some uses, the first that the core has."""
        if is_multiply(insn):
            return {
                Use.ADDRESS: (Latency.MULTIPLY_TO_ADDRESS,),
                Use.EARLY: (Latency.MULTIPLY_TO_EARLY,),
                Use.ACCUMULATE: (Latency.MULTIPLY_TO_ACCUMULATOR,),
                Use.EXTEND_ADD: (Latency.MULTIPLY_TO_EXTEND_ADD,),
                Use.STORE_DATA: (Latency.MULTIPLY_TO_STORE_DATA,),
                Use.TO_FLOAT: (Latency.MULTIPLY_TO_STORE_DATA,),
            }
        match insn.kind:
            case Kind.ALU | Kind.DSP:
                return _of_alu(insn)
            case Kind.LOAD | Kind.LOAD_EXCLUSIVE | Kind.LOAD_PAIR | Kind.LOAD_MULTIPLE:
                return _OF_LOAD if insn.access_bytes == 4 else _OF_SMALL_LOAD
            case Kind.FP_LOAD:
                return {Use.ACCUMULATE: (Latency.FP_LOAD_TO_ACCUMULATOR,), Use.TO_CORE: (Latency.FP_LOAD_TO_CORE,)}
            case Kind.FP_MAC if not insn.double:
                chained = insn.mnemonic.startswith(_CHAINED)
                store = (Latency.FP_CHAINED_MAC_TO_STORE_DATA,) if chained else ()
                return {
                    Use.ACCUMULATE: (Latency.FP_MAC_TO_ACCUMULATOR,),
                    Use.STORE_DATA: (*store, Latency.FP_MAC_TO_STORE_DATA),
                }
            case Kind.FP_MAC:
                return {Use.ACCUMULATE: (Latency.FP_MAC_DOUBLE_TO_ACCUMULATOR,)}
            case Kind.FP_ALU if not insn.double:
                return {Use.STORE_DATA: (Latency.FP_ALU_TO_STORE_DATA,)}
        return {}

    def _needs(self, insn: Insn) -> tuple[tuple[int, Use], ...]:
        """Branches don't wait for flags: their resolution is part of the refill. Predicted ones wait for nothing."""
        accumulator = insn.accumulator & ~insn.address_reads
        addend = 1 << registers(insn)[-2] if is_extend_add(insn) else 0
        early = extracted(insn) & ~insn.address_reads
        addend &= ~early
        rest = insn.reads & ~(insn.address_reads | accumulator | addend | early | FLAGS)
        branches = insn.kind is Kind.BRANCH
        predicted = branches and self._predicts
        flags = 0 if branches else insn.reads & FLAGS
        needs = (
            (insn.address_reads, Use.ADDRESS),
            (accumulator, Use.ACCUMULATE),
            (addend, Use.EXTEND_ADD),
            (early, Use.EARLY),
            (0 if predicted else rest, _plain_use(insn)),
            (flags, Use.FLAGS),
        )
        return tuple((mask, use) for mask, use in needs if mask)


_OF_LOAD: dict[Use, tuple[Latency, ...]] = {
    Use.ADDRESS: (Latency.LOAD_TO_ADDRESS,),
    Use.STORE_DATA: (Latency.LOAD_TO_STORE_DATA,),
    Use.MULTIPLY: (Latency.LOAD_TO_MULTIPLY,),
    Use.EARLY: (Latency.LOAD_TO_EARLY,),
    Use.ACCUMULATE: (Latency.LOAD_TO_ACCUMULATOR,),
}
_OF_SMALL_LOAD: dict[Use, tuple[Latency, ...]] = _OF_LOAD | {
    Use.ADDRESS: (Latency.LOAD_SMALL_TO_ADDRESS, Latency.LOAD_TO_ADDRESS),
    Use.EARLY: (Latency.LOAD_SMALL_TO_EARLY, Latency.LOAD_TO_EARLY),
}


def _of_alu(insn: Insn) -> dict[Use, tuple[Latency, ...]]:
    found: dict[Use, tuple[Latency, ...]] = {
        Use.ADDRESS: (Latency.ALU_TO_ADDRESS,),
        Use.EARLY: (Latency.ALU_TO_EARLY,),
        Use.STORE_DATA: (Latency.ALU_TO_STORE_DATA,),
        Use.ACCUMULATE: (Latency.ALU_TO_ACCUMULATOR,),
    }
    if _is_two_stage(insn) or is_extend_add(insn):
        found[Use.ACCUMULATE] = (Latency.SHIFTED_TO_ACCUMULATOR, Latency.ALU_TO_ACCUMULATOR)
        found[Use.EXTEND_ADD] = (Latency.SHIFTED_TO_ACCUMULATOR,)
        found[Use.STORE_DATA] = (Latency.SHIFTED_TO_STORE_DATA, Latency.ALU_TO_STORE_DATA)
        found[Use.TO_FLOAT] = (Latency.SHIFTED_TO_STORE_DATA,)
    if insn.shifted_operand:
        found[Use.FLAGS] = (Latency.FLAGS_OF_SHIFTED,)
    return found


def _is_two_stage(insn: Insn) -> bool:
    """Whether its second operand is shifted on the way; a MOV has nothing to do after that."""
    return insn.shifted_operand or (has_shifted_constant(insn) and not insn.mnemonic.startswith("mov"))


def _can_be_early(insn: Insn) -> bool:
    """Whether the first of two stages of ALUs can execute it."""
    if insn.kind is not Kind.ALU or insn.predicated:
        return False
    simple = insn.mnemonic in _EARLY and not insn.shifted_operand and not has_shifted_constant(insn)
    return simple or is_shift(insn) or is_reverse(insn)


def _plain_use(insn: Insn) -> Use:
    if insn.kind in isa.STORES:
        return Use.STORE_DATA
    if is_multiply(insn) or insn.kind is Kind.DIVIDE:
        return Use.MULTIPLY
    if insn.kind is Kind.FP_MOVE:
        return Use.TO_CORE if insn.writes & ~FLOATS else Use.TO_FLOAT if insn.reads & ~FLOATS else Use.PLAIN
    return Use.PLAIN
