"""LOGISTIC and TANH of each element: int8 by table, int16 by interpolation, float32."""

from __future__ import annotations

from math import log

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import call, operand, struct
from vtarget.logic.codegen.elementwise import elementwise_problem, in_place
from vtarget.logic.codegen.fixedpoint import input_radius, logistic, tanh
from vtarget.logic.codegen.options import fallback_notes, required_input, scale, zero_point
from vtarget.logic.codegen.quantise import multiply_by_multiplier, quantise_multiplier, rounding_divide
from vtarget.logic.codegen.tables import lookup_s8, sigmoid_table

INT8, INT16, FLOAT32 = ElementType.INT8, ElementType.INT16, ElementType.FLOAT32
# What the output stands for is fixed: (scale, zero point).
OUTPUT_QUANTISATION = {
    ("LOGISTIC", INT8): (1 / 256, -128),
    ("TANH", INT8): (1 / 128, 0),
    ("LOGISTIC", INT16): (1 / 32768, 0),
    ("TANH", INT16): (1 / 32768, 0),
}
INPUT_BITS = 4  # integer bits of a scaled int8 input
LARGEST_S16_SCALE = 32767.0 / (3.0 * 4096.0)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = elementwise_problem(operator, graph, (INT8, INT16, FLOAT32))
    source, output = graph.input(operator, 0), graph.output(operator)
    if problem is not None or source is None or source.type is FLOAT32:
        return problem
    expected_scale, expected_zero = OUTPUT_QUANTISATION[operator.op, source.type]
    if abs(scale(output) / expected_scale - 1.0) > 0.001 or zero_point(output) != expected_zero:
        return f"its output must have scale {expected_scale} and zero point {expected_zero}"
    if source.type is INT16 and scale(source) > LARGEST_S16_SCALE:
        return f"its input's scale is above {LARGEST_S16_SCALE:.2f}"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_lookup_s8``, ``vt_logistic_*`` or ``vt_tanh_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    if source.type is INT8:
        return lookup_s8(operator, source, output, lambda value: _value_s8(operator.op, source, value))
    given = operand("input", source)
    kernel = f"vt_{operator.op.lower()}_{'s16' if source.type is INT16 else 'f32'}"
    arguments = (given.expression, f"{{tensor_{output.index}}}", str(source.elements))
    table = sigmoid_table()
    tables = (table,) if source.type is INT16 else ()
    front = ("&{layer}_params", table.name) if source.type is INT16 else ()
    fields = _fields_s16(operator.op, scale(source)) if source.type is INT16 else {}
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, *front, *arguments),
        constants=(*tables, *given.constants),
        declarations=struct("vt_sigmoid_s16_params", fields) if fields else "",
        sources=("activation.c",),
        in_place=in_place(source),
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )


def _value_s8(op: str, source: Tensor, value: int) -> int:
    """In fixed point, as TensorFlow Lite's integer kernels do."""
    multiplier, shift = quantise_multiplier(scale(source) * 2.0 ** (31 - INPUT_BITS))
    radius = input_radius(INPUT_BITS, shift)
    difference = value - zero_point(source)
    if abs(difference) >= radius:
        return 127 if difference > 0 else -128
    scaled = multiply_by_multiplier(difference, multiplier, shift)
    if op == "LOGISTIC":
        return rounding_divide(logistic(scaled, INPUT_BITS), 31 - 8) - 128
    return rounding_divide(tanh(scaled, INPUT_BITS), 31 - 7)


def _fields_s16(op: str, input_scale: float) -> dict[str, int]:
    """What an input is multiplied by and shifted right for 3 * 4096 per unit: exact for the powers of two."""
    logarithm = np.float32(log(input_scale)) * np.float32(1.0 / log(2.0))
    left = 12 + round(float(logarithm))
    exact = abs(float(logarithm) - round(float(logarithm))) < 1e-3
    if exact and (left == 0 or (op == "TANH" and left == 1)):
        return {"multiplier": 3 << left, "shift": 0}
    multiplier, shift = input_scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return {"multiplier": int(multiplier), "shift": shift}
