"""Whether a loop can only wait: code that changes nothing but core registers and the stack below it."""

from __future__ import annotations

from collections.abc import Iterable

from vtarget.data.insn import FLOATS, SP, Insn, Kind
from vtarget.logic.decode import Block

_HARMLESS = frozenset(
    {
        *(Kind.ALU, Kind.MUL, Kind.MLA, Kind.LONG_MUL, Kind.LONG_MLA, Kind.DIVIDE, Kind.DSP),
        *(Kind.LOAD, Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE),
        *(Kind.BRANCH, Kind.CALL, Kind.TABLE_BRANCH, Kind.IT, Kind.NOP, Kind.BARRIER),
    }
)
_STORES = frozenset({Kind.STORE, Kind.STORE_PAIR, Kind.STORE_MULTIPLE})
_HARMLESS_SYSTEM = frozenset({"mrs"})
_SIGNALS = frozenset({"sev"})


def is_pure_poll(blocks: Iterable[Block]) -> bool:
    """Whether the loop made of ``blocks`` (functions it calls included) has no state but the core registers.

    It stores nothing but what it pushes on the stack, writes no system or floating-point register, and neither sleeps
    nor traps. If r0 to r15 and the flags are the same at two successive reads of one device register, and the values
    read are too, only something outside the loop can end it. False for no blocks.
    """
    insns = [insn for block in blocks for insn in block.insns]
    return bool(insns) and all(_is_harmless(insn) for insn in insns)


def _is_harmless(insn: Insn) -> bool:
    if insn.writes & FLOATS:
        return False
    if insn.kind in _STORES:
        return _is_push(insn)
    if insn.kind is Kind.SYSTEM:
        return insn.mnemonic in _HARMLESS_SYSTEM
    return insn.kind in _HARMLESS and insn.mnemonic not in _SIGNALS


def _is_push(insn: Insn) -> bool:
    """A store that moves SP down to below what it stores."""
    mode = insn.address
    return (
        mode is not None
        and mode.base == SP
        and not mode.post_indexed
        and insn.writeback
        and insn.sp_delta is not None
        and insn.sp_delta < 0
    )
