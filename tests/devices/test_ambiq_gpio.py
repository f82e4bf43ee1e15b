"""Ambiq's GPIO: pads behind their key, outputs, inputs and interrupts of both generations."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.ambiq_gpio import APOLLO3, APOLLO4, MODELS, AmbiqGpio, Layout

KEY = 0x73
BOTH = pytest.mark.parametrize(("variant", "at"), [("apollo3", APOLLO3), ("apollo4", APOLLO4)])
GPIO, INPEN = 3, 0x10  # PINCFG of Apollo4
PUSH_PULL, OPEN_DRAIN, TRI_STATE = 1 << 8, 2 << 8, 3 << 8


def made(variant: str) -> tuple[AmbiqGpio, FakePorts]:
    ports = FakePorts(name="GPIO")
    return cast(AmbiqGpio, MODELS[variant](ports)), ports


def output(gpio: AmbiqGpio, at: Layout, pin: int, outcfg: int) -> None:
    """Configure a pin as AmbiqSuite does: key, pad, lock."""
    gpio.write(at.padkey, 4, KEY)
    if at is APOLLO4:
        gpio.write(4 * pin, 4, GPIO | INPEN | outcfg << 8)
    else:
        pad, shift = pin // 4 * 4, 8 * (pin % 4)
        gpio.write(pad, 4, gpio.read(pad, 4) & ~(0xFF << shift) | 0x1A << shift)
        config, shift = 0x40 + pin // 8 * 4, 4 * (pin % 8)
        gpio.write(config, 4, gpio.read(config, 4) & ~(0xF << shift) | outcfg << 1 + shift)
    gpio.write(at.padkey, 4, 0)


@BOTH
def test_push_pull_output(variant: str, at: Layout) -> None:
    gpio, ports = made(variant)
    output(gpio, at, 22, 1)
    gpio.write(at.wts, 4, 1 << 22)
    assert gpio.read(at.rd, 4) == gpio.read(at.wt, 4) == 1 << 22
    gpio.write(at.wtc, 4, 1 << 22)
    assert ports.pins == [(0, "GPIO22", False), (0, "GPIO22", True), (0, "GPIO22", False)]


@BOTH
def test_pins_of_the_second_bank(variant: str, at: Layout) -> None:
    gpio, ports = made(variant)
    output(gpio, at, 33, 1)
    gpio.write(at.wt + 4, 4, 1 << 1)
    assert ports.pins[-1] == (0, "GPIO33", True)
    assert gpio.read(at.rd + 4, 4) == 2
    assert gpio.read(at.wt, 4) == 0


@BOTH
def test_tri_state_output_needs_its_enable(variant: str, at: Layout) -> None:
    gpio, ports = made(variant)
    output(gpio, at, 5, 3)
    gpio.write(at.wts, 4, 1 << 5)
    assert ports.pins == []
    gpio.write(at.ens, 4, 1 << 5)
    assert gpio.read(at.en, 4) == 1 << 5
    assert ports.pins == [(0, "GPIO5", True)]
    gpio.write(at.enc, 4, 1 << 5)
    gpio.write(at.wtc, 4, 1 << 5)
    assert ports.pins == [(0, "GPIO5", True)]


@BOTH
def test_pads_need_the_key(variant: str, at: Layout) -> None:
    gpio, _ = made(variant)
    before = gpio.read(0, 4)
    gpio.write(0, 4, 0)
    assert gpio.read(0, 4) == before
    gpio.write(at.padkey, 4, KEY)
    gpio.write(0, 4, 0)
    assert gpio.read(0, 4) == 0


@BOTH
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 0xFFFFFFFF)), max_size=10))
def test_output_registers(variant: str, at: Layout, writes: list[tuple[int, int, int]]) -> None:
    gpio, _ = made(variant)
    expected = [0, 0]
    for register, bank, value in writes:
        gpio.write((at.wt, at.wts, at.wtc)[register] + 4 * bank, 4, value)
        old = expected[bank]
        expected[bank] = (value, old | value, old & ~value)[register]
    limit = 0xFFFFFFFF if at is APOLLO4 else 0x3FFFF  # Apollo3 ends with pin 49
    assert gpio.read(at.wt, 4) == expected[0]
    assert gpio.read(at.wt + 4, 4) == expected[1] & limit


def test_reset_values() -> None:
    old, _ = made("apollo3")
    assert [old.read(o, 4) for o in (0x00, 0x14, 0x30, 0x40)] == [0x18181818, 0x18180202, 0x1818, 0]
    new, _ = made("apollo4")
    assert [new.read(4 * pin, 4) for pin in (0, 20, 21, 127)] == [3, 0, 0, 3]


def test_apollo4_input_buffer_read_zero_and_pull_up() -> None:
    gpio, _ = made("apollo4")
    gpio.write(0x200, 4, KEY)
    for config, level in ((0, 0), (INPEN, 0), (INPEN | 6 << 13, 1), (INPEN | 1 << 13, 0), (INPEN | 0x20 | 6 << 13, 0)):
        gpio.write(4 * 18, 4, GPIO | config)
        assert gpio.read(0x204, 4) >> 18 & 1 == level
    gpio.write(4 * 18, 4, GPIO | INPEN | 6 << 13)
    gpio.set_input(18, False)
    assert gpio.read(0x204, 4) == 0


def test_a_pin_of_another_function_is_not_driven() -> None:
    gpio, ports = made("apollo4")
    gpio.write(0x200, 4, KEY)
    gpio.write(4 * 60, 4, 4 | PUSH_PULL)
    gpio.write(0x218, 4, 1 << 28)
    assert ports.pins == []


def test_apollo4_interrupts_of_edges() -> None:
    gpio, ports = made("apollo4")
    enable, status, clear = 0x2D0, 0x2D4, 0x2D8  # N0, pins 32 to 63
    gpio.write(0x200, 4, KEY)
    gpio.write(4 * 40, 4, GPIO | INPEN | 1 << 6)  # falling
    gpio.write(enable, 4, 1 << 8)
    gpio.set_input(40, True)
    assert gpio.read(status, 4) == 0
    gpio.set_input(40, False)
    assert gpio.read(status, 4) == 1 << 8
    assert ports.irqs == {"N0_1": True}
    gpio.write(clear, 4, 1 << 8)
    assert ports.irqs == {"N0_1": False}
    assert gpio.read(0x314, 4) == 1 << 8  # N1 has its own status


@pytest.mark.parametrize(
    ("config", "edges"),
    [(0b0000, (1, 0)), (0b1000, (0, 1)), (0b1001, (1, 1)), (0b0001, (0, 0))],  # INTD, INCFG: LH, HL, BOTH, DIS
)
def test_apollo3_interrupt_directions(config: int, edges: tuple[int, int]) -> None:
    gpio, ports = made("apollo3")
    gpio.write(0x60, 4, KEY)
    gpio.write(0x00, 4, 0x1818181A)
    gpio.write(0x40, 4, config)
    gpio.write(0x200, 4, 1)
    for level, edge in zip((True, False), edges, strict=True):
        gpio.set_input(0, level)
        assert gpio.read(0x204, 4) == edge
        assert ports.irq == bool(edge)
        gpio.write(0x208, 4, 1)


def test_apollo3_interrupt_by_software_in_either_bank() -> None:
    gpio, ports = made("apollo3")
    gpio.write(0x210, 4, 1 << 17)
    gpio.write(0x21C, 4, 1 << 17)
    assert ports.irq
    gpio.write(0x218 + 2, 1, 1 << 1)
    assert not ports.irq
    assert gpio.read(0x214, 4) == 0
