"""Measurement files, and spans that the firmware timed itself."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from fakeboard import RAM, At, FakeBoard, served
from hypothesis import given
from hypothesis import strategies as st
from machinelib import EXAMPLES, run_elf

from vtarget.base.errors import InputError
from vtarget.data.measurement import Measurement, Timed
from vtarget.shell.measurementfile import (
    load_measurement,
    measurement_json,
    record_beside,
    save_measurement,
    save_with_record,
)
from vtarget.shell.probes.errors import ProbeError
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.selfreport import MAGIC, load_spans, parse_entries, read_mailbox, spans_of_text

KERNEL = Timed(name="fir", address=0x08000100, calls=12, total_cycles=1_407_156, spread=3)
MEASUREMENT = Measurement(
    board="nucleo-l4r5zi",
    core="cortex-m4",
    probe="gdb:3333",
    cpuid=0x410FC241,
    clock_hz=120_000_000,
    counter="DWT_CYCCNT",
    firmware_path="fir.elf",
    firmware_sha256="a" * 64,
    vtarget_version="0.1.0",
    date="2026-11-21",
    runs=3,
    overhead_cycles=7,
    total=Timed(name="total", address=None, calls=1, total_cycles=1_422_494, spread=2),
    kernels=(KERNEL,),
    notes=("8 kernels are not measured",),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    save_measurement(MEASUREMENT, str(path))
    assert load_measurement(str(path)) == MEASUREMENT
    written = json.loads(path.read_text())
    assert list(written)[:3] == ["schema", "schema_version", "board"]
    assert (written["schema"], written["schema_version"]) == ("vtarget.measurement", 1)
    assert written["kernels"][0] == {
        "name": "fir",
        "address": 0x08000100,
        "calls": 12,
        "total_cycles": 1_407_156,
        "spread": 3,
    }


def test_single_calls_and_the_console_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    each = KERNEL.model_copy(update={"each": (700_000, 707_156)})
    kept = MEASUREMENT.model_copy(update={"spans": (each,), "console": "ok\r\n", "outputs_crc32": "00c0ffee"})
    save_measurement(kept, str(path))
    assert load_measurement(str(path)) == kept
    assert json.loads(path.read_text())["spans"][0]["each"] == [700_000, 707_156]


def test_a_record_stands_beside_its_measurement_and_nowhere_else(tmp_path: Path) -> None:
    record = run_elf(EXAMPLES / "fir-m4f.elf", "nucleo-l4r5zi").record
    folder = tmp_path / "kept"
    folder.mkdir()
    save_with_record(MEASUREMENT, record, str(folder / "m.json"))
    found = load_measurement(str(folder / "m.json"))
    assert (found.record_path, sorted(file.name for file in folder.iterdir())) == (
        "m.json.record",
        ["m.json", "m.json.record"],
    )
    beside = record_beside(found, str(folder / "m.json"))
    assert beside is not None and beside.image_sha256 == record.image_sha256
    folder.rename(tmp_path / "moved")
    assert record_beside(found, str(tmp_path / "moved" / "m.json")) is not None
    for elsewhere in ("../moved/m.json.record", str(tmp_path / "moved" / "m.json.record"), "..", "missing"):
        astray = found.model_copy(update={"record_path": elsewhere})
        assert record_beside(astray, str(tmp_path / "m.json")) is None
    assert record_beside(MEASUREMENT, str(tmp_path / "moved" / "m.json")) is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"schema": "vtarget.profile"}, "not a measurement"),
        ({"schema_version": 2}, "schema_version is 2, this vtarget reads 1"),
        ({"schema_version": True}, "schema_version is True"),
        ({"kernels": [{"name": "fir"}]}, "kernels"),
        ({"runs": 0}, "runs: 0 is out of range"),
        ({"runs": "3"}, "runs"),
        ({"clock_hz": None}, "clock_hz"),
        ({"firmware_sha256": "abc"}, "firmware_sha256"),
        ({"date": "yesterday"}, "date"),
        ({"extra": 1}, "extra"),
        ({"kernels": [KERNEL.model_dump(), KERNEL.model_dump()]}, "kernels: one of them is there twice"),
        ({"kernels": [{**KERNEL.model_dump(), "total_cycles": -1}]}, "total_cycles"),
        ({"spans": [{**KERNEL.model_dump(), "each": [1, -1]}]}, "each"),
        ({"outputs_crc32": "no"}, "outputs_crc32"),
        ({"kernels": [{**KERNEL.model_dump(), "total_cycles": 1 << 60}]}, "total_cycles"),
    ],
)
def test_files_that_are_no_measurements(change: dict[str, Any], error: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**measurement_json(MEASUREMENT), **change}))
    with pytest.raises(InputError, match=error) as raised:
        load_measurement(str(path))
    assert raised.value.one_line().startswith(str(path))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"schema": NaN}', "\x00", '{"a":1e999}'])
def test_text_that_is_no_measurement(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"not JSON|not a measurement"):
        load_measurement(str(path))
    with pytest.raises(InputError, match="is a directory"):
        load_measurement(str(tmp_path))
    with pytest.raises(InputError, match="No such file"):
        load_measurement(str(tmp_path / "none.json"))


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't write the measurement"):
        save_measurement(MEASUREMENT, str(tmp_path / "none" / "m.json"))


# Spans that the firmware timed itself.


def span(name: str, calls: int, cycles: int) -> Timed:
    return Timed(name=name, address=None, calls=calls, total_cycles=cycles, spread=0)


def test_lines_of_the_console() -> None:
    text = "boot\r\nvtarget-span fft 24 600480\r\n[12.3] vtarget-span conv2d/0 1 645293\nvtarget-span fft 25 601000\n"
    assert spans_of_text(text) == ((span("fft", 25, 601_000), span("conv2d/0", 1, 645_293)), ())


def test_lines_that_only_look_like_one(tmp_path: Path) -> None:
    for line in ("vtarget-span fft", "vtarget-span fft x 1", "vtarget-span fft 1 -2", "vtarget-span f 1 2x"):
        spans, notes = spans_of_text(f"boot\n{line}\n")
        assert spans == ()
        assert notes == (f"line 2 is no 'vtarget-span NAME CALLS CYCLES': {line}",)
        path = tmp_path / "log.txt"
        path.write_text(f"{line}\n")
        with pytest.raises(InputError, match="line 1 is no 'vtarget-span"):
            load_spans(str(path))
    assert spans_of_text("my-vtarget-span fft 1 2\nvtarget-spans 1 2") == ((), ())


def test_files_of_console_text(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"\xff\xfe noise\nvtarget-span fft 24 600480\n")
    assert load_spans(str(path)) == (span("fft", 24, 600_480),)
    path.write_text("nothing here\n")
    with pytest.raises(InputError, match="no line 'vtarget-span NAME CALLS CYCLES' in it"):
        load_spans(str(path))


@given(st.text(max_size=200))
def test_any_text_gives_spans_or_notes(text: str) -> None:
    spans, notes = spans_of_text(text)
    assert len(spans) + len(notes) <= len(text.splitlines())


def entry(name: bytes, calls: int, cycles: int) -> bytes:
    return struct.pack("<16s3I", name, calls, cycles & 0xFFFFFFFF, cycles >> 32)


def test_a_mailbox_in_memory() -> None:
    board = FakeBoard((At(0x08000100),))
    entries = [entry(b"conv", 3, 5_000_000_000), entry(b"a name of 16 chr", 1, 7)]
    board.ram[:] = struct.pack("<2I", MAGIC, 2) + b"".join(entries) + bytes(1000)
    with served(board) as port:
        probe = GdbProbe("127.0.0.1", port)
        try:
            expected = (span("conv", 3, 5_000_000_000), span("a name of 16 chr", 1, 7))
            assert read_mailbox(probe, "box", RAM, 64) == expected
            with pytest.raises(ProbeError, match="2 entries do not fit the mailbox of 40 bytes"):
                read_mailbox(probe, "box", RAM, 40)
            with pytest.raises(ProbeError, match="no mailbox at 0x20000004: magic 0x00000002 instead of 0x4e505356"):
                read_mailbox(probe, "box", RAM + 4, 0)
        finally:
            probe.close()


@pytest.mark.parametrize(
    "entries", [entry(b"", 1, 2), entry(b"a", 1, 1 << 60), entry(b"a", 1, 2) * 2, entry(b"\x1b[2J", 1, 2)]
)
def test_entries_that_make_no_sense(entries: bytes) -> None:
    with pytest.raises(ProbeError, match=r"entry [01] makes no sense"):
        parse_entries(entries, "box")
