"""CONCATENATION and PACK: tensors of one type and quantisation side by side along an axis, which PACK adds."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.loops import Move, axis_problem, move_layer, size_problem, strides
from vtarget.logic.codegen.options import activation, integer, required_input


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    if not operator.inputs or len(operator.outputs) != 1:
        return f"it has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
    output = graph.output(operator)
    if operator.op == "CONCATENATION" and activation(operator) != "NONE":
        return f"fused activation {activation(operator)} isn't supported"
    problem = axis_problem(integer(operator, "axis"), len(output.shape))
    for position in range(len(operator.inputs)):
        source = graph.input(operator, position)
        if source is None:
            return f"input {position} is missing"
        problem = problem or _input_problem(source, output, f"input {position}") or size_problem(source, output)
    if problem is not None:
        return problem
    parts = _parts(operator, graph)
    axis = integer(operator, "axis") % len(output.shape)
    if any(len(part) != len(output.shape) for part in parts):
        return "its inputs don't have the output's number of dimensions"
    expected = list(parts[0])
    expected[axis] = sum(part[axis] for part in parts)
    if any(part[:axis] + part[axis + 1 :] != parts[0][:axis] + parts[0][axis + 1 :] for part in parts):
        return "its inputs differ in other dimensions than the axis"
    if tuple(expected) != output.shape:
        return f"output shape {list(output.shape)} doesn't follow from its inputs, which give {expected}"
    return next((move.problem for move in _moves(operator, graph) if move.problem), None)


def _input_problem(source: Tensor, output: Tensor, role: str) -> str | None:
    if source.type is not output.type:
        return f"{role} has type {source.type.value}, the output {output.type.value}"
    a, b = source.quantisation, output.quantisation
    if a is not None and b is not None and (a.scales, a.zero_points) != (b.scales, b.zero_points):
        return f"{role} is quantised otherwise than the output"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """One copy per input."""
    output = graph.output(operator)
    sources = [required_input(graph, operator, position) for position in range(len(operator.inputs))]
    moves = _moves(operator, graph)
    return move_layer(operator, [(source, output, move) for source, move in zip(sources, moves, strict=True)])


def _parts(operator: Operator, graph: Graph) -> list[tuple[int, ...]]:
    """The inputs' shapes, with PACK's new axis."""
    shapes = [required_input(graph, operator, position).shape for position in range(len(operator.inputs))]
    if operator.op == "PACK":
        axis = integer(operator, "axis") % (len(shapes[0]) + 1)
        shapes = [(*shape[:axis], 1, *shape[axis:]) for shape in shapes]
    return shapes


def _moves(operator: Operator, graph: Graph) -> list[Move]:
    output = graph.output(operator)
    axis = integer(operator, "axis") % len(output.shape)
    steps = strides(output.shape)
    moves, at = [], 0
    for part in _parts(operator, graph):
        dims = tuple(zip(part, strides(part), steps, strict=True))
        moves.append(Move(dims, output_offset=at * steps[axis]))
        at += part[axis]
    return moves
