"""DEPTHWISE_CONV_2D of int8: tiles of four channels widened to pairs of pixels, each channel filtered by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import FieldValue, array_of, call, operand, struct
from vtarget.logic.codegen.options import activation, quantisation, required_input, zero_point
from vtarget.logic.codegen.quantise import activation_range
from vtarget.logic.codegen.simd.matrix import bias_of
from vtarget.logic.codegen.simd.packing import channel_constants, words, words_constant
from vtarget.logic.codegen.weights import multipliers_of
from vtarget.logic.codegen.window import Window, window_of

Array = np.ndarray[Any, Any]

SOURCES = ("simd/depthwise_conv_2d_s8.c", "simd/clamp_s8.c")
# A tile's geometry (depthwise_conv_2d_s8.h), and the most pairs along that keep it below 8 KiB.
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
    """An int8 depthwise convolution without dilation whose filter isn't larger than a tile."""
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    window = window_of(operator, source.shape, (weights.shape[1], weights.shape[2]), output.shape)
    geometry = _geometry(window)
    if source.type is not ElementType.INT8 or geometry is None:
        return None
    low, high = activation_range(activation(operator), output.type, quantisation(output))
    positive = (low, high) == (-128, 127) and zero_point(output) == -128
    given = operand("input", source)
    tables = _tables(operator, graph, geometry)
    kernel = "vt_depthwise_s8_simd"
    if geometry.three_by_three:
        kernel = f"vt_depthwise_3x3_s8_simd{'_positive' if positive else ''}"
    arguments = (given.expression, *(table.name for table in tables), f"{{tensor_{output.index}}}", "{scratch}")
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments),
        constants=(*given.constants, *tables),
        declarations=_parameters(window, geometry, tables[0], zero_point(source), (low, high)),
        sources=SOURCES,
        scratch_bytes=geometry.tile_bytes,
        macs=output.elements * window.filter_h * window.filter_w,
    )


def _geometry(window: Window) -> Geometry | None:
    if (window.dilation_h, window.dilation_w) != (1, 1):
        return None
    height = Axis(
        window.in_h,
        window.in_w * window.in_c,
        window.out_h,
        window.out_w * window.out_c,
        window.filter_h,
        window.stride_h,
        window.pad_h,
    )
    width = Axis(window.in_w, window.in_c, window.out_w, window.out_c, window.filter_w, window.stride_w, window.pad_w)
    options = [Geometry(width, height, False), Geometry(height, width, True)]
    fitting = [g for g in options if g.across.filter <= TILE_LINES and g.along.filter <= MOST_PAIRS]
    return min(fitting, key=Geometry.cost, default=None)


def _tables(operator: Operator, graph: Graph, geometry: Geometry) -> tuple[Constant, Constant]:
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    output = graph.output(operator)
    channels = weights.shape[3]
    filters = (
        array_of(weights)[0].transpose(2, 1, 0) if geometry.transposed else array_of(weights)[0].transpose(2, 0, 1)
    )
    packed = _three_by_three(filters) if geometry.three_by_three else _any(filters, geometry.along.stride)
    multipliers = multipliers_of(source, weights, output, channels)
    assert multipliers is not None
    bias = bias_of(graph.input(operator, 2), channels)
    rows = filters.reshape(channels, -1)
    return (
        words_constant("weights", packed),
        channel_constants(rows, bias, multipliers, zero_point(source), zero_point(output)),
    )


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


def _parameters(window: Window, geometry: Geometry, weights: Constant, filler: int, limits: tuple[int, int]) -> str:
    fields: dict[str, FieldValue] = {
        "batches": window.batches,
        "in_bytes": window.in_h * window.in_w * window.in_c,
        "out_bytes": window.out_h * window.out_w * window.out_c,
        "channels": window.in_c,
        "multiplier": window.out_c // window.in_c,
        "along": geometry.along.fields(geometry.along_tile),
        "across": geometry.across.fields(geometry.across_tile),
        "weight_words": len(weights.values) // 4 // window.out_c,
        "filler": filler,
        "activation_min": limits[0],
        "activation_max": limits[1],
    }
    return struct("vt_depthwise_s8_params", fields)
