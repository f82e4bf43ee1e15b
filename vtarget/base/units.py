"""Quantities with units: ``120 MHz``, ``2 MiB``, ``1.8 V``. In Python they are plain numbers in SI units.

The annotated types (``Hertz``, ``Bytes``, …) read text with a unit; a bare number is refused in YAML and taken as SI
when a model is built in Python. ``Bytes`` and ``Address`` may always be plain numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from vtarget.base.strictyaml import BeforeValidator, FieldError, ValidationInfo

_QUANTITY = re.compile(r"([-+]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}))\s{0,4}([^\W\d_]*)\Z")
_SI = {"p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}


def _si(symbol: str, prefixes: str) -> dict[str, Fraction]:
    """The units ``prefix + symbol`` and what each multiplies by; ``-`` in ``prefixes`` is no prefix."""
    names = [p.replace("-", "") for p in prefixes]
    return {p + symbol: Fraction(10) ** _SI[p] for p in names}


@dataclass(frozen=True)
class Dimension:
    """What a quantity measures: its units, the values that make sense, and an example for error hints."""

    what: str
    units: Mapping[str, Fraction]
    low: Fraction
    high: Fraction
    example: str
    whole: bool = False
    bare: bool = False


SIZE = Dimension(
    "a size in bytes",
    {"B": Fraction(1), "KiB": Fraction(1 << 10), "MiB": Fraction(1 << 20), "GiB": Fraction(1 << 30)},
    Fraction(0),
    Fraction(1 << 32),
    "192 KiB",
    whole=True,
    bare=True,
)
FREQUENCY = Dimension("a frequency", _si("Hz", "-kMG"), Fraction(1), Fraction(10**10), "120 MHz", whole=True)
VOLTAGE = Dimension("a voltage", _si("V", "um-"), Fraction(0), Fraction(1000), "1.8 V")
POWER = Dimension("a power", _si("W", "pnuµμm-"), Fraction(0), Fraction(1000), "42.2 mW")
CURRENT = Dimension("a current", _si("A", "pnuµμm-"), Fraction(0), Fraction(1000), "23.4 mA")
TIME = Dimension("a time", _si("s", "pnuµμm-"), Fraction(0), Fraction(10**6), "20 ms")
ENERGY = Dimension("an energy", _si("J", "pnuµμm-"), Fraction(0), Fraction(10**6), "350 pJ")
_DIMENSIONS = (SIZE, FREQUENCY, VOLTAGE, POWER, CURRENT, TIME, ENERGY)
_DECIMAL_SIZES = {"k": "KiB", "kb": "KiB", "m": "MiB", "mb": "MiB", "g": "GiB", "gb": "GiB"}


def parse(text: str, dimension: Dimension) -> Fraction:
    """``text`` (number, unit) in the dimension's base unit, exactly. FieldError says what unit is expected."""
    match = _QUANTITY.match(text.strip())
    if match is None:
        raise _not_a(text, dimension)
    number, unit = Fraction(match[1]), match[2]
    if not unit and not dimension.bare:
        raise _no_unit(text, dimension)
    factor = dimension.units.get(unit) if unit else Fraction(1)
    if factor is None:
        raise _not_a(text, dimension, _unit_hint(match[1], unit, dimension))
    return _checked(number * factor, text, dimension)


def _checked(value: Fraction, text: str, dimension: Dimension) -> Fraction:
    if value < 0:
        raise FieldError(f"'{text}' is negative")
    if not dimension.low <= value <= dimension.high:
        low, high = (exact(v, dimension) for v in (dimension.low, dimension.high))
        raise FieldError(f"'{text}' is out of range, {dimension.what} is {low} to {high}")
    if dimension.whole and value.denominator != 1:
        base = next(iter(dimension.units))
        raise FieldError(f"'{text}' is not a whole number of {base}")
    return value


def _not_a(text: object, dimension: Dimension, hint: str | None = None) -> FieldError:
    shown = str(text) if len(str(text)) <= 60 else f"{str(text)[:56]}..."
    return FieldError(f"'{shown}' is not {dimension.what}", hint=hint or f"write it like '{dimension.example}'")


def _no_unit(value: object, dimension: Dimension) -> FieldError:
    units = ", ".join(u for u in dimension.units if u.isascii())
    return FieldError(
        f"'{value}' has no unit, expected {dimension.what} in {units}", hint=f"like '{dimension.example}'"
    )


def _unit_hint(number: str, unit: str, dimension: Dimension) -> str:
    if dimension is SIZE and unit.casefold() in _DECIMAL_SIZES:
        return f"did you mean '{number} {_DECIMAL_SIZES[unit.casefold()]}'?"
    for name in dimension.units:
        if name.casefold() == unit.casefold():
            return f"did you mean '{number} {name}'?"
    for other in _DIMENSIONS:
        if unit in other.units:
            return f"{unit} is the unit of {other.what}; write it like '{dimension.example}'"
    return f"units: {', '.join(u for u in dimension.units if u.isascii())}"


def exact(value: Fraction | int | float, dimension: Dimension) -> str:
    """``value`` with the largest unit that keeps it whole, else the base unit; ``parse`` gives it back."""
    number = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    by_size = sorted(((f, u) for u, f in dimension.units.items() if u.isascii()), reverse=True)
    for factor, unit in by_size:
        scaled = number / factor
        if scaled.denominator == 1 and (scaled != 0 or factor == 1):
            return f"{scaled.numerator} {unit}"
    return f"{_decimal(number)} {next(u for u, f in dimension.units.items() if f == 1)}"


def _decimal(number: Fraction) -> str:
    digits = f"{float(number):.17f}".rstrip("0")
    return digits + "0" if digits.endswith(".") else digits


def readable(value: float, dimension: Dimension, digits: int = 3) -> str:
    """``value`` for tables: the largest unit not above it (micro is µ), ``digits`` significant digits."""
    by_size = sorted((float(f), u) for u, f in dimension.units.items() if u.isascii())
    fitting = [pair for pair in by_size if pair[0] <= abs(value) * 1.0000001]
    factor, unit = fitting[-1] if fitting else (1.0, next(u for f, u in by_size if f == 1.0))
    scaled, unit = value / factor, unit.replace("u", "µ")
    text = f"{scaled:.{digits}g}"
    return f"{scaled:.0f} {unit}" if "e" in text else f"{text} {unit}"


def _read(value: object, info: ValidationInfo, dimension: Dimension) -> object:
    if isinstance(value, str):
        number = parse(value, dimension)
        return int(number) if dimension.whole else float(number)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not_a("nothing" if value is None else str(value).lower(), dimension)
    if dimension.whole and isinstance(value, float):
        raise _not_a(value, dimension)
    if info.mode == "json" and not dimension.bare:
        raise _no_unit(value, dimension)
    _checked(Fraction(value), str(value), dimension)
    return value


def _reader(dimension: Dimension) -> BeforeValidator:
    def read(value: object, info: ValidationInfo) -> object:
        return _read(value, info, dimension)

    return BeforeValidator(read)


def _address(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"'{value}' is not an address", hint="write it like 0x08000000, without quotes")
    if not 0 <= value < 1 << 32:
        raise FieldError(f"{value:#x} is not a 32-bit address")
    return value


Address = Annotated[int, BeforeValidator(_address)]
Bytes = Annotated[int, _reader(SIZE)]
Hertz = Annotated[int, _reader(FREQUENCY)]
Volts = Annotated[float, _reader(VOLTAGE)]
Watts = Annotated[float, _reader(POWER)]
Amps = Annotated[float, _reader(CURRENT)]
Seconds = Annotated[float, _reader(TIME)]
Joules = Annotated[float, _reader(ENERGY)]
