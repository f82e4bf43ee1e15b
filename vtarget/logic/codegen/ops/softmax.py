"""SOFTMAX over the last dimension: int8 to int8 or int16, int16 to int16, float32; output of the input's shape."""

from __future__ import annotations

from math import exp

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import FieldValue, call, operand, struct, table_constant
from vtarget.logic.codegen.fixedpoint import exp_on_negative_values, input_radius
from vtarget.logic.codegen.options import (
    arity_problem,
    fallback_notes,
    number,
    required_input,
    scale,
    scales_problem,
    shape_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import doubling_high_multiply, quantise_multiplier
from vtarget.logic.codegen.tables import interpolation_table_s16

INT8, INT16, FLOAT32 = ElementType.INT8, ElementType.INT16, ElementType.FLOAT32
OUTPUTS = {INT8: (INT8, INT16), INT16: (INT16,), FLOAT32: (FLOAT32,)}
# What the output stands for is fixed: (scale, zero point) by input and output type.
OUTPUT_QUANTISATION = {
    (INT8, INT8): (1 / 256, -128),
    (INT8, INT16): (1 / 65536, -32768),
    (INT16, INT16): (1 / 32768, 0),
}
DIFFERENCE_BITS = 5  # integer bits of a scaled difference to the row's largest
LONGEST_ROW = 4095  # the sum of exponentials has 12 integer bits


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the softmax can't be generated, None if it can."""
    problem = arity_problem(operator, (1,))
    source = graph.input(operator, 0)
    if problem is not None or source is None:
        return problem or "its input is missing"
    output = graph.output(operator)
    problem = type_problem(source, "input", OUTPUTS)
    problem = problem or type_problem(output, "output", OUTPUTS[source.type])
    problem = problem or shape_problem(output, "output", source.shape)
    if problem is not None:
        return problem
    if not source.shape or source.elements < 1:
        return f"input shape {list(source.shape)} can't be handled"
    if number(operator, "beta", 1.0) <= 0:
        return "its beta isn't positive"
    return None if source.type is FLOAT32 else _scales_problem(operator, source, output)


def _scales_problem(operator: Operator, source: Tensor, output: Tensor) -> str | None:
    if source.shape[-1] > LONGEST_ROW:
        return f"rows of {source.shape[-1]} elements are longer than {LONGEST_ROW}"
    problem = scales_problem(source, "input")
    if output.quantisation is None or not output.quantisation.scales:
        return problem or "output has no quantisation"
    expected_scale, expected_zero = OUTPUT_QUANTISATION[source.type, output.type]
    if abs(scale(output) / expected_scale - 1.0) > 0.001 or zero_point(output) != expected_zero:
        return problem or f"its output must have scale {expected_scale} and zero point {expected_zero}"
    if problem is None and source.type is INT8 and _multiplier_s8(operator, source)[1] < 0:
        return "its input's scale is too small"
    return problem


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The softmax as a call of ``vt_softmax_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    given = operand("input", source)
    sizes: dict[str, FieldValue] = {"rows": source.elements // source.shape[-1], "depth": source.shape[-1]}
    tables: tuple[Constant, ...] = ()
    if source.type is INT8:
        kernel = "vt_softmax_s8" if output.type is INT8 else "vt_softmax_s8_s16"
        tables = (table_constant("exponentials", _exponentials(operator, source), ElementType.INT32),)
        declarations = struct("vt_softmax_params", sizes)
    elif source.type is INT16:
        kernel, tables = "vt_softmax_s16", _tables_s16()
        multiplier, shift = quantise_multiplier(scale(source) * number(operator, "beta", 1.0) / (10.0 / 65535.0))
        declarations = struct("vt_softmax_s16_params", {**sizes, "multiplier": multiplier, "shift": shift})
    else:
        kernel = "vt_softmax_f32"
        declarations = struct("vt_softmax_f32_params", {**sizes, "beta": number(operator, "beta", 1.0)})
    arguments = (*(table.name for table in tables), given.expression, f"{{tensor_{output.index}}}")
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments),
        constants=(*tables, *given.constants),
        declarations=declarations,
        sources=("softmax.c",),
        notes=fallback_notes(engine, f"{source.type.value} SOFTMAX"),
    )


def _multiplier_s8(operator: Operator, source: Tensor) -> tuple[int, int]:
    """What a difference of two inputs is multiplied by to get 5 integer bits, times beta."""
    real = number(operator, "beta", 1.0) * scale(source) * (1 << (31 - DIFFERENCE_BITS))
    return quantise_multiplier(min(real, 2.0**31 - 1.0))


def _exponentials(operator: Operator, source: Tensor) -> list[int]:
    """exp of beta times the scaled difference, without integer bits, for differences 0, -1, …, -255; 0 beyond 2**5."""
    multiplier, shift = _multiplier_s8(operator, source)
    radius = input_radius(DIFFERENCE_BITS, shift)
    values = [doubling_high_multiply(-i << shift, multiplier) if i <= radius else None for i in range(256)]
    return [0 if value is None else exp_on_negative_values(value, DIFFERENCE_BITS) for value in values]


def _tables_s16() -> tuple[Constant, Constant]:
    """The tables of exp(x) for x in -10..0 and of 1 / (1 + x) for x in 0..1, both in 15 fraction bits."""
    step, to_unit = 10.0 / 65535, 2.0 / 65535
    return (
        interpolation_table_s16("exponentials", step, 32767, to_unit, 0, exp),
        interpolation_table_s16("reciprocals", 1.0 / 65535, -32768, to_unit, 0, lambda x: 1.0 / (1.0 + x)),
    )
