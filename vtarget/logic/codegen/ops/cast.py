"""CAST: the elements in another type; from float32 towards zero and saturating, integers wrapping around."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, call, operand
from vtarget.logic.codegen.loops import copy_layer, in_place, size_problem
from vtarget.logic.codegen.options import arity_problem, required_input


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (1,))
    if problem is not None:
        return problem
    source, output = graph.input(operator, 0), graph.output(operator)
    if source is None:
        return "its input is missing"
    if source.shape != output.shape:
        return f"shape {list(source.shape)} can't become {list(output.shape)}"
    return size_problem(source, output)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_cast_*``; between equal types a copy."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    if source.type is output.type:
        return copy_layer(operator, source, output)
    value = operand("input", source)
    to = "b8" if output.type is ElementType.BOOL else SUFFIXES[output.type]
    kernel = f"vt_cast_{SUFFIXES[source.type]}_{to}"
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, value.expression, f"{{tensor_{output.index}}}", str(source.elements)),
        constants=value.constants,
        sources=("cast.c",),
        in_place=in_place(source, output),
    )
