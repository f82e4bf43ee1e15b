"""HARD_SWISH, x * relu6(x + 3) / 6, of each element: int8 by table, float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import call, operand
from vtarget.logic.codegen.elementwise import elementwise_problem, in_place
from vtarget.logic.codegen.options import fallback_notes, required_input, scale, zero_point
from vtarget.logic.codegen.quantise import quantise_multiplier, rounding_divide
from vtarget.logic.codegen.tables import lookup_s8

INT16_MIN, INT16_MAX = -32768, 32767


@dataclass(frozen=True)
class _Multiplier:
    """A real multiplier as a 15-bit fraction and a power of two."""

    fraction: int
    shift: int


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = elementwise_problem(operator, graph, (ElementType.INT8, ElementType.FLOAT32))
    source = graph.input(operator, 0)
    if problem is not None or source is None or source.type is ElementType.FLOAT32:
        return problem
    if _multipliers(source, graph.output(operator))[0].shift > 0:
        return "its output's scale is too small for that of its input"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_lookup_s8`` or ``vt_hard_swish_f32``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    if source.type is ElementType.INT8:
        return lookup_s8(operator, source, output, lambda value: _value(source, output, value))
    given = operand("input", source)
    arguments = (given.expression, f"{{tensor_{output.index}}}", str(source.elements))
    return Layer(
        operator=operator.index,
        kernel="vt_hard_swish_f32",
        call=call("vt_hard_swish_f32", *arguments),
        constants=given.constants,
        sources=("activation.c",),
        in_place=in_place(source),
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )


def _multiplier(real: np.float32) -> _Multiplier:
    multiplier, shift = quantise_multiplier(float(real))
    rounded = INT16_MAX if multiplier >= 2**31 - (1 << 15) else (multiplier + (1 << 15)) >> 16
    return _Multiplier(rounded, shift)


def _multipliers(source: Tensor, output: Tensor) -> tuple[_Multiplier, _Multiplier]:
    """What takes an input with 7 more bits to the output's scale, and to 32768 / 3 per unit."""
    fine_scale = np.float32(1.0 / 128.0) * np.float32(scale(source))
    gate_scale = np.float32(3.0) / np.float32(32768.0)
    return _multiplier(fine_scale / np.float32(scale(output))), _multiplier(fine_scale / gate_scale)


def _high_multiply(a: int, b: int) -> int:
    """The high half of 2*a*b of two int16, rounded, saturated."""
    return INT16_MAX if a == b == INT16_MIN else (a * b + (1 << 14)) >> 15


def _saturate(value: int) -> int:
    return min(max(value, INT16_MIN), INT16_MAX)


def _value(source: Tensor, output: Tensor, value: int) -> int:
    """In int16 fixed point: the input on the output's scale times a gate, (x + 3) / 6 held within 0..1."""
    to_output, to_gate = _multipliers(source, output)
    fine = (value - zero_point(source)) * 128
    ungated = _high_multiply(fine, to_output.fraction)
    gate = _saturate(fine << to_gate.shift - 1) if to_gate.shift > 0 else fine
    gate = _high_multiply(gate, to_gate.fraction)
    gate = _saturate(gate << 1) if to_gate.shift > 0 else rounding_divide(gate, -to_gate.shift)
    product = ((gate + 32768) >> 1) * ungated
    truncated = abs(product) >> 15
    signed = truncated if product >= 0 else -truncated
    return rounding_divide(signed, -to_output.shift) + zero_point(output)
