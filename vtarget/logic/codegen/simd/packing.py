"""Weights and channel constants as the kernels of ``firmware/kernels/simd`` read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vtarget.data.emission import Constant
from vtarget.logic.codegen.constants import table_constant
from vtarget.logic.codegen.quantise import INT32_MAX, INT32_MIN, Multipliers, doubling_high_multiply
from vtarget.logic.codegen.weights import INT32

Array = np.ndarray[Any, Any]

# Pairs of elements that the matrix kernels take at once.
BLOCK_PAIRS = 4
# The same without the DSP extension.
SCALAR_BLOCK_PAIRS = 2
# The mark of a channel that needs arithmetic in general form (vt_simd.h).
GENERAL = 96
# What a shift of the short form can be at most; general ones are larger.
LARGEST_SHIFT = 31
# A line of the ST families' data caches, and of the Cortex-M7's.
LINE_BYTES = 32


def wrap(value: int) -> int:
    """``value`` in 32 bits, as sums wrap around."""
    return (value + 2**31) % 2**32 - 2**31


def run_pairs(count: int) -> list[tuple[int, int | None]]:
    """Which elements of a run of ``count`` bytes stand together (pack_s8.h); None: any, with weight 0."""
    pairs: list[tuple[int, int | None]] = []
    for first in range(0, count - 3, 4):
        pairs += [(first, first + 2), (first + 1, first + 3)]
    rest = count - count % 4
    last: dict[int, list[tuple[int, int | None]]] = {
        0: [],
        1: [(rest, None)],
        2: [(rest, rest + 1)],
        3: [(rest, rest + 2), (rest + 1, None)],
    }
    return pairs + last[count % 4]


def column_weights(rows: Array, *, widened: bool) -> Array:
    """Filter rows (channels, rows, run) as pairs (channels, pairs, 2) in a column's order, in whole blocks.

    ``widened``: the order that int8 elements have once widened, else that of neighbours (int16).
    """
    channels, count, run = rows.shape
    padded = np.concatenate([rows, np.zeros((channels, count, 1), rows.dtype)], axis=2)
    plain = [(first, first + 1 if first + 1 < run else None) for first in range(0, run, 2)]
    order = [[first, run if second is None else second] for first, second in (run_pairs(run) if widened else plain)]
    pairs = padded[:, :, np.array(order)].reshape(channels, -1, 2)
    return np.pad(pairs, ((0, 0), (0, -pairs.shape[1] % BLOCK_PAIRS), (0, 0)))


def flat_weights(rows: Array) -> Array:
    """Filter rows (channels, rows, run) as pairs of neighbours (channels, pairs, 2), in whole scalar blocks."""
    flat = rows.reshape(len(rows), -1)
    padded = np.pad(flat, ((0, 0), (0, -flat.shape[1] % (2 * SCALAR_BLOCK_PAIRS))))
    return padded.reshape(len(rows), -1, 2)


def matrix_words(pairs: Array) -> Array:
    """Pairs (channels, pairs, 2) as matrix_s8.h has them: a stream of words for each two channels."""
    even = np.pad(pairs, ((0, pairs.shape[0] % 2), (0, 0), (0, 0)))
    couples = even.reshape(even.shape[0] // 2, 2, even.shape[1], 2)
    return words(couples.transpose(0, 2, 3, 1))


def words(values: Array) -> Array:
    """int8 values as unsigned little-endian words."""
    return np.frombuffer(np.ascontiguousarray(values, np.int8).tobytes(), "<u4")


def words_constant(name: str, values: Array) -> Constant:
    """Words as the array ``{layer}_name``."""
    return _in_lines(Constant(f"{{layer}}_{name}", "uint32_t", values.astype("<u4").tobytes()))


def _in_lines(constant: Constant) -> Constant:
    """Begins with a line of cache, so that what is read together lies in as few lines as it can."""
    return replace(constant, alignment_bytes=LINE_BYTES)


def channel_constants(
    weights: Array, bias: Sequence[int], multipliers: Multipliers, input_zero: int, output_zero: int
) -> Constant:
    """The array ``{layer}_constants``, VT_CHANNEL_WORDS for each row of ``weights`` (channels, elements) and one of 0.

    The input's zero point moves into the sum's start value: the kernels multiply the input as it is.
    """
    table: list[int] = []
    scalings = zip(multipliers.multipliers, multipliers.shifts, strict=True)
    for row, start, (multiplier, shift) in zip(weights.astype(np.int64), bias, scalings, strict=True):
        table += _channel(row, wrap(start - input_zero * int(row.sum())), multiplier, shift, output_zero)
    return _in_lines(table_constant("constants", [*table, *(0, -1, 0, 1)], INT32))


def channel_constants_s16(weights: Array, bias: Sequence[int], multipliers: Multipliers) -> Constant | None:
    """The array ``{layer}_constants`` of int16 kernels: start value and multiplier for each row of ``weights``.

    None if a sum could leave 32 bits, or a multiplier isn't one in units of 2**-32 (vt_simd.h).
    """
    table: list[int] = []
    scalings = zip(multipliers.multipliers, multipliers.shifts, strict=True)
    for row, start, (multiplier, shift) in zip(weights.astype(np.int64), bias, scalings, strict=True):
        reach = 2**15 * int(np.abs(row).sum()) + abs(start)
        # The reference arithmetic keeps 15 bits of the multiplier and shifts by 15 - shift.
        reduced = (multiplier + 2**15) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF
        up = 32 - (15 - shift)
        if reach > INT32_MAX or not 0 <= up <= 16:
            return None
        table += [start, reduced << up]
    return _in_lines(table_constant("constants", [*table, 0, 0], INT32))


def any_general(constants: Constant) -> bool:
    """Whether a channel of these constants needs arithmetic in general form."""
    shifts = np.frombuffer(constants.values, "<i4")[3::4]
    return bool((shifts > LARGEST_SHIFT).any())


def _channel(row: Array, start: int, multiplier: int, shift: int, output_zero: int) -> tuple[int, int, int, int]:
    low = start + int(np.minimum(row * -128, row * 127).sum())
    high = start + int(np.maximum(row * -128, row * 127).sum())
    short = short_form((multiplier, shift), low, high, output_zero)
    return (start, multiplier, output_zero, GENERAL + shift) if short is None else (start, *short)


def short_form(scaling: tuple[int, int], low: int, high: int, output_zero: int) -> tuple[int, int, int] | None:
    """(multiplier, rounding, shift) that requantise sums in low..high the short way (vt_simd.h), None if that can't be.

    No value may leave 32 bits on its way to the output.
    """
    multiplier, shift = scaling
    if shift >= 0 or multiplier <= 0 or low < INT32_MIN or high > INT32_MAX:
        return None
    rounding = (1 << (-shift - 1)) + (output_zero << -shift)
    smallest = doubling_high_multiply(low, multiplier) - 1 + min(rounding, 0)
    largest = doubling_high_multiply(high, multiplier) + max(rounding, 0)
    if smallest < INT32_MIN or largest > INT32_MAX:
        return None
    return 2 * multiplier - 2**32, rounding, -shift
