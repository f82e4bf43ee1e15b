"""SPLIT, SPLIT_V and UNPACK: one tensor cut along an axis, which UNPACK takes away."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import array_of
from vtarget.logic.codegen.loops import Move, axis_problem, move_layer, size_problem, strides
from vtarget.logic.codegen.options import integer, required_input

# Where the tensor to cut and the axis stand among the inputs.
VALUE = {"SPLIT": 1, "SPLIT_V": 0, "UNPACK": 0}
AXIS = {"SPLIT": 0, "SPLIT_V": 2}
INPUTS = {"SPLIT": 2, "SPLIT_V": 3, "UNPACK": 1}


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    if len(operator.inputs) != INPUTS[operator.op] or not operator.outputs:
        return f"it has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
    source = graph.input(operator, VALUE[operator.op])
    if source is None:
        return "its input is missing"
    if operator.op in AXIS:
        axis = graph.input(operator, AXIS[operator.op])
        if axis is None or not axis.constant or axis.elements != 1:
            return "its axis isn't a constant"
    outputs = [graph.output(operator, position) for position in range(len(operator.outputs))]
    if any(output.type is not source.type for output in outputs):
        return "its outputs don't have the input's type"
    problem = size_problem(source, *outputs) or axis_problem(_axis(operator, graph), len(source.shape))
    if problem is not None:
        return problem
    axis_at = _axis(operator, graph) % len(source.shape)
    parts = [_part(operator, output, axis_at) for output in outputs]
    expected = source.shape[:axis_at], source.shape[axis_at + 1 :]
    if any(len(p) != len(source.shape) or (p[:axis_at], p[axis_at + 1 :]) != expected for p in parts):
        return "its outputs differ from the input in other dimensions than the axis"
    if sum(part[axis_at] for part in parts) != source.shape[axis_at]:
        return f"its outputs don't add up to the input's {source.shape[axis_at]} along axis {axis_at}"
    return next((move.problem for move in _moves(operator, graph) if move.problem), None)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """One copy per output."""
    source = required_input(graph, operator, VALUE[operator.op])
    moves = _moves(operator, graph)
    return move_layer(operator, [(source, graph.output(operator, i), move) for i, move in enumerate(moves)])


def _axis(operator: Operator, graph: Graph) -> int:
    if operator.op == "UNPACK":
        return integer(operator, "axis")
    return int(array_of(required_input(graph, operator, AXIS[operator.op])).reshape(-1)[0])


def _part(operator: Operator, output: Tensor, axis: int) -> tuple[int, ...]:
    """An output's shape, with the axis that UNPACK takes away."""
    return (*output.shape[:axis], 1, *output.shape[axis:]) if operator.op == "UNPACK" else output.shape


def _moves(operator: Operator, graph: Graph) -> list[Move]:
    source = required_input(graph, operator, VALUE[operator.op])
    axis = _axis(operator, graph) % len(source.shape)
    steps = strides(source.shape)
    moves, at = [], 0
    for position in range(len(operator.outputs)):
        part = _part(operator, graph.output(operator, position), axis)
        dims = tuple(zip(part, steps, strides(part), strict=True))
        moves.append(Move(dims, input_offset=at * steps[axis]))
        at += part[axis]
    return moves
