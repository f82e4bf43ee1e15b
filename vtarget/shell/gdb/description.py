"""What gdb is told about a board: its registers (target description) and its memory map, as XML.

Features and register names: GDB manual, appendix G.5.3 (ARM features); the memory map: appendix E.19.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.board import Board, RegionKind

FLASH_KINDS = frozenset({RegionKind.FLASH, RegionKind.MRAM, RegionKind.XIP})
MOST_BLOCK_BYTES = 4096  # of flash, as gdb is told; whole blocks are erased
BASELINES = ("armv6-m", "armv8-m.base")
ADDRESS_SPACE = 1 << 32


@dataclass(frozen=True)
class Register:
    """A register by gdb's number (its position in the list) and name."""

    name: str
    bits: int
    type: str
    feature: str


def registers_of(board: Board, architecture: str) -> tuple[Register, ...]:
    """The registers of a board's core in gdb's order."""
    core = "org.gnu.gdb.arm.m-profile"
    system = "org.gnu.gdb.arm.m-system"
    found = [Register(f"r{n}", 32, "uint32", core) for n in range(13)]
    found += [
        Register("sp", 32, "data_ptr", core),
        Register("lr", 32, "uint32", core),
        Register("pc", 32, "code_ptr", core),
        Register("xpsr", 32, "uint32", core),
        Register("msp", 32, "data_ptr", system),
        Register("psp", 32, "data_ptr", system),
    ]
    masks = ("primask",) if architecture in BASELINES else ("primask", "basepri", "faultmask")
    found += [Register(name, 8, "uint8", system) for name in (*masks, "control")]
    if board.fpu is not None:
        vfp = "org.gnu.gdb.arm.vfp"
        found += [Register(f"d{n}", 64, "ieee_double", vfp) for n in range(16)]
        found.append(Register("fpscr", 32, "uint32", vfp))
    return tuple(found)


def target_xml(registers: tuple[Register, ...]) -> str:
    """The target description."""
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
        '<target version="1.0">',
        "<architecture>arm</architecture>",
    ]
    for feature in dict.fromkeys(r.feature for r in registers):
        lines.append(f'<feature name="{feature}">')
        lines += [
            f'<reg name="{r.name}" bitsize="{r.bits}" regnum="{number}" type="{r.type}"/>'
            for number, r in enumerate(registers)
            if r.feature == feature
        ]
        lines.append("</feature>")
    return "\n".join([*lines, "</target>", ""])


@dataclass(frozen=True)
class Stretch:
    """A part of the address space: ``flash`` (with its block size), ``rom`` or ``ram``."""

    start: int
    end: int
    kind: str
    block_bytes: int = 0


def stretches(board: Board) -> list[Stretch]:
    """The whole address space: the board's flash and ROM, and the rest as RAM, devices included."""
    found: list[Stretch] = []
    reached = 0
    for region in sorted(board.regions, key=lambda r: r.base):
        kind = "flash" if region.kind in FLASH_KINDS else "rom" if region.kind is RegionKind.ROM else ""
        if not kind or region.base < reached:
            continue
        if region.base > reached:
            found.append(Stretch(reached, region.base, "ram"))
        found.append(Stretch(region.base, region.end, kind, block_bytes(region.base, region.size)))
        reached = region.end
    if reached < ADDRESS_SPACE:
        found.append(Stretch(reached, ADDRESS_SPACE, "ram"))
    return found


def block_bytes(base: int, size: int) -> int:
    """The largest power of two up to MOST_BLOCK_BYTES that a region is made of."""
    together = base | size | MOST_BLOCK_BYTES
    return together & -together


def memory_map_xml(board: Board) -> str:
    """The memory map."""
    lines = [
        '<?xml version="1.0"?>',
        '<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN"'
        ' "http://sourceware.org/gdb/gdb-memory-map.dtd">',
        "<memory-map>",
    ]
    for part in stretches(board):
        place = f'type="{part.kind}" start="0x{part.start:x}" length="0x{part.end - part.start:x}"'
        if part.kind == "flash":
            lines.append(f'<memory {place}><property name="blocksize">0x{part.block_bytes:x}</property></memory>')
        else:
            lines.append(f"<memory {place}/>")
    return "\n".join([*lines, "</memory-map>", ""])
