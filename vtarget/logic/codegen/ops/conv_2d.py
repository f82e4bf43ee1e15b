"""CONV_2D: input (n, h, w, c), filter (out c, h, w, c / groups), optional bias (out c), output (n, h', w', out c)."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.options import activation_problem, arity_problem, required_input
from vtarget.logic.codegen.weights import (
    WeightedLayer,
    bias_problem,
    emit_weighted,
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
    output = graph.output(operator)
    out_c, filter_h, filter_w, filter_c = weights.shape
    window = window_of(operator, source.shape, (filter_h, filter_w), output.shape)
    what = WeightedLayer(
        family="conv_2d",
        fields={"window": window.fields(), "filter_c": filter_c},
        multipliers=multipliers_of(source, weights, output, out_c),
        macs=output.elements * filter_h * filter_w * filter_c,
        narrow=source.type is ElementType.INT16 and narrow_accumulator(graph, operator),
    )
    return emit_weighted(operator, graph, engine, what)
