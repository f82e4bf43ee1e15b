"""Clock tree of the RP2040: oscillators, PLLs and clock generators together, as the Pico SDK starts them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.chiplib import FakeChip
from devices.fakeports import FakePorts
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.rp2040_clocks import divided

ROSC_HZ = 6_500_000
MODELS = {
    "RESETS": "rp2040_resets",
    "XOSC": "rp2040_xosc",
    "ROSC": "rp2040_rosc",
    "PLL_SYS": "rp2040_pll",
    "PLL_USB": "rp2040_pll",
    "CLOCKS": "rp2040_clocks",
}
LOCK = 1 << 31
REF, SYS, PERI, USB, ADC, RTC = 0x30, 0x3C, 0x48, 0x54, 0x60, 0x6C
DIV, SELECTED = 4, 8
ENABLE = 1 << 11


@pytest.fixture
def chip() -> FakeChip:
    chip = FakeChip(ROSC_HZ)
    for name, model in MODELS.items():
        chip.add(name, model)
    return chip


def start_xosc(chip: FakeChip) -> None:
    chip.write("XOSC", 0x00, 0xAA0)
    chip.write("XOSC", 0x0C, 47)  # about 1 ms of a 12 MHz crystal
    chip.set_bits("XOSC", 0x00, 0xFAB000)
    chip.wait(lambda: chip.read("XOSC", 0x04) >> 31 == 1)


def start_pll(chip: FakeChip, name: str, bit: int, fbdiv: int, dividers: int) -> None:
    chip.set_bits("RESETS", 0, 1 << bit)
    chip.clear_bits("RESETS", 0, 1 << bit)
    chip.wait(lambda: bool(chip.read("RESETS", 8) & 1 << bit))
    chip.write(name, 0x0, 1)
    chip.write(name, 0x8, fbdiv)
    chip.clear_bits(name, 0x4, 0x21)
    assert chip.wait(lambda: bool(chip.read(name, 0x0) & LOCK)) > 0
    chip.write(name, 0xC, dividers)
    chip.clear_bits(name, 0x4, 0x08)


def configure(chip: FakeChip, ctrl: int, src: int, auxsrc: int, div: int = 0x100) -> None:
    """The steps of the SDK's clock_configure."""
    if div > chip.read("CLOCKS", ctrl + DIV):
        chip.write("CLOCKS", ctrl + DIV, div)
    glitchless = ctrl in (REF, SYS)
    if glitchless and src == 1:
        chip.clear_bits("CLOCKS", ctrl, 3)
        chip.wait(lambda: bool(chip.read("CLOCKS", ctrl + SELECTED) & 1))
    else:
        chip.clear_bits("CLOCKS", ctrl, ENABLE)
    chip.write("CLOCKS", ctrl, chip.read("CLOCKS", ctrl) & ~0xE0 | auxsrc << 5)
    if glitchless:
        chip.write("CLOCKS", ctrl, chip.read("CLOCKS", ctrl) & ~3 | src)
        chip.wait(lambda: bool(chip.read("CLOCKS", ctrl + SELECTED) & 1 << src))
    chip.set_bits("CLOCKS", ctrl, ENABLE)
    chip.write("CLOCKS", ctrl + DIV, div)


def clocks_init(chip: FakeChip) -> None:
    """To 125 MHz, as the SDK does it before main."""
    chip.write("CLOCKS", 0x78, 0)
    start_xosc(chip)
    for ctrl in (SYS, REF):
        chip.clear_bits("CLOCKS", ctrl, 3)
        chip.wait(lambda ctrl=ctrl: chip.read("CLOCKS", ctrl + SELECTED) == 1)
    start_pll(chip, "PLL_SYS", 12, 125, 0x62000)
    start_pll(chip, "PLL_USB", 13, 100, 0x55000)
    configure(chip, REF, 2, 0)
    configure(chip, SYS, 1, 0)
    configure(chip, USB, 0, 0)
    configure(chip, ADC, 0, 0)
    configure(chip, RTC, 0, 0, 1024 << 8)
    configure(chip, PERI, 0, 0)


def test_at_reset_the_core_runs_from_the_ring_oscillator(chip: FakeChip) -> None:
    assert {name: chip.hz(name) for name in ("HCLK", "CLK_REF", "CLK_PERI", "XOSC", "ROSC", "PLL_SYS")} == {
        "HCLK": ROSC_HZ,
        "CLK_REF": ROSC_HZ,
        "CLK_PERI": 0,
        "XOSC": 0,
        "ROSC": ROSC_HZ,
        "PLL_SYS": 0,
    }


def test_models_publish_nothing_when_they_are_made() -> None:
    for name, model in MODELS.items():
        board = FakePorts(core_hz=1_000_000, name=name)
        make_device(model, board)
        assert board.clocks.hz("HCLK") == board.clocks.hz("XOSC") == board.clocks.hz("PLL_SYS") == 1_000_000


def test_the_sdk_reaches_125_mhz(chip: FakeChip) -> None:
    clocks_init(chip)
    names = ("HCLK", "CLK_REF", "CLK_PERI", "CLK_USB", "CLK_ADC", "CLK_RTC")
    assert [chip.hz(name) for name in names] == [125_000_000, 12_000_000, 125_000_000, 48_000_000, 48_000_000, 46_875]
    assert chip.read("CLOCKS", SYS + SELECTED) == 2 and chip.read("CLOCKS", REF + SELECTED) == 4
    assert chip.board.notes == []


def test_the_sdk_changes_the_frequency_by_way_of_the_usb_pll(chip: FakeChip) -> None:
    clocks_init(chip)
    configure(chip, SYS, 1, 1)
    assert chip.hz("HCLK") == chip.hz("CLK_PERI") == 48_000_000
    start_pll(chip, "PLL_SYS", 12, 133, 0x62000)
    configure(chip, SYS, 1, 0)
    assert chip.hz("HCLK") == 133_000_000


def test_the_crystal_takes_its_startup_delay(chip: FakeChip) -> None:
    chip.write("XOSC", 0x0C, 47)
    chip.write("XOSC", 0x00, 0xFABAA0)
    delay = 47 * 256 * ROSC_HZ // 12_000_000
    chip.board.advance(delay - 1)
    assert chip.read("XOSC", 0x04) == 1 << 12 and chip.hz("XOSC") == 0
    chip.board.advance(2)
    assert chip.read("XOSC", 0x04) == 1 << 31 | 1 << 12 and chip.hz("XOSC") == 12_000_000


def test_the_crystal_stops_and_refuses_bad_values(chip: FakeChip) -> None:
    start_xosc(chip)
    chip.write("XOSC", 0x04, 1 << 24)
    chip.write("XOSC", 0x00, 0x123AA0)
    assert chip.read("XOSC", 0x04) == 1 << 31 | 1 << 24 | 1 << 12
    chip.write("XOSC", 0x04, 1 << 24)
    chip.write("XOSC", 0x00, 0xD1EAA0)
    assert chip.read("XOSC", 0x04) == 0 and chip.hz("XOSC") == 0


def test_the_crystal_counts_down(chip: FakeChip) -> None:
    start_xosc(chip)
    chip.write("XOSC", 0x1C, 200)
    assert chip.read("XOSC", 0x1C) == 200
    chip.board.advance(65)  # 120 periods
    assert chip.read("XOSC", 0x1C) == 80
    chip.board.advance(6500)
    assert chip.read("XOSC", 0x1C) == 0


def test_a_pll_needs_its_crystal_and_loses_its_lock_with_a_new_divider(chip: FakeChip) -> None:
    chip.write("PLL_SYS", 0x8, 125)
    chip.write("PLL_SYS", 0x4, 0)
    chip.board.advance(ROSC_HZ)
    assert not chip.read("PLL_SYS", 0) & LOCK
    start_xosc(chip)
    chip.wait(lambda: bool(chip.read("PLL_SYS", 0) & LOCK))
    assert chip.hz("PLL_SYS") == 1_500_000_000 // 49
    chip.write("PLL_SYS", 0x8, 100)
    assert not chip.read("PLL_SYS", 0) & LOCK and chip.hz("PLL_SYS") == 0
    chip.wait(lambda: bool(chip.read("PLL_SYS", 0) & LOCK))
    assert chip.hz("PLL_SYS") == 1_200_000_000 // 49


def test_a_pll_bypassed_or_reset(chip: FakeChip) -> None:
    start_xosc(chip)
    start_pll(chip, "PLL_USB", 13, 100, 0x55000)
    chip.set_bits("PLL_USB", 0, 1 << 8)
    assert chip.hz("PLL_USB") == 12_000_000
    chip.set_bits("RESETS", 0, 1 << 13)
    chip.clear_bits("RESETS", 0, 1 << 13)
    chip.set_bits("RESETS", 0, 1 << 13)
    assert chip.hz("PLL_USB") == 0 and chip.read("PLL_USB", 0x4) == 0x2D


def test_a_vco_out_of_range_is_told(chip: FakeChip) -> None:
    start_xosc(chip)
    start_pll(chip, "PLL_SYS", 12, 250, 0x62000)
    assert chip.board.notes == ["PLL_SYS: a VCO at 3000000000 Hz, x 250, is outside what the chip allows"]


def test_a_multiplexer_waits_for_its_source(chip: FakeChip) -> None:
    chip.write("CLOCKS", REF, 2)
    assert chip.read("CLOCKS", REF + SELECTED) == 1 and chip.hz("HCLK") == ROSC_HZ
    start_xosc(chip)
    assert chip.read("CLOCKS", REF + SELECTED) == 4 and chip.hz("HCLK") == chip.hz("CLK_REF") == 12_000_000


def test_the_core_survives_the_loss_of_its_clock(chip: FakeChip) -> None:
    clocks_init(chip)
    chip.write("PLL_SYS", 0x4, 0x2D)
    assert chip.hz("HCLK") == 125_000_000
    assert chip.board.notes == ["CLOCKS: clk_sys has no running source; the core keeps its last frequency"]


@pytest.mark.parametrize(
    ("div", "hz"), [(0x100, 125_000_000), (0x200, 62_500_000), (0x280, 50_000_000), (0, 1907), (0x80, 1907)]
)
def test_dividers_have_a_fraction_and_zero_means_65536(div: int, hz: int) -> None:
    assert divided(125_000_000, div) == pytest.approx(hz, abs=1)


def test_the_system_divider_divides_the_core(chip: FakeChip) -> None:
    clocks_init(chip)
    chip.write("CLOCKS", SYS + DIV, 0x280)
    assert chip.hz("HCLK") == 50_000_000


@pytest.mark.parametrize(
    ("source", "khz"), [(1, 125_000), (2, 48_000), (3, 6500), (5, 12_000), (8, 12_000), (9, 125_000), (13, 46)]
)
def test_the_frequency_counter(chip: FakeChip, source: int, khz: int) -> None:
    clocks_init(chip)
    for offset, value in ((0x80, 12_000), (0x90, 10), (0x84, 0), (0x88, 0xFFFFFFFF), (0x94, source)):
        chip.write("CLOCKS", offset, value)
    assert chip.read("CLOCKS", 0x98) == 1 << 8
    cycles = 10 * chip.wait(lambda: bool(chip.read("CLOCKS", 0x98) & 1 << 4))
    assert cycles == pytest.approx(1024 * 125, abs=20)
    assert chip.read("CLOCKS", 0x98) == 0x11 and chip.read("CLOCKS", 0x9C) >> 5 == khz


def test_the_frequency_counter_judges(chip: FakeChip) -> None:
    for low, high, status in ((7000, 8000, 0x110010), (1000, 2000, 0x1010010), (6000, 7000, 0x11)):
        chip.write("CLOCKS", 0x84, low)
        chip.write("CLOCKS", 0x88, high)
        chip.write("CLOCKS", 0x94, 3)
        chip.wait(lambda: bool(chip.read("CLOCKS", 0x98) & 1 << 4))
        assert chip.read("CLOCKS", 0x98) == status


def test_the_ring_oscillator_divides_and_shortens(chip: FakeChip) -> None:
    chip.write("ROSC", 0x10, 0xAA0 + 8)
    assert chip.hz("ROSC") == chip.hz("HCLK") == 13_000_000
    chip.write("ROSC", 0x00, 0xFABFA7)
    assert chip.hz("HCLK") == 26_000_000
    chip.write("ROSC", 0x10, 0xAA0)
    assert chip.hz("HCLK") == 6_500_000
    assert chip.read("ROSC", 0x18) == 1 << 31 | 1 << 16 | 1 << 12


def test_random_bits_are_seeded_and_random(chip: FakeChip) -> None:
    def bits(seed: int) -> list[int]:
        rosc = make_device("rp2040_rosc", FakePorts(options={"seed": seed}))
        return [rosc.read(0x1C, 4) for _ in range(64)]

    assert bits(1) == bits(1) != bits(2)
    assert 16 < sum(bits(1)) < 48


def test_resets_are_done_when_released_and_drive_signals(chip: FakeChip) -> None:
    assert chip.read("RESETS", 0) == 0x1FFFFFF and chip.read("RESETS", 8) == 0
    chip.clear_bits("RESETS", 0, 1 << 22)
    assert chip.read("RESETS", 8) == 1 << 22
    chip.set_bits("RESETS", 0, 1 << 22)
    assert chip.board.signals["RESET_UART0"] is True and chip.read("RESETS", 8) == 0


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(MODELS)), st.integers(0, 63), st.integers(0, 0xFFFFFFFF)), max_size=40)
)
def test_no_write_upsets_the_tree(writes: list[tuple[str, int, int]]) -> None:
    chip = FakeChip(ROSC_HZ)
    for name, model in MODELS.items():
        chip.add(name, model)
    for name, word, value in writes:
        chip.write(name, 4 * word, value)
        chip.board.advance(1000)
        assert chip.hz("HCLK") > 0
        assert 0 <= chip.read(name, 4 * word) <= 0xFFFFFFFF
