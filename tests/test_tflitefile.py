"""Models read from files equal what the schema's own accessors say, and what is particular to a Graph is right."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import tflite
from hostilemodels import ASSIGN, CALL, HANDLE, INIT, READ, W, X, Y, good, lstm_like
from modelwriter import ENUMS, OPTIONS_TABLES, Field, OpSpec, TensorSpec, one_op_model, write_model

from vtarget.data.graph import ElementType, Graph, Operator, Quantisation, Tensor
from vtarget.logic.codegen.registry import problems
from vtarget.shell.tflitefile import OPTION_TABLES, parse_model, read_model

MODELS = sorted((Path(__file__).resolve().parent.parent / "models").glob("*.tflite"))

# Options that differ from the schema's defaults, per table.
OPTIONS: dict[str, dict[str, Field]] = {
    "AddOptions": {"fused_activation_function": "RELU6", "pot_scale_int16": False},
    "ArgMaxOptions": {"output_type": "INT64"},
    "ArgMinOptions": {"output_type": "INT32"},
    "BatchMatMulOptions": {"adj_x": True, "adj_y": False, "asymmetric_quantize_inputs": True},
    "CastOptions": {"in_data_type": "INT8", "out_data_type": "FLOAT32"},
    "ConcatenationOptions": {"axis": -1, "fused_activation_function": "RELU_N1_TO_1"},
    "Conv2DOptions": {
        "padding": "VALID",
        "stride_w": 3,
        "stride_h": 2,
        "fused_activation_function": "RELU",
        "dilation_w_factor": 4,
        "dilation_h_factor": 5,
        "quantized_bias_type": "INT32",
    },
    "DepthwiseConv2DOptions": {"padding": "SAME", "stride_w": 2, "stride_h": 1, "depth_multiplier": 7},
    "DivOptions": {"fused_activation_function": "TANH"},
    "FullyConnectedOptions": {"weights_format": "SHUFFLED4x16INT8", "keep_num_dims": True},
    "GatherOptions": {"axis": 2, "batch_dims": 1},
    "L2NormOptions": {"fused_activation_function": "RELU"},
    "LeakyReluOptions": {"alpha": 0.25},
    "MirrorPadOptions": {"mode": "SYMMETRIC"},
    "MulOptions": {"fused_activation_function": "SIGN_BIT"},
    "PackOptions": {"values_count": 3, "axis": -2},
    "Pool2DOptions": {"padding": "VALID", "stride_w": 2, "stride_h": 3, "filter_width": 4, "filter_height": 5},
    "ReducerOptions": {"keep_dims": True},
    "ReshapeOptions": {"new_shape": [2, -1]},
    "ResizeBilinearOptions": {"align_corners": True, "half_pixel_centers": False},
    "ResizeNearestNeighborOptions": {"align_corners": False, "half_pixel_centers": True},
    "SVDFOptions": {"rank": 2, "fused_activation_function": "RELU", "asymmetric_quantize_inputs": True},
    "SoftmaxOptions": {"beta": 1.5},
    "SplitOptions": {"num_splits": 2},
    "SplitVOptions": {"num_splits": 3},
    "SqueezeOptions": {"squeeze_dims": [0, -1]},
    "StridedSliceOptions": {"begin_mask": 1, "end_mask": 2, "ellipsis_mask": 4, "new_axis_mask": 8, "offset": True},
    "SubOptions": {"fused_activation_function": "RELU"},
    "TransposeConvOptions": {"padding": "SAME", "stride_w": 2, "stride_h": 2, "fused_activation_function": "RELU"},
    "UnidirectionalSequenceLSTMOptions": {"cell_clip": 10.0, "proj_clip": 0.5, "time_major": True},
    "UnpackOptions": {"num": 4, "axis": 1},
}


def accessor_value(table: object, name: str) -> Field:
    """An option as the schema's accessors give it."""
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    if hasattr(table, f"{camel}AsNumpy"):
        found = getattr(table, f"{camel}AsNumpy")()
        return () if isinstance(found, int) else tuple(found.tolist())
    value = getattr(table, camel)()
    if name in ENUMS:
        return next(n.upper() for n, number in vars(ENUMS[name]).items() if number == value)
    return value


def test_all_tables_but_the_variables_ones_are_tried() -> None:
    assert set(OPTIONS) == set(OPTION_TABLES.values()) - {"CallOnceOptions", "VarHandleOptions"}
    assert {op: table for op, table in OPTIONS_TABLES.items() if op in OPTION_TABLES} == OPTION_TABLES


@pytest.mark.parametrize("op", [op for op, table in OPTION_TABLES.items() if table in OPTIONS])
def test_options_equal_the_accessors(op: str) -> None:
    table = OPTION_TABLES[op]
    data = one_op_model(op, [X], [Y], OPTIONS[table])
    options = parse_model("m.tflite", data).operators[0].options
    raw = getattr(tflite, table)()
    union = tflite.Model.GetRootAs(data, 0).Subgraphs(0).Operators(0).BuiltinOptions()
    raw.Init(union.Bytes, union.Pos)
    assert options == {name: accessor_value(raw, name) for name in options}
    expected = {
        n: tuple(v) if isinstance(v, list) else v.upper() if isinstance(v, str) else v
        for n, v in OPTIONS[table].items()
    }
    assert {name: options[name] for name in expected} == expected
    adders = re.findall(rf"^{table}Add(\w+)", "\n".join(dir(tflite)), re.MULTILINE)
    assert len(options) == len(adders)


def test_left_out_options_have_the_defaults() -> None:
    data = write_model([X, Y], [OpSpec("CONV_2D", [0], [1], options_table="")], [0], [1])
    assert parse_model("m.tflite", data).operators[0].options["dilation_w_factor"] == 1


@pytest.mark.parametrize("op", ["RELU", "TANH", "PRELU", "QUANTIZE", "PAD", "TRANSPOSE", "EXPAND_DIMS", "RSQRT", "EXP"])
def test_operators_without_options_have_none(op: str) -> None:
    assert parse_model("m.tflite", one_op_model(op, [X], [Y])).operators[0] == Operator(0, op, (0,), (1,))


def test_a_whole_graph() -> None:
    data = good()
    options = {
        "fused_activation_function": "RELU",
        "weights_format": "DEFAULT",
        "keep_num_dims": False,
        "asymmetric_quantize_inputs": False,
        "quantized_bias_type": "FLOAT32",
    }
    tenth, fifth = (float(np.float32(x)) for x in (0.1, 0.2))
    assert parse_model("m.tflite", data) == Graph(
        "m.tflite",
        sha256(data).hexdigest(),
        "main",
        (
            Tensor(0, "x", (1, 4), ElementType.INT8, Quantisation((0.5,), (1,))),
            Tensor(1, "w", (2, 4), ElementType.INT8, Quantisation((tenth, fifth), (0, 0)), bytes(range(8))),
            Tensor(
                2,
                "b",
                (2,),
                ElementType.INT32,
                Quantisation((float(np.float32(0.05)), tenth), (0, 0)),
                b"\1\0\0\0\2\0\0\0",
            ),
            Tensor(3, "y", (1, 2), ElementType.INT8, Quantisation((0.25,), (-3,))),
        ),
        (Operator(0, "FULLY_CONNECTED", (0, 1, 2), (3,), options),),
        (0,),
        (3,),
    )


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_models_of_ours_equal_the_accessors(path: Path) -> None:
    graph = read_model(path)
    raw = tflite.Model.GetRootAs(path.read_bytes(), 0)
    main = raw.Subgraphs(0)
    assert graph.sha256 == sha256(path.read_bytes()).hexdigest()
    assert graph.inputs == tuple(main.InputsAsNumpy()) and graph.outputs == tuple(main.OutputsAsNumpy())
    assert len(graph.tensors) == main.TensorsLength()
    for tensor in graph.tensors:
        there = main.Tensors(tensor.index)
        assert tensor.name == there.Name().decode()
        if tensor.variable:
            continue
        assert tensor.shape == tuple(there.ShapeAsNumpy() if there.ShapeLength() else ())
        assert getattr(tflite.TensorType, tensor.type.name) == there.Type()
        scales = there.Quantization().ScaleAsNumpy() if there.Quantization() is not None else 0
        if isinstance(scales, int):
            assert tensor.quantisation is None
        else:
            assert tensor.quantisation is not None
            assert tensor.quantisation.scales == tuple(scales.tolist())
            assert tensor.quantisation.zero_points == tuple(there.Quantization().ZeroPointAsNumpy().tolist())
        content = raw.Buffers(there.Buffer()).DataAsNumpy()
        assert (tensor.data or None) == (None if isinstance(content, int) else content.tobytes())


def test_left_out_inputs_and_intermediates() -> None:
    ops = [OpSpec("UNIDIRECTIONAL_SEQUENCE_LSTM", [0, -1, 1], [2], intermediates=[3])]
    graph = parse_model("m.tflite", write_model([X, W, Y, X], ops, [0], [2]))
    assert graph.operators[0].inputs == (0, -1, 1)
    assert graph.operators[0].intermediates == (3,)
    assert graph.input(graph.operators[0], 1) is None


def test_an_open_batch_is_one() -> None:
    data = one_op_model("RELU", [TensorSpec([1, 4], signature=[-1, 4])], [TensorSpec([1, 4], signature=[-1, 4])])
    assert [tensor.shape for tensor in parse_model("m.tflite", data).tensors] == [(1, 4), (1, 4)]


def test_an_empty_constant_is_a_constant() -> None:
    shape = TensorSpec([0], "int32", data=np.zeros(0), name="shape")
    graph = parse_model("m.tflite", one_op_model("RESHAPE", [TensorSpec([1]), shape], [TensorSpec([])]))
    assert graph.tensors[1].data == b"" and graph.tensors[1].constant


def test_tensors_that_nothing_uses_may_be_of_any_type() -> None:
    data = write_model([X, Y, TensorSpec([-7], "string")], [OpSpec("RELU", [0], [1])], [0], [1])
    assert len(parse_model("m.tflite", data).tensors) == 3


def test_variables_start_with_their_zero_point() -> None:
    state = [TensorSpec([2], kind, 0.5, point, variable=True) for kind, point in (("int8", -3), ("int16", 0))]
    graph = parse_model("m.tflite", one_op_model("SVDF", [X, *state], [Y]))
    assert [(t.data, t.variable, t.constant) for t in graph.tensors[1:3]] == [
        (b"\xfd\xfd", True, False),
        (bytes(4), True, False),
    ]


def test_a_resource_variable_is_one_tensor() -> None:
    second = OpSpec("VAR_HANDLE", [], [3], {"shared_name": "state"})
    assign = OpSpec("ASSIGN_VARIABLE", [3, 0], [])
    graph = parse_model("m.tflite", lstm_like([CALL, HANDLE, second, READ, assign], [INIT]))
    assert [(op.index, op.op, op.inputs, op.outputs) for op in graph.operators] == [
        (0, "VAR_HANDLE", (), (2,)),
        (1, "VAR_HANDLE", (), (2,)),
        (2, "READ_VARIABLE", (2,), (1,)),
        (3, "ASSIGN_VARIABLE", (2, 0), ()),
    ]
    assert graph.tensors[2] == Tensor(
        2, "state", (1, 4), ElementType.INT8, Quantisation((0.5,), (1,)), b"\1\1\1\1", variable=True
    )


def test_a_resource_variable_without_initial_content_starts_with_its_zero_point() -> None:
    graph = parse_model("m.tflite", lstm_like([HANDLE, READ, ASSIGN]))
    assert graph.tensors[2].data == b"\1\1\1\1"
    assert graph.tensors[2].variable and not graph.tensors[2].constant


def test_a_handle_that_nothing_uses_is_gone() -> None:
    graph = parse_model("m.tflite", lstm_like([HANDLE, OpSpec("RELU", [0], [1])]))
    assert [operator.op for operator in graph.operators] == ["RELU"]


@pytest.mark.parametrize(
    ("ops", "listed"),
    [
        (
            [OpSpec("CUSTOM", [0], [1], custom_code="Evil*/\n'%s"), OpSpec("WHILE", [1], [2])],
            [
                "operator 0 CUSTOM('Evil*/\n'%s'): this operator isn't supported",
                "operator 1 WHILE: this operator isn't supported",
            ],
        ),
    ],
)
def test_unsupported_operators_are_left_to_generation_to_list(ops: list[OpSpec], listed: list[str]) -> None:
    graph = parse_model("m.tflite", write_model([X, X, X], ops, [0], [2]))
    assert problems(graph) == listed


def test_names_stay_as_they_are() -> None:
    name = "a\"b'c\n*/ %s \x1b[2J é"
    graph = parse_model("m.tflite", one_op_model("RELU", [TensorSpec([1], name=name)], [Y]))
    assert graph.tensors[0].name == name
