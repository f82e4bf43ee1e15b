"""Spans that the firmware timed itself: as lines of text, or in a mailbox in its memory.

A line is ``vtarget-span NAME CALLS CYCLES``, numbers decimal, anywhere in the text; the last one of a name counts. The
mailbox is an object of the firmware (little-endian words): ``magic`` 0x4E505356 ("VSPN"), ``count``, then ``count``
entries of ``char name[16]`` (filled up with zeros), ``calls``, and ``cycles`` as its low and its high word.
"""

from __future__ import annotations

import re
import struct

from vtarget.base.errors import InputError
from vtarget.data.measurement import Timed
from vtarget.shell.files import read_file
from vtarget.shell.probes.errors import ProbeError
from vtarget.shell.probes.probe import Probe

LINE = re.compile(r"(?<!\S)vtarget-span[ \t]+(\S{1,256})[ \t]+(\d{1,15})[ \t]+(\d{1,15})(?!\S)")
MARK = re.compile(r"(?<!\S)vtarget-span(?!\S)")
MAGIC = 0x4E505356
HEADER_BYTES, ENTRY_BYTES, NAME_BYTES = 8, 28, 16
MOST_ENTRIES = 1024
MOST_TEXT_BYTES = 16 << 20


def spans_of_text(text: str) -> tuple[tuple[Timed, ...], tuple[str, ...]]:
    """Spans in a text, and notes about lines that look like one and aren't."""
    found: dict[str, Timed] = {}
    notes = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = LINE.search(line)
        if match is not None:
            found[match[1]] = Timed(
                name=match[1], address=None, calls=int(match[2]), total_cycles=int(match[3]), spread=0
            )
        elif MARK.search(line):
            notes.append(f"line {number} is no 'vtarget-span NAME CALLS CYCLES': {line.strip()[:80]}")
    return tuple(found.values()), tuple(notes)


def load_spans(path: str) -> tuple[Timed, ...]:
    """Spans in a file of console text. InputError if it has none, or a line that only looks like one."""
    text = read_file(path, "--self-reported", MOST_TEXT_BYTES).decode("utf-8", errors="replace")
    spans, bad = spans_of_text(text)
    if bad:
        raise InputError(f"--self-reported {path}: {bad[0]}")
    if not spans:
        raise InputError(f"--self-reported {path}: no line 'vtarget-span NAME CALLS CYCLES' in it")
    return spans


def read_mailbox(probe: Probe, symbol: str, address: int, size_bytes: int) -> tuple[Timed, ...]:
    """Spans in a mailbox of ``size_bytes`` (0 if unknown). ProbeError if there is none at ``address``."""
    magic, count = struct.unpack("<2I", probe.read_memory(address, HEADER_BYTES))
    if magic != MAGIC:
        raise ProbeError(
            f"--self-reported {symbol}: no mailbox at 0x{address:08x}: magic 0x{magic:08x} instead of 0x{MAGIC:08x}",
            hint="the firmware sets it when its spans are complete",
        )
    needed = HEADER_BYTES + count * ENTRY_BYTES
    if count > MOST_ENTRIES or (size_bytes and needed > size_bytes):
        raise ProbeError(f"--self-reported {symbol}: {count} entries do not fit the mailbox of {size_bytes} bytes")
    return parse_entries(probe.read_memory(address + HEADER_BYTES, count * ENTRY_BYTES) if count else b"", symbol)


def parse_entries(data: bytes, symbol: str) -> tuple[Timed, ...]:
    """The entries of a mailbox. ProbeError if one makes no sense."""
    spans: list[Timed] = []
    for number in range(len(data) // ENTRY_BYTES):
        raw, calls, low, high = struct.unpack_from(f"<{NAME_BYTES}s3I", data, number * ENTRY_BYTES)
        name = raw.partition(b"\0")[0].decode("utf-8", errors="replace")
        cycles = low | high << 32
        if not name or not name.isprintable() or cycles >= 1 << 53 or name in {s.name for s in spans}:
            raise ProbeError(f"--self-reported {symbol}: entry {number} makes no sense ('{name}', {cycles} cycles)")
        spans.append(Timed(name=name, address=None, calls=calls, total_cycles=cycles, spread=0))
    return tuple(spans)
