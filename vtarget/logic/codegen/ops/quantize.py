"""QUANTIZE (from float32, or from one quantisation to another) and DEQUANTIZE."""

from __future__ import annotations

from math import prod

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct, table_constant
from vtarget.logic.codegen.loops import in_place, size_problem
from vtarget.logic.codegen.options import (
    arity_problem,
    fallback_notes,
    quantisation,
    required_input,
    scale,
    scales_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import LARGEST_SHIFT, quantise_multiplier, type_range

F32, S8, U8, S16, S32 = (
    ElementType.FLOAT32,
    ElementType.INT8,
    ElementType.UINT8,
    ElementType.INT16,
    ElementType.INT32,
)
PAIRS = frozenset(
    {
        *((F32, S8), (F32, U8), (F32, S16), (S8, S8), (S8, U8), (S8, S16), (S8, S32)),
        *((U8, S8), (U8, U8), (U8, S16), (S16, S8), (S16, S16), (S16, S32), (S32, S8), (S32, S16)),
        *((S8, F32), (U8, F32), (S16, F32)),
    }
)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = arity_problem(operator, (1,))
    if problem is not None:
        return problem
    source, output = graph.input(operator, 0), graph.output(operator)
    if source is None:
        return "its input is missing"
    if (source.type, output.type) not in PAIRS or (output.type is F32) != (operator.op == "DEQUANTIZE"):
        return f"it turns {source.type.value} into {output.type.value}"
    if source.shape != output.shape:
        return f"shape {list(source.shape)} can't become {list(output.shape)}"
    for tensor, role in ((source, "its input"), (output, "its output")):
        per_channel = {source.type, output.type} == {F32, S8}
        problem = None if tensor.type is F32 else scales_problem(tensor, role, per_channel=per_channel)
        if problem is not None:
            return problem
    if F32 not in (source.type, output.type) and _multiplier(source, output)[1] > LARGEST_SHIFT:
        return "the output's scale is too small for that of the input"
    return size_problem(source, output)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_quantize_*``, ``vt_requantize_*`` or ``vt_dequantize_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    quantised = source if output.type is F32 else output
    channels = quantisation(quantised).per_channel
    name = "dequantize" if output.type is F32 else "quantize" if source.type is F32 else "requantize"
    suffix = SUFFIXES[source.type] if output.type is F32 else f"{SUFFIXES[source.type]}_{SUFFIXES[output.type]}"
    kernel = f"vt_{name}{'_channels' if channels else ''}_{suffix}"
    c_type = "vt_channel_params" if channels else f"vt_{name}_params"
    value = operand("input", source)
    tables = _channel_tables(quantised) if channels else ()
    place = f"{{tensor_{output.index}}}"
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *(table.name for table in tables), value.expression, place),
        constants=value.constants + tables,
        declarations=struct(c_type, _fields(source, output, channels)),
        sources=("quantise.c",),
        in_place=in_place(source, output),
        notes=fallback_notes(engine, operator.op),
    )


def _fields(source: Tensor, output: Tensor, channels: bool) -> dict[str, FieldValue]:
    limits = type_range(output.type if output.type is not F32 else source.type)
    ends: dict[str, FieldValue] = {"output_min": limits[0], "output_max": limits[1]}
    if channels:
        shape, axis = source.shape, quantisation(source if output.type is F32 else output).axis
        return {"outer": prod(shape[:axis]), "channels": shape[axis], "inner": prod(shape[axis + 1 :]), **ends}
    if output.type is F32:
        return {"count": source.elements, "scale": scale(source), "zero_point": zero_point(source)}
    if source.type is F32:
        return {"count": source.elements, "scale": scale(output), "zero_point": zero_point(output), **ends}
    multiplier, shift = _multiplier(source, output)
    return {
        "count": source.elements,
        "input_zero_point": zero_point(source),
        "output_zero_point": zero_point(output),
        "multiplier": multiplier,
        "shift": shift,
        **ends,
    }


def _multiplier(source: Tensor, output: Tensor) -> tuple[int, int]:
    return quantise_multiplier(scale(source) / scale(output))


def _channel_tables(tensor: Tensor) -> tuple[Constant, ...]:
    found = quantisation(tensor)
    return (
        table_constant("scales", np.array(found.scales), ElementType.FLOAT32),
        table_constant("zero_points", found.zero_points, ElementType.INT32),
    )
