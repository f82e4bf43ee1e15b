"""Compares the accesses foretold for blocks with those that the emulator makes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import unicorn as uni
import unicorn.arm_const as arm

from vtarget.data.insn import Kind
from vtarget.logic.addresses import Access, accesses
from vtarget.logic.decode import Block, open_conditions

REGISTERS = [*(getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)), arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR]


def touched(access: Access, registers: tuple[int, ...]) -> tuple[int, ...]:
    """The bytes it accesses."""
    start = access.address(registers)
    return tuple((start + i) % 2**32 for i in range(access.size_bytes))


@dataclass
class AccessWatch:
    """Watches an emulator: every instruction must access what ``accesses`` says, and nothing else."""

    uc: Any
    shared: bool = False
    checked: int = 0
    at_entry: Counter[int] = field(default_factory=Counter)  # accesses by address of their block
    observed: Counter[int] = field(default_factory=Counter)
    points: int = 0  # instructions that had to be observed
    differences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known: dict[tuple[Block, int], dict[int, Access]] = {}
        self.block: Block | None = None
        self.foretold: dict[int, Access] = {}
        self.index = -1
        self.found: list[tuple[bool, int, int]] = []
        self.expected: tuple[bool, tuple[int, ...]] | None = None
        self.uc.hook_add(uni.UC_HOOK_BLOCK, self._on_block)
        self.uc.hook_add(uni.UC_HOOK_CODE, self._on_code)
        self.uc.hook_add(uni.UC_HOOK_MEM_READ | uni.UC_HOOK_MEM_WRITE, self._on_access)

    def _registers(self) -> tuple[int, ...]:
        return tuple(self.uc.reg_read_batch(REGISTERS))

    def _on_block(self, _uc: Any, address: int, size: int, _data: Any) -> None:
        self.finish()
        before, self.block = self.block, Block(address, bytes(self.uc.mem_read(address, size)))
        follows = before is not None and before.address + before.size == address
        key = (self.block, open_conditions(before) if before is not None and follows else 0)
        if key not in self.known:
            self.known[key] = {access.index: access for access in accesses(*key, shared=self.shared)}
        self.foretold = self.known[key]
        self.at_point = {-1: self._registers()}
        self.indices = {at: i for i, at in enumerate(self.block.addresses)}

    def _on_code(self, _uc: Any, address: int, _size: int, _data: Any) -> None:
        self.finish()
        assert self.block is not None
        self.index = self.indices[address]
        access = self.foretold.get(self.index)
        if access is not None:
            if access.point == self.index:
                self.at_point[self.index] = self._registers()
                self.points += 1
            self.expected = access.write, touched(access, self.at_point[access.point])
            (self.at_entry if access.at_entry else self.observed)[self.block.address] += 1

    def _on_access(self, _uc: Any, kind: int, address: int, size: int, _value: int, _data: Any) -> None:
        self.found.append((kind == uni.UC_MEM_WRITE, address, size))

    def finish(self) -> None:
        """Compare the last instruction."""
        found, expected, self.found, self.expected = self.found, self.expected, [], None
        if self.block is None or self.index < 0:
            return
        insn = self.block.insns[self.index]
        place = f"{self.block.addresses[self.index]:#x} {insn.text}"
        self.index = -1
        if insn.kind is Kind.STORE_EXCLUSIVE:  # the emulator compares and swaps
            found = [piece for piece in found if piece[0]]
            if not found:
                return  # it failed
        writes = {write for write, _, _ in found}
        real = sorted((at + i) % 2**32 for _, at, size in found for i in range(size))
        if expected is None:
            if found:
                self.differences.append(f"{place}: {found} wasn't foretold")
            return
        self.checked += 1
        if sorted(expected[1]) != real or writes != {expected[0]}:
            self.differences.append(f"{place}: {found} instead of {expected[1][0]:#x} +{len(expected[1])}")
