"""The shipped chip files: each is valid, and every device in it has a model that can be made."""

from __future__ import annotations

import pytest
from devices.fakeports import FakePorts

from vtarget.shell.boardlib import board_names, chip_names, load_board, load_chip
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.rules import Rules

EVERY_DEVICE = [(chip, entry.name) for chip in chip_names() for entry in load_chip(chip).devices]


@pytest.mark.parametrize("name", chip_names())
def test_file_is_valid_and_named_like_its_file(name: str) -> None:
    chip = load_chip(name)
    assert chip.name == name
    assert chip.devices, "a chip without peripherals"
    assert all(entry.source.strip() for entry in chip.devices)


@pytest.mark.parametrize("name", chip_names())
def test_interrupts_are_within_the_chips_lines(name: str) -> None:
    chip = load_chip(name)
    for entry in chip.devices:
        assert all(number < chip.interrupts for number in entry.interrupts.values()), entry.name


@pytest.mark.parametrize(("chip", "device"), EVERY_DEVICE, ids=[f"{c}-{d}" for c, d in EVERY_DEVICE])
def test_model_exists_and_answers(chip: str, device: str) -> None:
    entry = next(entry for entry in load_chip(chip).devices if entry.name == device)
    ports = FakePorts(name=entry.name, options=entry.options, clock=entry.clock, clock_hz=entry.clock_hz)
    made = make_device(entry.model, ports)
    assert 0 <= made.read(0, 4) <= 0xFFFFFFFF


def test_every_chip_is_some_boards() -> None:
    assert set(chip_names()) <= {load_board(name).chip for name in board_names()}


@pytest.mark.parametrize(
    ("chip", "device", "line", "number"),
    [
        ("mps2-an385", "UART0", "RX", 0),  # QEMU 7.2, hw/arm/mps2.c: RX's number, TX one above
        ("mps2-an385", "UART0", "TX", 1),
        ("mps2-an386", "UART4", "TX", 21),
        ("mps2-an500", "DUALTIMER", "IRQ", 10),
        ("mps2-an500", "UART2", "OVF", 12),
        ("mps2-an505", "UART0", "TX", 33),  # hw/arm/mps2-tz.c: the FPGA's interrupts start at 32
        ("mps2-an505", "UART4", "COMB", 46),
        ("mps2-an505", "TIMER1", "IRQ", 4),
    ],
)
def test_interrupt_numbers_of_the_mps2(chip: str, device: str, line: str, number: int) -> None:
    entry = next(entry for entry in load_chip(chip).devices if entry.name == device)
    assert entry.interrupts[line] == number


@pytest.mark.parametrize(
    ("chip", "address"),
    [
        ("stm32l4r5", 0x50000010),
        ("stm32f407", 0x50000010),
        ("stm32f407", 0x40040010),
        ("stm32f746", 0x50000010),
        ("stm32f746", 0x40040010),
        ("stm32u575", 0x42040010),
    ],
)
def test_the_usb_core_of_the_stm32_is_idle_and_comes_out_of_reset(chip: str, address: int) -> None:
    rules = Rules(load_chip(chip), FakePorts())
    for command in (1, 1 << 4, 1 << 5 | 0x10 << 6):  # CSRST, RXFFLSH, TXFFLSH of all FIFOs
        assert rules.read(address, 4) >> 31 == 1
        rules.write(address, 4, command)
        assert rules.read(address, 4) & 0x31 == 0
