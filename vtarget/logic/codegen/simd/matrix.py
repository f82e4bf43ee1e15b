"""What the operators that multiply matrices have in common: packed weights, constants, and which kernels to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtarget.data.emission import Constant
from vtarget.data.graph import Graph, Operator, Tensor
from vtarget.logic.codegen.constants import FieldValue, array_of
from vtarget.logic.codegen.options import activation, quantisation, zero_point
from vtarget.logic.codegen.quantise import Multipliers, activation_range
from vtarget.logic.codegen.simd.packing import (
    BLOCK_PAIRS,
    channel_constants,
    column_weights,
    matrix_words,
    words_constant,
)

COLUMNS = 3


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
                "activation_min": self.activation[0],
                "activation_max": self.activation[1],
            },
            "three": f"vt_matrix3_s8{self.suffix}",
            "one": f"vt_matrix1_s8{self.suffix}",
        }

    @property
    def columns_bytes(self) -> int:
        """What the columns take that are multiplied at once."""
        return COLUMNS * self.blocks * BLOCK_PAIRS * 4


def activation_suffix(low: int, high: int, output_zero: int) -> str:
    """Which kind of kernel keeps results within low..high: the fewer instructions the better."""
    if (low, high) != (-128, 127):
        return "_clamped"
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
    return Matrix(
        blocks=pairs.shape[1] // BLOCK_PAIRS,
        channels=channels,
        activation=(low, high),
        suffix=activation_suffix(low, high, zero_point(output)),
        weights=words_constant("weights", matrix_words(pairs)),
        constants=channel_constants(flat, bias, multipliers, input_zero, zero_point(output)),
    )
