"""The peripheral bus: who answers, bit-band and atomic views, and what watches it."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import needs_assembler, run_program
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.record import Reason
from vtarget.shell.boardlib import load_board
from vtarget.shell.bus import Bus, Mapping, sram_aliases, sram_bit_band
from vtarget.shell.plainregisters import PlainRegisters


class FakeTimeline:
    """Keeps what the bus tells it of the access being made."""

    def __init__(self) -> None:
        self.access: tuple[int, bool] | None = None
        self.asked = False


class Log:
    """A device of words that writes down its accesses."""

    def __init__(self, timeline: FakeTimeline | None = None, write_one_to_clear: frozenset[int] = frozenset()) -> None:
        self.words: dict[int, int] = {}
        self.log: list[tuple[str, int, int]] = []
        self.seen: list[tuple[int, bool] | None] = []
        self.write_one_to_clear = write_one_to_clear
        self._timeline = timeline

    def read(self, offset: int, size_bytes: int) -> int:
        self.log.append(("read", offset, size_bytes))
        if self._timeline is not None:
            self.seen.append(self._timeline.access)
        return self.words.get(offset, 0)

    def write(self, offset: int, size_bytes: int, value: int) -> None:
        self.log.append(("write", offset, size_bytes))
        if self._timeline is not None:
            self.seen.append(self._timeline.access)
        self.words[offset] = self.words.get(offset, 0) & ~value if offset in self.write_one_to_clear else value


class FakeRules:
    """Rules for one register."""

    def __init__(self, address: int) -> None:
        self.address, self.value = address, 0x5A

    def holds(self, address: int) -> bool:
        return address & ~3 == self.address

    def read(self, address: int, size_bytes: int) -> int:
        return self.value

    def write(self, address: int, size_bytes: int, value: int) -> None:
        self.value = value


def bus(*mappings: Mapping, rules: FakeRules | None = None, bit_band: bool = False) -> Bus:
    return Bus(mappings, rules, PlainRegisters(), FakeTimeline(), bit_band=bit_band)  # type: ignore[arg-type]


def test_a_device_answers_within_its_size_and_plain_registers_around_it() -> None:
    low, high = Log(), Log()
    peripherals = bus(Mapping("HIGH", 0x40001000, 0x100, high), Mapping("LOW", 0x40000000, 0x400, low))
    peripherals.write(0x400003FC, 4, 1)
    peripherals.write(0x40000400, 4, 2)
    peripherals.write(0x40001000, 2, 3)
    peripherals.write(0x40001100, 4, 4)
    assert low.log == [("write", 0x3FC, 4)] and high.log == [("write", 0, 2)]
    assert [peripherals.read(a, 4) for a in (0x400003FC, 0x40000400, 0x40001000, 0x40001100)] == [1, 2, 3, 4]
    assert [m.name for m in peripherals.mappings] == ["LOW", "HIGH"]
    names = [getattr(peripherals.mapping_at(a), "name", None) for a in (0x3FFFFFFF, 0x40000000, 0x40001100)]
    assert names == [None, "LOW", None]


def test_a_rule_comes_before_its_device() -> None:
    device, rules = Log(), FakeRules(0x40000008)
    peripherals = bus(Mapping("D", 0x40000000, 0x400, device), rules=rules)
    assert peripherals.read(0x40000008, 4) == 0x5A
    peripherals.write(0x40000008, 4, 7)
    peripherals.write(0x4000000C, 4, 8)
    assert (rules.value, device.log) == (7, [("write", 12, 4)])
    assert peripherals.read(0x40000008, 4) == 7


def test_the_watch_sees_the_core_s_reads_and_nobody_else_s() -> None:
    seen: list[tuple[int, int]] = []
    peripherals = bus()
    peripherals.watch = lambda address, value: seen.append((address, value))
    peripherals.write(0x40000000, 4, 5)
    peripherals.peek(0x40000000, 4)
    peripherals.read(0x40000000, 4)
    assert seen == [(0x40000000, 5)]


def test_an_access_is_known_while_it_is_made_and_forgotten_even_if_it_fails() -> None:
    timeline = FakeTimeline()
    device = Log(timeline)
    peripherals = Bus([Mapping("D", 0x40000000, 16, device)], None, PlainRegisters(), timeline, bit_band=False)  # type: ignore[arg-type]
    peripherals.read(0x40000004, 4)
    peripherals.write(0x40000008, 4, 1)
    assert device.seen == [(0x40000004, True), (0x40000008, False)]
    assert timeline.access is None
    device.words = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        peripherals.read(0x40000004, 4)
    assert timeline.access is None


# Bit-band (DDI 0403 B3.1): word n of the alias is bit n % 32 of word n / 32.


def test_words_of_the_bit_band_alias_are_bits() -> None:
    device = Log()
    peripherals = bus(Mapping("RCC", 0x40021000, 0x400, device), bit_band=True)
    alias = 0x42000000 + 0x21004 * 32
    device.words[4] = 0x10
    assert [peripherals.read(alias + 4 * bit, 4) for bit in (3, 4, 5)] == [0, 1, 0]
    peripherals.write(alias + 4 * 31, 4, 0xFFFFFFFF)
    assert device.words[4] == 0x80000010
    peripherals.write(alias + 4 * 4, 4, 0xFFFFFFFE)  # only bit 0 of what is written counts
    assert device.words[4] == 0x80000000
    assert {entry[2] for entry in device.log} == {4}


def test_cores_without_bit_band_have_plain_registers_there() -> None:
    device = Log()
    peripherals = bus(Mapping("D", 0x40000000, 0x400, device))
    peripherals.write(0x42000000, 4, 0x12345678)
    assert (peripherals.read(0x42000000, 4), device.log) == (0x12345678, [])


def test_the_alias_reaches_rules_and_plain_registers_too() -> None:
    rules = FakeRules(0x40000008)
    peripherals = bus(rules=rules, bit_band=True)
    peripherals.write(0x42000000 + 8 * 32, 4, 1)
    assert rules.value == 0x5B
    peripherals.write(0x42000000 + 0x100 * 32 + 4 * 9, 4, 1)
    assert peripherals.read(0x40000100, 4) == 1 << 9


@given(st.lists(st.tuples(st.integers(0, 0xFFFFF), st.integers(0, 7), st.booleans()), max_size=20))
def test_sram_bits_are_bits_of_memory(writes: list[tuple[int, int, bool]]) -> None:
    memory = bytearray(0x100000)
    base = 0x20000000

    def store(address: int, data: bytes) -> None:
        memory[address - base : address - base + len(data)] = data

    read_bit, write_bit = sram_bit_band(lambda a, n: bytes(memory[a - base : a - base + n]), store)
    expected = bytearray(0x100000)
    for byte, bit, value in writes:
        alias = 0x22000000 + byte * 32 + bit * 4
        write_bit(alias, 4, int(value))
        expected[byte] = expected[byte] & ~(1 << bit) | value << bit
        assert read_bit(alias, 4) == value
    assert memory == expected


# Atomic aliases (RP2040 datasheet 2.1.2): plain, xor, set, clear.


def test_atomic_aliases_xor_set_and_clear() -> None:
    device = Log()
    peripherals = bus(Mapping("GPIO", 0x40014000, 0x1000, device, atomic=True))
    peripherals.write(0x40014004, 4, 0b1100)
    peripherals.write(0x40015004, 4, 0b1010)
    assert device.words[4] == 0b0110
    peripherals.write(0x40016004, 4, 0b1001)
    assert device.words[4] == 0b1111
    peripherals.write(0x40017004, 4, 0b0101)
    assert device.words[4] == 0b1010
    assert [peripherals.read(0x40014004 + 0x1000 * view, 4) for view in range(4)] == [0b1010] * 4
    assert peripherals.mapping_at(0x40018000) is None


def test_registers_cleared_by_ones_take_the_written_bits_through_every_alias() -> None:
    device = Log(write_one_to_clear=frozenset({8}))
    peripherals = bus(Mapping("TIMER", 0x40054000, 0x1000, device, atomic=True))
    for view in range(4):
        device.words[8] = 0b111
        peripherals.write(0x40054008 + 0x1000 * view, 4, 0b010)
        assert device.words[8] == 0b101


def test_a_narrow_atomic_write_is_as_narrow_at_the_device() -> None:
    device = Log()
    peripherals = bus(Mapping("D", 0x40000000, 0x1000, device, atomic=True))
    peripherals.write(0x40002001, 1, 0x80)
    assert device.log == [("read", 1, 1), ("write", 1, 1)]


BIT = """
fn test
ldr r1, =0x22000000 + 0x3801 * 32 + 3 * 4
movs r0, #1
str r0, [r1]
ldr r2, [r1]
ldr r1, =0x20003800
ldr r3, [r1]
stmia r7!, {r2, r3}
ldr r1, =0x23fffff0
ldr r0, [r1]
b stop
end test
"""


@needs_assembler
@pytest.mark.parametrize("board", ["nucleo-l4r5zi", "nrf52840dk", "disco-f407vg"])
def test_firmware_sets_bits_of_its_ram_and_faults_where_there_is_none(board: str, tmp_path: Path) -> None:
    logged = run_program(tmp_path, board, BIT)
    assert logged.words == (1, 1 << 11)
    ended = logged.ran.record.exit
    assert (ended.reason, ended.detail) == (Reason.FAULT, "read of unmapped memory at 0x23fffff0")


@pytest.mark.parametrize("board", ["nucleo-l4r5zi", "nrf52840dk", "disco-f407vg", "mps2-an385"])
def test_the_sram_alias_is_as_large_as_the_ram_behind_it(board: str) -> None:
    described = load_board(board)
    aliases = sram_aliases(described)
    ram = sum(min(r.end, 0x20100000) - r.base for r in described.regions if 0x20000000 <= r.base < 0x20100000)
    assert aliases[0][0] == 0x22000000
    assert sum(end - start for start, end in aliases) == 32 * ram
