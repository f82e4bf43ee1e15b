"""GATHER: slices of a tensor picked by index along an axis. An index outside it is taken as the nearest one inside."""

from __future__ import annotations

from math import prod

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, call, operand, struct
from vtarget.logic.codegen.loops import axis_problem, size_problem
from vtarget.logic.codegen.options import arity_problem, integer, required_input, type_problem

INDEX_TYPES = (ElementType.INT16, ElementType.INT32, ElementType.INT64)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (2,))
    if problem is not None:
        return problem
    source, indices, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if source is None or indices is None:
        return "its input or indices are missing"
    if source.type is not output.type:
        return f"it turns {source.type.value} into {output.type.value}"
    problem = (
        type_problem(indices, "its indices", INDEX_TYPES)
        or axis_problem(integer(operator, "axis"), len(source.shape))
        or size_problem(source, indices, output)
    )
    if problem is not None:
        return problem
    axis, batch_dims = _place(operator, source, indices)
    if not 0 <= batch_dims <= min(axis, len(indices.shape)) or source.shape[:batch_dims] != indices.shape[:batch_dims]:
        return f"batch_dims {batch_dims} doesn't fit its axis and shapes"
    expected = source.shape[:axis] + indices.shape[batch_dims:] + source.shape[axis + 1 :]
    if output.shape != expected:
        return f"output shape {list(output.shape)} doesn't follow from its inputs, which give {list(expected)}"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_gather_*``, named after the indices' type."""
    source, indices = required_input(graph, operator, 0), required_input(graph, operator, 1)
    operands = [operand("input", source), operand("indices", indices)]
    axis, batch_dims = _place(operator, source, indices)
    fields = {
        "batches": prod(source.shape[:batch_dims]),
        "outer": prod(source.shape[batch_dims:axis]),
        "axis": source.shape[axis],
        "indices": prod(indices.shape[batch_dims:]),
        "run_bytes": prod(source.shape[axis + 1 :]) * source.type.size_bytes,
    }
    kernel = f"vt_gather_{SUFFIXES[indices.type]}"
    place = f"{{tensor_{graph.output(operator).index}}}"
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *(o.expression for o in operands), place),
        constants=tuple(constant for o in operands for constant in o.constants),
        declarations=struct("vt_gather_params", fields),
        sources=("gather.c",),
    )


def _place(operator: Operator, source: Tensor, indices: Tensor) -> tuple[int, int]:
    """The axis and the number of batch dimensions, both counted from the front."""
    batch_dims = integer(operator, "batch_dims")
    return integer(operator, "axis") % len(source.shape), batch_dims + len(indices.shape) * (batch_dims < 0)
