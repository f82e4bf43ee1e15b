"""SVDF, int8 with an int16 state, and float32.

Input (n, inputs), features (filters, inputs), times (filters, memory), optional bias, state; output (n, units).
"""

from __future__ import annotations

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import FieldValue, call, operand, struct
from vtarget.logic.codegen.loops import size_problem
from vtarget.logic.codegen.options import (
    activation,
    activation_problem,
    arity_problem,
    fallback_notes,
    integer,
    required_input,
    scale,
    scales_problem,
    shape_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import activation_range_float, quantise_multiplier, shift_problem
from vtarget.logic.codegen.weights import bias_problem

INT8, INT16, INT32, FLOAT32 = ElementType.INT8, ElementType.INT16, ElementType.INT32, ElementType.FLOAT32
# Input type -> the types of features, times, bias, state and output.
TYPES = {INT8: (INT8, INT16, INT32, INT16, INT8), FLOAT32: (FLOAT32,) * 5}
ROLES = ("feature weights", "time weights", "bias", "state", "output")


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the filter can't be generated, None if it can."""
    problem = arity_problem(operator, (5,)) or activation_problem(operator)
    tensors = [graph.input(operator, position) for position in range(5)]
    source, features, times, bias, state = tensors if problem is None else [None] * 5
    if source is None or features is None or times is None or state is None:
        return problem or "its input, weights or state is missing"
    if source.type not in TYPES:
        return f"input has type {source.type.value}"
    parts = (features, times, bias, state, graph.output(operator))
    for tensor, role, type_ in zip(parts, ROLES, TYPES[source.type], strict=True):
        problem = problem or (type_problem(tensor, role, (type_,)) if tensor is not None else None)
    if problem is None and not (features.constant and times.constant and (bias is None or bias.constant)):
        problem = "its weights or bias aren't constant"
    if problem is None and not state.variable:
        problem = "its state isn't a variable tensor"
    problem = problem or _shapes_problem(operator, source, features, times, bias, state, graph.output(operator))
    if problem is not None or source.type is FLOAT32:
        return problem
    return _scales_problem(operator, source, features, times, state, graph.output(operator))


def _shapes_problem(
    operator: Operator,
    source: Tensor,
    features: Tensor,
    times: Tensor,
    bias: Tensor | None,
    state: Tensor,
    output: Tensor,
) -> str | None:
    if not len(source.shape) == len(features.shape) == len(times.shape) == 2:
        return "its input or weights don't have 2 dimensions"
    rank = integer(operator, "rank", 1)
    (batches, inputs), filters, memory = source.shape, features.shape[0], times.shape[1]
    if rank < 1 or filters % rank:
        return f"{filters} filters don't split into units of rank {rank}"
    units = filters // rank
    return (
        size_problem(source, features, times, state, output)
        or shape_problem(features, "feature weights", (filters, inputs))
        or shape_problem(times, "time weights", (filters, memory))
        or shape_problem(state, "state", (batches, filters * memory))
        or shape_problem(output, "output", (batches, units))
        or bias_problem(bias, units)
    )


def _scales_problem(
    operator: Operator, source: Tensor, features: Tensor, times: Tensor, state: Tensor, output: Tensor
) -> str | None:
    if activation(operator) not in ("NONE", "RELU"):
        return f"fused activation {activation(operator)} isn't supported for int8"
    problem = None
    roles = ("input", "feature weights", "time weights", "state", "output")
    for tensor, role in zip((source, features, times, state, output), roles, strict=True):
        problem = problem or scales_problem(tensor, role)
    if problem is None and (zero_point(features) or zero_point(times)):
        problem = "its weights have a zero point other than 0"
    pairs = [] if problem else _multipliers(source, features, times, state, output)
    return problem or shift_problem([pair[1] for pair in pairs], INT8)


def _multipliers(
    source: Tensor, features: Tensor, times: Tensor, state: Tensor, output: Tensor
) -> list[tuple[int, int]]:
    """(multiplier, shift) into the state's and into the output's scale, ratios in float32."""
    f32 = np.float32
    feature = f32(f32(scale(source)) * f32(scale(features))) / f32(scale(state))
    time = f32(f32(scale(state)) * f32(scale(times))) / f32(scale(output))
    return [quantise_multiplier(float(feature)), quantise_multiplier(float(time))]


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The filter as a call of ``vt_svdf_s8`` or ``vt_svdf_f32``."""
    source, features, times = (required_input(graph, operator, position) for position in range(3))
    state, output = required_input(graph, operator, 4), graph.output(operator)
    names = ("input", "features", "times", "bias", "state")
    operands = [operand(name, graph.input(operator, position)) for position, name in enumerate(names)]
    (batches, inputs), filters, memory = source.shape, features.shape[0], times.shape[1]
    fields: dict[str, FieldValue] = {"batches": batches, "inputs": inputs, "filters": filters, "memory": memory}
    fields |= {"rank": integer(operator, "rank", 1)}
    kernel, c_type = "vt_svdf_s8", "vt_svdf_params"
    if source.type is FLOAT32:
        kernel, c_type = "vt_svdf_f32", "vt_svdf_f32_params"
        low, high = activation_range_float(activation(operator))
        fields |= {"activation_min": low, "activation_max": high}
    else:
        feature, time = _multipliers(source, features, times, state, output)
        fields |= {"input_offset": -zero_point(source), "output_offset": zero_point(output)}
        fields |= {"feature_multiplier": feature[0], "feature_shift": feature[1]}
        fields |= {"time_multiplier": time[0], "time_shift": time[1]}
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *(o.expression for o in operands), f"{{tensor_{output.index}}}"),
        constants=tuple(constant for o in operands for constant in o.constants),
        declarations=struct(c_type, fields),
        sources=("svdf.c",),
        macs=batches * filters * (inputs + memory),
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )
