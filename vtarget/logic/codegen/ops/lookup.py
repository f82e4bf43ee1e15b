"""EXP and RSQRT: by table where quantised, computed in float32."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, call, operand, table_constant
from vtarget.logic.codegen.loops import in_place, size_problem
from vtarget.logic.codegen.options import (
    arity_problem,
    fallback_notes,
    required_input,
    scale,
    scales_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import (
    FLOAT32_MAX,
    INT32_MAX,
    INT32_MIN,
    doubling_high_multiply,
    multiply_by_multiplier,
    quantise_multiplier,
    round_away,
    rounding_divide,
)
from vtarget.logic.codegen.tables import STEPS, table_s8

# 1.5 with 3 integer bits, and half the square root of 2 with none, as int32.
THREE_HALVES = (1 << 28) + (1 << 27)
HALF_SQRT_2 = 1518500250

# So that tables can be computed in single precision.
LARGEST_SCALE = 1e15
# Products beyond float32 would be infinite.
LARGEST_SAMPLE = 1e30

TYPES = (ElementType.INT8, ElementType.INT16, ElementType.FLOAT32)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (1,))
    if problem is not None:
        return problem
    source, output = graph.input(operator, 0), graph.output(operator)
    if source is None:
        return "its input is missing"
    if (source.type, source.shape) != (output.type, output.shape):
        return "its output doesn't have the type and shape of its input"
    problem = type_problem(source, "its input", TYPES) or size_problem(source)
    if problem is not None or source.type is ElementType.FLOAT32:
        return problem
    problem = scales_problem(source, "its input") or scales_problem(output, "its output")
    if problem is None and not all(1 / LARGEST_SCALE < scale(tensor) < LARGEST_SCALE for tensor in (source, output)):
        problem = f"its scales {scale(source):g} and {scale(output):g} are beyond single precision"
    return problem


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_lookup_*``, ``vt_exp_f32`` or ``vt_rsqrt_f32``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    value = operand("input", source)
    arguments = [value.expression, f"{{tensor_{output.index}}}", str(source.elements)]
    if source.type is ElementType.FLOAT32:
        kernel, constants = f"vt_{operator.op.lower()}_f32", value.constants
    else:
        table = _table(operator, source, output)
        kernel, constants = f"vt_lookup_{SUFFIXES[source.type]}", (*value.constants, table)
        arguments.insert(0, table.name)
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, *arguments),
        constants=constants,
        sources=("lookup.c",),
        in_place=in_place(source, output),
        notes=fallback_notes(engine, operator.op),
    )


def _table(operator: Operator, source: Tensor, output: Tensor) -> Constant:
    if source.type is ElementType.INT16:
        limit = float(np.float32(32767) * np.float32(scale(output)))
        function = _exp if operator.op == "EXP" else lambda value: limit if value <= 0.0 else _rsqrt(value)
        return table_constant("table", interpolated_s16(function, scale(source), scale(output)), source.type)
    return table_s8(_exp_s8(source, output) if operator.op == "EXP" else _rsqrt_s8(source, output))


def interpolated_s16(function: Callable[[float], float], input_scale: float, output_scale: float) -> list[int]:
    """513 values with a function linear in between, all in single precision (TensorFlow Lite's LUTPopulate<float>).

    Each is corrected by half the error in the middle of its interval. Zero points are 0.
    """
    low, high = (np.float32(input_scale) * np.float32(limit) for limit in (-32768, 32767))
    out_low, out_high = (np.float32(output_scale) * np.float32(limit) for limit in (-32768, 32767))
    step = (high - low) / np.float32(STEPS)
    scaling = np.float32(65536) / (out_high - out_low)

    def at(value: np.float32) -> np.float32:
        # Far outside the output's type one number is as good as another.
        return np.float32(min(float(np.float32(function(float(value)))) * float(scaling), LARGEST_SAMPLE))

    values = []
    for index in range(STEPS):
        start = low + np.float32(index) * step
        value = np.float32(round_away(float(at(start))))
        between = (at(low + np.float32(index + 1) * step) + value) / np.float32(2)
        error = round_away(float(between)) - round_away(float(at(start + step / np.float32(2))))
        values.append(int(value) - round_away(error / 2))
    values.append(round_away(float(at(high))))
    return [min(max(value, -32768), 32767) for value in values]


def _exp(value: float) -> float:
    """e^value in single precision, the largest finite number where it would be infinite."""
    return min(exp(min(value, 89.0)), FLOAT32_MAX)


def _rsqrt(value: float) -> float:
    return float(np.float32(1.0) / np.float32(sqrt(value)))


def _exp_s8(source: Tensor, output: Tensor) -> Callable[[int], int]:
    """In single precision, through the reciprocal of the output's scale."""
    inverse = np.float32(1) / np.float32(scale(output))

    def function(value: int) -> int:
        real = np.float32(_exp(float(np.float32(scale(source)) * np.float32(value - zero_point(source)))))
        with np.errstate(over="ignore"):
            quantised = float(real * inverse)
        return round_away(min(quantised, float(INT32_MAX))) + zero_point(output)

    return function


def _rsqrt_s8(source: Tensor, output: Tensor) -> Callable[[int], int]:
    """In fixed point; the largest output for inputs of zero, and for those below, which TensorFlow Lite refuses."""
    root = np.sqrt(np.float32(scale(source)))
    multiplier, shift = quantise_multiplier(1.0 / float(root * np.float32(scale(output))))

    def function(value: int) -> int:
        if value <= zero_point(source):
            return 127
        inverse, inverse_shift = inverse_square_root(value - zero_point(source))
        data = multiply_by_multiplier(1, inverse, inverse_shift + 20)
        return multiply_by_multiplier(data, multiplier, shift - 20) + zero_point(output)

    return function


def inverse_square_root(value: int) -> tuple[int, int]:
    """1 / sqrt(value) as (multiplier, shift to the left), by five Newton steps in fixed point; ``value`` in 1..2**29.

    TensorFlow Lite's GetInvSqrtQuantizedMultiplierExp.
    """
    if value <= 1:
        return INT32_MAX, 0
    # Left shift by pairs of bits into 2**27..2**29, which is 0.5..2 of 3 integer bits once halved.
    pairs = (31 - value.bit_length()) // 2 - 1
    shift = 11 - pairs
    value <<= 2 * pairs
    half = rounding_divide(value >> 1, 1)
    x = 1 << 28
    for _ in range(5):
        cube = _times_power(doubling_high_multiply(doubling_high_multiply(x, x), x), 6)
        x = _times_power(doubling_high_multiply(THREE_HALVES, x) - doubling_high_multiply(half, cube), 3)
    x = doubling_high_multiply(x, HALF_SQRT_2)
    return (x << -shift, 0) if shift < 0 else (x, -shift)


def _times_power(value: int, exponent: int) -> int:
    """value * 2**exponent, saturated to int32."""
    return max(INT32_MIN, min(INT32_MAX, value << exponent))
