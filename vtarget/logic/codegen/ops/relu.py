"""RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1 and LEAKY_RELU of each element: int8 by table, int16, float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import call, float_literal, operand, struct
from vtarget.logic.codegen.elementwise import elementwise_problem, in_place
from vtarget.logic.codegen.options import fallback_notes, number, required_input, scale, zero_point
from vtarget.logic.codegen.quantise import (
    FLOAT32_MAX,
    multiply_by_multiplier,
    quantise_multiplier,
    round_away,
    shift_problem,
    type_range,
)
from vtarget.logic.codegen.tables import lookup_s8

INT8, INT16, FLOAT32 = ElementType.INT8, ElementType.INT16, ElementType.FLOAT32
# Smallest and largest real output.
LIMITS: dict[str, tuple[float, float | None]] = {
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Rescaling:
    """(multiplier, shift) of inputs above and below the zero point, and the limits of the output."""

    positive: tuple[int, int]
    negative: tuple[int, int]
    low: int
    high: int


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = elementwise_problem(operator, graph, (INT8, INT16, FLOAT32))
    source, output = graph.input(operator, 0), graph.output(operator)
    if problem is not None or source is None or source.type is FLOAT32:
        return problem
    if operator.op == "LEAKY_RELU" and number(operator, "alpha") < 0:
        return f"a negative alpha isn't supported for {source.type.value}"
    found = rescaling_of(operator, source, output)
    return shift_problem((found.positive[1], found.negative[1]), INT8)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_lookup_s8``, ``vt_relu_s16``, ``vt_leaky_relu_f32`` or ``vt_clamp_all_f32``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    if source.type is INT8:
        rescaling = rescaling_of(operator, source, output)
        return lookup_s8(operator, source, output, lambda value: _value(rescaling, source, output, value))
    given = operand("input", source)
    if source.type is INT16:
        kernel, front = "vt_relu_s16", ["&{layer}_params"]
        declarations = struct("vt_relu_s16_params", _fields(rescaling_of(operator, source, output), source, output))
    elif operator.op == "LEAKY_RELU":
        kernel, front, declarations = "vt_leaky_relu_f32", [float_literal(number(operator, "alpha"))], ""
    else:
        low, high = LIMITS[operator.op]
        limits = [float_literal(low), float_literal(FLOAT32_MAX if high is None else high)]
        kernel, front, declarations = "vt_clamp_all_f32", limits, ""
    arguments = (*front, given.expression, f"{{tensor_{output.index}}}", str(source.elements))
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, *arguments),
        constants=given.constants,
        declarations=declarations,
        sources=("activation.c",),
        in_place=in_place(source),
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )


def rescaling_of(operator: Operator, source: Tensor, output: Tensor) -> Rescaling:
    """Ratios of scales in float32, as TensorFlow Lite takes them."""
    input_scale, output_scale = np.float32(scale(source)), np.float32(scale(output))
    positive = quantise_multiplier(float(input_scale / output_scale))
    smallest, largest = type_range(output.type)
    if operator.op == "LEAKY_RELU":
        alpha = np.float32(number(operator, "alpha"))
        negative = quantise_multiplier(float(input_scale * alpha / output_scale))
        return Rescaling(positive, negative, smallest, largest)
    low, high = LIMITS[operator.op]
    zero = zero_point(output)
    smallest = max(smallest, zero + round_away(float(np.float32(low) / output_scale)))
    if high is not None:
        largest = min(largest, zero + round_away(float(np.float32(high) / output_scale)))
    return Rescaling(positive, positive, smallest, largest)


def _value(rescaling: Rescaling, source: Tensor, output: Tensor, value: int) -> int:
    difference = value - zero_point(source)
    pair = rescaling.positive if difference >= 0 else rescaling.negative
    result = multiply_by_multiplier(difference, *pair) + zero_point(output)
    return min(max(result, rescaling.low), rescaling.high)


def _fields(rescaling: Rescaling, source: Tensor, output: Tensor) -> dict[str, int]:
    return {
        "input_offset": -zero_point(source),
        "output_offset": zero_point(output),
        "positive_multiplier": rescaling.positive[0],
        "positive_shift": rescaling.positive[1],
        "negative_multiplier": rescaling.negative[0],
        "negative_shift": rescaling.negative[1],
        "activation_min": rescaling.low,
        "activation_max": rescaling.high,
    }
