"""MEAN and SUM over constant axes; the output's shape with or without the reduced dimensions."""

from __future__ import annotations

from math import prod

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, array_of, call, operand, struct
from vtarget.logic.codegen.loops import Dim, axis_problem, fuse, size_problem, strides
from vtarget.logic.codegen.options import (
    arity_problem,
    fallback_notes,
    flag,
    required_input,
    scale,
    scales_problem,
    shape_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import INT32_MAX, quantise_multiplier, shift_problem

TYPES = (ElementType.INT8, ElementType.INT16, ElementType.FLOAT32)
REDUCE_DIMS = 4  # as in the C structure vt_reduction


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the reduction can't be generated, None if it can."""
    problem = arity_problem(operator, (2,))
    source, axes = graph.input(operator, 0), graph.input(operator, 1)
    if problem is not None or source is None or axes is None:
        return problem or "its input or axes are missing"
    if not axes.constant or axes.type is not ElementType.INT32:
        return "its axes aren't a constant of int32"
    output = graph.output(operator)
    problem = type_problem(source, "input", TYPES) or type_problem(output, "output", (source.type,))
    for axis in _axis_values(axes):
        problem = problem or axis_problem(axis, len(source.shape))
    problem = problem or size_problem(source, output)
    problem = problem or shape_problem(output, "output", _output_shape(operator, source, axes))
    if problem is not None:
        return problem
    if max(len(dims) for dims in _dims(source, axes)) > REDUCE_DIMS:
        return f"reducing over more than {REDUCE_DIMS} separate dimensions isn't supported"
    return None if source.type is ElementType.FLOAT32 else _scales_problem(operator, source, axes, output)


def _scales_problem(operator: Operator, source: Tensor, axes: Tensor, output: Tensor) -> str | None:
    problem = scales_problem(source, "input") or scales_problem(output, "output")
    if problem is not None:
        return problem
    if abs(zero_point(source)) * _count(source, axes) > INT32_MAX:
        return "it reduces too many elements"
    return shift_problem((_rescaling(operator, source, axes, output)[1],), ElementType.INT8)


def _axis_values(axes: Tensor) -> list[int]:
    return [int(axis) for axis in array_of(axes).reshape(-1)]


def _axes(source: Tensor, axes: Tensor) -> set[int]:
    return {axis % len(source.shape) for axis in _axis_values(axes)}


def _count(source: Tensor, axes: Tensor) -> int:
    """How many elements make one of the output."""
    return prod(source.shape[axis] for axis in _axes(source, axes))


def _output_shape(operator: Operator, source: Tensor, axes: Tensor) -> tuple[int, ...]:
    gone = _axes(source, axes)
    if flag(operator, "keep_dims"):
        return tuple(1 if axis in gone else size for axis, size in enumerate(source.shape))
    return tuple(size for axis, size in enumerate(source.shape) if axis not in gone)


def _dims(source: Tensor, axes: Tensor) -> tuple[list[Dim], list[Dim]]:
    """The loops (extent, step) over the dimensions that stay and over those that go."""
    gone = _axes(source, axes)
    steps = list(zip(source.shape, strides(source.shape), strict=True))
    return (
        fuse([dim for axis, dim in enumerate(steps) if axis not in gone]),
        fuse([dim for axis, dim in enumerate(steps) if axis in gone]),
    )


def _rescaling(operator: Operator, source: Tensor, axes: Tensor, output: Tensor) -> tuple[int, int]:
    """(multiplier, shift) of the ratio of scales; for a mean, the multiplier also divides by the number of elements."""
    multiplier, shift = quantise_multiplier(scale(source) / scale(output))
    if operator.op == "SUM":
        return multiplier, shift
    count = _count(source, axes)
    more = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << more) // count, shift - more


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The reduction as a call of ``vt_reduce_s8``, ``vt_reduce_s16``, ``vt_mean_f32`` or ``vt_sum_f32``."""
    source, axes = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    given = operand("input", source)
    count = _count(source, axes)
    fields: dict[str, FieldValue] = {"loop": _loop_fields(source, axes)}
    if source.type is ElementType.FLOAT32:
        kernel, c_type = f"vt_{operator.op.lower()}_f32", "vt_reduce_f32_params"
        fields |= {"count": float(count)}
    else:
        kernel, c_type = f"vt_reduce_{SUFFIXES[source.type]}", "vt_reduce_params"
        multiplier, shift = _rescaling(operator, source, axes, output)
        fields |= {"offset": -zero_point(source) * count, "multiplier": multiplier, "shift": shift}
        fields |= {"output_offset": zero_point(output)}
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", given.expression, f"{{tensor_{output.index}}}"),
        constants=given.constants,
        declarations=struct(c_type, fields),
        sources=("reduce.c",),
        notes=(*fallback_notes(engine, f"{source.type.value} {operator.op}"), *_arithmetic_notes(operator, source)),
    )


def _arithmetic_notes(operator: Operator, source: Tensor) -> tuple[str, ...]:
    if operator.op == "MEAN" or source.type is ElementType.FLOAT32:
        return ()
    return ("quantised SUM is TensorFlow Lite Micro's: the interpreter's reference kernel doesn't rescale sums",)


def _loop_fields(source: Tensor, axes: Tensor) -> dict[str, FieldValue]:
    kept, reduced = ([(1, 0)] * (REDUCE_DIMS - len(dims)) + dims for dims in _dims(source, axes))
    return {
        "kept": [dim[0] for dim in kept],
        "kept_step": [dim[1] for dim in kept],
        "reduced": [dim[0] for dim in reduced],
        "reduced_step": [dim[1] for dim in reduced],
    }
