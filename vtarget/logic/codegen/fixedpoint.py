"""Fixed-point functions in the arithmetic that TensorFlow Lite's integer kernels use (gemmlowp's), for building tables.

A value with ``bits`` integer bits is an int32 that stands for value / 2**(31 - bits).
"""

from __future__ import annotations

from vtarget.logic.codegen.quantise import INT32_MAX, INT32_MIN, doubling_high_multiply, rounding_divide

# exp(-2**exponent) with no integer bits, largest factor first.
_EXPONENTIALS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
_EXP_OF_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
_48_OVER_17 = 1515870810  # with 2 integer bits, as the next
_MINUS_32_OVER_17 = -1010580540
_ONE_WITH_2_BITS = 1 << 29


def saturating_shift_left(value: int, exponent: int) -> int:
    """value * 2**exponent, held within int32."""
    return min(max(value << exponent, INT32_MIN), INT32_MAX)


def _exp_near_zero(value: int) -> int:
    """exp of a value in [-1/4, 0) without integer bits: a polynomial around -1/8."""
    x = value + (1 << 28)
    x2 = doubling_high_multiply(x, x)
    x3 = doubling_high_multiply(x2, x)
    x4 = doubling_high_multiply(x2, x2)
    inner = doubling_high_multiply(rounding_divide(x4, 2) + x3, _THIRD) + x2
    return _EXP_OF_MINUS_EIGHTH + doubling_high_multiply(_EXP_OF_MINUS_EIGHTH, x + rounding_divide(inner, 1))


def exp_on_negative_values(value: int, bits: int) -> int:
    """exp(value) without integer bits, for value <= 0 with ``bits`` (at most 5) integer bits."""
    if value == 0:
        return INT32_MAX
    fraction_bits = 31 - bits
    quarter = 1 << (fraction_bits - 2)
    near = (value & (quarter - 1)) - quarter
    result = _exp_near_zero(saturating_shift_left(near, bits))
    remainder = near - value
    for exponent, factor in _EXPONENTIALS:
        if bits > exponent and remainder & (1 << (fraction_bits + exponent)):
            result = doubling_high_multiply(result, factor)
    return result


def _reciprocal_of_half_of_one_plus(value: int) -> int:
    """2 / (1 + value) with 2 integer bits, for value in [0, 1] without: three steps of Newton's division."""
    half_denominator = (value + INT32_MAX + 1) >> 1
    x = _48_OVER_17 + doubling_high_multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = _ONE_WITH_2_BITS - doubling_high_multiply(half_denominator, x)
        x += saturating_shift_left(doubling_high_multiply(x, error), 2)
    return x


def logistic(value: int, bits: int) -> int:
    """1 / (1 + exp(-value)) without integer bits."""
    if value == 0:
        return 1 << 30
    positive = saturating_shift_left(_reciprocal_of_half_of_one_plus(exp_on_negative_values(-abs(value), bits)), 1)
    return positive if value > 0 else INT32_MAX - positive


def tanh(value: int, bits: int) -> int:
    """tanh(value) without integer bits; ``bits`` at most 4."""
    if value == 0:
        return 0
    reciprocal = _reciprocal_of_half_of_one_plus(exp_on_negative_values(-abs(value), bits + 1))
    positive = saturating_shift_left(reciprocal - _ONE_WITH_2_BITS, 2)
    return positive if value > 0 else -positive


def input_radius(integer_bits: int, left_shift: int) -> int:
    """The largest input difference that stays within ``integer_bits`` when scaled by 2**left_shift."""
    return int(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits - left_shift))
