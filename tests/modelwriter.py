"""Writes small TensorFlow Lite models: tensors and operators to a flatbuffer, with no TensorFlow.

Options are fields in lower snake case with enums by name (``{"padding": "SAME", "stride_w": 1}``), as in
``data.graph``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import flatbuffers
import numpy as np
import tflite

Field = bool | int | float | str | Sequence[int]

# Operator -> options table; operators that aren't named here have none.
OPTIONS_TABLES = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "DIV": "DivOptions",
    "EXP": "ExpOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "HARD_SWISH": "HardSwishOptions",
    "IF": "IfOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "QUANTIZE": "QuantizeOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SLICE": "SliceOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE": "TransposeOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
    "VAR_HANDLE": "VarHandleOptions",
    "WHILE": "WhileOptions",
}
ENUMS = {
    "padding": tflite.Padding,
    "fused_activation_function": tflite.ActivationFunctionType,
    "in_data_type": tflite.TensorType,
    "out_data_type": tflite.TensorType,
    "output_type": tflite.TensorType,
    "quantized_bias_type": tflite.TensorType,
    "weights_format": tflite.FullyConnectedOptionsWeightsFormat,
    "mode": tflite.MirrorPadMode,
}


@dataclass(frozen=True)
class TensorSpec:
    """One tensor. ``type`` is a TensorType by name in any case (``int8``); ``scale``/``zero_point``: one or a list.

    ``data`` makes it constant (an array of its shape, or raw bytes taken as they are).
    """

    shape: Sequence[int]
    type: str = "int8"
    scale: float | Sequence[float] | None = None
    zero_point: int | Sequence[int] = 0
    axis: int = 0
    data: np.ndarray | bytes | None = None
    name: str = ""
    variable: bool = False
    signature: Sequence[int] | None = None


@dataclass(frozen=True)
class OpSpec:
    """One operator; an input of -1 is left out. ``options_table``: other than usual ("": none)."""

    op: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Field] = field(default_factory=dict)
    intermediates: Sequence[int] = ()
    version: int = 1
    custom_code: str | None = None
    options_table: str | None = None


@dataclass(frozen=True)
class SubgraphSpec:
    """One subgraph; the first of a model is the main one."""

    tensors: Sequence[TensorSpec]
    ops: Sequence[OpSpec]
    inputs: Sequence[int] = ()
    outputs: Sequence[int] = ()
    name: str = ""


def write_model(
    tensors: Sequence[TensorSpec],
    ops: Sequence[OpSpec],
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    name: str = "",
    extra_subgraphs: Sequence[SubgraphSpec] = (),
    description: str = "",
) -> bytes:
    """The model as a ``.tflite`` file's bytes. ``extra_subgraphs`` follow the main one (CALL_ONCE, IF, …)."""
    return Writer().model([SubgraphSpec(tensors, ops, inputs, outputs, name), *extra_subgraphs], description)


def one_op_model(
    op: str,
    inputs: Sequence[TensorSpec | None],
    outputs: Sequence[TensorSpec],
    options: Mapping[str, Field] | None = None,
    *,
    intermediates: Sequence[TensorSpec] = (),
    version: int = 1,
) -> bytes:
    """A model of one operator: inputs that are neither constant nor variable nor None are the model's inputs.

    Tensors are numbered in the order given (None takes no number): inputs, outputs, intermediates.
    """
    given = [spec for spec in inputs if spec is not None]
    numbers = iter(range(len(given)))
    op_inputs = [-1 if spec is None else next(numbers) for spec in inputs]
    first = len(given)
    op_outputs = list(range(first, first + len(outputs)))
    middle = list(range(first + len(outputs), first + len(outputs) + len(intermediates)))
    fed = [i for i, spec in enumerate(given) if spec.data is None and not spec.variable]
    spec = OpSpec(op, op_inputs, op_outputs, options or {}, middle, version)
    return write_model([*given, *outputs, *intermediates], [spec], fed, op_outputs, name=op.lower())


def variable_init(shared_name: str, initial: TensorSpec, index: int) -> tuple[OpSpec, SubgraphSpec]:
    """A CALL_ONCE operator and its subgraph (number ``index``), which assigns constant ``initial`` to a variable."""
    call = OpSpec("CALL_ONCE", [], [], {"init_subgraph_index": index})
    assign = [
        OpSpec("VAR_HANDLE", [], [0], {"container": "", "shared_name": shared_name}),
        OpSpec("ASSIGN_VARIABLE", [0, 1], []),
    ]
    return call, SubgraphSpec([TensorSpec([], "resource", name="handle"), initial], assign, name="init")


def _numbers(value: Any) -> list[Any]:
    return [value] if isinstance(value, int | float | np.number) else list(value)


def _camel(snake: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in snake.split("_"))


def enum_value(enum: type, name: str) -> int:
    """The number of a member of one of the schema's enums."""
    members = {member.upper(): value for member, value in vars(enum).items() if isinstance(value, int)}
    return members[name.upper()]


class Writer:
    """One flatbuffer under construction: shared buffers and operator codes."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(4096)
        self.buffers: list[bytes] = [b""]
        self.codes: list[tuple[str, int, str | None]] = []

    def model(self, subgraphs: Sequence[SubgraphSpec], description: str) -> bytes:
        b = self.builder
        graphs = self.offsets([self.subgraph(graph) for graph in subgraphs])
        codes = self.offsets([self.operator_code(*code) for code in self.codes])
        buffers = self.offsets([self.buffer(content) for content in self.buffers])
        text = b.CreateString(description)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, codes)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddDescription(b, text)
        tflite.ModelAddBuffers(b, buffers)
        b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
        return bytes(b.Output())

    def subgraph(self, spec: SubgraphSpec) -> int:
        b = self.builder
        tensors = self.offsets([self.tensor(tensor) for tensor in spec.tensors])
        operators = self.offsets([self.operator(op) for op in spec.ops])
        inputs, outputs = self.ints(spec.inputs), self.ints(spec.outputs)
        name = b.CreateString(spec.name)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, inputs)
        tflite.SubGraphAddOutputs(b, outputs)
        tflite.SubGraphAddOperators(b, operators)
        tflite.SubGraphAddName(b, name)
        return int(tflite.SubGraphEnd(b))

    def tensor(self, spec: TensorSpec) -> int:
        b = self.builder
        number = 0
        if spec.data is not None:
            self.buffers.append(_content(spec))
            number = len(self.buffers) - 1
        shape, name = self.ints(spec.shape), b.CreateString(spec.name)
        signature = None if spec.signature is None else self.ints(spec.signature)
        quantisation = None if spec.scale is None else self.quantisation(spec)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, enum_value(tflite.TensorType, spec.type))
        tflite.TensorAddBuffer(b, number)
        tflite.TensorAddName(b, name)
        if quantisation is not None:
            tflite.TensorAddQuantization(b, quantisation)
        tflite.TensorAddIsVariable(b, spec.variable)
        if signature is not None:
            tflite.TensorAddShapeSignature(b, signature)
        return int(tflite.TensorEnd(b))

    def quantisation(self, spec: TensorSpec) -> int:
        b = self.builder
        scales = _numbers(spec.scale)
        points = _numbers(spec.zero_point)
        points = points * len(scales) if len(points) == 1 else points
        scale = b.CreateNumpyVector(np.array(scales, np.float32))
        zero_point = b.CreateNumpyVector(np.array(points, np.int64))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scale)
        tflite.QuantizationParametersAddZeroPoint(b, zero_point)
        tflite.QuantizationParametersAddQuantizedDimension(b, spec.axis)
        return int(tflite.QuantizationParametersEnd(b))

    def operator(self, spec: OpSpec) -> int:
        b = self.builder
        code = (spec.op, spec.version, spec.custom_code)
        if code not in self.codes:
            self.codes.append(code)
        inputs, outputs = self.ints(spec.inputs), self.ints(spec.outputs)
        middle = self.ints(spec.intermediates)
        table = OPTIONS_TABLES.get(spec.op) if spec.options_table is None else spec.options_table
        options = self.options(table, spec.options) if table else None
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, self.codes.index(code))
        tflite.OperatorAddInputs(b, inputs)
        tflite.OperatorAddOutputs(b, outputs)
        if options is not None:
            tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, str(table)))
            tflite.OperatorAddBuiltinOptions(b, options)
        tflite.OperatorAddIntermediates(b, middle)
        return int(tflite.OperatorEnd(b))

    def options(self, table: str, fields: Mapping[str, Field]) -> int:
        b = self.builder
        ready = {_camel(name): self.option(name, value) for name, value in fields.items()}
        getattr(tflite, f"{table}Start")(b)
        for name, value in ready.items():
            getattr(tflite, f"{table}Add{name}")(b, value)
        return int(getattr(tflite, f"{table}End")(b))

    def option(self, name: str, value: Field) -> bool | int | float:
        if isinstance(value, str):
            return enum_value(ENUMS[name], value) if name in ENUMS else int(self.builder.CreateString(value))
        return self.ints(value) if isinstance(value, Sequence) else value

    def operator_code(self, op: str, version: int, custom_code: str | None) -> int:
        b = self.builder
        code = enum_value(tflite.BuiltinOperator, op)
        custom = None if custom_code is None else b.CreateString(custom_code)
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
        tflite.OperatorCodeAddBuiltinCode(b, code)
        tflite.OperatorCodeAddVersion(b, version)
        if custom is not None:
            tflite.OperatorCodeAddCustomCode(b, custom)
        return int(tflite.OperatorCodeEnd(b))

    def buffer(self, content: bytes) -> int:
        b = self.builder
        data = self.raw(content) if content else None
        tflite.BufferStart(b)
        if data is not None:
            tflite.BufferAddData(b, data)
        return int(tflite.BufferEnd(b))

    def raw(self, content: bytes) -> int:
        """A byte vector aligned to 16 bytes, as the schema asks of buffers."""
        b = self.builder
        b.StartVector(1, len(content), 16)
        b.head = b.head - len(content)
        b.Bytes[b.head : b.head + len(content)] = content
        return int(b.EndVector())

    def ints(self, values: Sequence[int]) -> int:
        return int(self.builder.CreateNumpyVector(np.array(values, np.int32).reshape(-1)))

    def offsets(self, tables: Sequence[int]) -> int:
        b = self.builder
        b.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            b.PrependUOffsetTRelative(table)
        return int(b.EndVector())


def _content(spec: TensorSpec) -> bytes:
    if isinstance(spec.data, bytes):
        return spec.data
    array = np.asarray(spec.data)
    assert re.fullmatch(r"u?int\d+|float\d+|bool", spec.type.lower()), f"{spec.type} content must be given as bytes"
    assert list(array.shape) == list(spec.shape), f"{spec.name}: data {array.shape} for shape {tuple(spec.shape)}"
    return array.astype(np.dtype(spec.type.lower()).newbyteorder("<")).tobytes()


def with_data(spec: TensorSpec, data: np.ndarray | bytes) -> TensorSpec:
    """``spec`` made constant."""
    return replace(spec, data=data)
