"""Tables of functions of one quantised variable, and the layers that only look things up in them."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Operator, Tensor
from vtarget.logic.codegen.constants import call, operand, table_constant
from vtarget.logic.codegen.elementwise import in_place
from vtarget.logic.codegen.quantise import round_away

STEPS = 512


def table_s8(function: Callable[[int], int]) -> Constant:
    """``{layer}_table``: function(value) held within int8, for 0, 1, …, 127, -128, …, -1."""
    values = [min(max(function(value), -128), 127) for value in (*range(128), *range(-128, 0))]
    return table_constant("table", values, ElementType.INT8)


def lookup_s8(operator: Operator, source: Tensor, output: Tensor, function: Callable[[int], int]) -> Layer:
    """An int8 layer that is a function of each element alone."""
    table, given = table_s8(function), operand("input", source)
    arguments = (table.name, given.expression, f"{{tensor_{output.index}}}", str(source.elements))
    return Layer(
        operator=operator.index,
        kernel="vt_lookup_s8",
        call=call("vt_lookup_s8", *arguments),
        constants=(table, *given.constants),
        sources=("lookup.c",),
        in_place=in_place(source),
    )


def interpolation_table_s16(
    name: str,
    input_scale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
    function: Callable[[float], float],
) -> Constant:
    """``{layer}_name``: 513 int16 values with a function linear in between (TensorFlow Lite's LUTPopulate, in doubles).

    Each is corrected by half the error in the middle of its interval.
    """
    smallest, largest = -32768, 32767
    low, high = (input_scale * (limit - input_zero_point) for limit in (smallest, largest))
    out_low, out_high = (output_scale * (limit - output_zero_point) for limit in (smallest, largest))
    step = (high - low) / STEPS
    scaling = 65536.0 / (out_high - out_low)
    values = []
    for i in range(STEPS):
        value = round_away(function(low + i * step) * scaling)
        between = round_away((function(low + (i + 1) * step) * scaling + value) / 2.0)
        middle = round_away(function(low + i * step + step / 2.0) * scaling)
        values.append(value - round_away((between - middle) / 2.0))
    values.append(round_away(function(high) * scaling))
    return table_constant(name, [min(max(value, smallest), largest) for value in values], ElementType.INT16)


def sigmoid_table() -> Constant:
    """``{layer}_sigmoid``: 256 values of 65536 / (1 + exp(-i / 24)), linear in between (int16 LOGISTIC and TANH).

    Each is raised by half of what the line to the next lacks in its middle; the last is the largest.
    """

    def sigmoid(value: float) -> float:
        return 65536.0 / (1.0 + exp(-value / 24.0))

    lacking = [sigmoid(i + 0.5) - (sigmoid(i) + sigmoid(i + 1)) / 2.0 for i in range(255)]
    values = [round_away(sigmoid(i) + lacking[i] / 2.0) for i in range(255)]
    data = np.array([*values, 65535], np.uint16).astype("<u2").tobytes()
    return Constant("{layer}_sigmoid", "uint16_t", data)
