"""TRANSPOSE: the axes of a tensor in another order, which is constant."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import array_of
from vtarget.logic.codegen.loops import Move, move_layer, size_problem, strides
from vtarget.logic.codegen.options import arity_problem, required_input


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (2,))
    if problem is not None:
        return problem
    source, order, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if source is None or order is None or not order.constant:
        return "its permutation isn't constant"
    if source.type is not output.type:
        return f"it turns {source.type.value} into {output.type.value}"
    rank = len(source.shape)
    if order.elements != rank or sorted(int(v) % rank for v in array_of(order).reshape(-1)) != list(range(rank)):
        return f"its permutation isn't one of {rank} axes"
    expected = tuple(source.shape[axis] for axis in _order(operator, graph))
    if output.shape != expected:
        return f"output shape {list(output.shape)} doesn't follow from its permutation, which gives {list(expected)}"
    return size_problem(source) or _move(operator, graph).problem


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """One copy."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    return move_layer(operator, [(source, output, _move(operator, graph))])


def _order(operator: Operator, graph: Graph) -> list[int]:
    rank = len(required_input(graph, operator, 0).shape)
    return [int(v) % rank for v in array_of(required_input(graph, operator, 1)).reshape(-1)]


def _move(operator: Operator, graph: Graph) -> Move:
    source, output = required_input(graph, operator, 0), graph.output(operator)
    steps = strides(source.shape)
    from_steps = [steps[axis] for axis in _order(operator, graph)]
    return Move(tuple(zip(output.shape, from_steps, strides(output.shape), strict=True)))
