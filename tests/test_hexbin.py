"""Intel HEX and raw BIN: literal images, objcopy's files, one-line errors with the line that is wrong."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtarget.base.errors import InputError, VtargetError
from vtarget.shell import hexbin
from vtarget.shell.hexbin import read_bin, read_hex

OBJCOPY = "arm-none-eabi-objcopy"


def record(kind: int, address: int, data: bytes = b"") -> str:
    body = bytes([len(data)]) + address.to_bytes(2, "big") + bytes([kind]) + data
    return f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}"


END = record(1, 0)
FLASH = record(4, 0, b"\x08\x00")
RAM = record(4, 0, b"\x20\x00")


def text(*records: str, newline: str = "\n") -> bytes:
    return (newline.join(records) + newline).encode("latin-1")


def test_record_builder_against_a_known_record() -> None:
    assert record(0, 0x0100, bytes.fromhex("214601360121470136007EFE09D21901")) == (
        ":10010000214601360121470136007EFE09D2190140"
    )
    assert END == ":00000001FF"


def test_stretches_entry_and_gaps() -> None:
    image = read_hex(
        "fw.hex",
        text(
            FLASH,
            record(0, 0x0000, bytes(range(16))),
            record(0, 0x0010, b"\x10\x11"),
            record(0, 0x4000, b"\xaa\xbb"),
            RAM,
            record(0, 0x0000, b"\xcc"),
            record(5, 0, bytes.fromhex("08000101")),
            END,
        ),
    )
    assert (image.format, image.entry, image.functions) == ("hex", 0x08000100, ())
    assert [(s.load_address, s.address, s.data, s.memory_bytes, s.executable) for s in image.segments] == [
        (0x08000000, 0x08000000, bytes(range(18)), 18, True),
        (0x08004000, 0x08004000, b"\xaa\xbb", 2, True),
        (0x20000000, 0x20000000, b"\xcc", 1, True),
    ]


def test_segments_join_over_64_kib_borders_and_any_order() -> None:
    upper, lower = record(4, 0, b"\x08\x01"), FLASH
    image = read_hex("fw.hex", text(upper, record(0, 0, b"\3\4"), lower, record(0, 0xFFFE, b"\1\2"), END))
    assert [(s.load_address, s.data) for s in image.segments] == [(0x0800FFFE, b"\1\2\3\4")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_blanks_and_lower_case(newline: str) -> None:
    data = text("", FLASH.lower(), "", record(0, 0, b"\xab\xcd").lower() + "  ", END, "", newline=newline)
    assert [(s.load_address, s.data) for s in read_hex("fw.hex", data).segments] == [(0x08000000, b"\xab\xcd")]


def test_extended_segment_address() -> None:
    image = read_hex("fw.hex", text(record(2, 0, b"\x10\x00"), record(0, 4, b"\1"), record(3, 0, bytes(4)), END))
    assert [(s.load_address, s.data) for s in image.segments] == [(0x00010004, b"\1")]
    assert image.entry is None


GOOD_DATA = record(0, 0, b"\1\2\3\4")
MALFORMED: dict[str, tuple[bytes, str]] = {
    "checksum": (text(FLASH, GOOD_DATA[:-2] + "00", END), "line 2 has a wrong checksum"),
    "checksum in a later group": (
        text(FLASH, GOOD_DATA, RAM, GOOD_DATA, GOOD_DATA[:-2] + "00", END),
        "line 5 has a wrong checksum",
    ),
    "not a record": (text(FLASH, GOOD_DATA, "S00600004844521B", END), "line 3 is no Intel HEX record"),
    "no hex digits": (text(FLASH, ":0000zz01FF", END), "line 2 is no Intel HEX record"),
    "odd digits": (text(FLASH, GOOD_DATA[:-1], END), "line 2 is no Intel HEX record"),
    "not ASCII": (text(":é000000"), "line 1 is no Intel HEX record"),
    "too short": (text(":00", END), "line 1 is no Intel HEX record"),
    "length": (text(FLASH, ":05" + GOOD_DATA[3:], END), "line 2 has another length than its record says"),
    "unknown type": (text(FLASH, record(9, 0, b"\1"), END), "line 2 has an unknown record type"),
    "overlap": (
        text(FLASH, GOOD_DATA, record(0, 2, b"\x99"), END),
        "line 3 gives data for 0x08000002 a second time",
    ),
    "overlap over groups": (
        text(FLASH, GOOD_DATA, RAM, GOOD_DATA, FLASH, record(0, 3, b"\x99"), END),
        "records from line 5 on give data for 0x08000003 a second time",
    ),
    "cut": (text(FLASH, GOOD_DATA), "truncated: no end-of-file record"),
    "data after the end": (text(FLASH, END, GOOD_DATA), "line 3 comes after the end-of-file record of line 2"),
    "malformed end": (text(FLASH, GOOD_DATA, record(1, 0, b"\1")), "line 3 is a malformed end-of-file record"),
    "no data": (text(FLASH, END), "no data records, so nothing to load"),
    "malformed linear address": (
        text(record(4, 0, b"\x08"), GOOD_DATA, END),
        "line 1 is a malformed extended linear address record",
    ),
    "malformed segment address": (
        text(record(2, 1, b"\x08\x00"), GOOD_DATA, END),
        "line 1 is a malformed extended segment address record",
    ),
    "malformed start": (
        text(GOOD_DATA, record(5, 0, b"\x08\x00"), END),
        "line 2 is a malformed start linear address record",
    ),
    "second start": (
        text(GOOD_DATA, record(5, 0, b"\x08\x00\x01\x01"), record(5, 0, b"\x08\x00\x01\x01"), END),
        "line 3 is a second start address record",
    ),
    "two starts": (
        text(record(5, 0, b"\x08\x00\x01\x01"), FLASH, GOOD_DATA, record(5, 0, b"\x08\x00\x02\x01"), END),
        "start addresses 0x08000100 and 0x08000200 contradict each other",
    ),
    "address wrap": (
        text(record(4, 0, b"\xff\xff"), record(0, 0xFFFE, b"\1\2\3\4"), END),
        "records from line 1 on: 0x4 bytes at 0xfffffffe run past the end of the 32-bit address space",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(case: str) -> None:
    data, message = MALFORMED[case]
    with pytest.raises(InputError) as caught:
        read_hex("fw.hex", data)
    assert caught.value.one_line() == f"fw.hex: {message}"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    scattered = text(FLASH, *(record(0, 4 * i, b"\1") for i in range(5)), END)
    monkeypatch.setattr(hexbin, "_MOST_SEGMENTS", 4)
    with pytest.raises(InputError, match=r"^fw\.hex: line 1: more than 4 separate stretches of data$"):
        read_hex("fw.hex", scattered)
    monkeypatch.setattr(hexbin, "_MOST_GROUPS", 3)
    with pytest.raises(InputError, match=r"^fw\.hex: line 4: more than 3 extended address records$"):
        read_hex("fw.hex", text(*[FLASH] * 6, GOOD_DATA, END))
    monkeypatch.setattr(hexbin, "MOST_HEX_CHARACTERS", 1 << 20)
    with pytest.raises(InputError, match=r"^fw\.hex: 1048577 characters, at most 1 MiB are supported$"):
        read_hex("fw.hex", b":" * ((1 << 20) + 1))


def test_bin() -> None:
    image = read_bin("fw.bin", b"\1\2\3", 0x10000100)
    assert (image.format, image.entry, image.vector_table) == ("bin", None, None)
    assert image.sha256 == "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81"
    assert [(s.load_address, s.address, s.data, s.memory_bytes, s.executable) for s in image.segments] == [
        (0x10000100, 0x10000100, b"\1\2\3", 3, True)
    ]


@pytest.mark.parametrize(
    ("data", "base", "message"),
    [
        (b"", 0, "empty file"),
        (b"\1", -4, "base address -0x4 is outside the 32-bit address space"),
        (b"\1", 1 << 32, "base address 0x100000000 is outside the 32-bit address space"),
        (b"\1\2\3", 0xFFFFFFFE, "0x3 bytes at 0xfffffffe run past the end of the 32-bit address space"),
        (bytes((64 << 20) + 1), 0, "67108865 bytes, at most 64 MiB are supported"),
    ],
)
def test_malformed_bin(data: bytes, base: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_bin("fw.bin", data, base)
    assert caught.value.one_line() == f"fw.bin: {message}"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, (1 << 32) - 1), st.binary(min_size=1, max_size=40), max_size=12))
def test_equals_what_intelhex_writes(stretches: dict[int, bytes]) -> None:
    from intelhex import IntelHex

    writer = IntelHex()
    for address, data in stretches.items():
        writer.frombytes(data[: (1 << 32) - address], offset=address)
    if not len(writer):
        return
    out = io.StringIO()
    writer.write_hex_file(out)
    image = read_hex("fw.hex", out.getvalue().encode())
    assert [(s.load_address, s.load_end) for s in image.segments] == writer.segments()
    for segment in image.segments:
        assert segment.data == writer.tobinstr(segment.load_address, segment.load_end - 1)


@pytest.mark.skipif(shutil.which(OBJCOPY) is None, reason=f"{OBJCOPY} not found")
def test_equals_what_objcopy_writes(tmp_path: Path) -> None:
    data = bytes(i * 7 & 0xFF for i in range(150_000))
    (tmp_path / "fw.bin").write_bytes(data)
    command = [OBJCOPY, "-I", "binary", "-O", "ihex", "--change-addresses", "0x0800fff0", "fw.bin", "fw.hex"]
    subprocess.run(command, cwd=tmp_path, check=True)
    image = read_hex("fw.hex", (tmp_path / "fw.hex").read_bytes())
    assert [(s.load_address, s.data) for s in image.segments] == [(0x0800FFF0, data)]


GOOD = text(FLASH, *(record(0, 16 * i, bytes(range(16))) for i in range(8)), RAM, GOOD_DATA, END)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(GOOD)),
)
def test_damaged_files_never_escape_as_other_errors(flips: list[tuple[int, int]], length: int) -> None:
    data = bytearray(GOOD)
    for at, value in flips:
        data[at] = value
    for damaged in (bytes(data), bytes(data[:length])):
        start = time.perf_counter()
        try:
            image = read_hex("fuzz.hex", damaged)
        except VtargetError as error:
            assert "\n" not in error.one_line()
        else:
            assert sum(len(s.data) for s in image.segments) <= len(damaged) // 2
        assert time.perf_counter() - start < 2
