"""Intel HEX and raw binary files. Home of the package intelhex."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from vtarget.base.errors import InputError
from vtarget.data.image import Image, Segment

MOST_SEGMENT_BYTES = 64 << 20
MOST_HEX_CHARACTERS = 64 << 20

_ADDRESS_SPACE = 1 << 32
_MOST_SEGMENTS = 65536
_MOST_GROUPS = 65536
_EXTENDED_ADDRESS = ("02", "04")
_END_OF_FILE = "01"
_CAUSES = {
    "HexRecordError": "is no Intel HEX record",
    "RecordLengthError": "has another length than its record says",
    "RecordTypeError": "has an unknown record type",
    "RecordChecksumError": "has a wrong checksum",
    "EOFRecordError": "is a malformed end-of-file record",
    "ExtendedSegmentAddressRecordError": "is a malformed extended segment address record",
    "ExtendedLinearAddressRecordError": "is a malformed extended linear address record",
    "StartSegmentAddressRecordError": "is a malformed start segment address record",
    "StartLinearAddressRecordError": "is a malformed start linear address record",
    "DuplicateStartAddressRecordError": "is a second start address record",
}


@dataclass(frozen=True)
class _Stretch:
    """Contiguous bytes; ``line`` is where the group of records they come from begins."""

    address: int
    data: bytes
    line: int

    @property
    def end(self) -> int:
        return self.address + len(self.data)


def read_bin(path: str, data: bytes, base: int) -> Image:
    """The raw bytes ``data`` at address ``base``. Raises InputError where they don't fit the address space."""
    if not data:
        raise InputError(f"{path}: empty file")
    if not 0 <= base < _ADDRESS_SPACE:
        raise InputError(f"{path}: base address {base:#x} is outside the 32-bit address space")
    if len(data) > MOST_SEGMENT_BYTES:
        raise InputError(f"{path}: {len(data)} bytes, at most {MOST_SEGMENT_BYTES >> 20} MiB are supported")
    if base + len(data) > _ADDRESS_SPACE:
        raise InputError(f"{path}: 0x{len(data):x} bytes at 0x{base:08x} run past the end of the 32-bit address space")
    return _image(path, "bin", data, [_Stretch(base, data, 0)], None)


def read_hex(path: str, data: bytes) -> Image:
    """The image in the Intel HEX text ``data``. Gaps stay gaps. Raises InputError naming the line that is wrong."""
    if len(data) > MOST_HEX_CHARACTERS:
        raise InputError(f"{path}: {len(data)} characters, at most {MOST_HEX_CHARACTERS >> 20} MiB are supported")
    stretches: list[_Stretch] = []
    entries: list[int] = []
    for count, (line, text) in enumerate(_groups(path, data), start=1):
        if count > _MOST_GROUPS:
            raise InputError(f"{path}: line {line}: more than {_MOST_GROUPS} extended address records")
        found, entry = _read_group(path, line, text)
        stretches += found
        entries += [] if entry is None else [entry & ~1]
        if len(stretches) > _MOST_SEGMENTS:
            raise InputError(f"{path}: line {line}: more than {_MOST_SEGMENTS} separate stretches of data")
    if not stretches:
        raise InputError(f"{path}: no data records, so nothing to load")
    if len(set(entries)) > 1:
        raise InputError(f"{path}: start addresses 0x{entries[0]:08x} and 0x{entries[1]:08x} contradict each other")
    return _image(path, "hex", data, _joined(path, stretches), entries[0] if entries else None)


def _groups(path: str, data: bytes) -> Iterator[tuple[int, str]]:
    """Groups of records under one extended address, each with the number of its first line.

    intelhex keeps a dictionary entry per byte; a group can't hold more than 64 KiB of distinct addresses.
    """
    group: list[str] = []
    first = 1
    ended_at = None
    for number, raw in enumerate(io.StringIO(data.decode("latin-1"), newline=None), start=1):
        record = raw.strip()
        if record and ended_at is not None:
            raise InputError(f"{path}: line {number} comes after the end-of-file record of line {ended_at}")
        if record[7:9] in _EXTENDED_ADDRESS and group:
            yield first, "".join(group)
            group, first = [], number
        group.append(record + "\n")
        if record[7:9] == _END_OF_FILE:
            yield first, "".join(group)
            ended_at = number
    if ended_at is None:
        yield first, "".join(group)
        raise InputError(f"{path}: truncated: no end-of-file record")


def _read_group(path: str, first: int, text: str) -> tuple[list[_Stretch], int | None]:
    from intelhex import AddressOverlapError, HexReaderError, IntelHex

    reader = IntelHex()
    try:
        reader.loadhex(io.StringIO(text))
    except AddressOverlapError as error:
        line = first + error.line - 1
        raise InputError(f"{path}: line {line} gives data for 0x{error.address:08x} a second time") from error
    except HexReaderError as error:
        line = first + error.line - 1
        cause = _CAUSES.get(type(error).__name__, "is malformed")
        raise InputError(f"{path}: line {line} {cause}") from error
    stretches = [_Stretch(start, reader.tobinstr(start, end - 1), first) for start, end in reader.segments()]
    for s in stretches:
        if s.end > _ADDRESS_SPACE:
            raise InputError(
                f"{path}: records from line {first} on: 0x{len(s.data):x} bytes at 0x{s.address:08x} "
                "run past the end of the 32-bit address space"
            )
    return stretches, (reader.start_addr or {}).get("EIP")


def _joined(path: str, stretches: list[_Stretch]) -> list[_Stretch]:
    """Stretches by address, touching ones made one."""
    ordered = sorted(stretches, key=lambda s: s.address)
    for below, above in pairwise(ordered):
        if above.address < below.end:
            raise InputError(
                f"{path}: records from line {max(above.line, below.line)} on "
                f"give data for 0x{above.address:08x} a second time"
            )
    runs: list[list[_Stretch]] = []
    for s in ordered:
        if runs and runs[-1][-1].end == s.address:
            runs[-1].append(s)
        else:
            runs.append([s])
    return [_Stretch(run[0].address, b"".join(s.data for s in run), run[0].line) for run in runs]


def _image(path: str, file_format: str, data: bytes, stretches: list[_Stretch], entry: int | None) -> Image:
    return Image(
        path=path,
        format=file_format,
        sha256=hashlib.sha256(data).hexdigest(),
        segments=tuple(Segment(s.address, s.address, s.data, len(s.data), executable=True) for s in stretches),
        entry=entry,
    )
