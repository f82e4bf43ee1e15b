"""What can't be generated is refused with a plain reason, all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from heavycases import (
    SequenceCase,
    batch_matmul,
    conv_2d,
    depthwise_conv_2d,
    elementwise,
    fully_connected,
    lstm,
    pool_2d,
    prelu,
    reduction,
    softmax,
    svdf,
    transpose_conv,
)
from modelwriter import OpSpec, TensorSpec, write_model
from opcases import OpCase

from vtarget.base.errors import InputError
from vtarget.data.graph import Graph
from vtarget.data.target import Target
from vtarget.logic.codegen.registry import emit, problems
from vtarget.shell.tflitefile import parse_model

M4 = Target("cortex-m4", dsp=True)


def graph_of(case: OpCase) -> Graph:
    return parse_model("model.tflite", case.model())


def with_input(case: OpCase, position: int, **changes: Any) -> OpCase:
    spec = case.inputs[position]
    assert spec is not None
    inputs = list(case.inputs)
    inputs[position] = replace(spec, **changes)
    return replace(case, inputs=inputs)


def with_output(case: OpCase, **changes: Any) -> OpCase:
    return replace(case, outputs=[replace(case.outputs[0], **changes)])


def with_options(case: OpCase, **options: Any) -> OpCase:
    return replace(case, options={**case.options, **options})


def dropped(case: OpCase, position: int) -> OpCase:
    inputs = list(case.inputs)
    inputs[position] = None
    return replace(case, inputs=inputs)


REFUSED: Mapping[str, tuple[Callable[[], OpCase], str]] = {
    "conv: dynamic filter": (lambda: with_input(conv_2d("int8"), 1, data=None), "the filter isn't constant"),
    "conv: dynamic bias": (lambda: with_input(conv_2d("int8"), 2, data=None), "the bias isn't constant"),
    "conv: no input": (lambda: dropped(conv_2d("int8"), 0), "its input or filter is missing"),
    "conv: int32": (lambda: with_input(conv_2d("int8"), 0, type="int32"), "input has type int32"),
    "conv: uint8": (lambda: with_input(conv_2d("int8"), 0, type="uint8", zero_point=0), "input has type uint8"),
    "conv: output type": (lambda: with_output(conv_2d("int8"), type="int32"), "output has type int32"),
    "conv: bias type": (lambda: with_input(conv_2d("int8"), 2, type="int64"), "bias has type int64"),
    "conv: no scale": (lambda: with_input(conv_2d("int8"), 0, scale=None), "input has no quantisation"),
    "conv: output per channel": (
        lambda: with_output(conv_2d("int8"), scale=[0.1] * 6, axis=3),
        "output is quantised per channel",
    ),
    "conv: scale of zero": (lambda: with_output(conv_2d("int8"), scale=0.0), "output has a scale that isn't positive"),
    "conv: int16 zero point": (
        lambda: with_input(conv_2d("int16"), 0, zero_point=1),
        "input is int16 with a zero point other than 0",
    ),
    "conv: filter zero point": (
        lambda: with_input(conv_2d("int8"), 1, zero_point=1),
        "the filter has a zero point other than 0",
    ),
    "conv: filter axis": (
        lambda: with_input(conv_2d("int8"), 1, scale=[0.1] * 4, axis=3),
        "the filter has 4 scales along axis 3 for 6 output channels",
    ),
    "conv: scales too far apart": (
        lambda: with_output(conv_2d("int16"), scale=1e-12),
        "the output's scale is too small for those of the inputs",
    ),
    "conv: output shape": (
        lambda: with_output(conv_2d("int8"), shape=[1, 7, 6, 5]),
        "output shape [1, 7, 6, 5] doesn't follow from its input and options, which give [1, 7, 6, 6]",
    ),
    "conv: groups": (
        lambda: with_input(conv_2d("int8"), 0, shape=[1, 7, 6, 5]),
        "5 input channels don't split into groups of 4 for 6 output channels",
    ),
    "conv: stride": (
        lambda: with_options(conv_2d("int8"), stride_w=0),
        "its stride, dilation or window isn't positive and reasonable",
    ),
    "conv: huge dilation": (
        lambda: with_options(conv_2d("int8"), dilation_h_factor=2**30),
        "its stride, dilation or window isn't positive and reasonable",
    ),
    "conv: rank": (
        lambda: with_input(conv_2d("int8"), 0, shape=[7, 6, 4]),
        "its input or filter doesn't have 4 dimensions",
    ),
    "conv: bias length": (
        lambda: with_input(conv_2d("float32"), 2, shape=[5], data=np.zeros(5)),
        "the bias has 5 elements for 6 output channels",
    ),
    "conv: activation": (
        lambda: with_options(conv_2d("int8"), fused_activation_function="TANH"),
        "fused activation TANH isn't supported",
    ),
    "depthwise: int32 bias": (
        lambda: depthwise_conv_2d("int16", bias_type="int32"),
        "a bias of int32 with an int16 input isn't supported",
    ),
    "depthwise: channels": (
        lambda: with_input(depthwise_conv_2d("int8"), 0, shape=[1, 7, 6, 3]),
        "4 output channels aren't a multiple of 3 input channels",
    ),
    "transposed: other output": (
        lambda: with_input(transpose_conv("int8"), 0, data=np.array([1, 8, 10, 5])),
        "it asks for output shape [1, 8, 10, 5], not [1, 8, 10, 4]",
    ),
    "transposed: dynamic shape": (
        lambda: with_input(transpose_conv("int8"), 0, data=None),
        "its output shape isn't a constant of int32",
    ),
    "transposed: int32 bias": (
        lambda: transpose_conv("int16", bias_type="int32"),
        "a bias of int32 with an int16 input isn't supported",
    ),
    "dense: shuffled": (
        lambda: with_options(fully_connected("int8"), weights_format="SHUFFLED4x16INT8"),
        "weights format SHUFFLED4X16INT8 isn't supported",
    ),
    "dense: depth": (
        lambda: with_input(fully_connected("int8"), 0, shape=[1, 17]),
        "17 input elements aren't a multiple of the filter's depth 16",
    ),
    "dense: output": (
        lambda: with_output(fully_connected("int8"), shape=[2, 5]),
        "output shape [2, 5] doesn't go with 5 units",
    ),
    "pool: rescaling": (
        lambda: with_output(pool_2d("MAX_POOL_2D", "int8"), scale=0.1),
        "input and output are quantised differently",
    ),
    "softmax: output scale": (
        lambda: with_output(softmax("int8", "int8", (1, 10), 0.1), scale=0.01),
        "its output must have scale 0.00390625 and zero point -128",
    ),
    "softmax: long rows": (
        lambda: softmax("int8", "int8", (1, 5000), 0.1),
        "rows of 5000 elements are longer than 4095",
    ),
    "softmax: beta": (lambda: softmax("float32", "float32", (1, 4), 1.0, -1.0), "its beta isn't positive"),
    "logistic: output": (
        lambda: elementwise("LOGISTIC", "int8", (0.1, 0), (0.1, 0)),
        "its output must have scale 0.00390625 and zero point -128",
    ),
    "leaky: negative alpha": (
        lambda: elementwise("LEAKY_RELU", "int8", (0.1, 0), (0.1, 0), alpha=-0.5),
        "a negative alpha isn't supported for int8",
    ),
    "hard swish: int16": (lambda: elementwise("HARD_SWISH", "int16", (0.1, 0), (0.1, 0)), "input has type int16"),
    "prelu: int16": (lambda: prelu("int16", (1, 4), (4,)), "input has type int16"),
    "relu: shape": (
        lambda: with_output(elementwise("RELU", "float32"), shape=[1, 5, 7, 8]),
        "output has shape [1, 5, 7, 8], not [1, 5, 7, 9]",
    ),
    "mean: axis": (
        lambda: with_input(reduction("MEAN", "float32", (2, 3), (1,)), 1, data=np.array([2])),
        "axis 2 isn't one of 2",
    ),
    "mean: dynamic axes": (
        lambda: with_input(reduction("MEAN", "float32", (2, 3), (1,)), 1, data=None),
        "its axes aren't a constant of int32",
    ),
    "product: depth": (
        lambda: with_input(batch_matmul("float32", (3, 4), (4, 5)), 1, shape=[3, 5]),
        "the sizes of its matrices don't go together",
    ),
    "svdf: state": (lambda: with_input(svdf("int8"), 4, variable=False), "its state isn't a variable tensor"),
    "svdf: int8 times": (
        lambda: with_input(svdf("int8"), 2, type="int8", data=np.ones((4, 5))),
        "time weights has type int8",
    ),
    "svdf: rank": (lambda: with_options(svdf("int8"), rank=3), "4 filters don't split into units of rank 3"),
    "lstm: coupled gates": (
        lambda: dropped(lstm("int8"), 1),
        "an LSTM with coupled gates or without bias isn't supported",
    ),
    "lstm: state": (lambda: with_input(lstm("int8"), 19, variable=False), "its states aren't variable tensors"),
    "lstm: activation": (
        lambda: with_options(lstm("int8"), fused_activation_function="RELU"),
        "activation RELU isn't supported",
    ),
    "lstm: weight": (
        lambda: with_input(lstm("float32"), 6, shape=[6, 5], data=np.zeros((6, 5))),
        "the shape of a weight or bias doesn't go with 5 inputs and 6 units",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_with_a_reason(name: str) -> None:
    make, reason = REFUSED[name]
    case = make()
    graph = graph_of(case)
    assert problems(graph) == [f"operator 0 {case.op}: {reason}"]
    for engine in ("reference", "simd"):
        with pytest.raises(InputError) as caught:
            emit(graph.operators[0], graph, engine, M4)
        assert caught.value.one_line() == f"operator 0 {case.op}: {reason}"


def test_an_lstm_of_another_kind_is_refused() -> None:
    case = lstm("float32")
    for position, kind in ((9, "peepholes"), (16, "a projection"), (20, "layer normalisation")):
        inputs = list(case.inputs)
        inputs[position] = TensorSpec((6,), "float32", data=np.zeros(6))
        changed: SequenceCase = replace(case, inputs=inputs)
        assert problems(graph_of(changed)) == [
            f"operator 0 UNIDIRECTIONAL_SEQUENCE_LSTM: an LSTM with {kind} isn't supported"
        ]


def test_all_problems_are_listed_with_their_operators() -> None:
    specs = [TensorSpec([1, 4], "int32"), TensorSpec([1, 4], "int32"), TensorSpec([1, 4], "int32")]
    operators = [OpSpec("RELU", [0], [1]), OpSpec("COS", [1], [2])]
    graph = parse_model("model.tflite", write_model(specs, operators, [0], [2]))
    assert problems(graph) == [
        "operator 0 RELU: input has type int32",
        "operator 1 COS: this operator isn't supported",
    ]


def test_there_are_two_engines() -> None:
    graph = graph_of(conv_2d("int8"))
    with pytest.raises(InputError, match="there is no engine 'fast'"):
        emit(graph.operators[0], graph, "fast", M4)
    assert emit(graph.operators[0], graph, "reference", M4).kernel == "vt_conv_2d_s8"


def _supported() -> Sequence[OpCase]:
    return [conv_2d("int8"), fully_connected("int16"), lstm("float32"), softmax("int8", "int16", (1, 3), 0.1)]


@pytest.mark.parametrize("case", _supported(), ids=str)
def test_what_is_supported_has_no_problems(case: OpCase) -> None:
    assert problems(graph_of(case)) == []
