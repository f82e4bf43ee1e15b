"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: images (n, h, w, c) to another height and width."""

from __future__ import annotations

from math import floor

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, array_of, call, operand, struct, table_constant
from vtarget.logic.codegen.loops import size_problem
from vtarget.logic.codegen.options import arity_problem, fallback_notes, flag, required_input, type_problem
from vtarget.logic.codegen.quantise import round_away

BILINEAR_TYPES = (ElementType.INT8, ElementType.INT16, ElementType.FLOAT32)
# Rows and columns are kept as int16; sizes in units of 1/1024 must stay far from the end of int32.
LARGEST_SIZE = 1 << 15


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (2,))
    if problem is not None:
        return problem
    source, size, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if source is None or size is None or not size.constant:
        return "its size isn't constant"
    if source.type is not output.type:
        return f"it turns {source.type.value} into {output.type.value}"
    if len(source.shape) != 4 or size.elements != 2:
        return "its input doesn't have 4 dimensions or its size not 2"
    expected = (source.shape[0], *(int(v) for v in array_of(size).reshape(-1)), source.shape[3])
    if output.shape != expected:
        return f"output shape {list(output.shape)} doesn't follow from its size, which gives {list(expected)}"
    if flag(operator, "align_corners") and flag(operator, "half_pixel_centers"):
        return "align_corners and half_pixel_centers exclude each other"
    problem = size_problem(source, output)
    if problem is None and max(*source.shape[1:3], *output.shape[1:3]) >= LARGEST_SIZE:
        problem = f"images of {LARGEST_SIZE} or more rows or columns can't be handled"
    return problem or (_bilinear_problem(operator, source, output) if operator.op == "RESIZE_BILINEAR" else None)


def _bilinear_problem(operator: Operator, source: Tensor, output: Tensor) -> str | None:
    if source.type is ElementType.FLOAT32:
        return None
    half = flag(operator, "half_pixel_centers")
    for axis, scale in ((1, _scale_1024(operator, source, output, 1)), (2, _scale_1024(operator, source, output, 2))):
        last = (output.shape[axis] - 1) * scale + (scale // 2 - 512 if half else 0)
        if last // 1024 >= source.shape[axis]:
            return f"{source.shape[axis]} to {output.shape[axis]} is too much for integer arithmetic"
    return type_problem(source, "its input", BILINEAR_TYPES)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_resize_nearest_neighbor`` or ``vt_resize_bilinear_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    value, place = operand("input", source), f"{{tensor_{output.index}}}"
    fields: dict[str, FieldValue] = {
        "batches": source.shape[0],
        "in_h": source.shape[1],
        "in_w": source.shape[2],
        "out_h": output.shape[1],
        "out_w": output.shape[2],
    }
    if operator.op == "RESIZE_NEAREST_NEIGHBOR":
        kernel, c_type = "vt_resize_nearest_neighbor", "vt_resize_nearest_params"
        fields["pixel_bytes"] = source.shape[3] * source.type.size_bytes
        tables = tuple(
            table_constant(name, _nearest(operator, source.shape[axis], output.shape[axis]), ElementType.INT16)
            for name, axis in (("rows", 1), ("columns", 2))
        )
        notes: tuple[str, ...] = ()
    else:
        real = source.type is ElementType.FLOAT32
        scale = _scale_f32 if real else _scale_1024
        kernel = f"vt_resize_bilinear_{SUFFIXES[source.type]}"
        c_type = "vt_resize_bilinear_f32_params" if real else "vt_resize_bilinear_params"
        fields["channels"] = source.shape[3]
        fields |= {"scale_h": scale(operator, source, output, 1), "scale_w": scale(operator, source, output, 2)}
        fields["half_pixel_centers"] = flag(operator, "half_pixel_centers")
        tables, notes = (), fallback_notes(engine, operator.op)
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *(table.name for table in tables), value.expression, place),
        constants=value.constants + tables,
        declarations=struct(c_type, fields),
        sources=("resize.c",),
        notes=notes,
    )


def _sizes(operator: Operator, source: Tensor, output: Tensor, axis: int) -> tuple[int, int]:
    """Input and output size whose ratio is the scale; with aligned corners the distance of the corners."""
    one = 1 if flag(operator, "align_corners") and output.shape[axis] > 1 else 0
    return source.shape[axis] - one, output.shape[axis] - one


def _scale_1024(operator: Operator, source: Tensor, output: Tensor, axis: int) -> int:
    """Input pixels per output pixel in units of 1/1024, rounded."""
    size, out = _sizes(operator, source, output, axis)
    return (1024 * size + out // 2) // out


def _scale_f32(operator: Operator, source: Tensor, output: Tensor, axis: int) -> float:
    """Input pixels per output pixel in single precision."""
    size, out = _sizes(operator, source, output, axis)
    return float(np.float32(size) / np.float32(out))


def _nearest(operator: Operator, size: int, out: int) -> list[int]:
    """The input's row or column that each of the output shows, in single precision as TensorFlow Lite has it."""
    align, half = flag(operator, "align_corners"), flag(operator, "half_pixel_centers")
    one = 1 if align and out > 1 else 0
    scale = np.float32(size - one) / np.float32(out - one)
    offset = np.float32(0.5 if half else 0.0)
    places = [float((np.float32(index) + offset) * scale) for index in range(out)]
    return [max(0, min(round_away(at) if align else floor(at), size - 1)) for at in places]
