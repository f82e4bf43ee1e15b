"""TensorFlow Lite files (home of the ``tflite`` schema package), with nothing in them believed unchecked.

The schema's generated accessors run on CheckedTable, so every offset is inside the file before it is followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, cast

import tflite

from vtarget.base.errors import InputError
from vtarget.base.names import quoted
from vtarget.data.graph import NO_TENSOR, Graph, Operator, Option, Quantisation
from vtarget.data.rawmodel import RawModel, RawSubgraph, RawTensor
from vtarget.logic.assemble import assemble
from vtarget.logic.checkedtable import Budget, CheckedTable, CorruptError

MOST_FILE_BYTES = 256 << 20
MOST_TABLES = 20_000
SCHEMA_VERSION = 3
_TABLE_BYTES = 16  # what a table and the offset to it take, about

# Operator -> table of its options. Of operators that aren't named here, options are not read.
OPTION_TABLES = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "CALL_ONCE": "CallOnceOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "PACK": "PackOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "SVDF": "SVDFOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNPACK": "UnpackOptions",
    "VAR_HANDLE": "VarHandleOptions",
}
_ENUMS = {
    "padding": tflite.Padding,
    "fused_activation_function": tflite.ActivationFunctionType,
    "in_data_type": tflite.TensorType,
    "out_data_type": tflite.TensorType,
    "output_type": tflite.TensorType,
    "quantized_bias_type": tflite.TensorType,
    "weights_format": tflite.FullyConnectedOptionsWeightsFormat,
    "mode": tflite.MirrorPadMode,
}
# A table with no fields: all of them read as their defaults.
_EMPTY_TABLE, _EMPTY_TABLE_POS = b"\x04\x00\x04\x00\x04\x00\x00\x00", 4

T = TypeVar("T")


def read_model(path: str | Path) -> Graph:
    """The model in the file ``path``.

    :raises InputError: the file can't be read, is no TensorFlow Lite model, is corrupt, or has what a Graph can't
        (every such tensor or operator is named).
    """
    return parse_model(str(path), _read(str(path)))


def parse_model(path: str, data: bytes) -> Graph:
    """The model in ``data``, the content of the file ``path``; errors as of ``read_model``."""
    try:
        raw = _Decoder(data).model()
    except CorruptError as error:
        raise InputError(f"{path}: {error}") from None
    return assemble(raw, path, sha256(data).hexdigest())


def _read(path: str) -> bytes:
    try:
        info = Path(path).stat()
        if stat.S_ISDIR(info.st_mode):
            raise InputError(f"{path}: is a directory, expected a .tflite model")
        if not stat.S_ISREG(info.st_mode):
            raise InputError(f"{path}: is no regular file")
        if info.st_size > MOST_FILE_BYTES:
            raise InputError(f"{path}: {info.st_size} bytes, at most {MOST_FILE_BYTES >> 20} MiB are supported")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read: {os.strerror(error.errno or 0)}") from None
    except ValueError as error:
        raise InputError(f"{path}: can't be read: {error}") from None


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Names the place in errors from inside."""
    try:
        yield
    except CorruptError as error:
        raise CorruptError(f"{place}: {error}") from None


class _Decoder:
    """One file being decoded: its bytes, its operator codes, and its buffers (each copied out once)."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 8 or data[4:8] != b"TFL3":
            raise CorruptError("is no TensorFlow Lite model (no 'TFL3' at offset 4)")
        self.data = data
        self.budget = Budget(8 * len(data))
        self.root = tflite.Model()
        with _at("model"):
            self.root._tab = CheckedTable(data, int.from_bytes(data[:4], "little"), self.budget)
        self.buffers: dict[int, bytes | None] = {}

    def model(self) -> RawModel:
        version = int(self.root.Version())
        if version != SCHEMA_VERSION:
            raise CorruptError(f"is of schema version {version}, expected {SCHEMA_VERSION}")
        self.codes = self.tables("operator code", self.root.OperatorCodesLength, self.root.OperatorCodes, _code)
        with _at("model"):
            self.buffer_count = int(self.root.BuffersLength())
        subgraphs = self.tables("subgraph", self.root.SubgraphsLength, self.root.Subgraphs, self.subgraph)
        if not subgraphs:
            raise CorruptError("has no subgraph")
        return RawModel(subgraphs)

    def tables(
        self,
        what: str,
        length: Callable[[], int],
        item: Callable[[int], Any],
        decode: Callable[[int, Any], T],
    ) -> tuple[T, ...]:
        """A vector of tables, each decoded."""
        with _at(f"{what}s"):
            count = int(length())
            if count > MOST_TABLES:
                raise CorruptError(f"{count} of them, at most {MOST_TABLES} are supported")
        decoded = []
        for index in range(count):
            with _at(f"{what} {index}"):
                decoded.append(decode(index, self.checked(item(index))))
        return tuple(decoded)

    def checked(self, table: Any) -> Any:
        """A generated accessor's table, with its own offsets checked from here on."""
        self.budget.spend(_TABLE_BYTES)
        table._tab = CheckedTable(self.data, table._tab.Pos, self.budget)
        return table

    def subgraph(self, index: int, table: Any) -> RawSubgraph:
        tensors = self.tables("tensor", table.TensorsLength, table.Tensors, self.tensor)

        def operator(place: int, entry: Any) -> Operator:
            return self.operator(place, entry, len(tensors))

        operators = self.tables("operator", table.OperatorsLength, table.Operators, operator)
        inputs = _indices("input", _vector(table.InputsAsNumpy), len(tensors))
        outputs = _indices("output", _vector(table.OutputsAsNumpy), len(tensors))
        return RawSubgraph(_text(table.Name()), tensors, operators, inputs, outputs)

    def tensor(self, index: int, table: Any) -> RawTensor:
        name, type_ = _text(table.Name()), int(table.Type())
        names = _members(tflite.TensorType)
        if type_ not in names:
            raise CorruptError(f"type {type_} is none of the schema's")
        return RawTensor(
            index,
            name,
            tuple(int(n) for n in _vector(table.ShapeAsNumpy)),
            names[type_],
            tuple(int(n) for n in _vector(table.ShapeSignatureAsNumpy)),
            self.quantisation(table.Quantization()),
            self.buffer(int(table.Buffer())),
            bool(table.IsVariable()),
            table.Sparsity() is not None,
        )

    def quantisation(self, table: Any) -> Quantisation | None:
        if table is None:
            return None
        with _at("quantisation"):
            table = self.checked(table)
            if int(table.DetailsType()) != 0:
                raise CorruptError("custom quantisation isn't supported")
            scales = tuple(float(s) for s in _vector(table.ScaleAsNumpy))
            points = tuple(int(z) for z in _vector(table.ZeroPointAsNumpy))
            if not scales:
                return None
            if len(points) not in (0, 1, len(scales)):
                raise CorruptError(f"{len(points)} zero points for {len(scales)} scales")
            points = points or (0,)
            points = points if len(points) == len(scales) else points * len(scales)
            return Quantisation(scales, points, int(table.QuantizedDimension()))

    def buffer(self, index: int) -> bytes | None:
        """A buffer's content; None if it is empty (as number 0 always is)."""
        if index >= self.buffer_count:
            raise CorruptError(f"buffer {index} is meant, but there are {self.buffer_count}")
        if index == 0:
            return None
        if index not in self.buffers:
            with _at(f"buffer {index}"):
                table = self.checked(self.root.Buffers(index))
                if int(table.Offset()) > 1 or int(table.Size()) > 1:
                    raise CorruptError("content outside the flatbuffer isn't supported")
                content = _vector(table.DataAsNumpy)
                self.buffers[index] = bytes(content) if len(content) else None
        return self.buffers[index]

    def operator(self, index: int, table: Any, tensors: int) -> Operator:
        code = int(table.OpcodeIndex())
        if code >= len(self.codes):
            raise CorruptError(f"operator code {code} is meant, but there are {len(self.codes)}")
        op = self.codes[code]
        with _at(op):
            inputs = _indices("input", _vector(table.InputsAsNumpy), tensors, optional=True)
            outputs = _indices("output", _vector(table.OutputsAsNumpy), tensors)
            middle = _indices("intermediate", _vector(table.IntermediatesAsNumpy), tensors, optional=True)
            return Operator(index, op, inputs, outputs, self.options(op, table), middle)

    def options(self, op: str, table: Any) -> dict[str, Option]:
        expected = OPTION_TABLES.get(op)
        if expected is None:
            return {}
        options = getattr(tflite, expected)()
        kind = int(table.BuiltinOptionsType())
        if kind == 0:
            options._tab = CheckedTable(_EMPTY_TABLE, _EMPTY_TABLE_POS, self.budget)
            return _fields(options)
        if kind != getattr(tflite.BuiltinOptions, expected):
            found = _members(tflite.BuiltinOptions).get(kind, f"number {kind}")
            raise CorruptError(f"has options of type {found}, expected {expected}")
        union = table.BuiltinOptions()
        if union is None:
            raise CorruptError("its options are missing")
        options._tab = CheckedTable(self.data, union.Pos, self.budget)
        return _fields(options)


def _vector(accessor: Callable[[], Any]) -> Sequence[Any]:
    """A vector of scalars; generated accessors say 0 for one that is absent."""
    found = accessor()
    return () if isinstance(found, int) else found


def _text(raw: bytes | None) -> str:
    return "" if raw is None else raw.decode("utf-8", errors="backslashreplace")


def _indices(what: str, found: Sequence[Any], count: int, *, optional: bool = False) -> tuple[int, ...]:
    indices = tuple(int(index) for index in found)
    for place, index in enumerate(indices):
        if not (0 <= index < count or (optional and index == NO_TENSOR)):
            raise CorruptError(f"{what} {place} is tensor {index}, but there are {count}")
    return indices


def _code(index: int, table: Any) -> str:
    """The operator's builtin name; one that is none of the schema's is named by what it has instead."""
    number = max(int(table.DeprecatedBuiltinCode()), int(table.BuiltinCode()))
    name = _members(tflite.BuiltinOperator).get(number, f"BUILTIN({number})")
    return name if name != "CUSTOM" else f"CUSTOM({quoted(_text(table.CustomCode()))})"


@cache
def _members(enum: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


@cache
def _field_names(table: Any) -> tuple[tuple[str, str, bool], ...]:
    """(name in snake case, accessor, whether it is a vector) of each field of a generated options table."""
    accessors = [name for name in vars(table) if re.fullmatch(r"(?!Init$|GetRootAs)[A-Z]\w*(?<!HasIdentifier)", name)]
    vectors = {name.removesuffix("AsNumpy") for name in accessors if name.endswith("AsNumpy")}
    helpers = {f"{name}{suffix}" for name in vectors for suffix in ("AsNumpy", "Length", "IsNone")}
    return tuple(
        (re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), f"{name}AsNumpy" if name in vectors else name, name in vectors)
        for name in accessors
        if name not in helpers
    )


def _fields(table: Any) -> dict[str, Option]:
    fields: dict[str, Option] = {}
    for name, accessor, is_vector in _field_names(cast(Any, type(table))):
        if is_vector:
            fields[name] = tuple(int(item) for item in _vector(getattr(table, accessor)))
        else:
            fields[name] = _option(name, getattr(table, accessor)())
    return fields


def _option(name: str, value: Any) -> Option:
    if name in _ENUMS:
        members = _members(_ENUMS[name])
        if int(value) not in members:
            raise CorruptError(f"option {name} has the unknown value {int(value)}")
        return members[int(value)].upper()
    if value is None or isinstance(value, bytes):
        return _text(value)
    if isinstance(value, float) and not isfinite(value):
        raise CorruptError(f"option {name} is {value}")
    return value if isinstance(value, bool | float) else int(value)
