"""The nRF random number generator and temperature sensor, as their chapters of the nRF52840 PS describe them."""

from __future__ import annotations

import pytest

from devices.fakeports import FakePorts
from vtarget.shell.devices.nrf_rng import NrfRng
from vtarget.shell.devices.nrf_temp import NrfTemp
from vtarget.shell.devices.prng import Pcg32

START, STOP, EVENT, SHORTS, INTENSET, INTENCLR, CONFIG, RESULT = 0, 4, 0x100, 0x200, 0x304, 0x308, 0x504, 0x508


def rng() -> tuple[NrfRng, FakePorts]:
    ports = FakePorts(core_hz=1_000_000)
    return NrfRng(ports), ports


@pytest.mark.parametrize(("config", "byte_us"), [(0, 30), (1, 120)])
def test_bytes_come_one_after_the_other(config: int, byte_us: int) -> None:
    device, ports = rng()
    device.write(CONFIG, 4, config)
    device.write(START, 4, 1)
    ports.advance(128 + byte_us - 1)
    assert device.read(EVENT, 4) == 0
    ports.advance(1)
    assert device.read(EVENT, 4) == 1
    words = Pcg32(1)
    assert device.read(RESULT, 4) == words.next() & 0xFF
    device.write(EVENT, 4, 0)
    ports.advance(byte_us)
    assert device.read(EVENT, 4) == 1
    assert device.read(RESULT, 4) == words.next() & 0xFF


def test_stop_and_shortcut() -> None:
    device, ports = rng()
    device.write(START, 4, 1)
    ports.advance(100)
    device.write(STOP, 4, 1)
    ports.advance(1000)
    assert device.read(EVENT, 4) == 0
    device.write(SHORTS, 4, 1)
    device.write(START, 4, 1)
    ports.advance(1000)
    assert device.read(EVENT, 4) == 1
    device.write(EVENT, 4, 0)
    ports.advance(1000)
    assert device.read(EVENT, 4) == 0


def test_interrupt_follows_event_and_enable() -> None:
    device, ports = rng()
    device.write(INTENSET, 4, 1)
    assert device.read(INTENCLR, 4) == 1
    device.write(START, 4, 1)
    ports.advance(158)
    assert ports.irq
    device.write(EVENT, 4, 0)
    assert not ports.irq
    ports.advance(30)
    device.write(INTENCLR, 4, 1)
    assert not ports.irq
    assert device.read(INTENSET, 4) == 0
    assert [level for _, _, level in ports.irq_log] == [True, False, True, False]


@pytest.mark.parametrize(("celsius", "quarters"), [(25, 100), (-40, -160), (0, 0)])
def test_temperature_after_36_us(celsius: int, quarters: int) -> None:
    ports = FakePorts(core_hz=1_000_000, options={"celsius": celsius})
    temp = NrfTemp(ports)
    temp.write(INTENSET, 4, 1)
    temp.write(START, 4, 1)
    ports.advance(35)
    assert not ports.irq
    ports.advance(1)
    assert ports.irq
    assert temp.read(RESULT, 4) == quarters & 0xFFFFFFFF


def test_stopped_measurement_gives_nothing() -> None:
    ports = FakePorts(core_hz=1_000_000)
    temp = NrfTemp(ports)
    temp.write(START, 4, 1)
    temp.write(STOP, 4, 1)
    ports.advance(100)
    assert temp.read(EVENT, 4) == 0
    temp.write(RESULT, 4, 7)
    assert temp.read(RESULT, 4) == 0
