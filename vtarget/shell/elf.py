"""ELF files. Home of the package pyelftools."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from vtarget.base.errors import InputError
from vtarget.data import record
from vtarget.data.image import Image, Segment
from vtarget.logic.buildattributes import cpu_profile
from vtarget.logic.elfheader import (
    HEADER_BYTES,
    PROGRAM_HEADER_BYTES,
    SECTION_HEADER_BYTES,
    ElfHeader,
    read_header,
)
from vtarget.logic.symbols import CodeMap, Section, Symbol, functions, objects, vector_table
from vtarget.shell.demangle import bounded_demangler

_Fields = dict[str, Any]

_ADDRESS_SPACE = 1 << 32
_SYMBOL = struct.Struct("<IIIBBH")
_MOST_SEGMENTS = 256
_MOST_SYMBOLS = 1_000_000
_MOST_NAME_BYTES = 64 << 20
_LONGEST_NAME = 1 << 15
_ALLOCATED, _EXECUTABLE = 2, 4
_NAMES_IN_SEGMENT = 3


def read_elf(path: str, data: bytes) -> Image:
    """The image in ``data``, an ELF32 little-endian Arm executable; ``path`` is for messages.

    A file without sections or symbols loads without functions. Raises InputError, one line, for anything that can't be
    loaded as it is meant.
    """
    header = read_header(path, data)
    headers, segments = _read_tables(path, data, header)
    names = _names(path, data, header, headers)
    sections = tuple(_section(i, name, fields) for i, (name, fields) in enumerate(zip(names, headers, strict=True)))
    loaded = _segments(path, data, segments, sections)
    symbols = tuple(_symbols(path, data, headers))
    code = CodeMap(symbols, sections)
    named = objects(symbols)
    return Image(
        path=path,
        format="elf",
        sha256=hashlib.sha256(data).hexdigest(),
        segments=loaded,
        entry=_entry(path, header.entry, code, _profile(data, headers)),
        functions=functions(symbols, code, bounded_demangler()),
        objects=named,
        data_ranges=code.data_ranges(),
        vector_table=vector_table(named, sections, loaded),
        sections=tuple(
            record.Section(s.name, s.address, s.size_bytes) for s in sections if s.allocated and s.size_bytes
        ),
    )


def _read_tables(path: str, data: bytes, header: ElfHeader) -> tuple[list[_Fields], list[_Fields]]:
    """Section headers, and the program headers of loadable segments, as pyelftools decodes them.

    Only its header structures are used: its section objects follow links of the file before anyone can check them.
    """
    from elftools.common.exceptions import ELFError
    from elftools.common.utils import struct_parse
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(io.BytesIO(data))
        segments = [
            dict(struct_parse(elf.structs.Elf_Phdr, elf.stream, elf["e_phoff"] + index * PROGRAM_HEADER_BYTES))
            for index in range(header.segments)
        ]
        sections = [
            dict(struct_parse(elf.structs.Elf_Shdr, elf.stream, elf["e_shoff"] + index * SECTION_HEADER_BYTES))
            for index in range(header.sections)
        ]
    except ELFError as error:
        raise InputError(f"{path}: headers are damaged: {str(error).splitlines()[0]}") from error
    return sections, [fields for fields in segments if fields["p_type"] == "PT_LOAD"]


def _names(path: str, data: bytes, header: ElfHeader, headers: list[_Fields]) -> list[str]:
    """The sections' names, once every section is known to lie inside the file."""
    for index, fields in enumerate(headers):
        start, end = fields["sh_offset"], fields["sh_offset"] + fields["sh_size"]
        if fields["sh_type"] not in ("SHT_NULL", "SHT_NOBITS") and end > len(data):
            raise InputError(
                f"{path}: truncated: section {index} is at 0x{start:x}..0x{end:x} of the file, "
                f"which has 0x{len(data):x} bytes"
            )
    if not headers:
        return []
    text = _strings(path, data, headers, header.name_section, "section")
    return [_name_at(path, text, f"section {i}", fields["sh_name"]) for i, fields in enumerate(headers)]


def _strings(path: str, data: bytes, headers: list[_Fields], index: int, what: str) -> bytes:
    if index >= len(headers) or headers[index]["sh_type"] != "SHT_STRTAB":
        raise InputError(f"{path}: {what} names are in section {index}, which is no string table")
    return _content(data, headers[index])


def _content(data: bytes, fields: _Fields) -> bytes:
    return data[fields["sh_offset"] : fields["sh_offset"] + fields["sh_size"]]


def _section(index: int, name: str, fields: _Fields) -> Section:
    return Section(
        index=index,
        name=name,
        address=fields["sh_addr"],
        offset=None if fields["sh_type"] == "SHT_NOBITS" else fields["sh_offset"],
        size_bytes=fields["sh_size"],
        allocated=bool(fields["sh_flags"] & _ALLOCATED) and fields["sh_type"] != "SHT_NULL",
        executable=bool(fields["sh_flags"] & _EXECUTABLE),
    )


def _segments(path: str, data: bytes, headers: list[_Fields], sections: tuple[Section, ...]) -> tuple[Segment, ...]:
    if len(headers) > _MOST_SEGMENTS:
        raise InputError(f"{path}: {len(headers)} loadable segments, at most {_MOST_SEGMENTS} are supported")
    claimed = sum(fields["p_filesz"] for fields in headers)
    if claimed > 2 * len(data):
        raise InputError(f"{path}: segments claim 0x{claimed:x} bytes of a file of 0x{len(data):x}")
    found = []
    occupied = [s for s in sections if s.allocated and s.size_bytes]
    for index, fields in enumerate(headers):
        if fields["p_memsz"] == 0 and fields["p_filesz"] == 0:
            continue
        _check_segment(path, data, index, fields)
        segment = _segment(data, fields, occupied)
        if segment is not None:
            found.append(segment)
    if not any(s.data for s in found):
        raise InputError(f"{path}: no loadable segment has any bytes")
    _check_overlaps(path, found)
    return tuple(sorted(found, key=lambda s: (s.load_address, s.address)))


def _check_segment(path: str, data: bytes, index: int, fields: _Fields) -> None:
    offset, file_bytes, memory_bytes = fields["p_offset"], fields["p_filesz"], fields["p_memsz"]
    if offset + file_bytes > len(data):
        raise InputError(
            f"{path}: truncated: loadable segment {index} is at 0x{offset:x}..0x{offset + file_bytes:x} of the file, "
            f"which has 0x{len(data):x} bytes"
        )
    if file_bytes > memory_bytes:
        raise InputError(
            f"{path}: loadable segment {index} has 0x{file_bytes:x} bytes in the file but takes 0x{memory_bytes:x}"
        )
    for what, start, size in (("load", fields["p_paddr"], file_bytes), ("run", fields["p_vaddr"], memory_bytes)):
        if start + size > _ADDRESS_SPACE:
            raise InputError(
                f"{path}: loadable segment {index} at {what} address 0x{start:08x} with 0x{size:x} bytes "
                "runs past the end of the 32-bit address space"
            )


def _segment(data: bytes, fields: _Fields, sections: list[Section]) -> Segment | None:
    """The segment without the file's own headers, which a linker with large pages puts before the first section."""
    offset, file_bytes = fields["p_offset"], fields["p_filesz"]
    inside = [s for s in sections if _lies_in(s, fields)]
    skip = 0
    if offset < HEADER_BYTES and file_bytes and sections:
        starts = [s.offset for s in inside if s.offset is not None]
        skip = min(starts) - offset if starts else file_bytes
    if skip == fields["p_memsz"]:
        return None
    return Segment(
        load_address=fields["p_paddr"] + skip,
        address=fields["p_vaddr"] + skip,
        data=data[offset + skip : offset + file_bytes],
        memory_bytes=fields["p_memsz"] - skip,
        executable=bool(fields["p_flags"] & 1),
        name=_name_of(inside),
    )


def _lies_in(section: Section, fields: _Fields) -> bool:
    if section.offset is None:
        start, size = section.address - fields["p_vaddr"], fields["p_memsz"]
    else:
        start, size = section.offset - fields["p_offset"], fields["p_filesz"]
    return bool(start >= 0 and start + section.size_bytes <= size)


def _name_of(sections: list[Section]) -> str:
    names = [s.name for s in sections]
    more = len(names) - _NAMES_IN_SEGMENT
    return "+".join(names[:_NAMES_IN_SEGMENT] + ([f"{more} more"] if more > 0 else []))


def _check_overlaps(path: str, segments: list[Segment]) -> None:
    # Zero fill alone may span what others fill: a linker covers .bss and a vector table far below it by one segment.
    loads = sorted((s.load_address, s.load_end, s.name) for s in segments if s.data)
    runs = sorted((s.address, s.end, s.name) for s in segments if s.data)
    for what, ranges in (("load", loads), ("run", runs)):
        for (start, end, name), (next_start, next_end, next_name) in pairwise(ranges):
            if next_start < end:
                raise InputError(
                    f"{path}: segments {name}{' ' * bool(name)}0x{start:08x}..0x{end:08x} and "
                    f"{next_name}{' ' * bool(next_name)}0x{next_start:08x}..0x{next_end:08x} overlap ({what} addresses)"
                )


def _symbols(path: str, data: bytes, headers: list[_Fields]) -> Iterator[Symbol]:
    table = next((fields for fields in headers if fields["sh_type"] == "SHT_SYMTAB"), None)
    if table is None:
        return
    size = table["sh_size"]
    if table["sh_entsize"] != _SYMBOL.size or size % _SYMBOL.size:
        raise InputError(
            f"{path}: symbol table of 0x{size:x} bytes has entries of {table['sh_entsize']}, expected {_SYMBOL.size}"
        )
    if size // _SYMBOL.size > _MOST_SYMBOLS:
        raise InputError(f"{path}: {size // _SYMBOL.size} symbols, at most {_MOST_SYMBOLS} are supported")
    text = _strings(path, data, headers, table["sh_link"], "symbol")
    name_bytes = 0
    for index, (name_at, value, size_bytes, info, _, section) in enumerate(_SYMBOL.iter_unpack(_content(data, table))):
        name = _name_at(path, text, f"symbol {index}", name_at)
        name_bytes += len(name)
        if name_bytes > _MOST_NAME_BYTES:
            raise InputError(f"{path}: symbol names add up to more than {_MOST_NAME_BYTES >> 20} MiB")
        yield Symbol(name, value, size_bytes, info & 0xF, info >> 4, section)


def _name_at(path: str, text: bytes, owner: str, start: int) -> str:
    if start == 0:
        return ""
    if start >= len(text):
        raise InputError(f"{path}: {owner} has its name at 0x{start:x} of a string table of 0x{len(text):x} bytes")
    end = text.find(b"\0", start, start + _LONGEST_NAME)
    if end < 0:
        raise InputError(f"{path}: {owner} has a name without an end")
    return text[start:end].decode("utf-8", "backslashreplace")


def _profile(data: bytes, headers: list[_Fields]) -> str | None:
    for fields in headers:
        if fields["sh_type"] == "SHT_ARM_ATTRIBUTES":
            return cpu_profile(_content(data, fields))
    return None


def _entry(path: str, entry: int, code: CodeMap, profile: str | None) -> int | None:
    """The entry point without its Thumb bit.

    Without that bit it is Arm code, unless the file says otherwise: a linker that finds no entry symbol names the
    first address of .text, which is often the vector table.
    """
    if entry % 2 == 1:
        return entry - 1
    kind = code.kind_at(entry)
    if entry == 0 and kind != "a":
        return None
    if kind == "t":
        return entry
    if kind == "d" or (kind is None and profile == "M"):
        return None
    raise InputError(f"{path}: entry 0x{entry:08x} is Arm code; Cortex-M runs Thumb only")


def read_lines(data: bytes) -> list[tuple[int, int, str, int]] | None:
    """(first address, address behind, path, line) of the DWARF line tables; empty without any, None if damaged."""
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    damage = (
        *(ELFError, DWARFError, ConstructError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
        *(ArithmeticError, RuntimeError, EOFError, MemoryError, struct.error, zlib.error),
    )
    if not data.startswith(b"\x7fELF"):
        return []
    try:
        elf = ELFFile(io.BytesIO(data))
        if not elf.has_dwarf_info():
            return []
        dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
        programs = ((dwarf.line_program_for_CU(unit), unit) for unit in dwarf.iter_CUs())
        return [row for program, unit in programs if program is not None for row in _rows_of(program, unit)]
    except damage:
        return None


def _rows_of(program: Any, unit: Any) -> Iterator[tuple[int, int, str, int]]:
    """Stretches of one unit's code. Sequences at address 0 are what the linker threw away."""
    first_file = 0 if program["version"] >= 5 else 1
    files = _files_of(program, unit)
    before, start = None, 0
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if before is None:
            start = state.address
        elif start and state.address > before.address and before.line:
            yield before.address, state.address, files[before.file - first_file], before.line
        before = None if state.end_sequence else state


def _files_of(program: Any, unit: Any) -> list[str]:
    """Paths of the unit's files. Folder 0 is the one it was compiled in, which the table lists since version 5
    (DWARF 5, 6.2.4)."""
    compiled_in = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    start = compiled_in.value if compiled_in else b""
    listed = program["include_directory"]
    folders = [_joined(start, folder) for folder in (listed if program["version"] >= 5 else (b"", *listed))]
    paths = (_joined(folders[file.dir_index or 0], file.name) for file in program["file_entry"])
    return [path.decode("utf-8", "backslashreplace") for path in paths]


def _joined(folder: bytes, name: bytes) -> bytes:
    """The path of ``name`` in ``folder``, if it isn't whole already, as /x and C:\\x are."""
    whole = not folder or name[:1] in (b"/", b"\\") or name[1:2] == b":"
    return name if whole else folder + b"/" + name if name else folder
