"""Registers by rules: the chips of the guide, each rule by itself, and what any writes must lead to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from doclib import ROOT, blocks
from hypothesis import given
from hypothesis import strategies as st
from svdwriter import device, peripheral, register, write_svd

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.base.strictyaml import load_yaml_model, parse_json
from vtarget.data.chip import Chip
from vtarget.shell.devices.rules import Rules
from vtarget.shell.svd import load_svd

GUIDE = ROOT / "docs" / "peripherals.md"
BASE = 0x40000000
A, B = BASE, BASE + 4
CR, CFGR, CSR, ACR, KEYR, SR, FLASH_CR = (0x40021000 + n for n in (0, 4, 0x24, 0x1000, 0x1004, 0x100C, 0x1010))
HSEON, HSERDY, PLLON, PLLRDY = 1 << 16, 1 << 17, 1 << 24, 1 << 25


def chip_of(*registers: dict[str, Any]) -> Chip:
    """A chip with registers A, B, ... one word after the other."""
    entries = [
        {"name": "ABCDEF"[n], "address": BASE + 4 * n, "source": "me", **entry} for n, entry in enumerate(registers)
    ]
    chip = {"name": "x", "title": "x", "interrupts": 1, "priority_bits": 2, "source": "me", "registers": entries}
    return parse_json(json.dumps(chip).encode(), Chip)


def board(*registers: dict[str, Any], core_hz: int = 1_000_000) -> tuple[Rules, FakePorts]:
    ports = FakePorts(core_hz=core_hz)
    return Rules(chip_of(*registers), ports), ports


def guide_chip(tmp_path: Path, name: str) -> Chip:
    (text,) = (block for block in blocks(GUIDE.read_text(encoding="utf-8"), "yaml") if block.startswith(f"# {name}"))
    (tmp_path / name).write_text(text, encoding="utf-8")
    return load_yaml_model(tmp_path / name, Chip)


def test_the_guides_stm32f103_gets_through_its_clock_set_up(tmp_path: Path) -> None:
    ports = FakePorts(core_hz=8_000_000)
    rules = Rules(guide_chip(tmp_path, "stm32f103.yaml"), ports)
    assert rules.read(CR, 4) == 0x83
    rules.write(CR, 4, 0x83 | HSEON)
    assert rules.read(CR, 4) == 0x00010083
    ports.advance(15_999)
    assert rules.read(CR, 4) == 0x00010083
    ports.advance(1)  # 2 ms
    assert rules.read(CR, 4) == 0x00030083
    rules.write(CR, 4, rules.read(CR, 4) | PLLON)
    ports.advance(1600)  # 200 us
    assert rules.read(CR, 4) & PLLRDY
    rules.write(ACR, 4, 0x12)
    assert rules.read(ACR, 4) == 0x32
    rules.write(CFGR, 4, 0x001D0402)
    assert rules.read(CFGR, 4) == 0x001D0402
    ports.advance(8)
    assert rules.read(CFGR, 4) == 0x001D040A
    rules.write(CR, 4, rules.read(CR, 4) & ~HSEON & 0xFFFFFFFF)
    ports.advance(16_000)
    assert rules.read(CR, 4) & HSERDY == 0


def test_the_guides_stm32f103_erases_a_page_and_calibrates(tmp_path: Path) -> None:
    ports = FakePorts(core_hz=1_000_000)
    rules = Rules(guide_chip(tmp_path, "stm32f103.yaml"), ports)
    assert rules.read(FLASH_CR, 4) == 0x80
    rules.write(FLASH_CR, 4, 0x02)  # PER; writing 0 does not unlock
    assert rules.read(FLASH_CR, 4) == 0x82
    for key in (0x45670123, 0x11111111, 0xCDEF89AB):
        rules.write(KEYR, 4, key)
    assert rules.read(FLASH_CR, 4) == 0x82
    for key in (0x45670123, 0xCDEF89AB):
        rules.write(KEYR, 4, key)
    assert (rules.read(FLASH_CR, 4), rules.read(KEYR, 4)) == (0x02, 0)
    rules.write(FLASH_CR, 4, 0x42)  # STRT
    assert (rules.read(SR, 4), rules.read(FLASH_CR, 4)) == (0x01, 0x42)
    ports.advance(20_000)
    assert (rules.read(SR, 4), rules.read(FLASH_CR, 4)) == (0x20, 0x02)
    rules.write(SR, 4, 0x20)
    assert rules.read(SR, 4) == 0
    rules.write(FLASH_CR, 4, 0x80)
    assert rules.read(FLASH_CR, 4) == 0x80
    assert rules.read(CSR, 4) == 0x0C000000
    rules.write(CSR, 4, 1 << 24 | 1)
    ports.advance(85)
    assert rules.read(CSR, 4) == 1 << 24 | 3
    rules.write(0x40012408, 4, 0x0000000D)
    ports.advance(5)
    assert rules.read(0x40012408, 4) == 0xD
    ports.advance(1)
    assert rules.read(0x40012408, 4) == 1


def test_the_guides_other_example(tmp_path: Path) -> None:
    ports = FakePorts(core_hz=1_000_000)
    rules = Rules(guide_chip(tmp_path, "rules-example.yaml"), ports)
    inten, inten_set, inten_clear, counter = 0x40008300, 0x40008304, 0x40008308, 0x40008500
    rules.write(inten_set, 4, 0x50)
    rules.write(inten_set, 4, 0x05)
    rules.write(inten_clear, 4, 0x41)
    rules.write(inten, 4, 0xFF)
    assert [rules.read(a, 4) for a in (inten, inten_set, inten_clear)] == [0x14] * 3
    ports.advance(1_000_000)
    assert rules.read(counter, 4) == 32768
    ports.advance(600_000_000)
    assert rules.read(counter, 4) == 601 * 32768 % (1 << 24)
    status, control = 0x40009000, 0x40009004
    assert rules.read(status, 4) == 1  # three cycles after reset it shows that the watchdog is off
    rules.write(control, 4, 1 << 31)
    ports.advance(3)
    assert rules.read(status, 4) == 0
    rules.write(control, 1, 0x55)
    rules.write(control, 1, 0xAA)
    ports.advance(10)
    assert rules.read(control, 4) == 0xAA
    ports.advance(3)
    assert rules.read(status, 4) == 1


def test_every_yaml_of_the_guide_is_a_chip(tmp_path: Path) -> None:
    names = [re.match(r"# ([\w.-]+\.yaml)", text) for text in blocks(GUIDE.read_text(encoding="utf-8"), "yaml")]
    assert [name and guide_chip(tmp_path, name[1]).name + ".yaml" for name in names] == [
        name and name[1] for name in names
    ]


def test_which_addresses_have_rules() -> None:
    rules, _ = board({}, {})
    assert [rules.holds(a) for a in (A - 1, A, A + 3, B, B + 3, B + 4)] == [False, True, True, True, True, False]
    assert rules.name(B + 1) == "B"


def test_narrow_accesses_reach_their_bytes_only() -> None:
    rules, _ = board({"reset": 0x11223344, "write_one_to_clear": "31:24", "write_zero_to_clear": "23:16"})
    assert [rules.read(A + 1, 1), rules.read(A + 2, 2), rules.read(A, 2)] == [0x33, 0x1122, 0x3344]
    rules.write(A + 1, 1, 0xAA)
    assert rules.read(A, 4) == 0x1122AA44
    rules.write(A + 2, 1, 0x0F)
    assert rules.read(A, 4) == 0x1102AA44
    rules.write(A + 3, 1, 0x01)
    assert rules.read(A, 4) == 0x1002AA44


def test_fixed_bits_and_read_only_bits() -> None:
    rules, _ = board({"reset": 0xF0, "read_only": "7:4", "reads_as": [{"bits": "15:8", "value": 0x5A}]})
    rules.write(A, 4, 0xFFFF000F)
    assert rules.read(A, 4) == 0xFFFF5AFF


def test_bits_that_a_read_clears() -> None:
    rules, _ = board({"reset": 0xFF, "clear_on_read": "7:4"}, {"follows": [{"bits": 0, "of": 7, "of_register": "A"}]})
    assert rules.read(A + 1, 1) == 0
    assert rules.read(B, 4) == 1
    assert [rules.read(A, 1), rules.read(A, 4), rules.read(B, 4)] == [0xFF, 0x0F, 0]


def test_bits_clear_themselves_from_when_they_rose() -> None:
    rules, ports = board({"self_clearing": [{"bits": "3:0", "after": 10}, {"bits": 4}]})
    rules.write(A, 4, 0x11)
    assert rules.read(A, 4) == 0x01
    ports.advance(5)
    rules.write(A, 4, 0x03)  # bit 0 stays on its way
    ports.advance(5)
    assert rules.read(A, 4) == 0x02
    rules.write(A, 4, 0x00)
    rules.write(A, 4, 0x02)  # rises anew
    ports.advance(9)
    assert rules.read(A, 4) == 0x02
    ports.advance(1)
    assert rules.read(A, 4) == 0


def test_a_bit_that_clears_at_once_still_has_its_effect() -> None:
    rules, _ = board(
        {"self_clearing": [{"bits": 0}], "on_write": [{"bits": 0, "target": "B", "sets": 9}]},
        {"write_one_to_clear": 9},
    )
    rules.write(A, 4, 1)
    assert (rules.read(A, 4), rules.read(B, 4)) == (0, 0x200)
    rules.write(B, 4, 0x200)
    assert rules.read(B, 4) == 0


def test_a_command_under_way_is_not_repeated() -> None:
    rules, ports = board({"on_write": [{"bits": "7:0", "values": [0x20], "target": "B", "sets": 0, "after": 100}]}, {})
    rules.write(A, 4, 0x20)
    ports.advance(60)
    rules.write(A, 4, 0x20)
    ports.advance(40)
    assert rules.read(B, 4) == 1
    rules.write(B, 4, 0)
    ports.advance(100)
    assert rules.read(B, 4) == 0
    for _ in range(1000):
        rules.write(A, 4, 0x20)
    assert ports.schedule.next_cycle == 300
    ports.advance(100)
    assert rules.read(B, 4) == 1


def test_a_key_may_begin_with_the_last_wrong_value() -> None:
    rules, _ = board({"on_write": [{"values": [1, 1, 2], "sets": 31}]})
    for value in (1, 2, 1, 1):
        rules.write(A, 4, value)
        assert rules.read(A, 4) == value
    rules.write(A, 4, 2)
    assert rules.read(A, 4) == 0x80000002


def test_chains_of_following_bits() -> None:
    rules, ports = board(
        {"follows": [{"bits": 1, "of": 0, "after": 3}, {"bits": 2, "of": 1, "after": 4}]},
        {"follows": [{"bits": 0, "of": 2, "of_register": "A", "inverted": True}]},
    )
    assert rules.read(B, 4) == 1
    rules.write(A, 4, 0xFFFFFFFF)
    seen = []
    for _ in range(8):
        seen.append((rules.read(A, 1), rules.read(B, 1)))
        ports.advance(1)
    assert seen == [(0xF9, 1)] * 3 + [(0xFB, 1)] * 4 + [(0xFF, 0)]


def test_counters() -> None:
    rules, ports = board(
        {"reset": 0x30, "counts": {"bits": "7:4", "top": 9}},
        {"reset": 0xFFFF, "counts": {"bits": "15:0", "down": True, "clock_hz": "500 kHz"}},
    )
    ports.advance(5)
    assert (rules.read(A, 4), rules.read(B, 4)) == (0x80, 0xFFFD)
    ports.advance(3)
    assert rules.read(A, 4) == 0x10
    rules.write(A, 4, 0x57)
    rules.write(B, 1, 0x01)
    ports.advance(4)
    assert (rules.read(A, 4), rules.read(B, 4)) == (0x97, 0xFEFF)


def test_times_hold_when_the_core_changes_its_clock() -> None:
    rules, ports = board({"follows": [{"bits": 1, "of": 0, "after": "1 ms"}]})
    rules.write(A, 4, 1)
    ports.advance(500)
    ports.set_clocks({"HCLK": 4_000_000})
    ports.advance(1999)
    assert rules.read(A, 4) == 1
    ports.advance(1)
    assert rules.read(A, 4) == 3


def test_registers_placed_by_an_svd_file(tmp_path: Path) -> None:
    rcc = peripheral("RCC", A, register("CR", 0, "<resetValue>0x83</resetValue>") + register("X", 6))
    svd = load_svd(write_svd(tmp_path, device(rcc)))
    named = chip_of({"name": "RCC.CR", "address": None, "follows": [{"bits": 17, "of": 16}]})
    rules = Rules(named, FakePorts(), svd)
    assert (rules.read(A, 4), rules.unplaced) == (0x83, ())
    rules.write(A, 4, HSEON)
    assert rules.read(A, 4) == HSEON | HSERDY
    without = Rules(named, FakePorts())
    assert (without.holds(A), without.unplaced) == (False, ("RCC.CR",))
    with pytest.raises(InputError, match=r"register RCC\.CS is not in the SVD file of CHIP"):
        Rules(chip_of({"name": "RCC.CS", "address": None}), FakePorts(), svd)
    with pytest.raises(InputError, match=r"register RCC\.X at 0x40000006 starts inside a word"):
        Rules(chip_of({"name": "RCC.X", "address": None}), FakePorts(), svd)
    with pytest.raises(InputError, match=r"registers A and RCC\.CR are both at 0x40000000"):
        Rules(chip_of({}, {"name": "RCC.CR", "address": None}), FakePorts(), svd)


STEPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=30)


@given(STEPS, st.integers(0, 10), st.booleans())
def test_what_follows_shows_the_source_that_held_for_the_delay(
    steps: list[tuple[int, int]], delay: int, inverted: bool
) -> None:
    """Reference: a change of the source shows ``delay`` later unless the source came back meanwhile."""
    rules, ports = board({"follows": [{"bits": "5:4", "of": "1:0", "after": delay, "inverted": inverted}]})
    flip = 3 if inverted else 0
    shown, coming, due = 0, 0, 0
    if inverted:
        coming, due = 3, delay
    for wait, value in steps:
        for _ in range(wait):
            if coming != shown and due <= ports.cycle:
                shown = coming
            assert rules.read(A, 4) >> 4 == shown
            ports.advance(1)
        if coming != shown and due <= ports.cycle:
            shown = coming
        rules.write(A, 4, value)
        if value ^ flip != coming:
            coming, due = value ^ flip, ports.cycle + delay
        if delay == 0:
            shown = coming
        assert rules.read(A, 4) == shown << 4 | value


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 4]), st.integers(0, 3), st.integers(0, 0xFFFFFFFF)), max_size=20),
    st.lists(st.sampled_from(["plain", "ro", "w1c", "w1s", "w0c"]), min_size=32, max_size=32),
    st.integers(0, 0xFFFFFFFF),
)
def test_each_bit_obeys_its_own_rule(writes: list[tuple[int, int, int]], kinds: list[str], reset: int) -> None:
    keys = {"ro": "read_only", "w1c": "write_one_to_clear", "w1s": "write_one_to_set", "w0c": "write_zero_to_clear"}
    entry: dict[str, Any] = {"reset": reset}
    for kind, key in keys.items():
        if kind in kinds:
            entry[key] = [n for n in range(32) if kinds[n] == kind]
    rules, _ = board(entry)
    bits = [reset >> n & 1 for n in range(32)]
    for size, place, value in writes:
        offset = place // size * size
        value &= (1 << 8 * size) - 1
        rules.write(A + offset, size, value)
        for n in range(8 * offset, 8 * (offset + size)):
            written = value >> n - 8 * offset & 1
            match kinds[n]:
                case "plain":
                    bits[n] = written
                case "w1c":
                    bits[n] &= 1 - written
                case "w1s":
                    bits[n] |= written
                case "w0c":
                    bits[n] &= written
        assert rules.read(A, 4) == sum(bit << n for n, bit in enumerate(bits))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-1, 255)), max_size=20), st.booleans(), st.integers(1, 255))
def test_a_counter_is_a_circle(steps: list[tuple[int, int]], down: bool, top: int) -> None:
    rules, ports = board({"counts": {"bits": "7:0", "down": down, "top": top}})
    count = 0
    for wait, write in steps:
        ports.advance(wait)
        count = (count - wait if down else count + wait) % (top + 1)
        assert rules.read(A, 4) == count
        if write >= 0:
            rules.write(A, 4, write)
            count = write % (top + 1)
