"""EXTI and SYSCFG: software triggers, edges of pins, pending bits and the lines of each family."""

from __future__ import annotations

from typing import cast

import pytest

from devices.fakeports import FakePorts
from vtarget.shell.devices import stm32_gpio
from vtarget.shell.devices.stm32_exti import MODELS, Stm32Exti
from vtarget.shell.devices.stm32_gpio import Stm32Gpio
from vtarget.shell.devices.stm32_syscfg import Stm32Syscfg

IMR, EMR, RTSR, FTSR, SWIER, PR = range(0, 0x18, 4)
IMR2, SWIER2, PR2 = 0x20, 0x30, 0x34
SPLIT_RTSR, SPLIT_FTSR, SPLIT_SWIER, RPR, FPR, EXTICR1, SPLIT_IMR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x60, 0x80


def made(variant: str, imr_reset: int = 0) -> tuple[Stm32Exti, FakePorts]:
    ports = FakePorts(name="EXTI", options={"imr_reset": imr_reset})
    return cast(Stm32Exti, MODELS[variant](ports)), ports


def test_f4_software_interrupt() -> None:
    exti, ports = made("f4")
    exti.write(IMR, 4, 1 << 3)
    exti.write(SWIER, 4, 1 << 3)
    assert exti.read(PR, 4) == exti.read(SWIER, 4) == 1 << 3
    assert ports.irqs == {"LINE3": True}
    exti.write(PR, 4, 1 << 3)
    assert exti.read(PR, 4) == exti.read(SWIER, 4) == 0
    assert ports.irqs == {"LINE3": False}


def test_f4_software_trigger_needs_the_mask_and_a_zero() -> None:
    exti, _ = made("f4")
    exti.write(SWIER, 4, 1)
    assert exti.read(PR, 4) == 0
    exti.write(IMR, 4, 1)
    exti.write(SWIER, 4, 1)  # was 1 already
    assert exti.read(PR, 4) == 0


def test_f4_second_bank() -> None:
    exti, ports = made("f4")
    exti.write(IMR2, 4, 1 << 3)
    exti.write(SWIER2, 4, 1 << 3)
    assert exti.read(PR2, 4) == 1 << 3
    assert ports.irqs == {"LINE35": True}


@pytest.mark.parametrize(
    ("variant", "line", "name"),
    [
        ("f4", 4, "LINE4"),
        ("f4", 5, "LINE9_5"),
        ("f4", 9, "LINE9_5"),
        ("f4", 10, "LINE15_10"),
        ("f4", 17, "LINE17"),
        ("g0", 1, "LINE1_0"),
        ("g0", 2, "LINE3_2"),
        ("g0", 15, "LINE15_4"),
        ("u5", 15, "LINE15"),
    ],
)
def test_interrupt_lines(variant: str, line: int, name: str) -> None:
    exti, ports = made(variant, imr_reset=0xFFFFFFFF)
    exti.write(SWIER if variant == "f4" else SPLIT_SWIER, 4, 1 << line)
    assert ports.irqs == {name: True}


def test_shared_line_stays_until_the_last_is_cleared() -> None:
    exti, ports = made("f4", imr_reset=0x60)
    exti.write(SWIER, 4, 0x60)
    exti.write(PR, 4, 0x20)
    assert ports.irqs["LINE9_5"]
    exti.write(PR, 4, 0x40)
    assert not ports.irqs["LINE9_5"]


def test_g0_software_trigger_is_a_rising_edge() -> None:
    exti, ports = made("g0")
    exti.write(SPLIT_SWIER, 4, 1 << 7)
    assert exti.read(RPR, 4) == 1 << 7
    assert exti.read(SPLIT_SWIER, 4) == exti.read(FPR, 4) == 0
    assert ports.irqs == {}
    exti.write(SPLIT_IMR, 4, 1 << 7)
    assert ports.irqs == {"LINE15_4": True}
    exti.write(RPR, 4, 1 << 7)
    assert ports.irqs == {"LINE15_4": False}


def test_mask_reset_value_and_events_are_noted() -> None:
    exti, ports = made("g0", imr_reset=0xFFF80000)
    assert exti.read(SPLIT_IMR, 4) == 0xFFF80000
    exti.write(0x84, 4, 1)
    assert ports.notes == ["EXTI: events for WFE (EMR) are not modelled"]


def board(variant: str) -> tuple[Stm32Exti, Stm32Gpio, Stm32Syscfg, FakePorts]:
    """EXTI, port C and SYSCFG on the same signals."""
    exti, ports = made(variant)
    port_c = FakePorts(name="GPIOC")
    port_c.signals, port_c.watchers = ports.signals, ports.watchers
    gpio = cast(Stm32Gpio, stm32_gpio.MODELS["v2"](port_c))
    return exti, gpio, Stm32Syscfg(ports), ports


def test_f4_button_on_pc13() -> None:
    exti, gpio, syscfg, ports = board("f4")
    gpio.write(0x0C, 4, 1 << 26)  # pull-up
    syscfg.write(0x14, 4, 2 << 4)  # EXTICR4: line 13 is port C
    exti.write(FTSR, 4, 1 << 13)
    exti.write(IMR, 4, 1 << 13)
    gpio.set_input(13, False)
    assert exti.read(PR, 4) == 1 << 13
    assert ports.irqs["LINE15_10"]
    exti.write(PR, 4, 1 << 13)
    gpio.set_input(13, True)
    assert exti.read(PR, 4) == 0


def test_other_ports_pin_is_not_seen() -> None:
    exti, gpio, _, _ = board("f4")
    exti.write(RTSR, 4, 1 << 13)
    gpio.set_input(13, True)  # line 13 is port A after reset
    assert exti.read(PR, 4) == 0


@pytest.mark.parametrize("variant", ["g0", "u5"])
def test_split_pending_registers_by_edge(variant: str) -> None:
    exti, gpio, _, _ = board(variant)
    exti.write(EXTICR1, 4, 2 << 8)  # line 1 is port C
    exti.write(SPLIT_RTSR, 4, 2)
    exti.write(SPLIT_FTSR, 4, 2)
    gpio.set_input(1, True)
    assert (exti.read(RPR, 4), exti.read(FPR, 4)) == (2, 0)
    exti.write(RPR, 4, 2)
    gpio.set_input(1, False)
    assert (exti.read(RPR, 4), exti.read(FPR, 4)) == (0, 2)


def test_an_output_pin_drives_its_line() -> None:
    exti, gpio, syscfg, _ = board("f4")
    syscfg.write(0x08, 4, 2)  # EXTICR1: line 0 is port C
    exti.write(RTSR, 4, 1)
    gpio.write(0x00, 4, 1)
    gpio.write(0x18, 4, 1)
    assert exti.read(PR, 4) == 1


def test_syscfg_is_memory_with_bits_that_read_as_set() -> None:
    ports = FakePorts(name="SYSCFG", options={"ready_offset": 0x20, "ready_mask": 0x100})
    syscfg = Stm32Syscfg(ports)
    syscfg.write(0x20, 4, 1)
    syscfg.write(0x04, 4, 0x00800000)
    assert syscfg.read(0x20, 4) == 0x101
    assert syscfg.read(0x04, 4) == 0x00800000
