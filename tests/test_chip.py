"""Chip files: devices, rules for registers, and the one line that each mistake gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doclib import ROOT
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import load_yaml_model
from vtarget.data.chip import Chip, DeviceEntry, Window
from vtarget.data.registers import (
    Count,
    Delay,
    Follow,
    OnWrite,
    ReadsAs,
    RegisterEntry,
    SelfClearing,
    bit_list,
    gather,
    spread,
)

HEAD = """\
name: mine
title: My chip
interrupts: 32
priority_bits: 4
source: me
devices:
  - {name: UART0, model: pl011, base: 0x40034000, size: 0x1000, source: me}
registers:
"""


def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registers: str) -> Chip:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(HEAD + registers, encoding="utf-8")
    return load_yaml_model(Path("mine.yaml"), Chip)


def test_bits_and_delays_as_manuals_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = load(
        tmp_path,
        monkeypatch,
        """\
  - name: RCC.CR
    address: 0x40021000
    reset: 0x83
    read_only: [31:30, 1]
    follows:
      - {bits: 17, of: 16, after: 2 ms}
      - {bits: 3:2, of: 5:4, after: 64}
      - {bits: [25, 27], of: [24, 26], after: 1.5 us, inverted: true}
    source: RM0008
""",
    )
    (entry,) = chip.registers
    assert entry.read_only == 0xC0000002
    assert [(f.bits, f.of) for f in entry.follows] == [
        (1 << 17, 1 << 16),
        (0b1100, 0b110000),
        (1 << 25 | 1 << 27, 1 << 24 | 1 << 26),
    ]
    assert [f.after for f in entry.follows] == [Delay(nanoseconds=2_000_000), Delay(cycles=64), Delay(nanoseconds=1500)]
    assert [f.inverted for f in entry.follows] == [False, False, True]
    assert entry.computed == 1 << 17 | 0b1100 | 1 << 25 | 1 << 27
    assert entry.written == 0xFFFFFFFF & ~(entry.computed | 0xC0000002)


def test_where_registers_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = load(
        tmp_path,
        monkeypatch,
        """\
  - {name: A, address: 0x40000004, source: me}
  - {name: UART0.NEW, device: UART0, offset: 0x800, source: me}
  - {name: RCC.CR, source: me}
""",
    )
    assert [chip.address_of(entry) for entry in chip.registers] == [0x40000004, 0x40034800, None]


ONE = "  - name: A\n    address: 0x40000000\n    source: me\n"
TWO = "  - {name: B, address: 0x40000004, source: me}\n"


@pytest.mark.parametrize(
    ("registers", "expected"),
    [
        (ONE + "    read_only: 32\n", "mine.yaml:12: registers.0.read_only: 32 is not within 31:0, highest bit first"),
        (
            ONE + "    read_only: 0:3\n",
            "mine.yaml:12: registers.0.read_only: '0:3' is not within 31:0, highest bit first",
        ),
        (
            ONE + "    read_only: all\n",
            "mine.yaml:12: registers.0.read_only: 'all' is no bit and no range of bits"
            " (hint: like 16, 15:8 or [16, 3:2])",
        ),
        (ONE + "    read_only: [7:0, 3]\n", "mine.yaml:12: registers.0.read_only: 3 repeats a bit"),
        (ONE + "    read_only: []\n", "mine.yaml:12: registers.0.read_only: must not be empty"),
        (
            ONE + "    folows: []\n",
            "mine.yaml:12: registers.0: unknown key 'folows' (hint: did you mean 'follows'?)",
        ),
        (
            ONE + "    follows:\n      - {bits: 3:2, of: 4}\n",
            "mine.yaml:13: registers.0.follows.0.of: 2 bits can't follow 1",
        ),
        (
            ONE + "    follows:\n      - {bits: 3, of: 4, after: 2 mV}\n",
            "mine.yaml:13: registers.0.follows.0.after: '2 mV' is not a time"
            " (hint: mV is the unit of a voltage; write it like '20 ms')",
        ),
        (
            ONE + "    follows:\n      - {bits: 3, of: 4, after: 1.5}\n",
            "mine.yaml:13: registers.0.follows.0.after: is no delay"
            " (hint: a number of core cycles, or a time like '2 ms')",
        ),
        (
            ONE + "    follows:\n      - {bits: 3, of: 4, after: -1}\n",
            "mine.yaml:13: registers.0.follows.0.after.cycles: -1 is out of range, must be >= 0",
        ),
        (
            ONE + "    follows:\n      - {bits: 3, of: 4, of_register: C}\n" + TWO,
            "mine.yaml:13: registers.0.follows.0.of_register: there is no register 'C' in this file"
            " (hint: known: A, B)",
        ),
        (
            ONE + "    follows:\n      - {bits: 3, of: 4}\n      - {bits: 4, of: 3}\n",
            "mine.yaml:12: registers.0.follows: bit 3 of A follows itself",
        ),
        (
            ONE + "    follows:\n      - {bits: 3, of: 4}\n    write_one_to_clear: 5:3\n",
            "mine.yaml:14: registers.0.write_one_to_clear: bit 3 already has a rule in 'follows'",
        ),
        (
            ONE + "    reads_as:\n      - {bits: 3:0, value: 1}\n      - {bits: 2, value: 1}\n",
            "mine.yaml:14: registers.0.reads_as.1.bits: bit 2 already has a rule in 'reads_as'",
        ),
        (
            ONE + "    write_one_to_set: 1\n    read_only: 1\n",
            "mine.yaml:13: registers.0.read_only: bit 1 already has a rule in 'write_one_to_set'",
        ),
        (
            ONE + "    counts: {bits: 15:0}\n    self_clearing:\n      - {bits: 0}\n",
            "mine.yaml:14: registers.0.self_clearing.0.bits: bit 0 already has a rule in 'counts'",
        ),
        (
            ONE + "    counts: {bits: [0, 2]}\n",
            "mine.yaml:12: registers.0.counts.bits: a counter's bits must be next to each other",
        ),
        (
            ONE + "    counts: {bits: 7:0, top: 256}\n",
            "mine.yaml:12: registers.0.counts.top: 0x100 does not fit 8 bits",
        ),
        (
            ONE + "    reads_as:\n      - {bits: 4, value: 2}\n",
            "mine.yaml:13: registers.0.reads_as.0.value: 0x2 does not fit 1 bit",
        ),
        (
            ONE + "    on_write:\n      - {bits: 4}\n",
            "mine.yaml:13: registers.0.on_write.0: give 'sets', 'clears' or both",
        ),
        (
            ONE + "    on_write:\n      - {bits: 7:0, sets: 3}\n",
            "mine.yaml:13: registers.0.on_write.0.sets: has 1 bit where 'bits' has 8",
        ),
        (
            ONE + "    on_write:\n      - {bits: 7:0, values: [1, 0x1ff], sets: 3}\n",
            "mine.yaml:13: registers.0.on_write.0.values.1: 0x1ff does not fit 8 bits",
        ),
        (
            ONE + "    on_write:\n      - {bits: 1, sets: 3, target: a}\n",
            "mine.yaml:13: registers.0.on_write.0.target: there is no register 'a' in this file"
            " (hint: did you mean 'A'?)",
        ),
        (
            "  - {name: A, address: 0x40000002, source: me}\n",
            "mine.yaml:9: registers.0.address: 0x40000002 is not a multiple of 4 (hint: describe the whole word)",
        ),
        (
            "  - {name: A, device: UART0, source: me}\n",
            "mine.yaml:9: registers.0.device: 'device' and 'offset' go together",
        ),
        (
            "  - {name: A, address: 0x0, device: UART0, offset: 0, source: me}\n",
            "mine.yaml:9: registers.0.address: give 'address', or 'device' and 'offset'",
        ),
        (
            "  - {name: A, device: UART1, offset: 0, source: me}\n",
            "mine.yaml:9: registers.0.device: there is no device 'UART1' in this file (hint: did you mean 'UART0'?)",
        ),
        (ONE + ONE, "mine.yaml:12: registers.1.name: register 'A' is listed twice"),
        (
            ONE + "  - {name: B, address: 0x40000000, source: me}\n",
            "mine.yaml:12: registers.1: 0x40000000 is already A",
        ),
        ("  - {name: A, address: 0x0}\n", "mine.yaml:9: registers.0: 'source' is missing"),
        (
            "  - {name: 7SEG, source: me}\n",
            "mine.yaml:9: registers.0.name: '7SEG' does not have the form ^[A-Za-z][A-Za-z0-9_.\\[\\]]*$",
        ),
    ],
)
def test_a_mistake_gets_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registers: str, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, monkeypatch, registers)
    assert caught.value.one_line() == expected


def test_values_are_frozen_and_hashable() -> None:
    follow = Follow(bits=17, of=16, after=Delay(cycles=3))
    assert follow == Follow(bits="17:17", of=[16], after=3)  # type: ignore[arg-type]
    assert hash(follow) == hash(Follow(bits=17, of=16, after=Delay(cycles=3)))
    with pytest.raises(ValueError, match="frozen"):
        follow.bits = 1  # type: ignore[misc]


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_fields_are_taken_out_and_put_back(value: int, mask: int) -> None:
    assert spread(gather(value, mask), mask) == value & mask
    assert gather(value, mask) < 1 << mask.bit_count()
    assert gather(mask, mask) == (1 << mask.bit_count()) - 1
    assert sum(1 << n for n in bit_list(mask)) == mask


def test_every_key_of_a_chip_is_described() -> None:
    models = (Chip, Count, DeviceEntry, Follow, OnWrite, ReadsAs, RegisterEntry, SelfClearing, Window)
    keys = {key for model in models for key in model.model_fields}
    described = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "peripherals.md").read_text(encoding="utf-8")))
    assert keys - described == set()
