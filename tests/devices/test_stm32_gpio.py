"""STM32 GPIO, as RM0008 9.2 (v1) and RM0090 8.4 (v2) describe it."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Option
from vtarget.shell.devices.stm32_gpio import MODELS, Stm32Gpio

MODER, OTYPER, OSPEEDR, PUPDR, IDR, ODR, BSRR, LCKR, AFRL, AFRH, BRR = range(0, 0x2C, 4)
CRL, CRH, IDR1, ODR1, BSRR1, BRR1, LCKR1 = range(0, 0x1C, 4)
LCKK = 1 << 16


def made(variant: str = "v2", **options: Option) -> tuple[Stm32Gpio, FakePorts]:
    ports = FakePorts(name="GPIOA", options=options)
    return cast(Stm32Gpio, MODELS[variant](ports)), ports


def test_v2_output_is_told_when_the_pin_is_an_output() -> None:
    gpio, ports = made()
    gpio.write(BSRR, 4, 1 << 5)
    assert ports.pins == []
    gpio.write(MODER, 4, 1 << 10)
    gpio.write(BSRR, 4, 1 << 21)
    assert ports.pins == [(0, "PA5", True), (0, "PA5", False)]


def test_v2_set_wins_over_reset_and_brr_resets() -> None:
    gpio, _ = made()
    gpio.write(BSRR, 4, 0x00030001)
    assert gpio.read(ODR, 4) == 1
    gpio.write(BRR, 4, 1)
    assert gpio.read(ODR, 4) == 0
    assert gpio.read(BSRR, 4) == 0


def test_halves_of_bsrr_set_and_reset() -> None:
    gpio, _ = made()
    gpio.write(BSRR, 2, 0x8001)  # BSRRL and BSRRH of older headers
    gpio.write(BSRR + 2, 2, 0x0001)
    assert gpio.read(ODR, 4) == 0x8000


def test_v2_input_sees_outputs_pull_ups_and_the_outside() -> None:
    gpio, _ = made()
    gpio.write(PUPDR, 4, 0b01 << 2 | 0b10 << 4)  # PA1 up, PA2 down
    gpio.write(MODER, 4, 1)
    gpio.write(ODR, 4, 1)
    assert gpio.read(IDR, 4) == 0b011
    gpio.set_input(1, False)
    gpio.set_input(2, True)
    gpio.set_input(0, False)  # the output wins
    assert gpio.read(IDR, 4) == 0b101


def test_v2_analog_pins_read_as_zero() -> None:
    gpio, _ = made(moder_reset=0xFFFFFFFF, inputs_high=0xFFFF)
    assert gpio.read(IDR, 4) == 0
    gpio.write(MODER, 4, 0xFFFFFFFC)
    assert gpio.read(IDR, 4) == 1


@pytest.mark.parametrize(
    ("moder", "pupdr", "ospeedr"),
    [(0xA8000000, 0x64000000, 0), (0xABFFFFFF, 0x64000000, 0x0C000000)],  # RM0090 8.4.1..4; RM0432 8.5.1..4
)
def test_v2_reset_values_of_port_a(moder: int, pupdr: int, ospeedr: int) -> None:
    gpio, ports = made(moder_reset=moder, pupdr_reset=pupdr, ospeedr_reset=ospeedr)
    assert [gpio.read(r, 4) for r in (MODER, OSPEEDR, PUPDR, ODR)] == [moder, ospeedr, pupdr, 0]
    assert ports.pins == []


def test_v1_reset_values_are_floating_inputs() -> None:
    gpio, _ = made("v1")
    assert gpio.read(CRL, 4) == gpio.read(CRH, 4) == 0x44444444
    assert gpio.read(IDR1, 4) == 0


def test_v1_output_modes() -> None:
    gpio, ports = made("v1")
    gpio.write(CRH, 4, 0x44344444)  # PC13-like: MODE 3, push-pull, on pin 13
    gpio.write(CRL, 4, 0x444444B6)  # pin 0 open drain, pin 1 alternate push-pull
    gpio.write(BSRR1, 4, 0x2003)
    assert ports.pins == [(0, "PA13", False), (0, "PA0", False), (0, "PA0", True), (0, "PA13", True)]
    assert gpio.read(IDR1, 4) == 0x2001
    gpio.write(BRR1, 4, 0x2000)
    assert ports.pins[-1] == (0, "PA13", False)


def test_v1_pull_follows_odr_and_analog_reads_zero() -> None:
    gpio, _ = made("v1")
    gpio.write(CRL, 4, 0x44444088)  # pins 0 and 1 pulled, pin 2 analog
    gpio.write(ODR1, 4, 0b101)
    assert gpio.read(IDR1, 4) == 0b001
    gpio.set_input(0, False)
    gpio.set_input(2, True)
    assert gpio.read(IDR1, 4) == 0


def lock(gpio: Stm32Gpio, register: int, pins: int) -> None:
    for value in (LCKK | pins, pins, LCKK | pins):
        gpio.write(register, 4, value)


def test_v2_lock_keeps_the_configuration_until_reset() -> None:
    gpio, _ = made()
    lock(gpio, LCKR, 1 << 9 | 1)
    assert gpio.read(LCKR, 4) == LCKK | 0x201
    for register in (MODER, PUPDR, AFRL, AFRH, OTYPER):
        gpio.write(register, 4, 0xFFFFFFFF)
    assert gpio.read(MODER, 4) == 0xFFFFFFFF & ~(3 << 18 | 3)
    assert gpio.read(OTYPER, 4) & 0xFFFF == 0xFDFE
    assert gpio.read(AFRL, 4) == 0xFFFFFFF0
    assert gpio.read(AFRH, 4) == 0xFFFFFF0F
    gpio.write(LCKR, 4, 0)
    assert gpio.read(LCKR, 4) == LCKK | 0x201
    gpio.write(ODR, 4, 0x201)
    assert gpio.read(ODR, 4) == 0x201


def test_v1_lock() -> None:
    gpio, _ = made("v1")
    lock(gpio, LCKR1, 1 << 8)
    gpio.write(CRH, 4, 0x33333333)
    assert gpio.read(CRH, 4) == 0x33333334


def test_a_broken_sequence_does_not_lock() -> None:
    gpio, _ = made()
    for value in (LCKK | 1, 1, LCKK | 2):
        gpio.write(LCKR, 4, value)
    assert not gpio.read(LCKR, 4) & LCKK


@given(st.lists(st.tuples(st.sampled_from([ODR, BSRR, BRR]), st.integers(0, 0xFFFFFFFF)), max_size=20))
def test_odr_follows_the_arithmetic_of_its_registers(writes: list[tuple[int, int]]) -> None:
    gpio, ports = made(moder_reset=0x55555555)
    expected = 0
    for register, value in writes:
        gpio.write(register, 4, value)
        if register == ODR:
            expected = value & 0xFFFF
        elif register == BRR:
            expected &= ~value
        else:
            expected = (expected & ~(value >> 16)) | value & 0xFFFF
    assert gpio.read(ODR, 4) == expected
    last = {pin: level for _, pin, level in ports.pins}
    if writes:
        assert last == {f"PA{pin}": bool(expected >> pin & 1) for pin in range(16)}
