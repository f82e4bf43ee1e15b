"""SLICE and STRIDED_SLICE with constant bounds: a part of a tensor, every so many elements, forwards or backwards."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import array_of
from vtarget.logic.codegen.loops import Move, move_layer, size_problem, strides
from vtarget.logic.codegen.options import flag, integer, required_input

INPUTS = {"SLICE": ("begin", "size"), "STRIDED_SLICE": ("begin", "end", "strides")}
MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


@dataclass(frozen=True)
class Axis:
    """What is taken along one axis of the input, ``step`` elements apart; ``dropped``: not an axis of the output."""

    start: int
    step: int
    count: int
    dropped: bool = False


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    bounds = INPUTS[operator.op]
    source = graph.input(operator, 0)
    if len(operator.inputs) != 1 + len(bounds) or len(operator.outputs) != 1 or source is None:
        return f"it has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
    output = graph.output(operator)
    for position, role in enumerate(bounds, 1):
        bound = graph.input(operator, position)
        if bound is None or not bound.constant:
            return f"its {role} isn't constant"
        if len(bound.shape) != 1 or bound.shape != required_input(graph, operator, 1).shape:
            return f"its {role} has shape {list(bound.shape)}"
    if source.type is not output.type:
        return f"it turns {source.type.value} into {output.type.value}"
    problem = size_problem(source, output)
    if problem is not None:
        return problem
    axes = _axes(operator, graph)
    if isinstance(axes, str):
        return axes
    kept, shape = (tuple(axis.count for axis in axes if not axis.dropped), tuple(n for n in output.shape if n != 1))
    if tuple(n for n in kept if n != 1) != shape:
        return f"output shape {list(output.shape)} doesn't follow from its bounds, which give {list(kept)}"
    return _move(source, axes).problem


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """One copy."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    axes = _axes(operator, graph)
    assert not isinstance(axes, str)
    return move_layer(operator, [(source, output, _move(source, axes))])


def _move(source: Tensor, axes: list[Axis]) -> Move:
    steps = strides(source.shape)
    shape = [axis.count for axis in axes]
    dims = [(a.count, a.step * step, to) for a, step, to in zip(axes, steps, strides(shape), strict=True)]
    return Move(tuple(dims), input_offset=sum(a.start * step for a, step in zip(axes, steps, strict=True)))


def _axes(operator: Operator, graph: Graph) -> list[Axis] | str:
    """What is taken along each axis of the input, or why nothing can be."""
    shape = required_input(graph, operator, 0).shape
    bounds = [
        [int(v) for v in array_of(required_input(graph, operator, position)).reshape(-1)]
        for position in range(1, len(operator.inputs))
    ]
    return _slice_axes(shape, *bounds) if operator.op == "SLICE" else _strided_axes(operator, shape, *bounds)


def _slice_axes(shape: tuple[int, ...], begin: list[int], size: list[int]) -> list[Axis] | str:
    if len(begin) != len(shape):
        return f"it has {len(begin)} bounds for {len(shape)} dimensions"
    axes = [Axis(b, 1, n - b if s == -1 else s) for b, s, n in zip(begin, size, shape, strict=True)]
    if any(a.start < 0 or a.count < 1 or a.start + a.count > n for a, n in zip(axes, shape, strict=True)):
        return f"begin {begin} and size {size} reach outside shape {list(shape)}"
    return axes


def _strided_axes(
    operator: Operator, shape: tuple[int, ...], begin: list[int], end: list[int], steps: list[int]
) -> list[Axis] | str:
    """Bounds as in NumPy; bits of the masks number the bounds, of which new axes and an ellipsis use some."""
    masks = {
        name: integer(operator, f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    bits = {name: [bool(mask >> i & 1) for i in range(len(begin))] for name, mask in masks.items()}
    if any(value == 0 for value in steps):
        return "a stride is 0"
    if sum(bits["ellipsis"]) > 1:
        return "it has more than one ellipsis"
    used = sum(not e and not n for e, n in zip(bits["ellipsis"], bits["new_axis"], strict=True))
    if used > len(shape):
        return f"it has {used} bounds for {len(shape)} dimensions"
    axes: list[Axis] = []
    for i in range(len(begin)):
        if bits["ellipsis"][i]:
            axes += [Axis(0, 1, shape[len(axes) + k]) for k in range(len(shape) - used)]
        elif not bits["new_axis"][i]:
            size = shape[len(axes)]
            stop = begin[i] + end[i] if flag(operator, "offset") else end[i]
            low, high = None if bits["begin"][i] else begin[i], None if bits["end"][i] else stop
            axis = _shrunk(low, size) if bits["shrink_axis"][i] else _taken(low, high, steps[i], size)
            if axis is None:
                return f"bound {i} reaches outside dimension {len(axes)} of {size}"
            axes.append(axis)
    return axes + [Axis(0, 1, n) for n in shape[len(axes) :]]


def _shrunk(begin: int | None, size: int) -> Axis | None:
    start = 0 if begin is None else begin + size if begin < 0 else begin
    return Axis(start, 1, 1, dropped=True) if 0 <= start < size else None


def _taken(begin: int | None, end: int | None, step: int, size: int) -> Axis | None:
    indices = range(*slice(begin, end, step).indices(size))
    return Axis(indices.start, step, len(indices)) if indices else None
