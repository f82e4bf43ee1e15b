"""LEAKY_RELU of int16."""

from __future__ import annotations

import vtarget.logic.codegen.ops.relu as relu
from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import call, operand, struct
from vtarget.logic.codegen.elementwise import in_place
from vtarget.logic.codegen.options import required_input
from vtarget.logic.codegen.simd.packing import short_form

SOURCES = ("simd/leaky_relu_s16.c",)
KERNEL = "vt_leaky_relu_s16_simd"
# Shifts to the left by more would leave 32 bits.
LARGEST_LEFT = 15


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """An int16 layer whose slope for negative values is below 1/2 in quantised terms."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    if source.type is not ElementType.INT16:
        return None
    rescaling = relu.rescaling_of(operator, source, output)
    positive, negative = _positive(rescaling.positive), short_form(rescaling.negative, -(2**15), 0, 0)
    if positive is None or negative is None:
        return None
    names = ("positive_left", "positive_multiplier", "positive_rounding", "positive_shift")
    fields = dict(zip(names, positive, strict=True))
    fields |= dict(zip(("negative_multiplier", "negative_rounding", "negative_shift"), negative, strict=True))
    given = operand("input", source)
    arguments = ("&{layer}_params", given.expression, f"{{tensor_{output.index}}}", str(source.elements))
    return Layer(
        operator=operator.index,
        kernel=KERNEL,
        call=call(KERNEL, *arguments),
        constants=given.constants,
        declarations=struct("vt_leaky_relu_s16_simd_params", fields),
        sources=SOURCES,
        in_place=in_place(source),
    )


def _positive(scaling: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """(left shift, multiplier, rounding, shift) for values from 0 up."""
    multiplier, shift = scaling
    if shift < 0:
        short = short_form(scaling, 0, 2**15, 0)
        return None if short is None else (0, *short)
    return (shift, 2 * multiplier - 2**32, 0, 0) if multiplier > 0 and shift <= LARGEST_LEFT else None
