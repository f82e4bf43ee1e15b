"""Hooks of single instructions: those whose cost depends on what they do, those that access what their block's entry
doesn't tell, and those before which the host is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vtarget.data.insn import Dynamic, Insn
from vtarget.logic.decode import Block
from vtarget.shell import layout, native
from vtarget.shell.engine import REGISTERS, Engine
from vtarget.shell.native import on_access

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vtarget.shell.memorysim import MemorySim

OBSERVE = {
    Dynamic.PREDICATED: layout.OBSERVE_EXECUTED,
    Dynamic.DIVIDE: layout.OBSERVE_DIVIDE,
    Dynamic.LONG_MULTIPLY: layout.OBSERVE_LONG_MULTIPLY,
}


class Arming:
    """Hooks each instruction once. ``guards`` names those of a block before which the host wants to be called."""

    def __init__(
        self, engine: Engine, words: NDArray[np.int64], guards: Callable[[Block], dict[int, Callable[[int], None]]]
    ) -> None:
        self._engine = engine
        self._words = words
        self._guards = guards
        self.armed: set[int] = set()  # addresses of instructions whose operands are observed
        self._guarded: set[int] = set()
        self.memory: MemorySim | None = None
        self.watched: set[int] = set()  # addresses of instructions whose accesses are followed one by one
        self._next_hook = layout.HOOKS

    def arm(self, block: Block) -> bool:
        """Hook the block's instructions that have to be; False if its code must be translated again for that."""
        fresh = False
        for address, function in self._guards(block).items():
            if address not in self._guarded:
                self._guarded.add(address)
                self._engine.hook_instruction(address, function)
                fresh = True
        for address, insn in zip(block.addresses, block.insns, strict=True):
            if insn.dynamic is not None and address not in self.armed:
                self.armed.add(address)
                self._hook_site(address, insn)
                fresh = True
        for address in self.memory.unpredictable(block) if self.memory is not None else ():
            if address not in self.watched:
                self.watched.add(address)
                self._hook(address, on_access.address, self._new_hook())
                fresh = True
        if fresh:
            self._engine.forget_code(block.address, len(block.code))
        return not fresh

    def _hook_site(self, address: int, insn: Insn) -> None:
        hook, words = self._new_hook(), self._words
        assert insn.dynamic is not None
        words[hook + layout.K_KIND] = OBSERVE[insn.dynamic]
        if insn.dynamic is not Dynamic.PREDICATED:
            words[hook + layout.K_RN], words[hook + layout.K_RM] = (REGISTERS[r] for r in insn.operand_registers)
            words[hook + layout.K_SIGNED] = int(insn.mnemonic.startswith("s"))
        self._hook(address, native.on_site.address, hook)

    def _new_hook(self) -> int:
        hook = self._next_hook
        self._next_hook += layout.HOOK_WORDS
        if self._next_hook > layout.HASHES:
            raise MemoryError("more dynamic instructions and memory accesses than the recorder has room for")
        self._words[hook + layout.K_BUFFER] = self._words[layout.H_BUFFER]
        return hook

    def _hook(self, address: int, function: int, hook: int) -> None:
        data = int(self._words[layout.H_BUFFER]) + 8 * hook
        self._engine.hook_native("code", function, data, begin=address, end=address)
