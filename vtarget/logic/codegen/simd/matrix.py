"""What the operators that multiply matrices have in common: packed weights, constants, and which kernels to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import Graph, Operator, Tensor
from vtarget.logic.codegen.constants import FieldValue, Operand, array_of, call, struct
from vtarget.logic.codegen.options import activation, quantisation, zero_point
from vtarget.logic.codegen.quantise import Multipliers, activation_range
from vtarget.logic.codegen.simd.packing import (
    BLOCK_PAIRS,
    any_general,
    channel_constants,
    column_weights,
    matrix_words,
    words_constant,
)

COLUMNS = 3
SOURCES = ("simd/conv_2d_s8.c", "simd/matrix_s8.c", "simd/pack_s8.c", "simd/clamp_s8.c")


@dataclass(frozen=True)
class Matrix:
    """Weights (``channels`` rows of ``blocks`` blocks) ready for the kernels, and the name suffix of those that fit."""

    blocks: int
    channels: int
    activation: tuple[int, int]
    suffix: str
    weights: Constant
    constants: Constant

    def fields(self) -> dict[str, FieldValue]:
        """The fields that every operator's parameters begin with."""
        return {
            "matrix": {
                "blocks": self.blocks,
                "channels": self.channels,
            },
            "three": f"vt_matrix3_s8{self.suffix}",
            "activation_min": self.activation[0],
            "activation_max": self.activation[1],
        }

    @property
    def columns_bytes(self) -> int:
        """What the columns take that are multiplied at once."""
        return COLUMNS * self.blocks * BLOCK_PAIRS * 4


def rounding_suffix(constants: Constant, output_zero: int) -> str:
    """Which kind of kernel does: where results below the zero point are cut off, their rounding doesn't matter."""
    if any_general(constants):
        return "_general"
    return "_positive" if output_zero == -128 else ""


def bias_of(bias: Tensor | None, channels: int) -> Sequence[int]:
    """The bias' elements, 0 if there is none."""
    return [0] * channels if bias is None else [int(value) for value in array_of(bias)]


def matrix_of(
    operator: Operator,
    graph: Graph,
    rows: np.ndarray[Any, Any],
    multipliers: Multipliers,
    input_zero: int,
) -> Matrix:
    """The matrix of an int8 operator whose filter is ``rows`` (channels, filter rows, bytes of a row)."""
    output = graph.output(operator)
    channels = rows.shape[0]
    pairs = column_weights(rows)
    low, high = activation_range(activation(operator), output.type, quantisation(output))
    flat = rows.reshape(channels, -1)
    bias = bias_of(graph.input(operator, 2), channels)
    constants = channel_constants(flat, bias, multipliers, input_zero, zero_point(output))
    return Matrix(
        blocks=pairs.shape[1] // BLOCK_PAIRS,
        channels=channels,
        activation=(low, high),
        suffix=rounding_suffix(constants, zero_point(output)),
        weights=words_constant("weights", matrix_words(pairs)),
        constants=constants,
    )


def matrix_layer(
    operator: Operator, kernel: str, matrix: Matrix, given: Operand, declarations: str, macs: int
) -> Layer:
    """A call of a kernel that multiplies windows of ``given`` with the matrix."""
    arguments = (given.expression, matrix.weights.name, matrix.constants.name)
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments, f"{{tensor_{operator.outputs[0]}}}", "{scratch}"),
        constants=(*given.constants, matrix.weights, matrix.constants),
        declarations=declarations,
        sources=SOURCES,
        scratch_bytes=matrix.columns_bytes,
        macs=macs,
    )


def pointwise_layer(operator: Operator, matrix: Matrix, given: Operand, pixels: int, in_c: int) -> Layer:
    """Every pixel multiplied by itself."""
    declarations = struct("vt_pointwise_s8_params", {**matrix.fields(), "pixels": pixels, "in_c": in_c})
    macs = pixels * in_c * matrix.channels
    return matrix_layer(operator, "vt_pointwise_s8_simd", matrix, given, declarations, macs)
