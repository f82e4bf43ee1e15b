"""What the operators with a filter have in common: types, scales and constants of filter and bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct, table_constant
from vtarget.logic.codegen.options import (
    activation,
    fallback_notes,
    quantisation,
    required_input,
    scale,
    scales_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import (
    Multipliers,
    activation_range,
    activation_range_float,
    channel_multipliers,
    shift_problem,
)

INT8, INT16, INT32, INT64, FLOAT32 = (
    ElementType.INT8,
    ElementType.INT16,
    ElementType.INT32,
    ElementType.INT64,
    ElementType.FLOAT32,
)
# Input type -> the bias types that go with it.
BIAS_TYPES = {INT8: (INT32,), INT16: (INT32, INT64), FLOAT32: (FLOAT32,)}


def types_problem(source: Tensor, weights: Tensor, bias: Tensor | None, output: Tensor) -> str | None:
    """Input, filter, bias and output must have types that go together, and filter and bias be constant."""
    if source.type not in BIAS_TYPES:
        return f"input has type {source.type.value}"
    if not weights.constant:
        return "the filter isn't constant"
    problem = type_problem(weights, "filter", (FLOAT32,) if source.type is FLOAT32 else (INT8,))
    problem = problem or type_problem(output, "output", (source.type,))
    if bias is not None and problem is None:
        problem = None if bias.constant else "the bias isn't constant"
        problem = problem or type_problem(bias, "bias", BIAS_TYPES[source.type])
    return problem


def bias_problem(bias: Tensor | None, channels: int) -> str | None:
    """A bias must have one element per output channel."""
    if bias is None or bias.elements == channels:
        return None
    return f"the bias has {bias.elements} elements for {channels} output channels"


def filter_scales(weights: Tensor, channels: int) -> tuple[float, ...]:
    """The filter's scale for each output channel."""
    scales = quantisation(weights).scales
    return scales if len(scales) > 1 else scales * channels


def scaling_problem(source: Tensor, weights: Tensor, output: Tensor, channels: int, axis: int) -> str | None:
    """Scales must be there, the filter's one per output channel along ``axis`` or one for all, zero points at 0."""
    if source.type is FLOAT32:
        return None
    problem = scales_problem(source, "input") or scales_problem(output, "output")
    problem = problem or scales_problem(weights, "filter", per_channel=True)
    if problem is not None:
        return problem
    found = quantisation(weights)
    if found.per_channel and (len(found.scales), found.axis % len(weights.shape)) != (channels, axis):
        return f"the filter has {len(found.scales)} scales along axis {found.axis} for {channels} output channels"
    if any(found.zero_points):
        return "the filter has a zero point other than 0"
    multipliers = channel_multipliers(scale(source), filter_scales(weights, channels), scale(output))
    return shift_problem(multipliers.shifts, source.type)


def multipliers_of(source: Tensor, weights: Tensor, output: Tensor, channels: int) -> Multipliers | None:
    """What each output channel's accumulator is scaled by; None for float32."""
    if source.type is FLOAT32:
        return None
    return channel_multipliers(scale(source), filter_scales(weights, channels), scale(output))


def multiplier_tables(multipliers: Multipliers) -> tuple[Constant, Constant]:
    """The arrays ``{layer}_multiplier`` and ``{layer}_shift``."""
    return (
        table_constant("multiplier", multipliers.multipliers, INT32),
        table_constant("shift", multipliers.shifts, INT32),
    )


def narrow_accumulator(graph: Graph, operator: Operator, bias_position: int = 2) -> bool:
    """Whether an int16 operator accumulates in 32 bits: so it does if its bias has 32, or would have."""
    bias = graph.input(operator, bias_position)
    if bias is not None:
        return bias.type is INT32
    return operator.options.get("quantized_bias_type") == "INT32"


@dataclass(frozen=True)
class WeightedLayer:
    """What an operator with a filter says of itself; ``positions`` are those of input, filter and bias.

    Its kernels are ``vt_<family>_<type>``, its parameters ``fields`` and, from here, offsets and activation limits.
    """

    family: str
    fields: Mapping[str, FieldValue]
    multipliers: Multipliers | None
    macs: int
    positions: tuple[int, int, int] = (0, 1, 2)
    narrow: bool = False
    scratch_bytes: int = 0


def emit_weighted(operator: Operator, graph: Graph, engine: str, what: WeightedLayer) -> Layer:
    """The reference kernel's call: (params, input, filter, bias, [multiplier, shift,] output)."""
    source, weights = (required_input(graph, operator, position) for position in what.positions[:2])
    bias, output = graph.input(operator, what.positions[2]), graph.output(operator)
    operands = [operand("input", source), operand("filter", weights), operand("bias", bias)]
    kernel = f"vt_{what.family}_{SUFFIXES[source.type]}{'_acc32' if what.narrow else ''}"
    c_type = f"vt_{what.family}_{'f32_' if source.type is FLOAT32 else ''}params"
    tables = () if what.multipliers is None else multiplier_tables(what.multipliers)
    arguments = [*(o.expression for o in operands), *(table.name for table in tables)]
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments, f"{{tensor_{output.index}}}"),
        constants=tuple(constant for o in operands for constant in o.constants) + tables,
        declarations=struct(c_type, {**what.fields, **_output_fields(operator, source, output)}),
        sources=(f"{what.family}.c",),
        scratch_bytes=what.scratch_bytes,
        macs=what.macs,
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )


def _output_fields(operator: Operator, source: Tensor, output: Tensor) -> dict[str, FieldValue]:
    if source.type is FLOAT32:
        limits = activation_range_float(activation(operator))
        return {"activation_min": limits[0], "activation_max": limits[1]}
    low, high = activation_range(activation(operator), output.type, quantisation(output))
    offsets = {"input_offset": -zero_point(source), "output_offset": zero_point(output)}
    return {**offsets, "activation_min": low, "activation_max": high}
