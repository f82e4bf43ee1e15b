"""Quantities with units: literal readings, refusals with their text, and the round trip."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.base.strictyaml import FieldError, Model
from vtarget.base.units import (
    CURRENT,
    ENERGY,
    FREQUENCY,
    POWER,
    SIZE,
    TIME,
    VOLTAGE,
    Address,
    Bytes,
    Dimension,
    Hertz,
    Watts,
    exact,
    parse,
    readable,
)


class Sample(Model):
    address: Address = 0
    size: Bytes = 0
    clock: Hertz = 1
    power: Watts = 0.0


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("120 MHz", FREQUENCY, 120_000_000),
        ("120MHz", FREQUENCY, 120_000_000),
        ("12.5 MHz", FREQUENCY, 12_500_000),
        ("32768 Hz", FREQUENCY, 32768),
        ("2 MiB", SIZE, 0x200000),
        ("192 KiB", SIZE, 0x30000),
        ("0.5 KiB", SIZE, 512),
        ("17", SIZE, 17),
        ("1.8 V", VOLTAGE, Fraction(9, 5)),
        ("42.2 mW", POWER, Fraction(422, 10_000)),
        ("4.5 uW", POWER, Fraction(45, 10_000_000)),
        ("4.5 µW", POWER, Fraction(45, 10_000_000)),
        ("23.4 mA", CURRENT, Fraction(234, 10_000)),
        ("20 ms", TIME, Fraction(1, 50)),
        ("350 pJ", ENERGY, Fraction(350, 10**12)),
    ],
)
def test_parse_reads_number_and_unit(text: str, dimension: Dimension, value: Fraction) -> None:
    assert parse(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "message", "hint"),
    [
        ("2 MHz", SIZE, "'2 MHz' is not a size in bytes", "MHz is the unit of a frequency; write it like '192 KiB'"),
        ("64 kB", SIZE, "'64 kB' is not a size in bytes", "did you mean '64 KiB'?"),
        ("120 mhz", FREQUENCY, "'120 mhz' is not a frequency", "did you mean '120 MHz'?"),
        ("120", FREQUENCY, "'120' has no unit, expected a frequency in Hz, kHz, MHz, GHz", "like '120 MHz'"),
        ("fast", FREQUENCY, "'fast' is not a frequency", "write it like '120 MHz'"),
        ("-1 MHz", FREQUENCY, "'-1 MHz' is negative", None),
        ("0 Hz", FREQUENCY, "'0 Hz' is out of range, a frequency is 1 Hz to 10 GHz", None),
        ("99 GHz", FREQUENCY, "'99 GHz' is out of range, a frequency is 1 Hz to 10 GHz", None),
        ("0.5 Hz", FREQUENCY, "'0.5 Hz' is out of range, a frequency is 1 Hz to 10 GHz", None),
        ("1.5 Hz", FREQUENCY, "'1.5 Hz' is not a whole number of Hz", None),
        ("8 GiB", SIZE, "'8 GiB' is out of range, a size in bytes is 0 B to 4 GiB", None),
        ("0.3 KiB", SIZE, "'0.3 KiB' is not a whole number of B", None),
        ("1.8 A", VOLTAGE, "'1.8 A' is not a voltage", "A is the unit of a current; write it like '1.8 V'"),
        ("3 furlongs", POWER, "'3 furlongs' is not a power", "units: pW, nW, uW, mW, W"),
        ("nan W", POWER, "'nan W' is not a power", "write it like '42.2 mW'"),
        ("1e3 W", POWER, "'1e3 W' is not a power", "write it like '42.2 mW'"),
    ],
)
def test_parse_names_what_is_expected(text: str, dimension: Dimension, message: str, hint: str | None) -> None:
    with pytest.raises(FieldError) as caught:
        parse(text, dimension)
    assert (str(caught.value), caught.value.hint) == (message, hint)


@given(st.integers(0, 1 << 32))
def test_sizes_round_trip(size_bytes: int) -> None:
    assert parse(exact(size_bytes, SIZE), SIZE) == size_bytes


@given(st.integers(1, 10**10))
def test_frequencies_round_trip(clock_hz: int) -> None:
    assert parse(exact(clock_hz, FREQUENCY), FREQUENCY) == clock_hz


@given(st.decimals(0, 999, places=12), st.sampled_from([VOLTAGE, POWER, CURRENT, TIME, ENERGY]))
def test_fractions_round_trip_to_the_last_digit(value: object, dimension: Dimension) -> None:
    number = Fraction(str(value))
    assert float(parse(exact(number, dimension), dimension)) == float(number)


def test_exact_takes_the_largest_whole_unit() -> None:
    assert [exact(n, SIZE) for n in (0, 513, 0x30000, 0x200000)] == ["0 B", "513 B", "192 KiB", "2 MiB"]
    assert [exact(n, FREQUENCY) for n in (32768, 12_500_000, 120_000_000)] == ["32768 Hz", "12500 kHz", "120 MHz"]
    assert exact(0.0422, POWER) == "42200 uW"


def test_readable_rounds_for_tables() -> None:
    assert [readable(w, POWER) for w in (0.0, 4.5e-6, 0.0417, 0.178, 1.5)] == [
        "0 W",
        "4.5 µW",
        "41.7 mW",
        "178 mW",
        "1.5 W",
    ]


def test_python_values_are_plain_si_numbers() -> None:
    sample = Sample(address=0x20000000, size=1024, clock=120_000_000, power=0.5)
    assert (sample.address, sample.size, sample.clock, sample.power) == (0x20000000, 1024, 120_000_000, 0.5)


def test_text_becomes_si_numbers() -> None:
    sample = Sample.model_validate({"size": "2 KiB", "clock": "1 MHz", "power": "10 mW"})
    assert (sample.size, sample.clock, sample.power) == (2048, 1_000_000, 0.01)
    assert isinstance(sample.clock, int)
