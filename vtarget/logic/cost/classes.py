"""Which row of a core's tables an instruction belongs to."""

from __future__ import annotations

from vtarget.data.core import Core, CostClass, Refill
from vtarget.data.insn import LR, Feature, Flow, Insn, Kind
from vtarget.logic.cost.fetch import is_late

_SAME_NAME = {
    kind: CostClass(kind.value)
    for kind in (
        *(Kind.ALU, Kind.MUL, Kind.MLA, Kind.LONG_MUL, Kind.LONG_MLA, Kind.DSP, Kind.LOAD, Kind.LOAD_PAIR),
        *(Kind.STORE_PAIR, Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE, Kind.LOAD_EXCLUSIVE, Kind.STORE_EXCLUSIVE),
        *(Kind.BRANCH, Kind.TABLE_BRANCH, Kind.IT, Kind.NOP, Kind.WAIT, Kind.BREAKPOINT, Kind.SVC, Kind.UNDEFINED),
        *(Kind.FP_LOAD_MULTIPLE, Kind.FP_STORE_MULTIPLE),
    )
}


def cost_class(insn: Insn) -> CostClass:
    """Its row of the cycle table. Divides have their own formula and count as ALU here."""
    kind = insn.kind
    if (found := _SAME_NAME.get(kind)) is not None:
        return found
    match kind:
        case Kind.DIVIDE:
            return CostClass.ALU
        case Kind.STORE:
            return CostClass.STORE_REGISTER if insn.register_offset else CostClass.STORE
        case Kind.CALL:
            return CostClass.CALL if insn.flow is Flow.CALL else CostClass.CALL_REGISTER
        case Kind.SYSTEM:
            return CostClass.CPS if insn.mnemonic.startswith("cps") else CostClass.SYSTEM
        case Kind.BARRIER:
            return CostClass.ISB if insn.mnemonic == "isb" else CostClass.BARRIER
        case Kind.FP_LOAD:
            return CostClass.FP_LOAD_DOUBLE if insn.double else CostClass.FP_LOAD
        case Kind.FP_STORE:
            return CostClass.FP_STORE_DOUBLE if insn.double else CostClass.FP_STORE
        case Kind.FP_MOVE:
            return _move_class(insn)
    return _arithmetic_class(insn)


def _move_class(insn: Insn) -> CostClass:
    if insn.mnemonic in ("vmrs", "vmsr"):
        return CostClass.FP_SYSTEM
    core = (insn.reads | insn.writes) & 0xFFFF
    return CostClass.FP_MOVE_PAIR if core.bit_count() == 2 else CostClass.FP_MOVE


def _arithmetic_class(insn: Insn) -> CostClass:
    if insn.kind is Kind.FP_DIVIDE:
        if insn.double:
            return CostClass.FP_DIVIDE_DOUBLE
        return CostClass.FP_SQRT if insn.mnemonic.startswith("vsqrt") else CostClass.FP_DIVIDE
    if insn.kind is Kind.FP_MAC:
        return CostClass.FP_MAC_DOUBLE if insn.double else CostClass.FP_MAC
    if not insn.double:
        return CostClass.FP_ALU
    multiply = insn.mnemonic.startswith(("vmul", "vnmul"))
    return CostClass.FP_MUL_DOUBLE if multiply else CostClass.FP_ALU_DOUBLE


_DIRECT = dict.fromkeys((Flow.NONE, Flow.TRAP)) | dict.fromkeys((Flow.BRANCH, Flow.CONDITIONAL), Refill.DIRECT)
_DIRECT[Flow.CALL] = Refill.CALL
_COMPARE = Refill.COMPARE


def refill_class(insn: Insn) -> Refill | None:
    """What a taken ``insn`` pays to reach its target; None for what doesn't branch (or traps)."""
    if insn.flow in _DIRECT:
        return _COMPARE if is_late(insn) else _DIRECT[insn.flow]
    match insn.kind:
        case Kind.LOAD:
            return Refill.LOAD_PC
        case Kind.LOAD_MULTIPLE:
            return Refill.POP_PC
        case Kind.TABLE_BRANCH:
            return Refill.TABLE
    return Refill.LINK if insn.reads >> LR & 1 else Refill.REGISTER


def missing_feature(core: Core, insn: Insn) -> Feature | None:
    """What ``core`` (as ``configured``) lacks to execute ``insn``; None if it can."""
    return None if insn.feature in core.features else insn.feature


def is_multiply(insn: Insn) -> bool:
    """Whether it uses the multiplier."""
    if insn.kind in (Kind.MUL, Kind.MLA, Kind.LONG_MUL, Kind.LONG_MLA):
        return True
    return insn.kind is Kind.DSP and insn.mnemonic.startswith(("smul", "smla", "smls", "smm", "smua", "smus", "usad"))
