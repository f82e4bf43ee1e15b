"""CLOCK, POWER, NVMC, FICR and UICR of the nRF52840."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.chiplib import FakeChip
from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device
from vtarget.shell.devices.registry import make_device

HFCLKSTARTED, LFCLKSTARTED, DONE, CTTO, CTSTARTED, CTSTOPPED = 0x100, 0x104, 0x10C, 0x110, 0x128, 0x12C
HFCLKRUN, HFCLKSTAT, LFCLKRUN, LFCLKSTAT, LFCLKSRCCOPY, LFCLKSRC = 0x408, 0x40C, 0x414, 0x418, 0x41C, 0x518


@pytest.fixture
def chip() -> FakeChip:
    chip = FakeChip(64_000_000)
    chip.add("CLOCK", "nrf_clock")
    return chip


def us(chip: FakeChip, time_us: int) -> None:
    chip.board.advance(64 * time_us)


def test_it_publishes_nothing_when_it_is_made() -> None:
    board = FakePorts(core_hz=64_000_000)
    make_device("nrf_clock", board)
    assert board.clocks.hz("LFCLK") == 64_000_000


def test_nrfx_starts_the_high_frequency_crystal(chip: FakeChip) -> None:
    assert chip.read("CLOCK", HFCLKSTAT) == 0x10000
    chip.write("CLOCK", HFCLKSTARTED, 0)
    chip.write("CLOCK", 0x00, 1)
    assert chip.read("CLOCK", HFCLKRUN) == 1 and chip.read("CLOCK", HFCLKSTAT) == 0x10000
    us(chip, 359)
    assert chip.read("CLOCK", HFCLKSTARTED) == 0
    us(chip, 1)
    assert chip.read("CLOCK", HFCLKSTARTED) == 1 and chip.read("CLOCK", HFCLKSTAT) == 0x10001
    chip.write("CLOCK", HFCLKSTARTED, 0)
    chip.write("CLOCK", 0x04, 1)
    assert [chip.read("CLOCK", o) for o in (HFCLKSTARTED, HFCLKRUN, HFCLKSTAT)] == [0, 0, 0x10000]


def test_stopping_in_time_takes_the_start_back(chip: FakeChip) -> None:
    chip.write("CLOCK", 0x00, 1)
    chip.write("CLOCK", 0x08, 1)
    chip.write("CLOCK", 0x04, 1)
    chip.write("CLOCK", 0x0C, 1)
    us(chip, 1_000_000)
    assert chip.read("CLOCK", HFCLKSTARTED) == chip.read("CLOCK", LFCLKSTARTED) == 0
    assert chip.read("CLOCK", LFCLKSTAT) == 0 and chip.hz("LFCLK") == 0


def test_the_rc_oscillator_starts(chip: FakeChip) -> None:
    chip.write("CLOCK", 0x08, 1)
    assert chip.read("CLOCK", LFCLKRUN) == 1 and chip.read("CLOCK", LFCLKSTAT) == 0 and chip.hz("LFCLK") == 0
    us(chip, 600)
    assert chip.read("CLOCK", LFCLKSTARTED) == 1 and chip.read("CLOCK", LFCLKSTAT) == 0x10000
    assert chip.hz("LFCLK") == 32_768
    chip.write("CLOCK", LFCLKSTARTED, 0)
    chip.write("CLOCK", 0x08, 1)  # it runs already: the event comes at once
    assert chip.read("CLOCK", LFCLKSTARTED) == 1


def test_the_crystal_starts_behind_the_rc_oscillator(chip: FakeChip) -> None:
    chip.write("CLOCK", LFCLKSRC, 1)
    chip.write("CLOCK", 0x08, 1)
    chip.write("CLOCK", LFCLKSRC, 2)
    assert chip.read("CLOCK", LFCLKSRCCOPY) == 1
    us(chip, 600)
    assert chip.read("CLOCK", LFCLKSTAT) == 0x10000 and chip.read("CLOCK", LFCLKSTARTED) == 0
    assert chip.hz("LFCLK") == 32_768
    us(chip, 249_400)
    assert chip.read("CLOCK", LFCLKSTAT) == 0x10001 and chip.read("CLOCK", LFCLKSTARTED) == 1


def test_from_rc_to_crystal_without_a_stop(chip: FakeChip) -> None:
    """The two-stage start of nrfx: RC first, then the task again with the crystal as source."""
    chip.write("CLOCK", 0x08, 1)
    us(chip, 600)
    chip.write("CLOCK", LFCLKSTARTED, 0)
    chip.write("CLOCK", LFCLKSRC, 1)
    chip.write("CLOCK", 0x08, 1)
    assert chip.read("CLOCK", LFCLKSTAT) == 0x10000
    us(chip, 250_000)
    assert chip.read("CLOCK", LFCLKSTAT) == 0x10001 and chip.read("CLOCK", LFCLKSTARTED) == 1


def test_start_up_times_are_options() -> None:
    chip = FakeChip(64_000_000)
    chip.add("CLOCK", "nrf_clock", {"hfxo_us": 10, "lfxo_us": 20})
    chip.write("CLOCK", LFCLKSRC, 1)
    chip.write("CLOCK", 0x00, 1)
    chip.write("CLOCK", 0x08, 1)
    us(chip, 10)
    assert (chip.read("CLOCK", HFCLKSTARTED), chip.read("CLOCK", LFCLKSTARTED)) == (1, 0)
    us(chip, 10)
    assert chip.read("CLOCK", LFCLKSTARTED) == 1


def test_interrupts(chip: FakeChip) -> None:
    levels = chip.views["CLOCK"].irq_levels
    chip.write("CLOCK", 0x304, 0b11)
    assert chip.read("CLOCK", 0x304) == chip.read("CLOCK", 0x308) == 0b11
    chip.write("CLOCK", 0x308, 0b10)
    chip.write("CLOCK", 0x00, 1)
    us(chip, 400)
    assert levels[""]
    chip.write("CLOCK", HFCLKSTARTED, 0)
    assert not levels[""]


def test_calibration_and_its_timer(chip: FakeChip) -> None:
    chip.write("CLOCK", 0x10, 1)
    us(chip, 16_000)
    assert chip.read("CLOCK", DONE) == 1
    chip.write("CLOCK", 0x538, 2)
    chip.write("CLOCK", 0x14, 1)
    assert chip.read("CLOCK", CTSTARTED) == 1
    us(chip, 500_000)
    assert chip.read("CLOCK", CTTO) == 1
    chip.write("CLOCK", 0x18, 1)
    assert chip.read("CLOCK", CTSTOPPED) == 1


def test_power(chip: FakeChip) -> None:
    chip.write("CLOCK", 0x51C, 0xB1)
    chip.write("CLOCK", 0x578, 1)
    assert chip.read("CLOCK", 0x51C) == 0xB1 and chip.read("CLOCK", 0x578) == 1 and chip.read("CLOCK", 0x400) == 0
    chip.write("CLOCK", 0x918, 0xF)  # RAM[1].POWERCLR
    chip.write("CLOCK", 0x914, 0x1)
    assert chip.read("CLOCK", 0x910) == 0xFFF1 and chip.read("CLOCK", 0x900) == 0xFFFF
    chip.write("CLOCK", 0x500, 1)
    assert chip.board.notes == ["CLOCK: System OFF is not modelled; the core goes on"]


# --- NVMC ----------------------------------------------------------------------------------------------------------


def make(model: str, **options: int | str) -> tuple[Device, FakePorts]:
    ports = FakePorts(name="DEV", options=options)
    return make_device(model, ports), ports


def test_nvmc_is_ready_and_erases_pages() -> None:
    nvmc, ports = make("nrf_nvmc")
    ports.memory = dict.fromkeys(range(0x2000, 0x4000), 0)
    nvmc.write(0x508, 4, 0x3000)  # not enabled
    assert ports.memory[0x3000] == 0 and ports.notes == []
    nvmc.write(0x504, 4, 2)
    assert nvmc.read(0x400, 4) == nvmc.read(0x408, 4) == 1
    nvmc.write(0x508, 4, 0x3000)
    assert {ports.memory[a] for a in range(0x3000, 0x4000)} == {0xFF}
    assert {ports.memory[a] for a in range(0x2000, 0x3000)} == {0}
    assert nvmc.read(0x400, 4) == 1
    assert ports.notes == ["DEV: erasing takes no time (up to 85 ms a page on silicon)"]


def test_nvmc_erases_nothing_outside_the_flash() -> None:
    nvmc, ports = make("nrf_nvmc", flash_size=0x1000)
    ports.memory = dict.fromkeys(range(0x3000), 0)
    nvmc.write(0x504, 4, 2)
    nvmc.write(0x508, 4, 0x1000)
    assert set(ports.memory.values()) == {0} and ports.notes[0] == "DEV: nothing to erase at 0x00001000"
    nvmc.write(0x50C, 4, 1)
    assert ports.memory[0] == 0xFF and ports.memory[0x1000] == 0


def test_nvmc_cache_and_writes() -> None:
    nvmc, ports = make("nrf_nvmc")
    nvmc.write(0x540, 4, 1)
    assert nvmc.read(0x540, 4) == 1 and nvmc.read(0x548, 4) == 0 and ports.notes == []
    nvmc.write(0x540, 4, 0x101)
    assert nvmc.read(0x54C, 4) == 0
    nvmc.write(0x504, 4, 1)
    assert ports.notes == [
        "DEV: cache hits and misses are not counted",
        "DEV: programming the flash by stores is not modelled",
    ]


# --- FICR and UICR -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0x010, 4096),
        (0x014, 256),
        (0x060, 0x89ABCDEF),
        (0x064, 0x01234567),
        (0x100, 0x52840),
        (0x104, 0x41414430),
        (0x10C, 256),
        (0x110, 1024),
        (0x130, 8),
        (0x404, 0x326),
        (0x430, 0x27C),
        (0x444, 0x50),
        (0x800, 0xFFFFFFFF),
    ],
)
def test_ficr(offset: int, value: int) -> None:
    ficr, _ = make("nrf_ficr")
    ficr.write(offset, 4, 0)
    assert ficr.read(offset, 4) == value


def test_ficr_by_options() -> None:
    ficr, _ = make("nrf_ficr", device_id=5, variant="AAF0", flash_kib=512)
    assert (ficr.read(0x60, 4), ficr.read(0x64, 4), ficr.read(0x104, 4)) == (5, 0, 0x41414630)
    assert (ficr.read(0x14, 4), ficr.read(0x110, 4)) == (128, 512)
    assert ficr.read(0x102, 1) == 0x05


def test_uicr_is_erased_but_for_the_reset_pin_and_keeps_zeros() -> None:
    uicr, _ = make("nrf_ficr.uicr")
    assert [uicr.read(o, 4) for o in (0x200, 0x204, 0x208, 0x304, 0x80)] == [18, 18, *[0xFFFFFFFF] * 3]
    uicr.write(0x80, 4, 0xFFFF0000)
    uicr.write(0x80, 4, 0x0F0F0F0F)
    assert uicr.read(0x80, 4) == 0x0F0F0000
    uicr.write(0x85, 1, 0x12)
    assert uicr.read(0x84, 4) == 0xFFFF12FF


@given(
    st.sampled_from(["nrf_clock", "nrf_nvmc", "nrf_ficr", "nrf_ficr.uicr"]),
    st.lists(st.tuples(st.integers(0, 0x3FF), st.integers(0, 0xFFFFFFFF), st.sampled_from([1, 2, 4])), max_size=30),
)
def test_no_access_upsets_them(model: str, accesses: list[tuple[int, int, int]]) -> None:
    device, ports = make(model)
    for word, value, size in accesses:
        device.write(4 * word, size, value & (1 << 8 * size) - 1)
        ports.advance(100_000)
        assert 0 <= device.read(4 * word, size) < 1 << 8 * size
