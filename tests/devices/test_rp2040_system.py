"""The RP2040's GPIO bank, XIP cache, flash interface and the blocks that only answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.chiplib import FakeChip
from devices.fakeports import FakePorts
from vtarget.shell.devices.registry import make_device

BLOCKS = ("sysinfo", "syscfg", "tbman", "vreg", "busctrl", "pads_bank0", "pads_qspi", "io_qspi", "psm")
OTHERS = ("rp2040_io_bank", "rp2040_xip", "rp2040_ssi")


@pytest.mark.parametrize(
    ("block", "offset", "value"),
    [
        ("sysinfo", 0x00, 0x20002927),
        ("sysinfo", 0x04, 2),
        ("tbman", 0x00, 1),
        ("vreg", 0x00, 0x10B1),
        ("busctrl", 0x04, 1),
        ("pads_bank0", 0x04 + 4 * 29, 0x56),
        ("pads_bank0", 0x80, 0x5A),
        ("pads_qspi", 0x18, 0x5A),
        ("io_qspi", 0x0C, 0x1F),
        ("psm", 0x0C, 0x1FFFF),
    ],
)
def test_registers_after_reset(block: str, offset: int, value: int) -> None:
    assert make_device(f"rp2040_system.{block}", FakePorts()).read(offset, 4) == value


def test_what_the_hardware_drives_can_not_be_written() -> None:
    vreg = make_device("rp2040_system.vreg", FakePorts())
    vreg.write(0, 4, 0xC1)
    assert vreg.read(0, 4) == 0x10C1
    sysinfo = make_device("rp2040_system.sysinfo", FakePorts())
    sysinfo.write(0, 4, 0)
    assert sysinfo.read(0, 4) == 0x20002927


def test_a_reset_restores_a_block() -> None:
    ports = FakePorts(name="PADS_BANK0")
    pads = make_device("rp2040_system.pads_bank0", ports)
    pads.write(4, 4, 0x80)
    ports.set_signal("RESET_PADS_BANK0", True)
    assert pads.read(4, 4) == 0x56


def test_forcing_blocks_off_is_told() -> None:
    ports = FakePorts(name="PSM")
    make_device("rp2040_system.psm", ports).write(4, 4, 1 << 12)
    assert ports.notes == ["PSM: blocks forced off (FRCE_OFF) keep working"]


@pytest.fixture
def chip() -> FakeChip:
    chip = FakeChip(1_000_000)
    chip.add("SIO", "rp2040_sio")
    chip.add("IO_BANK0", "rp2040_io_bank")
    chip.write("SIO", 0x20, 1 << 10)
    return chip


def test_an_edge_interrupt_is_kept_until_it_is_cleared(chip: FakeChip) -> None:
    chip.write("IO_BANK0", 0x104, 8 << 8)  # GPIO10, rising
    levels = chip.views["IO_BANK0"].irq_levels
    chip.write("SIO", 0x14, 1 << 10)
    assert chip.read("IO_BANK0", 0x124) == 8 << 8 and levels[""]
    chip.write("SIO", 0x18, 1 << 10)
    assert levels[""]
    chip.write("IO_BANK0", 0xF4, 8 << 8)
    assert chip.read("IO_BANK0", 0x124) == 0 and not levels[""]
    assert chip.read("IO_BANK0", 0xF4) >> 8 & 0xF == 0b0101  # low, after a falling edge


def test_a_level_interrupt_follows_the_pin(chip: FakeChip) -> None:
    chip.write("IO_BANK0", 0x104, 2 << 8)
    levels = chip.views["IO_BANK0"].irq_levels
    assert not levels[""]
    chip.write("SIO", 0x14, 1 << 10)
    chip.write("IO_BANK0", 0xF4, 0xFFFFFFFF)
    assert levels[""] and chip.read("IO_BANK0", 8 * 10) == 0xA0300
    chip.write("SIO", 0x28, 1 << 10)
    assert not levels[""] and chip.read("IO_BANK0", 8 * 10) == 0


def test_an_interrupt_can_be_forced_and_overrides_are_told(chip: FakeChip) -> None:
    chip.write("IO_BANK0", 0x110, 1)
    assert chip.views["IO_BANK0"].irq_levels[""] and chip.read("IO_BANK0", 0x120) == 1
    chip.write("IO_BANK0", 4, 0x5)
    assert chip.read("IO_BANK0", 4) == 5 and chip.board.notes == []
    chip.write("IO_BANK0", 4, 0x305)
    assert chip.board.notes == ["IO_BANK0: overrides in GPIO CTRL (INOVER, OUTOVER, ...) have no effect"]


def test_the_cache_flushes_at_once_and_streams() -> None:
    ports = FakePorts(name="XIP_CTRL")
    xip = make_device("rp2040_xip", ports)
    ports.memory = dict(enumerate(b"\x01\x00\x00\x00\x02\x00\x00\x00", 0x10000000))
    xip.write(0x04, 4, 1)
    assert (xip.read(0x00, 4), xip.read(0x04, 4), xip.read(0x08, 4)) == (3, 0, 3)
    xip.write(0x14, 4, 0x10000003)
    xip.write(0x18, 4, 2)
    assert xip.read(0x08, 4) == 5
    assert [xip.read(0x1C, 4) for _ in range(3)] == [1, 2, 0]
    assert (xip.read(0x08, 4), xip.read(0x14, 4), xip.read(0x18, 4)) == (3, 0x10000008, 0)
    assert xip.read(0x0C, 4) == 0 and ports.notes == ["XIP_CTRL: cache hits and accesses are not counted"]


def test_the_boot_loaders_loops_over_the_flash_interface_end() -> None:
    """Read a status register of the flash as the second-stage boot loader does: two words out, two in."""
    ports = FakePorts(name="SSI")
    ssi = make_device("rp2040_ssi", ports)
    ssi.write(0x08, 4, 0)
    ssi.write(0x00, 4, 7 << 16)
    ssi.write(0x08, 4, 1)
    assert ssi.read(0x28, 4) & 0b101 == 0b100
    ssi.write(0x60, 4, 0x05)
    ssi.write(0x60, 4, 0x05)
    assert ssi.read(0x28, 4) == 0b1110 and ssi.read(0x24, 4) == 2
    assert [ssi.read(0x60, 4), ssi.read(0x60, 4)] == [0, 0] and ssi.read(0x28, 4) == 0b0110
    assert ports.notes == ["SSI: flash commands have no effect, the flash answers zeros"]
    for _ in range(20):
        ssi.write(0x60, 4, 0)
    assert ssi.read(0x24, 4) == 16 and ssi.read(0x28, 4) & 16
    ssi.write(0x08, 4, 0)
    assert ssi.read(0x24, 4) == 0


def test_a_transmit_only_transfer_brings_nothing_back() -> None:
    ssi = make_device("rp2040_ssi", FakePorts())
    ssi.write(0x00, 4, 1 << 8)
    ssi.write(0x60, 4, 0x06)
    assert ssi.read(0x28, 4) == 0b0110


@given(
    st.sampled_from([*OTHERS, *(f"rp2040_system.{block}" for block in BLOCKS)]),
    st.lists(st.tuples(st.integers(0, 0x7F), st.integers(0, 0xFFFFFFFF), st.sampled_from([1, 2, 4])), max_size=30),
)
def test_no_access_upsets_them(model: str, accesses: list[tuple[int, int, int]]) -> None:
    device = make_device(model, FakePorts())
    for word, value, size in accesses:
        device.write(4 * word, size, value & (1 << 8 * size) - 1)
        assert 0 <= device.read(4 * word, size) < 1 << 8 * size
