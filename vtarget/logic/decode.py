"""Thumb decoding. The only module that imports capstone (lazily)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from struct import unpack
from typing import Any

from vtarget.data.insn import ALWAYS, PC, Dynamic, Feature, Flow, Insn, Kind
from vtarget.logic.forms import alike
from vtarget.logic.reading import Reading

_ORIGIN = 0x10000
_FIRST_WIDE = 0xE800
_WORD = 0xFFFFFFFF
_PREDICATED = Dynamic.PREDICATED  # looking up the member of an enum takes a while


@dataclass(frozen=True)
class Block:
    """Straight-line code: what one translation block of the emulator executes."""

    address: int
    code: bytes

    @property
    def size(self) -> int:
        """Bytes of code."""
        return len(self.code)

    def first(self, count: int) -> Block:
        """Its first ``count`` instructions."""
        return Block(self.address, self.code[: sum(insn.size for insn in self.insns[:count])])

    @cached_property
    def insns(self) -> tuple[Insn, ...]:
        """Its instructions."""
        return decode_block(self.code, self.address & 2)

    @cached_property
    def observed(self) -> frozenset[int]:
        """Those of its instructions of which the run observed whether their condition was true."""
        return frozenset([i for i, insn in enumerate(self.insns) if insn.dynamic is _PREDICATED])

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where each instruction stands."""
        addresses = []
        address = self.address
        for insn in self.insns:
            addresses.append(address)
            address += insn.size
        return tuple(addresses)


@lru_cache(maxsize=1 << 14)
def decode_block(code: bytes, address: int) -> tuple[Insn, ...]:
    """The instructions of ``code``, which starts at ``address`` outside any IT block.

    A halfword that decodes to nothing gives an instruction of kind UNDEFINED, also a 32-bit one cut off by the end.
    ValueError if ``code`` has an odd length.
    """
    if len(code) % 2:
        raise ValueError(f"{len(code)} bytes are no whole number of halfwords")
    halfwords = unpack(f"<{len(code) // 2}H", code)
    insns: list[Insn] = []
    conditions: list[int] = []
    i = 0
    while i < len(halfwords):
        encoding, size = halfwords[i], 2
        if encoding >= _FIRST_WIDE and i + 1 < len(halfwords):
            encoding, size = encoding << 16 | halfwords[i + 1], 4
        condition = conditions.pop() if conditions else ALWAYS
        insn = _decode(encoding, size, (address + 2 * i) & 2, condition)
        insns.append(insn)
        if insn.kind is Kind.IT:
            conditions = _it_conditions(encoding)
        i += size // 2
    return tuple(insns)


@cache
def open_conditions(block: Block) -> int:
    """How many instructions behind the block are still in the IT block that it ends in; 0 mostly.

    The emulator ends blocks at its page borders, also inside an IT block; what follows is decoded as unconditional.
    """
    for index in range(len(block.insns) - 1, -1, -1):
        if block.insns[index].kind is Kind.IT:
            start = block.addresses[index] - block.address
            (encoding,) = unpack("<H", block.code[start : start + 2])
            return max(0, len(_it_conditions(encoding)) - (len(block.insns) - index - 1))
    return 0


def _it_conditions(encoding: int) -> list[int]:
    """The conditions of an IT block's instructions, last first."""
    first, mask = encoding >> 4 & 15, encoding & 15
    count = 4 - ((mask & -mask).bit_length() - 1)
    later = [(first & 0xE) | (mask >> (4 - k) & 1) for k in range(1, count)]
    return [min(condition, ALWAYS) for condition in (*reversed(later), first)]


def effective_address(insn: Insn, pc: int, registers: Sequence[int]) -> int | None:
    """The (lowest) address ``insn``, standing at ``pc``, accesses with r0..r15 = ``registers``; None if none."""
    mode = insn.address
    if mode is None:
        return None
    base = registers[mode.base]
    if mode.base == PC:
        base = pc + 4 if insn.kind is Kind.TABLE_BRANCH else (pc + 4) & ~3
    index = registers[mode.index] << mode.shift if mode.index >= 0 else 0
    return (base + index + (0 if mode.post_indexed else mode.offset)) & _WORD


@cache
def _engine() -> tuple[Any, dict[int, int]]:
    """Capstone and, by its register ids, our masks."""
    import capstone
    from capstone import arm_const as c

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8)
    engine.detail = True
    core = {getattr(c, f"ARM_REG_R{n}"): 1 << n for n in range(16)}
    single = {getattr(c, f"ARM_REG_S{n}"): 1 << (16 + n) for n in range(32)}
    double = {getattr(c, f"ARM_REG_D{n}"): 3 << (16 + 2 * n) for n in range(16)}
    return engine, core | single | double


@cache
def _decode(encoding: int, size: int, phase: int, condition: int) -> Insn:
    """One instruction at an address with ``address & 2 == phase``, executed under ``condition`` by an IT."""
    engine, masks = _engine()
    address = _ORIGIN + phase
    halfwords = (encoding,) if size == 2 else (encoding >> 16, encoding & 0xFFFF)
    code = b"".join(h.to_bytes(2, "little") for h in halfwords)
    if condition == ALWAYS:
        found = list(engine.disasm(code, address, 1))
    else:
        it = (0xBF08 | condition << 4).to_bytes(2, "little")
        found = list(engine.disasm(it + code, address - 2, 2))[1:]
    if not found or found[0].size != size:
        return _undefined(encoding, size, condition)
    insn = Reading(found[0], masks, condition).insn() or _undefined(encoding, size, condition)
    alike(insn)  # found out once here, wanted whenever a block is priced
    return insn


def _undefined(encoding: int, size: int, condition: int) -> Insn:
    text = f".short 0x{encoding:04x}" if size == 2 else f".word 0x{encoding:08x}"
    return Insn(
        size=size,
        text=text,
        mnemonic="undefined",
        kind=Kind.UNDEFINED,
        flow=Flow.TRAP,
        feature=Feature.UNKNOWN,
        branch_offset=None,
        predicated=condition != ALWAYS,
        condition=condition,
        reads=0,
        writes=0,
        address_reads=0,
        register_count=0,
        writeback=False,
        register_offset=False,
        literal=False,
        shifted_operand=False,
        sets_flags=False,
        access_bytes=0,
        sp_low=0,
        sp_delta=0,
        dynamic=None,
        operand_registers=(-1, -1),
        address=None,
    )
