"""Pins of a port: what is told to the board, and what is read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.pins import Pins, bits, fields_equal, spread

NAMES = [f"P{i}" for i in range(8)]


def test_bits() -> None:
    assert bits(0) == []
    assert bits(0b1010_0001) == [0, 5, 7]


def test_only_driven_pins_are_told_and_only_when_they_change() -> None:
    ports = FakePorts()
    pins = Pins(ports, NAMES)
    pins.drive(0b01, 0b11)
    pins.drive(0b01, 0b01)
    pins.drive(0b11, 0b01)
    pins.drive(0b10, 0b10)
    assert ports.pins == [(0, "P0", True), (0, "P1", False), (0, "P1", True)]


def test_a_pin_that_is_driven_again_is_told_if_it_differs() -> None:
    ports = FakePorts()
    pins = Pins(ports, NAMES)
    for driven, levels in ((1, 1), (0, 1), (1, 1), (0, 0), (1, 0)):
        pins.drive(driven, levels)
    assert [level for _, _, level in ports.pins] == [True, False]


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_seen(driven: int, levels: int, inputs: int, floating: int) -> None:
    pins = Pins(FakePorts(options={"inputs_high": inputs}), NAMES)
    pins.drive(driven, levels)
    for bit in range(8):
        one = 1 << bit
        expected = levels if driven & one else inputs | floating
        assert pins.seen(floating) & one == expected & one


def test_option_of_the_wrong_kind_counts_as_absent() -> None:
    assert Pins(FakePorts(options={"inputs_high": "high"}), NAMES).seen() == 0


def test_what_the_outside_holds_overrides_a_pull_up() -> None:
    pins = Pins(FakePorts(options={"inputs_low": 0b01, "inputs_high": 0b100}), NAMES)
    assert pins.seen(0b11) == 0b110
    pins.set_input(1, False)
    pins.set_input(0, True)
    assert pins.seen(0b11) == 0b101


@given(st.integers(0, 0xFFFF), st.sampled_from([1, 2, 4]))
def test_fields_of_pins(mask: int, width: int) -> None:
    full = (1 << width) - 1
    assert fields_equal(spread(mask, width), width, full) == mask
    assert spread(0b101, 2) == 0b110011
