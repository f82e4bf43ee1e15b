"""Ambiq clock generator, MCU control, power control and cache control, as the HAL uses them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.chiplib import FakeChip
from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device
from vtarget.shell.devices.registry import make_device

BLOCKS = ("clkgen", "mcuctrl", "pwrctrl", "cachectrl")
MODELS = [f"ambiq_{block}.{chip}" for block in BLOCKS for chip in ("apollo4", "apollo3")]


def make(model: str, core_hz: int = 96_000_000, **options: int) -> tuple[Device, FakePorts]:
    ports = FakePorts(name="DEV", core_hz=core_hz, options=options)
    return make_device(model, ports), ports


def set_bits(device: Device, offset: int, bits: int) -> None:
    device.write(offset, 4, device.read(offset, 4) | bits)


@pytest.mark.parametrize("model", MODELS)
def test_they_publish_nothing_when_they_are_made(model: str) -> None:
    assert make(model, core_hz=1_000_000)[1].clocks.hz("HCLK") == 1_000_000


# --- Apollo4 -------------------------------------------------------------------------------------------------------


def test_high_performance_mode_as_the_hal_enters_it() -> None:
    chip = FakeChip(96_000_000)
    chip.add("PWRCTRL", "ambiq_pwrctrl.apollo4")
    assert chip.hz("HCLK") == 96_000_000 and chip.read("PWRCTRL", 0) == 0b01101
    assert chip.read("PWRCTRL", 0x108) == 0b001111  # from the LDOs
    chip.set_bits("PWRCTRL", 0x100, 1)
    assert chip.read("PWRCTRL", 0x108) >> 4 & 3 == 3  # the SIMO buck is active
    chip.write("PWRCTRL", 0, chip.read("PWRCTRL", 0) & ~3 | 2)
    assert chip.read("PWRCTRL", 0) & 4 and chip.read("PWRCTRL", 0) >> 3 == 2
    assert chip.hz("HCLK") == 192_000_000
    chip.write("PWRCTRL", 0, 1)
    assert chip.hz("HCLK") == 96_000_000
    chip.write("PWRCTRL", 0, 0)
    assert chip.hz("HCLK") == 24_000_000
    chip.write("PWRCTRL", 0, 3)
    assert chip.hz("HCLK") == 24_000_000
    assert chip.board.notes == ["PWRCTRL: MCUPERFREQ = 3 is reserved; the clock stays"]


@pytest.mark.parametrize(
    ("enable", "status"),
    [
        (1 << 9, 0x1E00),  # a UART turns on the domain of all four
        (1 << 2, 0x1E),
        (1 << 8, 0x1E0),
        (1 << 14, 0x1C000),
        (1 << 13, 1 << 13),
        (1 << 0, 1),
    ],
)
def test_domains_of_apollo4(enable: int, status: int) -> None:
    pwrctrl, _ = make("ambiq_pwrctrl.apollo4")
    pwrctrl.write(0x04, 4, enable)
    assert pwrctrl.read(0x08, 4) == status
    pwrctrl.write(0x04, 4, 0)
    assert pwrctrl.read(0x08, 4) == 0


@pytest.mark.parametrize(
    ("enables", "status", "value", "expected"),
    [(0x0C, 0x10, 1 << 2, 0xFF), (0x0C, 0x10, 1 << 10, 1 << 10), (0x14, 0x18, 0x2F, 0x2F), (0x24, 0x28, 3, 3)],
)
def test_memories_and_audio_of_apollo4(enables: int, status: int, value: int, expected: int) -> None:
    pwrctrl, _ = make("ambiq_pwrctrl.apollo4")
    pwrctrl.write(enables, 4, value)
    assert pwrctrl.read(status, 4) == expected


def test_power_of_apollo4_after_reset() -> None:
    pwrctrl, _ = make("ambiq_pwrctrl.apollo4")
    assert (pwrctrl.read(0x18, 4), pwrctrl.read(0x20, 4), pwrctrl.read(0x08, 4)) == (0x3F, 0xF, 1 << 20)
    pwrctrl.write(0x54, 4, 2)
    assert pwrctrl.read(0x54, 4) == 0b10110


def test_cache_of_apollo4() -> None:
    cache, ports = make("ambiq_cachectrl.apollo4")
    assert (cache.read(0x00, 4), cache.read(0x08, 4)) == (0x103C50, 0)
    set_bits(cache, 0x00, 1)
    cache.write(0x08, 4, 1)
    assert cache.read(0x08, 4) == 4
    cache.write(0x54, 4, 1)
    assert cache.read(0x54, 4) == 4
    assert cache.read(0x118, 4) == 0 and ports.notes == []
    set_bits(cache, 0x00, 1 << 24)
    assert cache.read(0x118, 4) == 0 and ports.notes == ["DEV: the cache monitors count nothing"]


def test_identity_of_apollo4() -> None:
    mcuctrl, _ = make("ambiq_mcuctrl.apollo4", chiprev=0x33)
    mcuctrl.write(0x00, 4, 0)
    assert mcuctrl.read(0x00, 4) == 0x08322080
    assert (mcuctrl.read(0x0C, 4), mcuctrl.read(0x10, 4), mcuctrl.read(0x1BC, 4)) == (0x33, 0x414D4251, 7)
    mcuctrl.write(0x1C0, 4, 77)
    assert mcuctrl.read(0x1C0, 4) == 77


# --- clock generators ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["apollo4", "apollo3"])
def test_clkgen_interrupts_and_registers(variant: str) -> None:
    clkgen, ports = make(f"ambiq_clkgen.{variant}")
    assert clkgen.read(0x20, 4) == 0x25B800
    clkgen.write(0x10, 4, 0x81)
    clkgen.write(0x100, 4, 4)
    clkgen.write(0x10C, 4, 6)
    assert clkgen.read(0x10, 4) == 0x81 and clkgen.read(0x104, 4) == 6 and ports.irq
    clkgen.write(0x108, 4, 4)
    assert clkgen.read(0x104, 4) == 2 and not ports.irq


def test_clkgen_of_apollo4_reports_no_clock_in_use() -> None:
    clkgen, _ = make("ambiq_clkgen.apollo4")
    for offset in (0x30, 0x34, 0x38, 0x54):
        clkgen.write(offset, 4, 0xFFFFFFFF)
        assert clkgen.read(offset, 4) == 0


def test_core_clock_of_apollo3() -> None:
    clkgen, ports = make("ambiq_clkgen.apollo3", core_hz=48_000_000)
    clkgen.write(0x18, 4, 1)
    assert ports.clocks.hz("HCLK") == 48_000_000  # locked
    clkgen.write(0x14, 4, 0x47)
    assert clkgen.read(0x14, 4) == 1
    clkgen.write(0x18, 4, 1)
    assert ports.clocks.hz("HCLK") == 24_000_000
    clkgen.write(0x18, 4, 0)
    clkgen.write(0x34, 4, 1)
    assert clkgen.read(0x34, 4) == 7 and ports.clocks.hz("HCLK") == 96_000_000
    clkgen.write(0x34, 4, 0)
    assert clkgen.read(0x34, 4) == 0 and ports.clocks.hz("HCLK") == 48_000_000


def test_rtc_oscillator_of_apollo3_follows_its_selection() -> None:
    clkgen, _ = make("ambiq_clkgen.apollo3")
    clkgen.write(0x0C, 4, 0x80)
    assert clkgen.read(0x1C, 4) == 1
    clkgen.write(0x0C, 4, 0)
    assert clkgen.read(0x1C, 4) == 0


# --- Apollo3 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enable", "status"),
    [(1 << 7, 1 << 2), (1 << 10, 1 << 2), (1 << 3, 1 << 3), (1 << 6, 1 << 4), (1 << 9, 1 << 5), (1 << 13, 3 << 8)],
)
def test_domains_of_apollo3(enable: int, status: int) -> None:
    pwrctrl, _ = make("ambiq_pwrctrl.apollo3")
    assert pwrctrl.read(0x18, 4) == 3
    pwrctrl.write(0x08, 4, enable)
    assert pwrctrl.read(0x18, 4) == status | 3


def test_memories_of_apollo3() -> None:
    pwrctrl, _ = make("ambiq_pwrctrl.apollo3")
    assert pwrctrl.read(0x14, 4) == 0x1FFFF
    pwrctrl.write(0x10, 4, 0x40000007)
    assert pwrctrl.read(0x14, 4) == 0x8007


def test_features_of_apollo3_are_acknowledged() -> None:
    mcuctrl, _ = make("ambiq_mcuctrl.apollo3")
    assert mcuctrl.read(0x18, 4) == 0x44 and mcuctrl.read(0x1A4, 4) == 7
    set_bits(mcuctrl, 0x18, 1 << 4)
    assert mcuctrl.read(0x18, 4) == 0x74


def test_cache_and_flash_of_apollo3() -> None:
    cache, _ = make("ambiq_cachectrl.apollo3")
    cache.write(0x00, 4, 0x0011_0301)
    cache.write(0x08, 4, 1)
    assert cache.read(0x08, 4) == 4
    cache.write(0x08, 4, 1 << 6)
    assert cache.read(0x08, 4) == 0x14
    cache.write(0x08, 4, 1 << 5 | 1 << 10)
    assert cache.read(0x08, 4) == 0x104


@given(
    st.sampled_from(MODELS),
    st.lists(st.tuples(st.integers(0, 0xFF), st.integers(0, 0xFFFFFFFF), st.sampled_from([1, 2, 4])), max_size=30),
)
def test_no_access_upsets_them(model: str, accesses: list[tuple[int, int, int]]) -> None:
    device, ports = make(model)
    for word, value, size in accesses:
        device.write(4 * word, size, value & (1 << 8 * size) - 1)
        ports.advance(100)
        assert 0 <= device.read(4 * word, size) < 1 << 8 * size
        assert ports.clocks.hz("HCLK") > 0
