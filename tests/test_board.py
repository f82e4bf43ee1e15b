"""The board model: what it refuses, line by line, and its look-ups."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import load_yaml_model
from vtarget.data.board import Board, Boot, Clock, Region, RegionKind

GOOD = """\
name: demo
title: A board
core: cortex-m4
fpu: fpv4-sp
dsp: true
clock: {typical: 100 MHz, max: 120 MHz, source: manual}
boot: {region: FLASH, vector_offsets: [0x1000, 0x0], source: manual}
regions:
  - {name: FLASH, kind: flash, base: 0x08000000, size: 1 MiB, source: manual}
  - {name: RAM, kind: sram, base: 0x20000000, size: 64 KiB, source: manual}
  - {name: RAM2, kind: sram, base: 0x20010000, size: 64 KiB, source: manual}
  - {name: VIEW, kind: sram, base: 0x10000000, size: 64 KiB, alias_of: RAM, source: manual}
power:
  - name: run
    voltage: 3.3 V
    regulator: ldo
    points:
      - {clock: 50 MHz, nominal: 10 mW, low: 8 mW, high: 12 mW, source: manual}
      - {clock: 100 MHz, nominal: 20 mW, low: 16 mW, high: 24 mW, source: manual}
"""


def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Board:
    monkeypatch.chdir(tmp_path)
    Path("demo.yaml").write_text(text)
    return load_yaml_model(Path("demo.yaml"), Board)


BAD = [
    ("core: cortex-m4\n", "", "demo.yaml:1: 'core' is missing"),
    (
        "fpu: fpv4-sp",
        "fpu: fpv4",
        "demo.yaml:4: fpu: 'fpv4' is not one of fpv4-sp, fpv5-sp, fpv5-dp (hint: did you mean 'fpv4-sp'?)",
    ),
    ("dsp: true", "dsp: yes", "demo.yaml:5: dsp: 'yes' is not true or false"),
    ("dsp:", "dps:", "demo.yaml:5: unknown key 'dps' (hint: did you mean 'dsp'?)"),
    ("name: demo", "name: My Board", "demo.yaml:1: name: 'My Board' does not have the form ^[a-z0-9][a-z0-9._-]*$"),
    ("max: 120 MHz", "max: 90 MHz", "demo.yaml:6: clock.typical: typical is above max"),
    (
        "max: 120 MHz",
        "max: 120",
        "demo.yaml:6: clock.max: '120' has no unit, expected a frequency in Hz, kHz, MHz, GHz (hint: like '120 MHz')",
    ),
    (
        "region: FLASH",
        "region: FLSH",
        "demo.yaml:7: boot.region: 'FLSH' is no region of this board (hint: did you mean 'FLASH'?)",
    ),
    ("[0x1000, 0x0]", "0x1000", "demo.yaml:7: boot.vector_offsets: 4096 is not a list"),
    (
        "kind: flash",
        "kind: flsh",
        "demo.yaml:9: regions.0.kind: 'flsh' is not one of flash, mram, xip, rom, sram, tcm, ccm (hint:"
        " did you mean 'flash'?)",
    ),
    (
        "size: 1 MiB",
        "size: 1 MHz",
        "demo.yaml:9: regions.0.size: '1 MHz' is not a size in bytes (hint: MHz is the unit of a"
        " frequency; write it like '192 KiB')",
    ),
    ("size: 1 MiB", "size: 0", "demo.yaml:9: regions.0.size: a region must hold at least one byte"),
    ("size: 1 MiB, source: manual", "size: 1 MiB", "demo.yaml:9: regions.0: 'source' is missing"),
    ("size: 1 MiB, source: manual", "size: 1 MiB, source: ''", "demo.yaml:9: regions.0.source: must not be empty"),
    ("base: 0x08000000", "base: 0x08000001", "demo.yaml:9: regions.0.base: 0x8000001 is no multiple of 4"),
    ("size: 1 MiB", "size: 6 B", "demo.yaml:9: regions.0.size: 0x6 is no multiple of 4"),
    ("kind: flash,", "kind: flash, fetch_bits: 48,", "demo.yaml:9: regions.0.fetch_bits: 48 is no power of two"),
    ("[0x1000, 0x0]", "[0x1000, 0x2]", "demo.yaml:7: boot.vector_offsets.1: 0x2 is no multiple of 4"),
    ("[0x1000, 0x0]", "[]", "demo.yaml:7: boot.vector_offsets: must not be empty"),
    ("voltage: 3.3 V", "voltage: 0 V", "demo.yaml:15: power.0.voltage: a supply has more than 0 V"),
    (
        "base: 0x20010000",
        "base: 0xe000e000",
        "demo.yaml:11: regions.2.base: region RAM2 0xe000e000..0xe001e000 lies in 0xe0000000..0xe0100000, "
        "where the core's own registers are",
    ),
    ("base: 0x08000000", "base: 0xfff80000", "demo.yaml:9: regions.0.size: region FLASH reaches past 0xffffffff"),
    (
        "base: 0x08000000",
        "base: 128 MiB",
        "demo.yaml:9: regions.0.base: '128 MiB' is not an address (hint: write it like 0x08000000, without quotes)",
    ),
    ("name: RAM2", "name: RAM", "demo.yaml:11: regions.2.name: region 'RAM' is listed twice"),
    ("name: RAM2", "name: 2RAM", "demo.yaml:11: regions.2.name: '2RAM' does not have the form ^[A-Za-z][A-Za-z0-9_]*$"),
    (
        "base: 0x20010000",
        "base: 0x2000fffc",
        "demo.yaml:11: regions.2.base: regions RAM 0x20000000..0x20010000 and RAM2 0x2000fffc..0x2001fffc overlap",
    ),
    (
        "alias_of: RAM",
        "alias_of: RAN",
        "demo.yaml:12: regions.3.alias_of: 'RAN' is no real region of this board (hint: did you mean 'RAM'?)",
    ),
    (
        "alias_of: RAM",
        "alias_of: VIEW",
        "demo.yaml:12: regions.3.alias_of: 'VIEW' is no real region of this board (hint: known: FLASH, RAM, RAM2)",
    ),
    (
        "size: 64 KiB, alias_of",
        "size: 32 KiB, alias_of",
        "demo.yaml:12: regions.3.alias_of: VIEW (0x8000) and RAM (0x10000) differ in size",
    ),
    (
        "kind: sram, base: 0x10000000",
        "kind: ccm, base: 0x10000000",
        "demo.yaml:12: regions.3.alias_of: VIEW (ccm) and RAM (sram) differ in kind",
    ),
    ("name: run", "name: walk", "demo.yaml:14: power.0.name: the first power state must be 'run'"),
    (
        "voltage: 3.3 V",
        "voltage: 3.3 W",
        "demo.yaml:15: power.0.voltage: '3.3 W' is not a voltage (hint: W is the unit of a power; write"
        " it like '1.8 V')",
    ),
    ("low: 8 mW", "low: 11 mW", "demo.yaml:18: power.0.points.0.nominal: low <= nominal <= high must hold"),
    ("low: 8 mW", "low: -8 mW", "demo.yaml:18: power.0.points.0.low: '-8 mW' is negative"),
    ("clock: 50 MHz", "clock: 100 MHz", "demo.yaml:17: power.0.points: clock must ascend from point to point"),
]


@pytest.mark.parametrize(("old", "new", "expected"), BAD)
def test_a_bad_board_gets_its_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load(tmp_path, monkeypatch, GOOD.replace(old, new, 1))
    assert caught.value.one_line() == expected


WAIT_STATES = [
    ("{unknown: true, source: s}", None),
    ("{table: [{max_clock: 30 MHz, wait_states: 0}, {max_clock: 60 MHz, wait_states: 1}], source: s}", None),
    ("{source: s}", "wait_states: give either a table or 'unknown: true'"),
    (
        "{table: [{max_clock: 1 MHz, wait_states: 0}], unknown: true, source: s}",
        "wait_states: give either a table or 'unknown: true'",
    ),
    (
        "{table: [{max_clock: 2 MHz, wait_states: 1}, {max_clock: 1 MHz, wait_states: 0}], source: s}",
        "wait_states.table: max_clock must ascend from step to step",
    ),
    (
        "{table: [{max_clock: 2 MHz, wait_states: 65}], source: s}",
        "wait_states.table.0.wait_states: 65 is out of range, must be <= 64",
    ),
]


@pytest.mark.parametrize(("states", "problem"), WAIT_STATES)
def test_wait_states_ascend_or_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: str, problem: str | None
) -> None:
    text = GOOD.replace("size: 1 MiB,", f"size: 1 MiB, wait_states: {states},")
    if problem is None:
        assert load(tmp_path, monkeypatch, text).region("FLASH").wait_states is not None
        return
    with pytest.raises(InputError) as caught:
        load(tmp_path, monkeypatch, text)
    assert caught.value.one_line() == f"demo.yaml:9: regions.0.{problem}"


def test_look_ups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load(tmp_path, monkeypatch, GOOD)
    assert board.vector_addresses() == (0x08001000, 0x08000000)
    flash, ram = board.region("FLASH"), board.region("RAM")
    assert (flash.end, flash.writable, flash.kind) == (0x08100000, False, RegionKind.FLASH)
    assert ram.writable
    assert board.region_at(0x2000FFFF) == ram
    assert board.region_at(0x2000FFFF, 2) is None
    assert board.region_at(0x20020000) is None
    with pytest.raises(KeyError):
        board.region("ROM")


def test_values_are_si(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load(tmp_path, monkeypatch, GOOD)
    assert board.clock.typical == 100_000_000
    assert (board.power[0].voltage, board.power[0].points[0].low) == (3.3, 0.008)


def test_boards_can_be_built_in_python() -> None:
    flash = Region(name="FLASH", kind=RegionKind.FLASH, base=0, size=1024, source="test")
    board = Board(
        name="t",
        title="T",
        core="cortex-m3",
        clock=Clock(typical=1_000_000, max=1_000_000, source="test"),
        boot=Boot(region="FLASH", source="test"),
        regions=(flash,),
    )
    assert board.region_at(1023) == flash
