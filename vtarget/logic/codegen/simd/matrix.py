"""What the operators that multiply matrices have in common: packed weights, constants, and which kernels to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import (
    SUFFIXES,
    FieldValue,
    Operand,
    array_of,
    call,
    float_literal,
    struct,
    table_constant,
)
from vtarget.logic.codegen.options import activation, quantisation, required_input, zero_point
from vtarget.logic.codegen.quantise import Multipliers, activation_range, activation_range_float
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

Array = np.ndarray[Any, Any]

COLUMNS = 3
# A block of a column: four pairs of int16, or four words.
COLUMN_BLOCK_BYTES = 16
FLOAT_BLOCK = 4


@dataclass(frozen=True)
class Matrix:
    """Weights (``channels`` rows of ``blocks`` blocks) ready for the kernels of ``type``: s8, s8_scalar, s16 or f32.

    ``matrix3`` is the one for three columns; ``in_bytes`` and ``out_bytes`` are those of a pixel. float32 has its
    activation as arguments, ``limits``.
    """

    type: str
    matrix3: str
    blocks: int
    channels: int
    in_bytes: int
    out_bytes: int
    weights: Constant
    constants: Constant
    activation: tuple[int, int] = (0, 0)
    limits: tuple[str, ...] = ()
    unused: int = 0

    def fields(self) -> dict[str, FieldValue]:
        """The fields that parameters begin with (windows.h)."""
        return {
            "matrix": {"blocks": self.blocks, "channels": self.channels, "unused": self.unused},
            "kernels": {
                "pack3": f"vt_pack3_{self.packing}",
                "pack1": f"vt_pack1_{self.packing}",
                "matrix3": self.matrix3,
                "matrix1": f"vt_matrix1_{self.type}",
            },
            "in_bytes": self.in_bytes,
            "out_bytes": self.out_bytes,
            **({} if self.limits else {"activation_min": self.activation[0], "activation_max": self.activation[1]}),
        }

    @property
    def packing(self) -> str:
        """The type whose kernels pack the columns: words of float32 are packed as pairs of int16 are."""
        return "s16" if self.type == "f32" else self.type

    @property
    def columns_bytes(self) -> int:
        """What the columns take that are multiplied at once."""
        return COLUMNS * self.blocks * COLUMN_BLOCK_BYTES

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that hold the kernels."""
        own = [f"simd/{part}_{self.type}.c" for part in ("conv_2d", "matrix")]
        clamp = [] if self.limits else [f"simd/clamp_{self.type.removesuffix('_scalar')}.c"]
        return (*own, f"simd/pack_{self.packing}.c", *clamp, "simd/windows.c")

    def kernel(self, name: str) -> str:
        """The function that does it."""
        return f"vt_{name}_{self.type}{'' if self.type.endswith('scalar') else '_simd'}"


def bias_of(bias: Tensor | None, channels: int) -> Sequence[int]:
    """The bias' elements, 0 if there is none."""
    return [0] * channels if bias is None else [int(value) for value in array_of(bias)]


def matrix_of(
    operator: Operator, graph: Graph, rows: Array, multipliers: Multipliers | None, target: Target
) -> Matrix | None:
    """The matrix of an operator whose filter is ``rows`` (channels, filter rows, elements of a row).

    None if it is neither int8, nor, with the DSP extension, int16 with sums and multipliers that it can do fast, nor,
    with an FPU, float32.
    """
    if multipliers is None:
        return _float_matrix(operator, graph, rows) if target.fpu else None
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


def _float_matrix(operator: Operator, graph: Graph, rows: Array) -> Matrix:
    source, bias = required_input(graph, operator, 0), graph.input(operator, 2)
    channels, elements = rows.shape[0], rows.shape[1] * rows.shape[2]
    odd = channels % 2
    couples = np.pad(rows.reshape(channels, elements), ((0, odd), (0, 0))).reshape(-1, 2, elements)
    start = np.zeros(channels, np.float32) if bias is None else array_of(bias).reshape(channels)
    return Matrix(
        type="f32",
        matrix3="vt_matrix3_f32",
        blocks=-(-elements // FLOAT_BLOCK),
        channels=channels,
        in_bytes=source.shape[-1] * source.type.size_bytes,
        out_bytes=channels * source.type.size_bytes,
        weights=table_constant("weights", couples.transpose(0, 2, 1).reshape(-1), ElementType.FLOAT32),
        constants=table_constant("bias", np.pad(start, (0, odd)), ElementType.FLOAT32),
        limits=tuple(float_literal(value) for value in activation_range_float(activation(operator))),
        unused=-elements % FLOAT_BLOCK,
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
    arguments = (*matrix.limits, given.expression, matrix.weights.name, matrix.constants.name)
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
