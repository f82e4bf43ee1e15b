"""The RP2040's atomic aliases (datasheet 2.1.2), as pico-sdk's hw_xor_bits, hw_set_bits and hw_clear_bits use them."""

from __future__ import annotations

from typing import cast

import pytest
from devices.fakeports import FakePorts
from hypothesis import given
from hypothesis import strategies as st

from vtarget.shell.bus import Bus, Mapping, Registers
from vtarget.shell.devices.registry import make_device
from vtarget.shell.timeline import Timeline

BASE = 0x40054000
XOR, SET, CLEAR = BASE + 0x1000, BASE + 0x2000, BASE + 0x3000
ALARM0, INTR, INTE = 0x10, 0x34, 0x38
WORDS = st.integers(0, 0xFFFFFFFF)


def bus_of(model: str, ports: FakePorts) -> Bus:
    mapping = Mapping("X", BASE, 0x1000, make_device(model, ports), atomic=True)
    return Bus([mapping], None, cast(Registers, None), cast(Timeline, None), bit_band=False)


@given(WORDS, WORDS)
def test_they_xor_set_and_clear_bits(old: int, bits: int) -> None:
    bus = bus_of("rp2040_timer", FakePorts())
    for alias, expected in ((XOR, old ^ bits), (SET, old | bits), (CLEAR, old & ~bits)):
        bus.poke(BASE + INTE, 4, old)
        bus.poke(alias + INTE, 4, bits)
        assert bus.peek(BASE + INTE, 4) == expected
        assert bus.peek(alias + INTE, 4) == expected  # reads are the same through every alias


@pytest.mark.parametrize("view", [BASE, SET, CLEAR])
def test_an_alarm_is_acknowledged_through_any_of_them(view: int) -> None:
    ports = FakePorts(core_hz=1_000_000, clock_hz=1_000_000)
    bus = bus_of("rp2040_timer", ports)
    ports.set_signal("WATCHDOG_TICK", True)
    bus.poke(SET + INTE, 4, 1)
    bus.poke(BASE + ALARM0, 4, 5)
    ports.advance(5)
    assert (bus.peek(BASE + INTR, 4), ports.irqs["ALARM0"]) == (1, True)
    bus.poke(view + INTR, 4, 1)
    assert (bus.peek(BASE + INTR, 4), ports.irqs["ALARM0"]) == (0, False)


def test_an_edge_of_a_pin_is_acknowledged_through_the_clear_alias() -> None:
    ports = FakePorts()
    bus = bus_of("rp2040_io_bank", ports)
    ports.set_signal("GPIO0", True)
    edge_high, intr0 = 1 << 3, 0xF0
    assert bus.peek(BASE + intr0, 4) & edge_high
    bus.poke(CLEAR + intr0, 4, edge_high)
    assert not bus.peek(BASE + intr0, 4) & edge_high
