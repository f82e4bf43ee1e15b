"""BATCH_MATMUL: (…, m, k) by (…, k, n), either given transposed (adj_x, adj_y); leading dimensions broadcast."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct
from vtarget.logic.codegen.loops import BROADCAST_DIMS, broadcast_dims, broadcast_problem, size_problem
from vtarget.logic.codegen.options import (
    arity_problem,
    fallback_notes,
    flag,
    required_input,
    scale,
    scales_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import quantise_multiplier, shift_problem

TYPES = (ElementType.INT8, ElementType.INT16, ElementType.FLOAT32)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the product can't be generated, None if it can."""
    problem = arity_problem(operator, (2,))
    left, right, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if problem is not None or left is None or right is None:
        return problem or "an input is missing"
    problem = type_problem(left, "its first input", TYPES)
    problem = problem or type_problem(right, "its second input", (left.type,))
    problem = problem or type_problem(output, "output", (left.type,)) or size_problem(left, right, output)
    problem = problem or _shape_problem(operator, left, right, output)
    if problem is not None or left.type is ElementType.FLOAT32:
        return problem
    roles = ((left, "its first input"), (right, "its second input"), (output, "output"))
    for tensor, role in roles:
        problem = problem or scales_problem(tensor, role)
    return problem or shift_problem((_multiplier(left, right, output)[1],), left.type)


def _matrix(tensor: Tensor, transposed: bool) -> tuple[int, int]:
    rows, columns = tensor.shape[-2:]
    return (columns, rows) if transposed else (rows, columns)


def _shape_problem(operator: Operator, left: Tensor, right: Tensor, output: Tensor) -> str | None:
    if min(len(tensor.shape) for tensor in (left, right, output)) < 2:
        return "an input or its output has less than 2 dimensions"
    rows, depth = _matrix(left, flag(operator, "adj_x"))
    right_depth, columns = _matrix(right, flag(operator, "adj_y"))
    if depth != right_depth or output.shape[-2:] != (rows, columns):
        return "the sizes of its matrices don't go together"
    return broadcast_problem(*(replace(tensor, shape=(*tensor.shape[:-2], 1)) for tensor in (left, right, output)))


def _multiplier(left: Tensor, right: Tensor, output: Tensor) -> tuple[int, int]:
    """Both input scales are multiplied in float32."""
    product = np.float32(scale(left)) * np.float32(scale(right))
    return quantise_multiplier(float(product) / scale(output))


def _batch_fields(left: Tensor, right: Tensor, output: Tensor) -> dict[str, FieldValue]:
    """The fields of a ``vt_broadcast`` over the batches, its innermost loop of extent 1."""
    sizes = [prod(tensor.shape[-2:]) for tensor in (left, right)]
    dims = broadcast_dims(left.shape[:-2], right.shape[:-2], output.shape[:-2])
    levels = [(extent, step1 * sizes[0], step2 * sizes[1]) for extent, step1, step2 in dims]
    levels = [(1, 0, 0)] * (BROADCAST_DIMS - 1 - len(levels)) + levels + [(1, 0, 0)]
    return {name: [level[i] for level in levels] for i, name in enumerate(("shape", "step1", "step2"))}


def _shape_fields(operator: Operator, left: Tensor, right: Tensor, output: Tensor) -> dict[str, FieldValue]:
    rows, depth = _matrix(left, flag(operator, "adj_x"))
    columns = output.shape[-1]
    left_steps = (1, rows) if flag(operator, "adj_x") else (depth, 1)
    right_steps = (1, depth) if flag(operator, "adj_y") else (columns, 1)
    return {
        "batches": _batch_fields(left, right, output),
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "left_row": left_steps[0],
        "left_column": left_steps[1],
        "right_row": right_steps[0],
        "right_column": right_steps[1],
    }


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The product as a call of ``vt_batch_matmul_*``."""
    left, right = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    first, second = operand("left", left), operand("right", right)
    kernel = f"vt_batch_matmul_{SUFFIXES[left.type]}"
    fields: dict[str, FieldValue] = {"shape": _shape_fields(operator, left, right, output)}
    c_type = "vt_batch_matmul_f32_params"
    if left.type is not ElementType.FLOAT32:
        c_type = "vt_batch_matmul_params"
        multiplier, shift = _multiplier(left, right, output)
        fields |= {"left_offset": -zero_point(left), "right_offset": -zero_point(right)}
        fields |= {"output_offset": zero_point(output), "multiplier": multiplier, "shift": shift}
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", first.expression, second.expression, f"{{tensor_{output.index}}}"),
        constants=(*first.constants, *second.constants),
        declarations=struct(c_type, fields),
        sources=("batch_matmul.c",),
        macs=output.elements * _matrix(left, flag(operator, "adj_x"))[1],
        notes=fallback_notes(engine, f"{left.type.value} {operator.op}"),
    )
