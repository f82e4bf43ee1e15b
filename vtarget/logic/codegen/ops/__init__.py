"""The operators that code can be generated for, by their builtin names, sorted: one module per kind of operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import vtarget.logic.codegen.ops.add as add
import vtarget.logic.codegen.ops.arg_max as arg_max
import vtarget.logic.codegen.ops.batch_matmul as batch_matmul
import vtarget.logic.codegen.ops.cast as cast
import vtarget.logic.codegen.ops.concatenation as concatenation
import vtarget.logic.codegen.ops.conv_2d as conv_2d
import vtarget.logic.codegen.ops.depthwise_conv_2d as depthwise_conv_2d
import vtarget.logic.codegen.ops.fully_connected as fully_connected
import vtarget.logic.codegen.ops.gather as gather
import vtarget.logic.codegen.ops.hard_swish as hard_swish
import vtarget.logic.codegen.ops.l2_normalization as l2_normalization
import vtarget.logic.codegen.ops.logistic as logistic
import vtarget.logic.codegen.ops.lookup as lookup
import vtarget.logic.codegen.ops.maximum as maximum
import vtarget.logic.codegen.ops.mul as mul
import vtarget.logic.codegen.ops.pad as pad
import vtarget.logic.codegen.ops.pool_2d as pool_2d
import vtarget.logic.codegen.ops.prelu as prelu
import vtarget.logic.codegen.ops.quantize as quantize
import vtarget.logic.codegen.ops.reduce as reduce
import vtarget.logic.codegen.ops.relu as relu
import vtarget.logic.codegen.ops.reshape as reshape
import vtarget.logic.codegen.ops.resize as resize
import vtarget.logic.codegen.ops.slice as slice
import vtarget.logic.codegen.ops.softmax as softmax
import vtarget.logic.codegen.ops.split as split
import vtarget.logic.codegen.ops.squared_difference as squared_difference
import vtarget.logic.codegen.ops.svdf as svdf
import vtarget.logic.codegen.ops.transpose as transpose
import vtarget.logic.codegen.ops.transpose_conv as transpose_conv
import vtarget.logic.codegen.ops.unidirectional_sequence_lstm as unidirectional_sequence_lstm
import vtarget.logic.codegen.ops.variable as variable
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator
from vtarget.data.target import Target


class OperatorModule(Protocol):
    """What a module of this package offers."""

    def check(self, operator: Operator, graph: Graph) -> str | None:
        """Why the operator can't be generated, None if it can."""

    def emit(self, operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
        """The operator as C; only for an operator that passed ``check``."""


MODULES: Mapping[str, OperatorModule] = {
    "ADD": add,
    "ARG_MAX": arg_max,
    "ARG_MIN": arg_max,
    "ASSIGN_VARIABLE": variable,
    "AVERAGE_POOL_2D": pool_2d,
    "BATCH_MATMUL": batch_matmul,
    "CAST": cast,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": quantize,
    "EXP": lookup,
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "GATHER": gather,
    "HARD_SWISH": hard_swish,
    "L2_NORMALIZATION": l2_normalization,
    "LEAKY_RELU": relu,
    "LOGISTIC": logistic,
    "MAXIMUM": maximum,
    "MAX_POOL_2D": pool_2d,
    "MEAN": reduce,
    "MINIMUM": maximum,
    "MIRROR_PAD": pad,
    "MUL": mul,
    "PACK": concatenation,
    "PAD": pad,
    "PADV2": pad,
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "READ_VARIABLE": variable,
    "RELU": relu,
    "RELU6": relu,
    "RELU_0_TO_1": relu,
    "RELU_N1_TO_1": relu,
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "RSQRT": lookup,
    "SLICE": slice,
    "SOFTMAX": softmax,
    "SPLIT": split,
    "SPLIT_V": split,
    "SQUARED_DIFFERENCE": squared_difference,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": slice,
    "SUB": add,
    "SUM": reduce,
    "SVDF": svdf,
    "TANH": logistic,
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm,
    "UNPACK": split,
    "VAR_HANDLE": variable,
}
