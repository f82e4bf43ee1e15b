"""The ELF file header, checked against the file before anything follows its offsets."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vtarget.base.errors import InputError

MAGIC = b"\x7fELF"
HEADER_BYTES = 52
PROGRAM_HEADER_BYTES = 32
SECTION_HEADER_BYTES = 40

_EM_ARM = 40
_ET_EXEC = 2
_MACHINES = {
    0: "none",
    2: "SPARC",
    3: "x86",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC64",
    62: "x86-64",
    83: "AVR",
    94: "Xtensa",
    105: "MSP430",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}


@dataclass(frozen=True)
class ElfHeader:
    """What the header says, once it is known to fit the file. ``sections`` is 0 where there is no usable
    table; ``name_section`` is the number of the one that holds the sections' names."""

    entry: int
    segments: int
    sections: int
    name_section: int


def read_header(path: str, data: bytes) -> ElfHeader:
    """Check the header of the ELF file ``data``: 32-bit little-endian Arm, executable, tables inside the file.

    Raises InputError naming ``path`` and the field that is wrong.
    """
    _check_identity(path, data)
    if len(data) < HEADER_BYTES:
        raise InputError(f"{path}: truncated: the ELF header takes {HEADER_BYTES} bytes, the file has {len(data)}")
    fields = struct.unpack_from("<HHIIIIIHHHHHH", data, 16)
    kind, _, version, entry, phoff, shoff, _, ehsize, phentsize, phnum, shentsize, shnum, shstrndx = fields
    _check_type(path, kind)
    if version != 1:
        raise InputError(f"{path}: ELF version is {version}, expected 1")
    if ehsize != HEADER_BYTES:
        raise InputError(f"{path}: ELF header size is {ehsize}, expected {HEADER_BYTES}")
    if phoff == 0 or phnum == 0:
        raise InputError(f"{path}: no program headers, so nothing to load", hint="link it into an executable")
    _check_table(path, data, "program header", phoff, phnum, phentsize, PROGRAM_HEADER_BYTES)
    if shoff == 0 or shnum == 0:
        return ElfHeader(entry, phnum, 0, 0)
    _check_table(path, data, "section header", shoff, shnum, shentsize, SECTION_HEADER_BYTES)
    if shstrndx >= shnum:
        raise InputError(f"{path}: section names are in section {shstrndx}, but there are {shnum} sections")
    return ElfHeader(entry, phnum, shnum if shstrndx else 0, shstrndx)


def _check_identity(path: str, data: bytes) -> None:
    if data[:4] != MAGIC:
        raise InputError(f"{path}: not an ELF file: it starts with {data[:4].hex(' ') or 'nothing'}")
    if len(data) < 20:
        raise InputError(f"{path}: truncated: the ELF header takes {HEADER_BYTES} bytes, the file has {len(data)}")
    elf_class, order = data[4], data[5]
    if order not in (1, 2):
        raise InputError(f"{path}: ELF byte order {order} is unknown, expected 1 (little-endian)")
    machine = int.from_bytes(data[18:20], "little" if order == 1 else "big")
    if machine != _EM_ARM:
        known = f"{_MACHINES[machine]} (EM {machine})" if machine in _MACHINES else f"EM {machine}"
        raise InputError(f"{path}: machine is {known}, expected Arm (EM 40)")
    if elf_class != 1:
        raise InputError(f"{path}: ELF class is {elf_class}, expected 1 (32-bit)")
    if order != 1:
        raise InputError(f"{path}: big-endian (byte order 2), expected little-endian (1)")


def _check_type(path: str, kind: int) -> None:
    if kind == _ET_EXEC:
        return
    if kind == 1:
        raise InputError(f"{path}: is a relocatable object (ET_REL), link it first")
    if kind == 3:
        raise InputError(
            f"{path}: is a shared object or position-independent (ET_DYN), link it for fixed addresses first"
        )
    if kind == 4:
        raise InputError(f"{path}: is a core dump (ET_CORE), expected an executable")
    raise InputError(f"{path}: ELF type {kind} is unknown, expected 2 (executable)")


def _check_table(path: str, data: bytes, what: str, offset: int, count: int, entry_bytes: int, expected: int) -> None:
    if entry_bytes != expected:
        raise InputError(f"{path}: {what} size is {entry_bytes}, expected {expected}")
    end = offset + count * entry_bytes
    if end > len(data):
        place = f"0x{offset:x}..0x{end:x} of the file, which has 0x{len(data):x} bytes"
        raise InputError(f"{path}: truncated: {count} {what}s at {place}")
