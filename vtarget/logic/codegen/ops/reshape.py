"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same elements in another shape; free where both share memory."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.loops import copy_layer, size_problem
from vtarget.logic.codegen.options import arity_problem, required_input

INPUTS = {"RESHAPE": (1, 2), "SQUEEZE": (1,), "EXPAND_DIMS": (2,)}


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, INPUTS[operator.op])
    if problem is not None:
        return problem
    source, output = graph.input(operator, 0), graph.output(operator)
    if source is None:
        return "its input is missing"
    if source.type is not output.type:
        return f"it turns {source.type.value} into {output.type.value}"
    if source.elements != output.elements:
        return f"shape {list(source.shape)} can't become {list(output.shape)}"
    return size_problem(source, output)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """One copy."""
    return copy_layer(operator, required_input(graph, operator, 0), graph.output(operator))
