"""CONV_2D of int8 as a product of matrices: each output pixel's window is a column."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import FieldValue, array_of, call, operand, struct
from vtarget.logic.codegen.options import required_input, zero_point
from vtarget.logic.codegen.simd.matrix import Matrix, matrix_of
from vtarget.logic.codegen.weights import multipliers_of
from vtarget.logic.codegen.window import Window, window_of

SOURCES = ("simd/conv_2d_s8.c", "simd/matrix_s8.c", "simd/pack_s8.c")


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """An int8 convolution without groups, of any size, stride, padding and dilation."""
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    if source.type is not ElementType.INT8 or weights.shape[3] != source.shape[3]:
        return None
    output = graph.output(operator)
    out_c, filter_h, filter_w, in_c = weights.shape
    window = window_of(operator, source.shape, (filter_h, filter_w), output.shape)
    rows = array_of(weights).reshape(out_c, filter_h, filter_w * in_c)
    multipliers = multipliers_of(source, weights, output, out_c)
    assert multipliers is not None
    matrix = matrix_of(operator, graph, rows, multipliers, zero_point(source))
    pointwise = _is_pointwise(window)
    kernel = "vt_pointwise_s8_simd" if pointwise else "vt_conv_2d_s8_simd"
    given = operand("input", source)
    run_bytes = 0 if pointwise else filter_w * in_c
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(
            kernel,
            "&{layer}_params",
            given.expression,
            matrix.weights.name,
            matrix.constants.name,
            f"{{tensor_{output.index}}}",
            "{scratch}",
        ),
        constants=(*given.constants, matrix.weights, matrix.constants),
        declarations=_pointwise(matrix, window) if pointwise else _general(matrix, window, zero_point(source)),
        sources=SOURCES,
        scratch_bytes=matrix.columns_bytes + run_bytes,
        macs=output.elements * weights.elements // out_c,
    )


def _is_pointwise(window: Window) -> bool:
    """Whether output pixel i sees input pixel i alone."""
    return (window.filter_h, window.filter_w, window.stride_h, window.stride_w) == (1, 1, 1, 1)


def _pointwise(matrix: Matrix, window: Window) -> str:
    pixels = window.batches * window.out_h * window.out_w
    return struct("vt_pointwise_s8_params", {**matrix.fields(), "pixels": pixels, "in_c": window.in_c})


def _general(matrix: Matrix, window: Window, input_zero: int) -> str:
    own: dict[str, FieldValue] = {
        "window": window.fields(),
        "run": window.filter_w * window.in_c,
        "filler": input_zero,
    }
    return struct("vt_conv_2d_s8_simd_params", {**matrix.fields(), **own})
