"""Constants as C: literal texts, numbers read back exactly, equal contents once."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.emission import Constant
from vtarget.logic.codegen.weightstext import constant_text, float_text, unique_constants


def values(dtype: str, *numbers: float) -> bytes:
    return np.array(numbers, dtype).tobytes()


def test_integers_are_written_compactly() -> None:
    text = constant_text(Constant("w", "int8_t", values("<i1", -128, 0, 127)))
    assert (text.count, text.alignment, text.values) == (3, 4, "    -128, 0, 127,\n")


def test_the_smallest_numbers_have_no_literal_of_their_own() -> None:
    assert constant_text(Constant("w", "int32_t", values("<i4", -(2**31)))).values == "    (-2147483647 - 1),\n"
    text = constant_text(Constant("w", "int64_t", values("<i8", -(2**63), 2**63 - 1)))
    assert text.values == "    (-9223372036854775807 - 1), 9223372036854775807,\n"
    assert text.alignment == 8


def test_an_empty_array_has_one_element() -> None:
    assert constant_text(Constant("w", "uint8_t", b"")).values == "    0,\n"
    assert constant_text(Constant("w", "uint8_t", b"")).count == 1


def test_lines_are_of_bounded_width() -> None:
    rng = np.random.default_rng(3)
    lines = constant_text(Constant("w", "int16_t", rng.integers(-32768, 32768, 999).astype("<i2").tobytes())).values
    assert max(map(len, lines.splitlines())) <= 120
    assert len(lines.splitlines()) < 999 // 12


def test_special_floats() -> None:
    assert float_text(1.0) == "1.0f"
    assert float_text(-0.0) == "-0.0f"
    assert float_text(float("inf")) == "__builtin_inff()"
    assert float_text(float("-inf")) == "-__builtin_inff()"
    assert float_text(float("nan")) == '__builtin_nanf("")'


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_literal_is_exactly_the_float(value: float) -> None:
    text = float_text(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text)
    assert np.float32(text[:-1]).tobytes() == np.float32(value).tobytes()


def test_equal_contents_are_one_array() -> None:
    first = Constant("a", "int8_t", b"\1\2\3\4")
    same, other_type = Constant("b", "int8_t", b"\1\2\3\4"), Constant("c", "uint8_t", b"\1\2\3\4")
    aligned = Constant("d", "int8_t", b"\1\2\3\4", alignment_bytes=16)
    unique = unique_constants([first, same, other_type, aligned])
    assert unique.constants == (first, other_type, aligned)
    assert unique.names == {"a": "a", "b": "a", "c": "c", "d": "d"}
