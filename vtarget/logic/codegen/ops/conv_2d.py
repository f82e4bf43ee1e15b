"""CONV_2D: input (n, h, w, c), filter (out c, h, w, c / groups), optional bias (out c), output (n, h', w', out c)."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct
from vtarget.logic.codegen.options import (
    activation,
    activation_problem,
    arity_problem,
    fallback_notes,
    required_input,
    zero_point,
)
from vtarget.logic.codegen.quantise import activation_range, activation_range_float
from vtarget.logic.codegen.weights import (
    bias_problem,
    multiplier_tables,
    multipliers_of,
    narrow_accumulator,
    scaling_problem,
    types_problem,
)
from vtarget.logic.codegen.window import window_of, window_problem


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the convolution can't be generated, None if it can."""
    problem = arity_problem(operator, (2, 3)) or activation_problem(operator)
    if problem is not None:
        return problem
    source, weights = graph.input(operator, 0), graph.input(operator, 1)
    if source is None or weights is None:
        return "its input or filter is missing"
    bias, output = graph.input(operator, 2), graph.output(operator)
    return (
        types_problem(source, weights, bias, output)
        or _shape_problem(operator, source, weights, output)
        or bias_problem(bias, weights.shape[0])
        or scaling_problem(source, weights, output, weights.shape[0], 0)
    )


def _shape_problem(operator: Operator, source: Tensor, weights: Tensor, output: Tensor) -> str | None:
    if len(source.shape) != 4 or len(weights.shape) != 4:
        return "its input or filter doesn't have 4 dimensions"
    out_c, filter_h, filter_w, filter_c = weights.shape
    in_c = source.shape[3]
    if filter_c < 1 or in_c % filter_c or in_c < filter_c or out_c % (in_c // filter_c):
        return f"{in_c} input channels don't split into groups of {filter_c} for {out_c} output channels"
    return window_problem(operator, source.shape, (filter_h, filter_w), out_c, output.shape)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The convolution as a call of ``vt_conv_2d_*``."""
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    bias, output = graph.input(operator, 2), graph.output(operator)
    operands = [operand("input", source), operand("filter", weights), operand("bias", bias)]
    window = window_of(operator, source.shape, (weights.shape[1], weights.shape[2]), output.shape)
    narrow = source.type is ElementType.INT16 and narrow_accumulator(graph, operator)
    kernel = f"vt_conv_2d_{SUFFIXES[source.type]}{'_acc32' if narrow else ''}"
    fields: dict[str, FieldValue] = {"window": window.fields(), "filter_c": weights.shape[3]}
    arguments = [o.expression for o in operands]
    constants = [constant for o in operands for constant in o.constants]
    if source.type is ElementType.FLOAT32:
        low, high = activation_range_float(activation(operator))
        declarations = struct("vt_conv_2d_f32_params", {**fields, "activation_min": low, "activation_max": high})
    else:
        declarations = struct("vt_conv_2d_params", {**fields, **_quantised_fields(operator, source, output)})
        tables = multiplier_tables(multipliers_of(source, weights, output, weights.shape[0]))
        constants += tables
        arguments += [table.name for table in tables]
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments, f"{{tensor_{output.index}}}"),
        constants=tuple(constants),
        declarations=declarations,
        sources=("conv_2d.c",),
        macs=output.elements * weights.elements // weights.shape[0],
        notes=fallback_notes(engine, f"{source.type.value} convolutions"),
    )


def _quantised_fields(operator: Operator, source: Tensor, output: Tensor) -> dict[str, int]:
    assert output.quantisation is not None
    low, high = activation_range(activation(operator), output.type, output.quantisation)
    return {
        "input_offset": -zero_point(source),
        "output_offset": zero_point(output),
        "activation_min": low,
        "activation_max": high,
    }
