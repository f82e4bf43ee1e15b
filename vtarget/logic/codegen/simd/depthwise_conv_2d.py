"""DEPTHWISE_CONV_2D of int8 and int16: tiles of four channels in pairs of pixels, each channel filtered by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, array_of, call, operand, struct, table_constant
from vtarget.logic.codegen.options import activation, quantisation, required_input, zero_point
from vtarget.logic.codegen.quantise import activation_range
from vtarget.logic.codegen.simd.matrix import bias_of
from vtarget.logic.codegen.simd.packing import channel_constants, channel_constants_s16, words, words_constant
from vtarget.logic.codegen.weights import multipliers_of
from vtarget.logic.codegen.window import Window, window_of

Array = np.ndarray[Any, Any]

# A tile's geometry (depthwise.h), and the most pairs along that keep it below 8 KiB.
TILE_LINES = 16
PAIR_BYTES = TILE_LINES * 4 * 4
MOST_PAIRS = 28
# Cycles of two outputs of a 3x3 filter, of one left over, and of a line besides: what the axes are compared by.
COUPLE_CYCLES, SINGLE_CYCLES, LINE_CYCLES = 46, 60, 30


@dataclass(frozen=True)
class Axis:
    """One axis of the image: sizes in pixels, ``in_step`` and ``out_step`` in bytes."""

    into: int
    in_step: int
    out: int
    out_step: int
    filter: int
    stride: int
    pad: int

    def pixels(self, outputs: int) -> int:
        """Input pixels that so many outputs see."""
        return (outputs - 1) * self.stride + self.filter

    def fields(self, tile: int) -> dict[str, FieldValue]:
        """The fields of ``vt_depthwise_axis``."""
        return {
            "in": self.into,
            "in_step": self.in_step,
            "out": self.out,
            "out_step": self.out_step,
            "filter": self.filter,
            "stride": self.stride,
            "pad": self.pad,
            "tile": tile,
        }


@dataclass(frozen=True)
class Geometry:
    """Which axis pairs lie along, and how many outputs a tile has either way."""

    along: Axis
    across: Axis
    transposed: bool

    @property
    def along_tile(self) -> int:
        """Outputs along: equal tiles of an even number, if there are several."""
        most = (2 * MOST_PAIRS - self.along.filter) // self.along.stride + 1
        tiles = -(-self.along.out // most)
        each = -(-self.along.out // tiles)
        return self.along.out if tiles == 1 else min(each + each % 2, most)

    @property
    def across_tile(self) -> int:
        """Outputs across."""
        return min(self.across.out, (TILE_LINES - self.across.filter) // self.across.stride + 1)

    @property
    def tile_bytes(self) -> int:
        """The tile in memory, with a pair that is read but not needed."""
        return (-(-self.along.pixels(self.along_tile) // 2) + 1) * PAIR_BYTES

    @property
    def three_by_three(self) -> bool:
        """Whether the kernels for 3x3 filters apply."""
        return (self.along.filter, self.across.filter) == (3, 3) and self.along.stride in (1, 2)

    def cost(self) -> tuple[int, int]:
        """What is least for the better of two geometries."""
        couples, single = divmod(self.along.out, 2)
        line = couples * COUPLE_CYCLES + single * SINGLE_CYCLES + LINE_CYCLES
        return (not self.three_by_three, -self.along.filter if not self.three_by_three else self.across.out * line)


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """A depthwise convolution without dilation whose filter isn't larger than a tile.

    int8, or int16 with sums that stay within 32 bits.
    """
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    window = window_of(operator, source.shape, (weights.shape[1], weights.shape[2]), output.shape)
    if not target.dsp:
        return _scalar(operator, graph, window) if source.type is ElementType.INT8 else None
    geometry = _geometry(window, source.type.size_bytes)
    if source.type is ElementType.FLOAT32 or geometry is None:
        return None
    filters = (
        array_of(weights)[0].transpose(2, 1, 0) if geometry.transposed else array_of(weights)[0].transpose(2, 0, 1)
    )
    packed = _three_by_three(filters) if geometry.three_by_three else _any(filters, geometry.along.stride)
    constants = _constants(operator, graph, filters.reshape(window.out_c, -1))
    if constants is None:
        return None
    given = operand("input", source)
    tables = (words_constant("weights", packed), constants)
    kernel = f"vt_depthwise_{'3x3_' if geometry.three_by_three else ''}{SUFFIXES[source.type]}_simd"
    if geometry.three_by_three and source.type is ElementType.INT8 and zero_point(output) == -128:
        kernel += "_positive"
    arguments = (given.expression, *(table.name for table in tables), f"{{tensor_{output.index}}}", "{scratch}")
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments),
        constants=(*given.constants, *tables),
        declarations=_parameters(operator, graph, window, geometry, len(packed) // window.out_c),
        sources=tuple(f"simd/{part}_{SUFFIXES[source.type]}.c" for part in ("depthwise_conv_2d", "clamp")),
        scratch_bytes=geometry.tile_bytes,
        macs=output.elements * window.filter_h * window.filter_w,
    )


def _scalar(operator: Operator, graph: Graph, window: Window) -> Layer | None:
    """int8 without the DSP extension: channel by channel, whatever the filter."""
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    rows = array_of(weights)[0].transpose(2, 0, 1).reshape(window.out_c, -1)
    constants = _constants(operator, graph, rows)
    assert constants is not None
    given = operand("input", source)
    tables = (
        table_constant("weights", rows, ElementType.INT8),
        constants,
    )
    low, high = activation_range(activation(operator), output.type, quantisation(output))
    strip_w = (window.out_w - 1) * window.stride_w + (window.filter_w - 1) * window.dilation_w + 1
    fields: dict[str, FieldValue] = {
        "window": window.fields(),
        "multiplier": window.out_c // window.in_c,
        "filler": zero_point(source),
        "strip_w": strip_w,
        "activation_min": low,
        "activation_max": high,
    }
    arguments = (given.expression, *(table.name for table in tables), f"{{tensor_{output.index}}}", "{scratch}")
    return Layer(
        operator=operator.index,
        kernel="vt_depthwise_s8_scalar",
        call=call("vt_depthwise_s8_scalar", "&{layer}_params", *arguments),
        constants=(*given.constants, *tables),
        declarations=struct("vt_depthwise_s8_scalar_params", fields),
        sources=("simd/depthwise_conv_2d_s8_scalar.c", "simd/clamp_s8.c"),
        scratch_bytes=window.filter_h * strip_w * window.in_c,
        macs=output.elements * window.filter_h * window.filter_w,
    )


def _geometry(window: Window, size_bytes: int) -> Geometry | None:
    if (window.dilation_h, window.dilation_w) != (1, 1):
        return None
    in_step, out_step = window.in_c * size_bytes, window.out_c * size_bytes
    height = Axis(
        window.in_h,
        window.in_w * in_step,
        window.out_h,
        window.out_w * out_step,
        window.filter_h,
        window.stride_h,
        window.pad_h,
    )
    width = Axis(window.in_w, in_step, window.out_w, out_step, window.filter_w, window.stride_w, window.pad_w)
    options = [Geometry(width, height, False), Geometry(height, width, True)]
    fitting = [g for g in options if g.across.filter <= TILE_LINES and g.along.filter <= MOST_PAIRS]
    return min(fitting, key=Geometry.cost, default=None)


def _constants(operator: Operator, graph: Graph, rows: Array) -> Constant | None:
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    multipliers = multipliers_of(source, weights, output, len(rows))
    assert multipliers is not None
    bias = bias_of(graph.input(operator, 2), len(rows))
    if source.type is ElementType.INT16:
        return channel_constants_s16(rows, bias, multipliers)
    return channel_constants(rows, bias, multipliers, zero_point(source), zero_point(output))


def _three_by_three(filters: Array) -> Array:
    """(channels, 3, 3) as a word (w0, w1, w1, w2) for each filter line."""
    return words(filters[:, :, [0, 1, 1, 2]])


def _any(filters: Array, stride: int) -> Array:
    """(channels, lines, taps) as pairs of int16 from the first tap on, then (odd strides) from the one before it."""
    taps = filters.shape[2]
    pairs = taps // 2 + 1
    even = np.pad(filters, ((0, 0), (0, 0), (0, 2 * pairs - taps)))
    odd = np.pad(filters, ((0, 0), (0, 0), (1, 2 * pairs - taps - 1)))
    both = np.stack([even, odd] if stride % 2 else [even], axis=1)
    return np.frombuffer(np.ascontiguousarray(both, "<i2").tobytes(), "<u4")


def _parameters(operator: Operator, graph: Graph, window: Window, geometry: Geometry, weight_words: int) -> str:
    source, output = required_input(graph, operator, 0), graph.output(operator)
    size_bytes = source.type.size_bytes
    low, high = activation_range(activation(operator), output.type, quantisation(output))
    fields: dict[str, FieldValue] = {
        "batches": window.batches,
        "in_bytes": window.in_h * window.in_w * window.in_c * size_bytes,
        "out_bytes": window.out_h * window.out_w * window.out_c * size_bytes,
        "channels": window.in_c,
        "multiplier": window.out_c // window.in_c,
        "along": geometry.along.fields(geometry.along_tile),
        "across": geometry.across.fields(geometry.across_tile),
        "weight_words": weight_words,
        "filler": zero_point(source),
        "activation_min": low,
        "activation_max": high,
    }
    return struct("vt_depthwise_params", fields)
