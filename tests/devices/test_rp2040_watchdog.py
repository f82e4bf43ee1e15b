"""RP2040 watchdog: datasheet 4.7, with erratum RP2040-E1."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.rp2040_watchdog import (
    CTRL,
    ENABLE,
    FORCED,
    LOAD,
    REASON,
    SCRATCH0,
    TICK,
    TICK_ENABLE,
    TIMED_OUT,
    TRIGGER,
    Rp2040Watchdog,
)


def watchdog(ports: FakePorts, *, load: int = 0) -> Rp2040Watchdog:
    made = Rp2040Watchdog(ports)
    made.write(TICK, 4, TICK_ENABLE | 12)
    if load:
        made.write(LOAD, 4, load)
        made.write(CTRL, 4, ENABLE)
    return made


def test_reset_values() -> None:
    ports = FakePorts()
    device = Rp2040Watchdog(ports)
    assert [device.read(r, 4) for r in (CTRL, LOAD, REASON, SCRATCH0, TICK)] == [0x07000000, 0, 0, 0, 0x200]
    assert not ports.signals.get("WATCHDOG_TICK", False)


def test_the_tick_runs_once_its_cycles_are_set() -> None:
    ports = FakePorts()
    device = watchdog(ports)
    assert ports.signals["WATCHDOG_TICK"]
    assert device.read(TICK, 4) == 0x60C
    device.write(TICK, 4, 12)
    assert not ports.signals["WATCHDOG_TICK"] and device.read(TICK, 4) == 12


def test_counts_two_for_each_tick_of_twelve_cycles() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = watchdog(ports, load=2000)
    ports.advance(12 * 100)
    assert device.read(CTRL, 4) == ENABLE | 1800
    ports.advance(12 * 900 - 1)
    assert ports.resets == 0
    ports.advance(1)
    assert ports.resets == 1
    assert device.read(REASON, 4) == TIMED_OUT
    ports.advance(12_000_000)
    assert ports.resets == 1


def test_feeding_it_in_time_keeps_it_from_firing() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = watchdog(ports, load=2000)
    for _ in range(5):
        ports.advance(12 * 999)
        device.write(LOAD, 4, 2000)
    assert ports.resets == 0


def test_scratch_survives_a_forced_reset() -> None:
    ports = FakePorts()
    device = watchdog(ports)
    for index in range(8):
        device.write(SCRATCH0 + 4 * index, 4, 0xB007C0D3 + index)
    device.write(CTRL, 4, TRIGGER)
    assert ports.resets == 1 and device.read(REASON, 4) == FORCED
    assert [device.read(SCRATCH0 + 4 * index, 4) for index in range(8)] == [0xB007C0D3 + n for n in range(8)]
    assert device.read(CTRL, 4) == 0x07000000 and not ports.signals["WATCHDOG_TICK"]


def test_disabled_or_without_tick_it_stands_still() -> None:
    ports = FakePorts(core_hz=12_000_000)
    device = watchdog(ports, load=100)
    device.write(CTRL, 4, 0)
    ports.advance(12_000)
    assert device.read(CTRL, 4) == 100
    device.write(CTRL, 4, ENABLE)
    device.write(TICK, 4, 12)
    ports.advance(12_000)
    assert device.read(CTRL, 4) == ENABLE | 100 and ports.resets == 0


@given(cycles=st.integers(1, 0x1FF), load=st.integers(1, 0xFFFFFF))
def test_the_time_to_a_reset(cycles: int, load: int) -> None:
    ports = FakePorts()
    device = watchdog(ports)
    device.write(TICK, 4, TICK_ENABLE | cycles)
    device.write(LOAD, 4, load)
    device.write(CTRL, 4, ENABLE)
    ports.advance((load + 1) // 2 * cycles - 1)
    assert ports.resets == 0
    ports.advance(1)
    assert ports.resets == 1
