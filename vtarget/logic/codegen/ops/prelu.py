"""PRELU: x where positive, else alpha * x, alpha broadcast to the input; int8 and float32."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct
from vtarget.logic.codegen.elementwise import elementwise_problem, in_place
from vtarget.logic.codegen.loops import broadcast_fields, broadcast_problem, size_problem
from vtarget.logic.codegen.options import (
    fallback_notes,
    required_input,
    scale,
    scales_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import quantise_multiplier, shift_problem


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = elementwise_problem(operator, graph, (ElementType.INT8, ElementType.FLOAT32), (2,))
    source, alpha = graph.input(operator, 0), graph.input(operator, 1)
    if problem is not None or source is None or alpha is None:
        return problem or "its alpha is missing"
    output = graph.output(operator)
    problem = type_problem(alpha, "alpha", (source.type,)) or size_problem(source, alpha)
    problem = problem or broadcast_problem(source, alpha, output)
    if problem is not None or source.type is ElementType.FLOAT32:
        return problem
    problem = scales_problem(alpha, "alpha")
    return problem or shift_problem([pair[1] for pair in _multipliers(source, alpha, output)], ElementType.INT8)


def _multipliers(source: Tensor, alpha: Tensor, output: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) of inputs above zero and of products below."""
    ratio = scale(source) / scale(output)
    return quantise_multiplier(ratio), quantise_multiplier(scale(source) * scale(alpha) / scale(output))


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_prelu_*``."""
    source, alpha = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    given, slope = operand("input", source), operand("alpha", alpha)
    kernel = f"vt_prelu_{SUFFIXES[source.type]}"
    fields: dict[str, FieldValue] = {"loop": broadcast_fields(source, alpha, output)}
    c_type = "vt_prelu_f32_params"
    if source.type is not ElementType.FLOAT32:
        c_type = "vt_prelu_params"
        fields |= _quantised_fields(source, alpha, output)
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", given.expression, slope.expression, f"{{tensor_{output.index}}}"),
        constants=(*given.constants, *slope.constants),
        declarations=struct(c_type, fields),
        sources=("prelu.c",),
        in_place=in_place(source),
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )


def _quantised_fields(source: Tensor, alpha: Tensor, output: Tensor) -> dict[str, FieldValue]:
    positive, negative = _multipliers(source, alpha, output)
    return {
        "input_offset": -zero_point(source),
        "alpha_offset": -zero_point(alpha),
        "output_offset": zero_point(output),
        "positive_multiplier": positive[0],
        "positive_shift": positive[1],
        "negative_multiplier": negative[0],
        "negative_shift": negative[1],
    }
