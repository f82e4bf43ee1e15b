"""TensorFlow Lite's quantised arithmetic, as far as it is done once, when code is generated.

Formulas are those of TensorFlow Lite's reference kernels with double rounding: real multipliers in double precision, a
multiplier as a 31-bit fraction and a power of two, activation limits through a float32 division.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, frexp

import numpy as np

from vtarget.data.graph import ElementType, Quantisation

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1
FLOAT32_MAX = float(np.finfo(np.float32).max)
LARGEST_SHIFT = 30
# The 64-bit accumulator's multiplier keeps 15 bits, so its shift to the right, 15 - shift, must stay positive.
LARGEST_SHIFT_S64 = 14


def round_away(value: float) -> int:
    """The nearest integer, halves away from zero (C's ``round``)."""
    return floor(value + 0.5) if value >= 0 else -floor(-value + 0.5)


def quantise_multiplier(real: float) -> tuple[int, int]:
    """``real`` as (multiplier, shift) with real = multiplier / 2**31 * 2**shift; multiplier in [2**30, 2**31) or 0.

    Values below 2**-32 become 0.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = frexp(real)
    multiplier = round_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def _wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def doubling_high_multiply(a: int, b: int) -> int:
    """The high half of 2*a*b of two int32, rounded, saturated (gemmlowp's SaturatingRoundingDoublingHighMul)."""
    return INT32_MAX if a == b == INT32_MIN else (a * b + 2**30) >> 31


def rounding_divide(value: int, exponent: int) -> int:
    """value / 2**exponent, halves away from zero."""
    if exponent == 0:
        return value
    remainder = value & ((1 << exponent) - 1)
    return (value >> exponent) + (remainder > ((1 << exponent) - 1 >> 1) + (value < 0))


def multiply_by_multiplier(value: int, multiplier: int, shift: int) -> int:
    """value * multiplier / 2**31 * 2**shift in int32 arithmetic with two roundings; a left shift may wrap."""
    return rounding_divide(doubling_high_multiply(_wrap(value << max(shift, 0)), multiplier), max(-shift, 0))


def type_range(type_: ElementType) -> tuple[int, int]:
    """The smallest and largest value of an integer type."""
    limits = np.iinfo(type_.value)
    return int(limits.min), int(limits.max)


def _activation_limits(activation: str) -> tuple[float | None, float | None]:
    """The real limits of a fused activation, None where there is none."""
    return {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "NONE": (None, None)}[activation]


def activation_range(activation: str, type_: ElementType, quantisation: Quantisation) -> tuple[int, int]:
    """The limits of a fused activation in an output's quantised values (CalculateActivationRangeQuantized)."""
    scale, zero = np.float32(quantisation.scales[0]), quantisation.zero_points[0]
    smallest, largest = type_range(type_)
    low, high = _activation_limits(activation)
    if low is not None:
        smallest = max(smallest, zero + round_away(float(np.float32(low) / scale)))
    if high is not None:
        largest = min(largest, zero + round_away(float(np.float32(high) / scale)))
    return smallest, largest


def activation_range_float(activation: str) -> tuple[float, float]:
    """The limits of a fused activation for float32; the largest finite values where there is none."""
    low, high = _activation_limits(activation)
    return -FLOAT32_MAX if low is None else low, FLOAT32_MAX if high is None else high


@dataclass(frozen=True)
class Multipliers:
    """One (multiplier, shift) per output channel."""

    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]


def channel_multipliers(input_scale: float, filter_scales: Sequence[float], output_scale: float) -> Multipliers:
    """What a convolution's accumulators are scaled by: input * filter / output scale, in double precision."""
    pairs = [quantise_multiplier(input_scale * scale / output_scale) for scale in filter_scales]
    return Multipliers(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def shift_problem(shifts: Sequence[int], type_: ElementType) -> str | None:
    """Scales must keep the shift of every multiplier within what the arithmetic can do."""
    most = LARGEST_SHIFT_S64 if type_ is ElementType.INT16 else LARGEST_SHIFT
    return None if max(shifts) <= most else "the output's scale is too small for those of the inputs"
