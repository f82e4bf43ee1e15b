"""L2_NORMALIZATION over the last dimension: int8 (output with 7 fraction bits) and float32."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, call, operand, struct
from vtarget.logic.codegen.elementwise import elementwise_problem
from vtarget.logic.codegen.options import activation, fallback_notes, required_input, scale, zero_point

LONGEST_ROW = 1 << 15  # the sum of squares has 31 bits


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = elementwise_problem(operator, graph, (ElementType.INT8, ElementType.FLOAT32))
    source, output = graph.input(operator, 0), graph.output(operator)
    if problem is not None or source is None:
        return problem
    if activation(operator) != "NONE":
        return f"fused activation {activation(operator)} isn't supported"
    if not source.shape or source.shape[-1] > LONGEST_ROW:
        return f"input shape {list(source.shape)} can't be handled"
    if source.type is ElementType.INT8 and (abs(scale(output) * 128 - 1) > 0.001 or zero_point(output) != 0):
        return "its output must have scale 1/128 and zero point 0"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_l2_normalization_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    given = operand("input", source)
    kernel = f"vt_l2_normalization_{SUFFIXES[source.type]}"
    depth = source.shape[-1]
    fields = {"rows": source.elements // depth, "depth": depth, "input_offset": -zero_point(source)}
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", given.expression, f"{{tensor_{output.index}}}"),
        constants=given.constants,
        declarations=struct("vt_l2_normalization_params", fields),
        sources=("l2_normalization.c",),
        macs=source.elements,
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )
