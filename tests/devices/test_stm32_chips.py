"""The chip files of the STM32s: clocks that their RCC makes, regions that their board has, numbers of the manuals."""

from __future__ import annotations

import pytest

from devices.fakeports import FakePorts
from vtarget.data.chip import Chip, DeviceEntry
from vtarget.shell.boardlib import board_names, load_board, load_chip
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_flash_core import Stm32Flash
from vtarget.shell.devices.stm32_rcc_tree import Stm32Rcc

BOARDS = {chip: name for name in board_names() if (chip := load_board(name).chip or "").startswith("stm32")}


def entry(chip: Chip, name: str) -> DeviceEntry:
    return next(device for device in chip.devices if device.name == name)


def frequencies(chip: Chip) -> dict[str, int]:
    rcc = entry(chip, "RCC")
    made = make_device(rcc.model, FakePorts(name="RCC", options=rcc.options))
    assert isinstance(made, Stm32Rcc)
    return made.frequencies()


def test_six_families() -> None:
    assert sorted(BOARDS) == ["stm32f103", "stm32f407", "stm32f746", "stm32g071", "stm32l4r5", "stm32u575"]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_device_runs_at_a_clock_that_the_rcc_makes(name: str) -> None:
    chip = load_chip(name)
    made = frequencies(chip)
    assert {device.clock for device in chip.devices} <= made.keys()
    assert chip.systick_clock in made
    assert chip.reset_clock == made["HCLK"]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_wait_states_go_to_regions_of_the_board(name: str) -> None:
    flash_entry = entry(load_chip(name), "FLASH")
    ports = FakePorts(options=flash_entry.options)
    flash = make_device(flash_entry.model, ports)
    assert isinstance(flash, Stm32Flash)
    flash.write(0, 4, 2)
    assert ports.wait_states
    assert ports.wait_states.keys() <= {region.name for region in load_board(BOARDS[name]).regions}


@pytest.mark.parametrize(
    ("chip", "device", "base", "line", "number"),
    [
        ("stm32l4r5", "LPUART1", 0x40008000, "IRQ", 70),
        ("stm32l4r5", "TIM1", 0x40012C00, "UP", 25),
        ("stm32l4r5", "DMA2", 0x40020400, "CH6", 68),
        ("stm32f407", "USART2", 0x40004400, "IRQ", 38),
        ("stm32f407", "DMA1", 0x40026000, "S7", 47),
        ("stm32f407", "EXTI", 0x40013C00, "LINE15_10", 40),
        ("stm32f103", "USART2", 0x40004400, "IRQ", 38),
        ("stm32f103", "DMA1", 0x40020000, "CH7", 17),
        ("stm32f103", "EXTI", 0x40010400, "LINE9_5", 23),
        ("stm32f103", "TIM1", 0x40012C00, "CC", 27),
        ("stm32f746", "UART8", 0x40007C00, "IRQ", 83),
        ("stm32f746", "TIM5", 0x40000C00, "IRQ", 50),
        ("stm32u575", "USART1", 0x40013800, "IRQ", 61),
        ("stm32u575", "GPDMA1", 0x40020000, "CH15", 87),
        ("stm32u575", "RCC", 0x46020C00, "IRQ", 9),
        ("stm32g071", "LPUART1", 0x40008000, "IRQ", 29),
        ("stm32g071", "TIM14", 0x40002000, "IRQ", 19),
    ],
)
def test_places_and_numbers_of_the_cmsis_headers(chip: str, device: str, base: int, line: str, number: int) -> None:
    found = entry(load_chip(chip), device)
    assert (found.base, found.interrupts[line]) == (base, number)


def test_timers_of_32_bits() -> None:
    wide = {
        name: [device.name for device in load_chip(name).devices if device.options.get("bits") == 32] for name in BOARDS
    }
    assert wide == {
        **{name: ["TIM2", "TIM5"] for name in ("stm32l4r5", "stm32f407", "stm32f746")},
        "stm32u575": ["TIM2", "TIM3", "TIM4", "TIM5"],
        "stm32g071": ["TIM2"],
        "stm32f103": [],
    }
