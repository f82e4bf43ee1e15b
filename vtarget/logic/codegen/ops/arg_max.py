"""ARG_MAX and ARG_MIN: the index of the largest or smallest element along a constant axis, the first of several."""

from __future__ import annotations

from math import prod

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, array_of, call, operand, struct
from vtarget.logic.codegen.loops import axis_problem, size_problem
from vtarget.logic.codegen.options import arity_problem, required_input, type_problem

TYPES = (ElementType.INT8, ElementType.UINT8, ElementType.INT16, ElementType.INT32, ElementType.FLOAT32)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (2,))
    if problem is not None:
        return problem
    source, axis, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if source is None or axis is None or not axis.constant or axis.elements != 1:
        return "its axis isn't a constant"
    problem = (
        type_problem(source, "its input", TYPES)
        or type_problem(output, "its output", (ElementType.INT32, ElementType.INT64))
        or size_problem(source, output)
        or axis_problem(int(array_of(axis).reshape(-1)[0]), len(source.shape))
    )
    if problem is not None:
        return problem
    at = _axis(operator, graph)
    expected = source.shape[:at] + source.shape[at + 1 :]
    if output.shape != expected:
        return f"output shape {list(output.shape)} doesn't follow from its axis, which gives {list(expected)}"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_arg_max_*`` or ``vt_arg_min_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    axis = _axis(operator, graph)
    value = operand("input", source)
    kernel = f"vt_{operator.op.lower()}_{SUFFIXES[source.type]}_{SUFFIXES[output.type]}"
    shape = source.shape
    fields = {"outer": prod(shape[:axis]), "axis": shape[axis], "inner": prod(shape[axis + 1 :])}
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", value.expression, f"{{tensor_{output.index}}}"),
        constants=value.constants,
        declarations=struct("vt_arg_max_params", fields),
        sources=("arg_max.c",),
    )


def _axis(operator: Operator, graph: Graph) -> int:
    rank = len(required_input(graph, operator, 0).shape)
    return int(array_of(required_input(graph, operator, 1)).reshape(-1)[0]) % rank
