"""Stacks: how deep each got, and which blocks move the stack pointer how far."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from vtarget.data.record import Stack
from vtarget.logic.decode import Block
from vtarget.shell import layout

if TYPE_CHECKING:
    from vtarget.shell.recorder import Recorder


class StackRecorder:
    """The lowest pointer of each stack: MSP, and PSP once the firmware switches to it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._name = "msp"
        self._top: dict[str, int] = {}
        self._lowest: dict[str, int] = {}

    def start(self, top: int) -> None:
        """Execution begins on the main stack at ``top``."""
        self._top["msp"] = top
        self._recorder.words[layout.H_SP_LOW] = top

    @property
    def name(self) -> str:
        """The stack in use."""
        return self._name

    def switched(self) -> None:
        """The firmware wrote MSP, PSP or CONTROL: take the stack in use from the core."""
        self.use("psp" if self._recorder.engine.on_process_stack else "msp")

    def use(self, name: str) -> None:
        """From here on the stack of that name is in use; a new one begins at the stack pointer."""
        if name == self._name:
            return
        self._save()
        self._name = name
        words, sp = self._recorder.words, self._recorder.engine.register(13)
        if self._name not in self._top or sp > self._top[self._name]:
            self._top[self._name] = self._lowest[self._name] = sp
        words[layout.H_SP_LOW] = min(self._lowest[self._name], sp)

    def lowest(self, name: str) -> int:
        """How low the pointer of a stack that isn't in use got."""
        return self._lowest[name]

    def is_known(self, name: str) -> bool:
        """Whether that stack has been in use."""
        return name in self._top

    def top(self, name: str) -> int:
        """Where a stack begins."""
        return self._top[name]

    def took_over(self, name: str, other: str, other_low: int) -> None:
        """Native code has switched stacks: ``name`` is in use, ``other`` was before and got that low."""
        self._name, self._lowest[other] = name, other_low

    def result(self) -> tuple[Stack, ...]:
        """All stacks used."""
        self._save()
        return tuple(Stack(name, top, self._lowest[name]) for name, top in self._top.items())

    def _save(self) -> None:
        self._lowest[self._name] = int(self._recorder.words[layout.H_SP_LOW])


@cache
def stack_reach(block: Block) -> tuple[int, bool]:
    """(lowest SP the block reaches relative to its start, whether it also sets SP in a way not statically known)."""
    lowest = offset = 0
    for insn in block.insns:
        lowest = min(lowest, offset + insn.sp_low)
        if insn.sp_delta is None:
            return lowest, True
        offset += insn.sp_delta
    return lowest, False


@cache
def writes_stack_registers(block: Block) -> bool:
    """Whether the block writes MSP, PSP or CONTROL."""
    return any(i.mnemonic == "msr" and any(name in i.text for name in ("msp", "psp", "control")) for i in block.insns)
