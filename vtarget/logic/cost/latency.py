"""How long results take, by who made them and who needs them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vtarget.data.core import Core, Latency
from vtarget.data.insn import FLAGS, FLOATS, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.cost.classes import is_multiply
from vtarget.logic.cost.pairing import Bound


class Use(IntEnum):
    """What a consumer needs a register for."""

    PLAIN = 0
    ADDRESS = 1
    STORE_DATA = 2
    MULTIPLY = 3
    SHIFT = 4
    ACCUMULATE = 5
    FLAGS = 6


@dataclass(frozen=True, slots=True)
class Dataflow:
    """Of one instruction at one bound: latency of its results by use, and what it needs as (registers, use)."""

    writes: int
    latencies: tuple[int, ...]
    longest: int
    needs: tuple[tuple[int, Use], ...]


class LatencyTable:
    """The latency rows of a core at one bound."""

    def __init__(self, core: Core, bound: Bound) -> None:
        self._rows = {row: int(getattr(figure.cycles, bound.value)) for row, figure in core.latency.items()}
        self._predicts = core.pipeline == "m7"

    def __getitem__(self, row: Latency) -> int:
        return self._rows.get(row, 1)

    def dataflow(self, insn: Insn) -> Dataflow:
        """What the scoreboard must know of ``insn``."""
        plain = self._plain(insn)
        latencies = [plain] * len(Use)
        for use, row in self._exceptions(insn).items():
            latencies[use] = self._rows.get(row, plain)
        return Dataflow(insn.writes, tuple(latencies), max(latencies), self._needs(insn))

    def _plain(self, insn: Insn) -> int:
        kind = insn.kind
        if kind in isa.FP_KINDS:
            return self._float(insn)
        if is_multiply(insn):
            return self[Latency.MULTIPLY]
        if kind is Kind.DSP:
            return self[Latency.DSP]
        if kind is Kind.ALU:
            return self[Latency.SHIFTED if insn.shifted_operand else Latency.ALU]
        if kind in (Kind.LOAD, Kind.LOAD_EXCLUSIVE, Kind.LOAD_PAIR):
            return self[Latency.LOAD if insn.access_bytes == 4 else Latency.LOAD_SMALL]
        return 1

    def _float(self, insn: Insn) -> int:
        kind, double = insn.kind, insn.double
        if kind is Kind.FP_LOAD:
            return self[Latency.FP_LOAD]
        if kind is Kind.FP_MAC:
            return self[Latency.FP_MAC_DOUBLE if double else Latency.FP_MAC]
        if kind is Kind.FP_DIVIDE:
            single = Latency.FP_SQRT if insn.mnemonic.startswith("vsqrt") else Latency.FP_DIVIDE
            return self[Latency.FP_DIVIDE_DOUBLE if double else single]
        if kind is Kind.FP_ALU:
            multiply = insn.mnemonic.startswith(("vmul", "vnmul"))
            return self[(Latency.FP_MUL_DOUBLE if multiply else Latency.FP_ALU_DOUBLE) if double else Latency.FP_ALU]
        if kind is Kind.FP_MOVE and insn.writes & ~FLOATS:
            return self[Latency.FP_TO_CORE]
        if kind is Kind.FP_MOVE and insn.reads & ~FLOATS:
            return self[Latency.CORE_TO_FP]
        return 1

    def _exceptions(self, insn: Insn) -> dict[Use, Latency]:
        """The rows that replace the plain latency for some uses."""
        if is_multiply(insn):
            return {Use.ADDRESS: Latency.MULTIPLY_TO_ADDRESS, Use.ACCUMULATE: Latency.MULTIPLY_TO_ACCUMULATOR}
        match insn.kind:
            case Kind.ALU | Kind.DSP:
                found = {Use.ADDRESS: Latency.ALU_TO_ADDRESS, Use.STORE_DATA: Latency.ALU_TO_STORE_DATA}
                return {**found, Use.FLAGS: Latency.FLAGS_OF_SHIFTED} if insn.shifted_operand else found
            case Kind.LOAD:
                return {
                    Use.ADDRESS: Latency.LOAD_TO_ADDRESS,
                    Use.STORE_DATA: Latency.LOAD_TO_STORE_DATA,
                    Use.MULTIPLY: Latency.LOAD_TO_MULTIPLY,
                    Use.SHIFT: Latency.LOAD_TO_SHIFT,
                    Use.ACCUMULATE: Latency.LOAD_TO_ACCUMULATOR,
                }
            case Kind.FP_LOAD:
                return {Use.ACCUMULATE: Latency.FP_LOAD_TO_ACCUMULATOR}
            case Kind.FP_MAC if not insn.double:
                return {Use.ACCUMULATE: Latency.FP_MAC_TO_ACCUMULATOR}
        return {}

    def _needs(self, insn: Insn) -> tuple[tuple[int, Use], ...]:
        """Branches don't wait for flags: their resolution is part of the refill. Predicted ones wait for nothing."""
        accumulator = insn.accumulator & ~insn.address_reads
        rest = insn.reads & ~(insn.address_reads | accumulator | FLAGS)
        branches = insn.kind is Kind.BRANCH
        predicted = branches and self._predicts
        flags = 0 if branches else insn.reads & FLAGS
        needs = (
            (insn.address_reads, Use.ADDRESS),
            (accumulator, Use.ACCUMULATE),
            (0 if predicted else rest, _plain_use(insn)),
            (flags, Use.FLAGS),
        )
        return tuple((mask, use) for mask, use in needs if mask)


def _plain_use(insn: Insn) -> Use:
    if insn.kind in isa.STORES:
        return Use.STORE_DATA
    if is_multiply(insn) or insn.kind is Kind.DIVIDE:
        return Use.MULTIPLY
    return Use.SHIFT if insn.shifted_operand else Use.PLAIN
