"""CONV_2D of int8, int16 and float32 as a product of matrices: each output pixel's window is a column."""

from __future__ import annotations

from dataclasses import replace

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import FieldValue, array_of, operand, struct
from vtarget.logic.codegen.options import required_input, zero_point
from vtarget.logic.codegen.simd.matrix import matrix_layer, matrix_of, pointwise_layer
from vtarget.logic.codegen.weights import multipliers_of, narrow_accumulator
from vtarget.logic.codegen.window import Window, window_of


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """A convolution without groups, of any size, stride, padding and dilation.

    int16 ones need 64-bit accumulators by definition, but sums that stay within 32 bits.
    """
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    if weights.shape[3] != source.shape[3]:
        return None
    if source.type is ElementType.INT16 and narrow_accumulator(graph, operator):
        return None
    output = graph.output(operator)
    out_c, filter_h, filter_w, in_c = weights.shape
    window = window_of(operator, source.shape, (filter_h, filter_w), output.shape)
    multipliers = multipliers_of(source, weights, output, out_c)
    filter_rows = array_of(weights).reshape(out_c, filter_h, filter_w * in_c)
    matrix = matrix_of(operator, graph, filter_rows, multipliers, target)
    if matrix is None:
        return None
    given = operand("input", source)
    if _is_pointwise(window):
        return pointwise_layer(operator, matrix, given, output.elements // out_c, in_c)
    run_bytes = filter_w * matrix.in_bytes
    rows = _inner(window.in_h, window.out_h, window.filter_h, window.stride_h, window.pad_h, window.dilation_h)
    fields: dict[str, FieldValue] = {
        **matrix.fields(),
        "window": window.fields(),
        "inner_rows": rows,
        "inner_columns": _inner_columns(window),
        "run_bytes": run_bytes,
        "filler": zero_point(source) & 0xFF,
    }
    declarations = struct("vt_windows_params", fields)
    macs = output.elements * weights.elements // out_c
    layer = matrix_layer(operator, matrix.kernel("conv_2d"), matrix, given, declarations, macs)
    return replace(layer, scratch_bytes=layer.scratch_bytes + 2 * run_bytes)


def _is_pointwise(window: Window) -> bool:
    """Whether output pixel i sees input pixel i alone."""
    return (window.filter_h, window.filter_w, window.stride_h, window.stride_w) == (1, 1, 1, 1)


def _inner(size: int, outputs: int, taps: int, stride: int, pad: int, dilation: int) -> dict[str, FieldValue]:
    """Which outputs along an axis see no padding, as a ``vt_span``."""
    first = min(-(-pad // stride), outputs)
    last = (size - 1 - (taps - 1) * dilation + pad) // stride
    return {"first": first, "end": max(first, min(last + 1, outputs))}


def _inner_columns(window: Window) -> dict[str, FieldValue]:
    if window.dilation_w > 1:
        return {"first": 0, "end": 0}
    return _inner(window.in_w, window.out_w, window.filter_w, window.stride_w, window.pad_w, 1)
