"""Kinds of blocks that the recorder treats apart."""

from __future__ import annotations

from functools import cache

from vtarget.data.insn import Kind
from vtarget.logic.decode import Block
from vtarget.shell.calls import Node

IDLE_KINDS = frozenset({Kind.NOP, Kind.BRANCH, Kind.WAIT, Kind.BARRIER})
_MASK_REGISTERS = ("primask", "basepri", "faultmask")


@cache
def unmasks(block: Block) -> bool:
    """Whether the block ends in an instruction after which a pending exception may be taken that was masked before:
    CPS, or MSR to PRIMASK, BASEPRI, FAULTMASK or CONTROL (the emulator ends blocks there)."""
    return bool(block.insns) and (
        block.insns[-1].mnemonic.startswith("cps")
        or (block.insns[-1].mnemonic == "msr" and any(name in block.insns[-1].text for name in _MASK_REGISTERS))
    )


def idles(source: Node, target: Node) -> bool:
    """Whether a block that does nothing follows itself: only an interrupt could end that."""
    return source is target and bool(target.block.insns) and all(insn.kind in IDLE_KINDS for insn in target.block.insns)
