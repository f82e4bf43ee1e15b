"""Weights and channel constants in the fast kernels' order, against small literal cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.codegen.quantise import Multipliers, multiply_by_multiplier
from vtarget.logic.codegen.simd.packing import (
    any_general,
    channel_constants,
    channel_constants_s16,
    column_weights,
    flat_weights,
    matrix_words,
    run_pairs,
    short_form,
    words_constant,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
MULTIPLIER = st.integers(2**30, 2**31 - 1)


@pytest.mark.parametrize(
    ("count", "pairs"),
    [
        (1, [(0, None)]),
        (2, [(0, 1)]),
        (3, [(0, 2), (1, None)]),
        (4, [(0, 2), (1, 3)]),
        (7, [(0, 2), (1, 3), (4, 6), (5, None)]),
    ],
)
def test_runs_are_paired_as_words_widen(count: int, pairs: list[tuple[int, int | None]]) -> None:
    assert run_pairs(count) == pairs


def test_columns_are_padded_to_blocks() -> None:
    rows = np.arange(1, 7, dtype=np.int8).reshape(1, 2, 3)
    assert column_weights(rows, widened=True)[0].tolist() == [[1, 3], [2, 0], [4, 6], [5, 0]]
    assert column_weights(rows, widened=False)[0].tolist() == [[1, 2], [3, 0], [4, 5], [6, 0]]
    assert column_weights(rows[:, :1], widened=True)[0].tolist() == [[1, 3], [2, 0], [0, 0], [0, 0]]
    assert flat_weights(rows)[0].tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]


def test_a_word_has_a_pair_of_two_channels() -> None:
    pairs = np.array([[[1, 2]], [[3, 4]], [[5, -1]]], np.int8)
    assert [hex(word) for word in matrix_words(pairs)] == ["0x4020301", "0xff0005"]


def _scaled(value: int, form: tuple[int, int, int]) -> int:
    """What the kernels compute: one rounding multiplication, the sign, the rest."""
    multiplier, rounding, shift = form
    high = (value * (2**32 + multiplier) + 2**31) >> 32
    return (high + (high >> 31) + rounding) >> shift


@given(st.integers(-(2**24), 2**24), MULTIPLIER, st.integers(-16, -1), st.integers(-128, 127))
def test_short_form_is_the_reference_arithmetic(value: int, multiplier: int, shift: int, zero: int) -> None:
    form = short_form((multiplier, shift), -(2**24), 2**24, zero)
    assert form is not None
    assert _scaled(value, form) == multiply_by_multiplier(value, multiplier, shift) + zero


@given(st.integers(-(2**24), 2**24), MULTIPLIER, st.integers(-16, -1), st.integers(-128, 127))
def test_without_the_sign_only_results_below_zero_differ(value: int, multiplier: int, shift: int, zero: int) -> None:
    form = short_form((multiplier, shift), -(2**24), 2**24, zero)
    assert form is not None
    unsigned = (((value * (2**32 + form[0]) + 2**31) >> 32) + form[1]) >> form[2]
    assert max(unsigned, zero) == max(_scaled(value, form), zero)


@pytest.mark.parametrize(
    ("scaling", "low", "high", "zero"),
    [
        ((2**30, 0), -10, 10, 0),
        ((2**30, 3), -10, 10, 0),
        ((0, 0), -10, 10, 0),
        ((2**30, -5), -(2**31) - 1, 0, 0),
        ((2**31 - 1, -1), 0, 2**31 - 1, 1),
        ((2**30, -26), -10, 10, 127),
    ],
    ids=("shift 0", "left shift", "zero", "sum", "rounding", "zero point"),
)
def test_what_has_no_short_form(scaling: tuple[int, int], low: int, high: int, zero: int) -> None:
    assert short_form(scaling, low, high, zero) is None


def test_what_the_kernels_stream_begins_with_a_line_of_cache() -> None:
    weights = np.array([[1, -2, 3]], np.int8)
    streamed = (
        words_constant("weights", matrix_words(column_weights(weights[:, None], widened=True))),
        channel_constants(weights, [100], Multipliers((2**30,), (-4,)), -5, 9),
        channel_constants_s16(weights, [100], Multipliers((0x60000000,), (-3,))),
    )
    assert [constant.alignment_bytes for constant in streamed if constant is not None] == [32, 32, 32]


def test_constants_take_the_zero_point_into_the_start_value() -> None:
    weights = np.array([[1, -2, 3], [127, 127, 127]], np.int8)
    found = channel_constants(weights, [100, -7], Multipliers((2**30, 2**30 + 1), (-4, 1)), -5, 9)
    words = np.frombuffer(found.values, "<i4").reshape(-1, 4).tolist()
    assert words == [[110, -(2**31), 8 + (9 << 4), 4], [-7 + 5 * 381, 2**30 + 1, 9, 97], [0, -1, 0, 1]]
    assert any_general(found)
    assert not any_general(channel_constants(weights[:1], [100], Multipliers((2**30,), (-4,)), -5, 9))


def test_constants_of_int16_are_a_start_value_and_a_fraction() -> None:
    weights = np.array([[1, -2, 3]], np.int8)
    found = channel_constants_s16(weights, [100], Multipliers((0x60000000,), (-3,)))
    assert found is not None
    # 0.75 / 8 of 2**32
    assert np.frombuffer(found.values, "<i4").tolist() == [100, 0x18000000, 0, 0]


@pytest.mark.parametrize(
    ("weights", "bias", "shift"),
    [([[127] * 600], 0, -3), ([[1]], 2**31 - 1, -3), ([[1]], 0, 0), ([[1]], 0, -18)],
    ids=("sum", "bias", "loud", "faint"),
)
def test_what_int16_kernels_cant_do(weights: list[list[int]], bias: int, shift: int) -> None:
    assert channel_constants_s16(np.array(weights, np.int8), [bias], Multipliers((2**30,), (shift,))) is None
