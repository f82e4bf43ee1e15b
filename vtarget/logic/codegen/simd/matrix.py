"""What the operators that multiply matrices have in common: packed weights, constants, and which kernels to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, Operand, array_of, call, struct
from vtarget.logic.codegen.options import activation, quantisation, required_input, zero_point
from vtarget.logic.codegen.quantise import Multipliers, activation_range
from vtarget.logic.codegen.simd.packing import (
    BLOCK_PAIRS,
    SCALAR_BLOCK_PAIRS,
    any_general,
    channel_constants,
    channel_constants_s16,
    column_weights,
    flat_weights,
    matrix_words,
    words_constant,
)

COLUMNS = 3
# A block of a column: four pairs of int16, or four words.
COLUMN_BLOCK_BYTES = 16


@dataclass(frozen=True)
class Matrix:
    """Weights (``channels`` rows of ``blocks`` blocks) ready for the kernels of ``type``: s8, s8_scalar or s16.

    ``matrix3`` is the one for three columns; ``in_bytes`` and ``out_bytes`` are those of a pixel.
    """

    type: str
    matrix3: str
    blocks: int
    channels: int
    in_bytes: int
    out_bytes: int
    activation: tuple[int, int]
    weights: Constant
    constants: Constant

    def fields(self) -> dict[str, FieldValue]:
        """The fields that parameters begin with (windows.h)."""
        return {
            "matrix": {"blocks": self.blocks, "channels": self.channels},
            "kernels": {
                "pack3": f"vt_pack3_{self.type}",
                "pack1": f"vt_pack1_{self.type}",
                "matrix3": self.matrix3,
                "matrix1": f"vt_matrix1_{self.type}",
            },
            "in_bytes": self.in_bytes,
            "out_bytes": self.out_bytes,
            "activation_min": self.activation[0],
            "activation_max": self.activation[1],
        }

    @property
    def columns_bytes(self) -> int:
        """What the columns take that are multiplied at once."""
        return COLUMNS * self.blocks * COLUMN_BLOCK_BYTES

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that hold the kernels."""
        own = (f"simd/{part}_{self.type}.c" for part in ("conv_2d", "matrix", "pack"))
        return (*own, f"simd/clamp_{self.type.removesuffix('_scalar')}.c", "simd/windows.c")

    def kernel(self, name: str) -> str:
        """The function that does it."""
        return f"vt_{name}_{self.type}{'' if self.type.endswith('scalar') else '_simd'}"


def bias_of(bias: Tensor | None, channels: int) -> Sequence[int]:
    """The bias' elements, 0 if there is none."""
    return [0] * channels if bias is None else [int(value) for value in array_of(bias)]


def matrix_of(
    operator: Operator, graph: Graph, rows: np.ndarray[Any, Any], multipliers: Multipliers, target: Target
) -> Matrix | None:
    """The matrix of an operator whose filter is ``rows`` (channels, filter rows, elements of a row).

    None if it is neither int8, nor, with the DSP extension, int16 with sums and multipliers that it can do fast.
    """
    source, output = required_input(graph, operator, 0), graph.output(operator)
    channels = rows.shape[0]
    bias = bias_of(graph.input(operator, 2), channels)
    flat = rows.reshape(channels, -1)
    type_ = SUFFIXES[source.type]
    constants: Constant | None = None
    if source.type is ElementType.INT8:
        constants = channel_constants(flat, bias, multipliers, zero_point(source), zero_point(output))
        type_ += "" if target.dsp else "_scalar"
    elif source.type is ElementType.INT16 and target.dsp:
        constants = channel_constants_s16(flat, bias, multipliers)
    if constants is None:
        return None
    rounding = _rounding(constants, zero_point(output)) if type_ == "s8" else ""
    pairs = flat_weights(rows) if type_ == "s8_scalar" else column_weights(rows, widened=type_ == "s8")
    return Matrix(
        type=type_,
        matrix3=f"vt_matrix3_{type_}{rounding}",
        blocks=pairs.shape[1] // (SCALAR_BLOCK_PAIRS if type_ == "s8_scalar" else BLOCK_PAIRS),
        channels=channels,
        in_bytes=source.shape[-1] * source.type.size_bytes,
        out_bytes=channels * output.type.size_bytes,
        activation=activation_range(activation(operator), output.type, quantisation(output)),
        weights=words_constant("weights", matrix_words(pairs)),
        constants=constants,
    )


def _rounding(constants: Constant, output_zero: int) -> str:
    """Which kind of kernel does: where results below the zero point are cut off, their rounding doesn't matter."""
    if any_general(constants):
        return "_general"
    return "_positive" if output_zero == -128 else ""


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
        sources=matrix.sources,
        scratch_bytes=matrix.columns_bytes,
        macs=macs,
    )


def pointwise_layer(operator: Operator, matrix: Matrix, given: Operand, pixels: int, in_c: int) -> Layer:
    """Every pixel of ``in_c`` elements multiplied by itself."""
    size_bytes = matrix.out_bytes // matrix.channels
    fields: dict[str, FieldValue] = {**matrix.fields(), "in_bytes": in_c * size_bytes, "pixels": pixels}
    declarations = struct("vt_pixels_params", fields)
    macs = pixels * in_c * matrix.channels
    return matrix_layer(operator, matrix.kernel("pointwise"), matrix, given, declarations, macs)
