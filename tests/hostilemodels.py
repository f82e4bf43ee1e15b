"""Models that must be refused: broken as flatbuffers by patching bytes, or well-formed and senseless."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tflite
from modelwriter import OpSpec, SubgraphSpec, TensorSpec, Writer, variable_init, write_model

X = TensorSpec([1, 4], "int8", 0.5, 1, name="x")
W = TensorSpec([2, 4], "int8", [0.1, 0.2], 0, data=np.arange(8).reshape(2, 4), name="w")
B = TensorSpec([2], "int32", [0.05, 0.1], 0, data=np.array([1, 2]), name="b")
Y = TensorSpec([1, 2], "int8", 0.25, -3, name="y")
FC = OpSpec("FULLY_CONNECTED", [0, 1, 2], [3], {"fused_activation_function": "RELU"})


def good() -> bytes:
    """One fully connected layer."""
    return write_model([X, W, B, Y], [FC], [0], [3], name="main", description="a good model")


def changed(
    *,
    x: TensorSpec = X,
    w: TensorSpec = W,
    b: TensorSpec = B,
    y: TensorSpec = Y,
    op: OpSpec = FC,
    inputs: Sequence[int] = (0,),
    outputs: Sequence[int] = (3,),
) -> bytes:
    """The good model with something else in it."""
    return write_model([x, w, b, y], [op], inputs, outputs, name="main")


class Patch:
    """A good model's bytes, with a way to where its fields stand."""

    def __init__(self, model: bytes | None = None) -> None:
        self.data = bytearray(model or good())
        self.model = tflite.Model.GetRootAs(self.data, 0)
        self.graph = self.model.Subgraphs(0)
        self.op = self.graph.Operators(0)

    def field(self, table: Any, slot: int) -> int:
        """Where a table's field stands in the file; slots count from 0."""
        place = int(table._tab.Offset(4 + 2 * slot))
        assert place, "the field is absent"
        return int(table._tab.Pos) + place

    def vector(self, table: Any, slot: int) -> int:
        """Where the length of a vector or string stands."""
        at = self.field(table, slot)
        return at + int(struct.unpack_from("<I", self.data, at)[0])

    def put(self, at: int, layout: str, value: float) -> bytes:
        """The file with one value written over."""
        struct.pack_into(f"<{layout}", self.data, at, value)
        return bytes(self.data)


def patched(change: Callable[[Patch], bytes]) -> bytes:
    return change(Patch())


def vtable(patch: Patch, table: Any) -> int:
    at = int(table._tab.Pos)
    return at - int(struct.unpack_from("<i", patch.data, at)[0])


def lstm_like(ops: Sequence[OpSpec], extra: Sequence[SubgraphSpec] = (), y: TensorSpec | None = None) -> bytes:
    """Two int8 tensors, two handles, a constant; ``ops`` between them."""
    handle = TensorSpec([], "resource", name="handle")
    constant = TensorSpec([1, 4], "int8", 0.5, 1, data=np.zeros((1, 4)), name="c")
    tensors = [X, y or replace(X, name="y"), handle, handle, constant]
    return write_model(tensors, ops, [0], [1], extra_subgraphs=extra)


HANDLE = OpSpec("VAR_HANDLE", [], [2], {"shared_name": "state"})
READ = OpSpec("READ_VARIABLE", [2], [1])
ASSIGN = OpSpec("ASSIGN_VARIABLE", [2, 0], [])
CALL, INIT = variable_init("state", TensorSpec([1, 4], "int8", 0.5, 1, data=np.ones((1, 4))), 1)
_, OTHER_SHAPE = variable_init("state", TensorSpec([1, 3], "int8", 0.5, 1, data=np.ones((1, 3))), 1)
_, OTHER_BYTES = variable_init("state", TensorSpec([1, 4], "int8", 0.5, 1, data=b"\x01\x02"), 1)
RELU = OpSpec("RELU", [0], [1])


def chain(ops: Sequence[OpSpec], outputs: Sequence[int] = (2,), inputs: Sequence[int] = (0,)) -> bytes:
    """Three like tensors and a constant one, with ``ops`` between them."""
    constant = replace(X, name="c", data=np.zeros((1, 4)))
    tensors = [replace(X, name=name) for name in "abc"]
    return write_model([*tensors, constant], ops, inputs, outputs)


# Name -> the file.
CASES: dict[str, Callable[[], bytes]] = {
    # No flatbuffer of the kind
    "empty": lambda: b"",
    "short": lambda: b"TFL3",
    "text": lambda: b"hello, this is not a model at all",
    "magic_only": lambda: b"\x08\x00\x00\x00TFL3",
    "cut_in_half": lambda: good()[: len(good()) // 2],
    "version": lambda: patched(lambda p: p.put(p.field(p.model, 0), "I", 2)),
    # Offsets that lead astray
    "root_outside": lambda: patched(lambda p: p.put(0, "I", 0xFFFF_FFFF)),
    "root_at_end": lambda: patched(lambda p: p.put(0, "I", len(p.data) - 2)),
    "root_on_itself": lambda: patched(lambda p: p.put(0, "I", 0)),
    "vtable_before_file": lambda: patched(lambda p: p.put(p.graph._tab.Pos, "i", 0x7FFF_FFFF)),
    "vtable_after_file": lambda: patched(lambda p: p.put(p.graph._tab.Pos, "i", -0x8000_0000)),
    "vtable_too_small": lambda: patched(lambda p: p.put(vtable(p, p.op), "H", 2)),
    "vtable_too_large": lambda: patched(lambda p: p.put(vtable(p, p.graph.Tensors(1)), "H", 0xFFFE)),
    "field_outside_file": lambda: patched(lambda p: p.put(vtable(p, p.op) + 6, "H", 0xFFFF)),
    "subgraphs_outside": lambda: patched(lambda p: p.put(p.field(p.model, 2), "I", 0x7FFF_FFFF)),
    "tensors_outside": lambda: patched(lambda p: p.put(p.field(p.graph, 0), "I", 0xFFFF_FFF0)),
    "tensor_outside": lambda: patched(lambda p: p.put(p.vector(p.graph, 0) + 8, "I", 0x10_0000)),
    "options_outside": lambda: patched(lambda p: p.put(p.field(p.op, 4), "I", 0x10_0000)),
    "name_outside": lambda: patched(lambda p: p.put(p.field(p.graph.Tensors(0), 3), "I", 0x10_0000)),
    "quantisation_outside": lambda: patched(lambda p: p.put(p.field(p.graph.Tensors(2), 4), "I", 0x10_0000)),
    "buffer_outside": lambda: patched(lambda p: p.put(p.field(p.model.Buffers(1), 0), "I", 0x10_0000)),
    # Lengths that can't be
    "shape_length": lambda: patched(lambda p: p.put(p.vector(p.graph.Tensors(0), 0), "I", 0x4000_0000)),
    "name_length": lambda: patched(lambda p: p.put(p.vector(p.graph.Tensors(3), 3), "I", 0xFFFF_FFFF)),
    "tensor_count": lambda: patched(lambda p: p.put(p.vector(p.graph, 0), "I", 0x7FFF_FFFF)),
    "operator_count": lambda: patched(lambda p: p.put(p.vector(p.graph, 3), "I", 40)),
    "buffer_length": lambda: patched(lambda p: p.put(p.vector(p.model.Buffers(2), 0), "I", 0xFFFF)),
    "scale_length": lambda: patched(lambda p: p.put(p.vector(p.graph.Tensors(1).Quantization(), 2), "I", 3)),
    "too_many_tensors": lambda: patched(lambda p: p.put(p.vector(p.graph, 0), "I", 20_001) + bytes(4 * 20_001)),
    "overlapping_names": lambda: _overlapping_names(),
    "overlapping_subgraphs": lambda: _overlapping_subgraphs(),
    "external_buffers": lambda: _External().model([SubgraphSpec([X, W, B, Y], [FC], [0], [3])], ""),
    # Indices out of range
    "no_subgraph": lambda: patched(lambda p: p.put(p.vector(p.model, 2), "I", 0)),
    "opcode_index": lambda: patched(lambda p: p.put(p.vector(p.model, 1), "I", 0)),
    "buffer_index": lambda: patched(lambda p: p.put(p.field(p.graph.Tensors(1), 2), "I", 99)),
    "operator_input": lambda: changed(op=replace(FC, inputs=[0, 9, 2])),
    "operator_input_negative": lambda: changed(op=replace(FC, inputs=[0, -2, 2])),
    "operator_output": lambda: changed(op=replace(FC, outputs=[-1])),
    "intermediate": lambda: changed(op=replace(FC, intermediates=[2**31 - 1])),
    "graph_input": lambda: changed(inputs=[4]),
    "graph_output": lambda: changed(outputs=[-1]),
    # Tensors that can't be
    "tensor_type": lambda: patched(lambda p: p.put(p.field(p.graph.Tensors(0), 1), "b", 77)),
    "float16": lambda: changed(w=TensorSpec([2, 4], "float16", data=np.zeros((2, 4)), name="w")),
    "two_at_once": lambda: changed(x=replace(X, type="string"), y=replace(Y, type="complex64")),
    "negative_dimension": lambda: changed(x=replace(X, shape=[1, -4])),
    "dynamic": lambda: changed(x=replace(X, signature=[1, -1])),
    "dynamic_batch_of_more": lambda: changed(x=replace(X, shape=[2, 4], signature=[-1, 4])),
    "signature_rank": lambda: changed(x=replace(X, signature=[1, 2, 2])),
    "huge": lambda: changed(x=replace(X, shape=[2**31 - 1, 2**31 - 1, 2**31 - 1])),
    "many_dimensions": lambda: changed(x=replace(X, shape=[1] * 9)),
    "content_too_short": lambda: changed(w=replace(W, data=b"\x01\x02\x03")),
    "content_too_long": lambda: changed(b=replace(B, data=bytes(12))),
    "variable_content": lambda: changed(w=replace(W, variable=True)),
    "huge_variables": lambda: changed(x=replace(X, shape=[200 << 20], variable=True), inputs=[]),
    # Quantisation that can't be
    "scale_nan": lambda: changed(x=replace(X, scale=float("nan"))),
    "scale_negative": lambda: changed(y=replace(Y, scale=-0.5)),
    "zero_point": lambda: changed(y=replace(Y, zero_point=300)),
    "zero_points": lambda: changed(w=replace(W, scale=[0.1] * 3, zero_point=[0, 1])),
    "scales_and_shape": lambda: changed(w=replace(W, scale=[0.1, 0.2, 0.3])),
    "scale_axis": lambda: changed(w=replace(W, axis=2)),
    "custom_quantisation": lambda: _custom_quantisation(),
    # Options that can't be
    "options_of_another": lambda: changed(op=replace(FC, options={}, options_table="Pool2DOptions")),
    "options_unknown": lambda: patched(lambda p: p.put(p.field(p.op, 3), "B", 250)),
    "activation": lambda: patched(lambda p: p.put(_option_at(p), "b", 9)),
    "option_nan": lambda: write_model([X, X], [OpSpec("SOFTMAX", [0], [1], {"beta": float("nan")})], [0], [1]),
    # Wiring that can't be executed
    "no_operators": lambda: write_model([X], [], [0], [0]),
    "no_outputs": lambda: changed(outputs=[]),
    "cycle": lambda: chain([OpSpec("ADD", [0, 2], [1]), OpSpec("RELU", [1], [2])]),
    "reads_itself": lambda: chain([OpSpec("RELU", [2], [2])]),
    "written_twice": lambda: chain([OpSpec("RELU", [0], [2]), OpSpec("RELU6", [0], [2])]),
    "writes_constant": lambda: chain([OpSpec("RELU", [0], [3]), OpSpec("RELU", [0], [2])]),
    "writes_input": lambda: chain([OpSpec("RELU", [1], [0])], inputs=[0, 1], outputs=[0]),
    "output_unwritten": lambda: chain([OpSpec("RELU", [0], [1])]),
    "output_constant": lambda: chain([OpSpec("RELU", [0], [1])], outputs=[3]),
    "input_constant": lambda: chain([OpSpec("RELU", [0], [2])], inputs=[0, 3]),
    "input_twice": lambda: chain([OpSpec("RELU", [0], [2])], inputs=[0, 0]),
    "no_elements": lambda: write_model([X, replace(Y, shape=[0, 2])], [OpSpec("RELU", [0], [1])], [0], [1]),
    # Variables that can't be
    "call_to_nowhere": lambda: lstm_like([CALL, HANDLE, READ, ASSIGN]),
    "call_to_itself": lambda: lstm_like([replace(CALL, options={"init_subgraph_index": 0}), HANDLE, READ, ASSIGN]),
    "call_does_more": lambda: lstm_like([CALL, HANDLE, READ], [replace(INIT, ops=[*INIT.ops, INIT.ops[0], RELU])]),
    "variable_shapes": lambda: lstm_like([CALL, HANDLE, READ, ASSIGN], [OTHER_SHAPE]),
    "variable_bytes": lambda: lstm_like([CALL, HANDLE, READ, ASSIGN], [OTHER_BYTES]),
    "handle_is_no_handle": lambda: lstm_like([OpSpec("READ_VARIABLE", [0], [1])]),
    "read_two": lambda: lstm_like([HANDLE, replace(READ, inputs=[2, 2])]),
    "handle_as_data": lambda: lstm_like([OpSpec("RELU", [2], [1])]),
    "variable_types": lambda: lstm_like([HANDLE, READ, ASSIGN], y=replace(X, type="int16", name="y")),
}


class _Repeating(Writer):
    """Writes the first tensor once, and means it ever after."""

    first: int | None = None

    def tensor(self, spec: TensorSpec) -> int:
        if self.first is None:
            self.first = super().tensor(spec)
        return self.first


def _overlapping_names() -> bytes:
    """A thousand entries that are one tensor with a long name: reading it anew for each would take ages."""
    return _Repeating().model([SubgraphSpec([replace(X, name="x" * 5000)] * 1000, [RELU], [0], [1])], "")


class _Multiplying(Writer):
    """Writes the first subgraph's content once, and means it ever after."""

    first: int | None = None

    def subgraph(self, spec: SubgraphSpec) -> int:
        if self.first is None:
            self.first = super().subgraph(spec)
        return self.first


def _overlapping_subgraphs() -> bytes:
    return _Multiplying().model([SubgraphSpec([X] * 500, [RELU], [0], [1])] * 2000, "")


class _External(Writer):
    """Says of every buffer that its content stands behind the flatbuffer."""

    def buffer(self, content: bytes) -> int:
        tflite.BufferStart(self.builder)
        tflite.BufferAddOffset(self.builder, 4096)
        tflite.BufferAddSize(self.builder, len(content))
        return int(tflite.BufferEnd(self.builder))


def _option_at(patch: Patch) -> int:
    """Where the first option of the operator stands."""
    options = tflite.FullyConnectedOptions()
    union = patch.op.BuiltinOptions()
    options.Init(union.Bytes, union.Pos)
    return patch.field(options, 0)


def _custom_quantisation() -> bytes:
    """The good model with the quantised axis taken for the kind of quantisation, too."""
    patch = Patch(changed(w=replace(W, scale=[0.5] * 4, axis=1)))
    places = vtable(patch, patch.graph.Tensors(1).Quantization()) + 4
    axis = struct.unpack_from("<H", patch.data, places + 2 * 6)[0]
    return patch.put(places + 2 * 4, "H", axis)
