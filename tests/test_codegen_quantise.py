"""Quantised arithmetic of generation: literal values, and what must hold for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.graph import ElementType, Quantisation
from vtarget.logic.codegen.fixedpoint import exp_on_negative_values, input_radius, logistic, tanh
from vtarget.logic.codegen.quantise import (
    FLOAT32_MAX,
    INT32_MAX,
    INT32_MIN,
    activation_range,
    activation_range_float,
    channel_multipliers,
    doubling_high_multiply,
    multiply_by_multiplier,
    quantise_multiplier,
    round_away,
    rounding_divide,
    shift_problem,
)
from vtarget.logic.codegen.tables import interpolation_table_s16, sigmoid_table, table_s8
from vtarget.logic.codegen.window import output_size, padding_before

INT8, INT16 = ElementType.INT8, ElementType.INT16


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.5, (1 << 30, 0)),
        (0.25, (1 << 30, -1)),
        (3.0, (1610612736, 2)),
        (0.1, (1717986918, -3)),
        (1.0 - 2.0**-40, (1 << 30, 1)),
        (2.0**-32, (1 << 30, -31)),
        (2.0**-33, (0, 0)),
    ],
)
def test_a_multiplier_is_a_31_bit_fraction_and_a_shift(real: float, expected: tuple[int, int]) -> None:
    multiplier, shift = quantise_multiplier(real)
    assert (multiplier, shift) == expected
    assert multiplier / 2**31 * 2.0**shift == pytest.approx(real, rel=2**-31, abs=2**-32)


@given(st.floats(2.0**-31, 2.0**30))
def test_a_multiplier_is_within_half_of_its_last_bit(real: float) -> None:
    multiplier, shift = quantise_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier / 2**31 * 2.0**shift - real) <= real * 2.0**-31


@pytest.mark.parametrize(
    ("value", "expected"), [(2.5, 3), (-2.5, -3), (1e300, int(1e300)), (-0.5, -1), (2.4, 2), (-2.4, -2)]
)
def test_rounding_takes_halves_away_from_zero(value: float, expected: int) -> None:
    assert round_away(value) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (INT32_MIN, INT32_MIN, INT32_MAX),
        (INT32_MIN, INT32_MAX, -INT32_MAX),
        (1 << 30, 1 << 30, 1 << 29),
        (1, 1 << 30, 1),
        (-1, 1 << 30, 0),
        (3, 1 << 30, 2),
        (-3, 1 << 30, -1),
        (12345678, 1717986918, 9876542),
    ],
)
def test_the_high_half_of_a_product(a: int, b: int, expected: int) -> None:
    assert doubling_high_multiply(a, b) == expected


@pytest.mark.parametrize(
    ("value", "exponent", "expected"),
    [(5, 1, 3), (-5, 1, -3), (4, 3, 1), (-4, 3, -1), (3, 3, 0), (-3, 3, 0), (7, 0, 7), (INT32_MIN, 31, -1)],
)
def test_division_by_powers_of_two_rounds_halves_away(value: int, exponent: int, expected: int) -> None:
    assert rounding_divide(value, exponent) == expected


@given(st.integers(INT32_MIN, INT32_MAX), st.integers(0, 31))
def test_division_by_powers_of_two_is_the_rounded_quotient(value: int, exponent: int) -> None:
    quotient = abs(value) + (1 << exponent >> 1) >> exponent
    assert rounding_divide(value, exponent) == (quotient if value >= 0 else -quotient)


@pytest.mark.parametrize(
    ("value", "real", "expected"),
    [(1000, 0.1, 100), (-1000, 0.1, -100), (15, 0.1, 2), (-15, 0.1, -2), (7, 3.0, 21), (2**31 - 1, 2.0**-31, 1)],
)
def test_multiplying_by_a_multiplier(value: int, real: float, expected: int) -> None:
    assert multiply_by_multiplier(value, *quantise_multiplier(real)) == expected


@pytest.mark.parametrize(
    ("activation", "type_", "scale", "zero", "expected"),
    [
        ("NONE", INT8, 0.05, 7, (-128, 127)),
        ("RELU", INT8, 0.05, 7, (7, 127)),
        ("RELU", INT8, 0.05, -128, (-128, 127)),
        ("RELU6", INT8, 0.05, -100, (-100, 20)),
        ("RELU6", INT8, 0.0235, -128, (-128, 127)),
        ("RELU_N1_TO_1", INT8, 0.05, 7, (-13, 27)),
        ("RELU_N1_TO_1", INT8, 0.4, 0, (-3, 3)),
        ("RELU6", INT16, 0.001, 0, (0, 6000)),
        ("RELU6", INT16, 0.0001, 0, (0, 32767)),
    ],
)
def test_activation_limits(
    activation: str, type_: ElementType, scale: float, zero: int, expected: tuple[int, int]
) -> None:
    assert activation_range(activation, type_, Quantisation((scale,), (zero,))) == expected


def test_activation_limits_of_floats() -> None:
    assert activation_range_float("NONE") == (-FLOAT32_MAX, FLOAT32_MAX)
    assert activation_range_float("RELU") == (0.0, FLOAT32_MAX)
    assert activation_range_float("RELU_N1_TO_1") == (-1.0, 1.0)


def test_each_channel_has_its_multiplier() -> None:
    found = channel_multipliers(0.5, (0.5, 1.0, 3.0), 0.25)
    assert found.multipliers == (1 << 30, 1 << 30, 1610612736)
    assert found.shifts == (1, 2, 3)
    assert shift_problem(found.shifts, INT8) is None
    assert shift_problem((15,), INT8) is None
    assert shift_problem((0, 15), INT16) == "the output's scale is too small for those of the inputs"


@pytest.mark.parametrize(
    ("padding", "size", "window", "stride", "dilation", "out", "before"),
    [
        ("SAME", 49, 10, 2, 1, 25, 4),
        ("SAME", 10, 4, 2, 1, 5, 1),
        ("VALID", 10, 4, 2, 1, 4, 0),
        ("SAME", 7, 3, 1, 2, 7, 2),
        ("VALID", 7, 3, 1, 3, 1, 0),
        ("VALID", 2, 3, 1, 1, 0, 0),
        ("SAME", 5, 1, 3, 1, 2, 0),
    ],
)
def test_windows_along_one_axis(
    padding: str, size: int, window: int, stride: int, dilation: int, out: int, before: int
) -> None:
    assert output_size(padding, size, window, stride, dilation) == out
    assert padding_before(size, window, stride, dilation, out) == before


@pytest.mark.parametrize("bits", [0, 3, 4, 5])
def test_exponentials_are_close_to_real_ones(bits: int) -> None:
    unit = 2.0 ** (31 - bits)
    for real in np.linspace(-(2.0**bits), 0.0, 97):
        value = max(int(real * unit), INT32_MIN)
        assert exp_on_negative_values(value, bits) / 2**31 == pytest.approx(np.exp(value / unit), abs=5e-7)


def test_exponentials_of_literal_values() -> None:
    assert exp_on_negative_values(0, 5) == INT32_MAX
    assert exp_on_negative_values(-(1 << 26), 5) == 790015308
    assert exp_on_negative_values(-(1 << 27), 5) == 290630390


def test_sigmoid_and_tangent_are_close_to_real_ones() -> None:
    for real in np.linspace(-15.9, 15.9, 101):
        value = int(real * 2**27)
        assert logistic(value, 4) / 2**31 == pytest.approx(1 / (1 + np.exp(-real)), abs=1e-6)
        assert tanh(value, 4) / 2**31 == pytest.approx(np.tanh(real), abs=1e-6)
    assert (logistic(0, 4), tanh(0, 4)) == (1 << 30, 0)


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_tangent_is_odd_and_sigmoid_symmetric(value: int) -> None:
    assert tanh(-value, 4) == -tanh(value, 4)
    assert logistic(-value, 4) == (logistic(value, 4) if value == 0 else INT32_MAX - logistic(value, 4))


def test_the_radius_of_scaled_inputs() -> None:
    assert input_radius(5, 20) == 1984
    assert input_radius(4, 23) == 240


def test_the_table_of_sigmoids() -> None:
    values = np.frombuffer(sigmoid_table().values, "<u2")
    assert values[:8].tolist() == [32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513]
    assert values[[64, 128, 200, 254, 255]].tolist() == [61279, 65221, 65520, 65534, 65535]
    assert (np.diff(values.astype(int)) >= 0).all()


def test_a_table_of_int8_follows_the_bits() -> None:
    values = np.frombuffer(table_s8(lambda value: 2 * value).values, np.int8)
    assert values[[0, 1, 63, 64, 127]].tolist() == [0, 2, 126, 127, 127]
    assert values[[128, 191, 192, 255]].tolist() == [-128, -128, -128, -2]


def test_an_interpolation_table_of_the_identity() -> None:
    table = np.frombuffer(interpolation_table_s16("t", 2.0**-15, 0, 2.0**-15, 0, lambda x: x).values, "<i2")
    assert len(table) == 513
    assert table[[0, 256, 512]].tolist() == [-32768, -1, 32767]
    assert np.abs(table - np.linspace(-32768, 32767, 513)).max() <= 1.0
