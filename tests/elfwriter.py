"""A small ELF32 writer, so that tests can make good and broken firmware files without a compiler."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FILE_FIELDS = {
    "class": (4, "B"),
    "order": (5, "B"),
    "type": (16, "H"),
    "machine": (18, "H"),
    "version": (20, "I"),
    "entry": (24, "I"),
    "phoff": (28, "I"),
    "shoff": (32, "I"),
    "ehsize": (40, "H"),
    "phentsize": (42, "H"),
    "phnum": (44, "H"),
    "shentsize": (46, "H"),
    "shnum": (48, "H"),
    "shstrndx": (50, "H"),
}
SEGMENT_FIELDS = ("type", "offset", "vaddr", "paddr", "filesz", "memsz", "flags", "align")
SECTION_FIELDS = ("name", "type", "flags", "addr", "offset", "size", "link", "info", "addralign", "entsize")
SYMBOL_FIELDS = {"name": (0, "I"), "value": (4, "I"), "size": (8, "I"), "info": (12, "B"), "shndx": (14, "H")}

NOTYPE, OBJECT, FUNC = 0, 1, 2
LOCAL, GLOBAL, WEAK = 0, 1, 2
ABSOLUTE = 0xFFF1
CODE, DATA, CONST = 6, 3, 2


@dataclass(frozen=True)
class Seg:
    """A PT_LOAD segment; ``load`` defaults to ``address``, ``memory_bytes`` to the length of ``data``."""

    address: int
    data: bytes = b""
    load: int | None = None
    memory_bytes: int | None = None
    flags: int = 5


@dataclass(frozen=True)
class Sec:
    """A section over ``size`` bytes of memory at ``address``; its bytes are those of the segment that holds it."""

    name: str
    address: int
    size: int
    flags: int = CODE
    zero_fill: bool = False


@dataclass(frozen=True)
class Sym:
    """A symbol; ``section`` counts the sections given from 1."""

    name: str
    value: int
    size: int = 0
    kind: int = NOTYPE
    binding: int = GLOBAL
    section: int = 1


@dataclass
class Elf:
    """A file under construction; ``bytes(elf)`` writes it, ``set_*`` then overwrites single header fields."""

    segments: Sequence[Seg]
    sections: Sequence[Sec] = ()
    symbols: Sequence[Sym] = ()
    entry: int = 0
    attributes: bytes = b""
    file_patches: dict[str, int] = field(default_factory=dict)
    segment_patches: dict[tuple[int, str], int] = field(default_factory=dict)
    section_patches: dict[tuple[str, str], int] = field(default_factory=dict)
    symbol_patches: dict[tuple[int, str], int] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        return _write(self)


def arm_attributes(profile: str) -> bytes:
    """An .ARM.attributes section that gives a CPU name and an architecture profile."""
    tags = b"\x05Cortex\0" + bytes([7, ord(profile)])
    file_part = b"\x01" + struct.pack("<I", 5 + len(tags)) + tags
    vendor = b"aeabi\0" + file_part
    return b"A" + struct.pack("<I", 4 + len(vendor)) + vendor


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        if not text:
            return 0
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def _write(elf: Elf) -> bytes:
    out = bytearray(52 + 32 * len(elf.segments))
    offsets = []
    for seg in elf.segments:
        out += bytes(-len(out) % 4)
        offsets.append(len(out))
        out += seg.data
    for i, (seg, offset) in enumerate(zip(elf.segments, offsets, strict=True)):
        load = seg.address if seg.load is None else seg.load
        memory = len(seg.data) if seg.memory_bytes is None else seg.memory_bytes
        struct.pack_into("<8I", out, 52 + 32 * i, 1, offset, seg.address, load, len(seg.data), memory, seg.flags, 4)
    shoff = shnum = 0
    if elf.sections or elf.symbols:
        shoff, shnum = _write_sections(elf, out, offsets)
    header = (2, 40, 1, elf.entry, 52, shoff, 0x05000200, 52, 32, len(elf.segments), 40, shnum, max(shnum - 1, 0))
    struct.pack_into("<16s2H5I6H", out, 0, b"\x7fELF\x01\x01\x01", *header)
    _patch(elf, out, shoff)
    return bytes(out)


def _write_sections(elf: Elf, out: bytearray, offsets: list[int]) -> tuple[int, int]:
    names, strings = _Strings(), _Strings()
    rows = [(0,) * 10]
    for sec in elf.sections:
        offset = 0 if sec.zero_fill else _file_offset(elf.segments, offsets, sec)
        kind = 8 if sec.zero_fill else 1
        rows.append((names.add(sec.name), kind, sec.flags, sec.address, offset, sec.size, 0, 0, 4, 0))
    if elf.attributes:
        rows.append((names.add(".ARM.attributes"), 0x70000003, 0, 0, len(out), len(elf.attributes), 0, 0, 1, 0))
        out += elf.attributes
    if elf.symbols:
        table = bytes(16) + b"".join(
            struct.pack("<IIIBBH", strings.add(s.name), s.value, s.size, s.binding << 4 | s.kind, 0, s.section)
            for s in elf.symbols
        )
        rows.append((names.add(".symtab"), 2, 0, 0, len(out), len(table), len(rows) + 1, 1, 4, 16))
        out += table
        rows.append((names.add(".strtab"), 3, 0, 0, len(out), len(strings.data), 0, 0, 1, 0))
        out += strings.data
    own_name = names.add(".shstrtab")
    rows.append((own_name, 3, 0, 0, len(out), len(names.data), 0, 0, 1, 0))
    out += names.data
    shoff = len(out)
    for row in rows:
        out += struct.pack("<10I", *row)
    return shoff, len(rows)


def _file_offset(segments: Sequence[Seg], offsets: list[int], sec: Sec) -> int:
    for seg, offset in zip(segments, offsets, strict=True):
        if seg.address <= sec.address and sec.address + sec.size <= seg.address + len(seg.data):
            return offset + sec.address - seg.address
    raise ValueError(f"no segment holds section {sec.name}")


def section_index(elf: Elf, name: str) -> int:
    """The number of a section in the file that ``elf`` writes."""
    names = ["", *(s.name for s in elf.sections)]
    names += [".ARM.attributes"] * bool(elf.attributes) + [".symtab", ".strtab"] * bool(elf.symbols) + [".shstrtab"]
    return names.index(name)


def _patch(elf: Elf, out: bytearray, shoff: int) -> None:
    _patch_rows(out, elf.segment_patches, 52, 32, SEGMENT_FIELDS)
    by_index = {(section_index(elf, name), key): value for (name, key), value in elf.section_patches.items()}
    if elf.symbol_patches:
        at = struct.unpack_from("<I", out, shoff + 40 * section_index(elf, ".symtab") + 16)[0]
        for (index, key), value in elf.symbol_patches.items():
            offset, code = SYMBOL_FIELDS[key]
            struct.pack_into("<" + code, out, at + 16 * (index + 1) + offset, value)
    _patch_rows(out, by_index, shoff, 40, SECTION_FIELDS)
    for key, value in elf.file_patches.items():
        offset, code = FILE_FIELDS[key]
        struct.pack_into("<" + code, out, offset, value)


def _patch_rows(
    out: bytearray, patches: Mapping[tuple[int, str], int], start: int, stride: int, fields: Sequence[str]
) -> None:
    for (index, key), value in patches.items():
        struct.pack_into("<I", out, start + stride * index + 4 * fields.index(key), value)


def minimal(**changes: object) -> Elf:
    """A small good firmware: table and code at 0x08000000, .data loaded behind it and run at 0x20000000, .bss."""
    code = struct.pack("<4I", 0x20001000, 0x08000011, 0x08000011, 0x08000011) + bytes.fromhex(
        "fee7 7047 efbeadde 7047 00bf"
    )
    values: dict[str, object] = {
        "segments": (
            Seg(0x08000000, code),
            Seg(0x20000000, b"\1\2\3\4", load=0x0800001C, memory_bytes=16, flags=6),
        ),
        "sections": (
            Sec(".isr_vector", 0x08000000, 16, CONST),
            Sec(".text", 0x08000010, 12),
            Sec(".data", 0x20000000, 4, DATA),
            Sec(".bss", 0x20000004, 12, DATA, zero_fill=True),
        ),
        "symbols": (
            Sym("$t", 0x08000010, binding=LOCAL, section=2),
            Sym("$d", 0x08000014, binding=LOCAL, section=2),
            Sym("$t.1", 0x08000018, binding=LOCAL, section=2),
            Sym("Reset_Handler", 0x08000011, 2, FUNC, GLOBAL, 2),
            Sym("main", 0x08000019, 2, FUNC, GLOBAL, 2),
            Sym("counter", 0x20000000, 4, OBJECT, GLOBAL, 3),
            Sym("_estack", 0x20001000, 0, NOTYPE, GLOBAL, ABSOLUTE),
        ),
        "entry": 0x08000011,
    }
    return Elf(**(values | changes))  # type: ignore[arg-type]
