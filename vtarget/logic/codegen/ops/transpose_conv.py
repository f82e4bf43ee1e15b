"""TRANSPOSE_CONV: output shape, filter (out c, h, w, c), input (n, h, w, c), optional bias (out c)."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import array_of
from vtarget.logic.codegen.options import activation_problem, arity_problem, integer, required_input, text
from vtarget.logic.codegen.weights import (
    WeightedLayer,
    bias_problem,
    emit_weighted,
    multipliers_of,
    scaling_problem,
    types_problem,
)
from vtarget.logic.codegen.window import LARGEST_SIZE, Window, output_size, padding_before


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the convolution can't be generated, None if it can."""
    problem = arity_problem(operator, (3, 4)) or activation_problem(operator)
    if problem is not None:
        return problem
    shape, weights, source = (graph.input(operator, position) for position in range(3))
    if shape is None or weights is None or source is None:
        return "its output shape, filter or input is missing"
    bias, output = graph.input(operator, 3), graph.output(operator)
    if source.type is ElementType.INT16 and bias is not None and bias.type is not ElementType.INT64:
        return f"a bias of {bias.type.value} with an int16 input isn't supported"
    return (
        types_problem(source, weights, bias, output)
        or _output_shape_problem(shape, output)
        or _shape_problem(operator, source, weights, output)
        or bias_problem(bias, weights.shape[0])
        or scaling_problem(source, weights, output, weights.shape[0], 0)
    )


def _output_shape_problem(shape: Tensor, output: Tensor) -> str | None:
    if not shape.constant or shape.type is not ElementType.INT32:
        return "its output shape isn't a constant of int32"
    given = array_of(shape).reshape(-1).tolist()
    return None if given == list(output.shape) else f"it asks for output shape {given}, not {list(output.shape)}"


def _shape_problem(operator: Operator, source: Tensor, weights: Tensor, output: Tensor) -> str | None:
    if len(source.shape) != 4 or len(weights.shape) != 4 or len(output.shape) != 4:
        return "its input, filter or output doesn't have 4 dimensions"
    strides = integer(operator, "stride_h", 1), integer(operator, "stride_w", 1)
    sizes = (*source.shape, *weights.shape, *output.shape, *strides)
    if min(sizes) < 1 or max(sizes) > LARGEST_SIZE:
        return "a size or stride isn't positive and reasonable"
    if text(operator, "padding", "SAME") not in ("SAME", "VALID"):
        return f"padding {text(operator, 'padding', 'SAME')} isn't supported"
    if (source.shape[3], weights.shape[0], source.shape[0]) != (weights.shape[3], output.shape[3], output.shape[0]):
        return "the channels or batches of its input, filter and output don't go together"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The convolution as a call of ``vt_transpose_conv_*``."""
    weights, source = required_input(graph, operator, 1), required_input(graph, operator, 2)
    output = graph.output(operator)
    out_c, filter_h, filter_w, in_c = weights.shape
    batches, in_h, in_w, _ = source.shape
    what = WeightedLayer(
        family="transpose_conv",
        fields={"window": _window(operator, source, weights, output).fields()},
        multipliers=multipliers_of(source, weights, output, out_c),
        macs=batches * in_h * in_w * in_c * filter_h * filter_w * out_c,
        positions=(2, 1, 3),
    )
    return emit_weighted(operator, graph, engine, what)


def _window(operator: Operator, source: Tensor, weights: Tensor, output: Tensor) -> Window:
    """The geometry; padding is that of the convolution from the output's size to the input's."""
    batches, in_h, in_w, in_c = source.shape
    _, out_h, out_w, out_c = output.shape
    filter_h, filter_w = weights.shape[1:3]
    padding = text(operator, "padding", "SAME")
    stride_h, stride_w = integer(operator, "stride_h", 1), integer(operator, "stride_w", 1)
    return Window(
        batches=batches,
        in_h=in_h,
        in_w=in_w,
        in_c=in_c,
        out_h=out_h,
        out_w=out_w,
        out_c=out_c,
        filter_h=filter_h,
        filter_w=filter_w,
        stride_h=stride_h,
        stride_w=stride_w,
        dilation_h=1,
        dilation_w=1,
        pad_h=padding_before(out_h, filter_h, stride_h, 1, output_size(padding, out_h, filter_h, stride_h)),
        pad_w=padding_before(out_w, filter_w, stride_w, 1, output_size(padding, out_w, filter_w, stride_w)),
    )
