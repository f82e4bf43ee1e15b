"""Kernels of the common runtimes, known by their names; calls are laid on a model's operators in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from vtarget.data.graph import Graph, Operator
from vtarget.data.kernelcall import Alignment, KernelCall
from vtarget.logic.recognise import align, is_inference, known_kernel, runtimes, short_name, specific

ANONYMOUS = "tflite::(anonymous namespace)::"
NODE = "(TfLiteContext*, TfLiteNode*)"
EVAL = f"{ANONYMOUS}Eval{NODE}"

NAMES = [
    ("arm_convolve_wrapper_s8", "CMSIS-NN", ("CONV_2D",)),
    ("arm_convolve_1x1_s8_fast", "CMSIS-NN", ("CONV_2D",)),
    ("arm_convolve_s8.constprop.0", "CMSIS-NN", ("CONV_2D",)),
    ("arm_depthwise_conv_wrapper_s8", "CMSIS-NN", ("DEPTHWISE_CONV_2D",)),
    ("arm_depthwise_separable_conv_HWC_q7", "CMSIS-NN", ("DEPTHWISE_CONV_2D",)),
    ("arm_transpose_conv_wrapper_s8", "CMSIS-NN", ("TRANSPOSE_CONV",)),
    ("arm_fully_connected_wrapper_s8", "CMSIS-NN", ("FULLY_CONNECTED",)),
    ("arm_avgpool_s8", "CMSIS-NN", ("AVERAGE_POOL_2D", "MEAN")),
    ("arm_max_pool_s16", "CMSIS-NN", ("MAX_POOL_2D",)),
    ("arm_softmax_s8_s16", "CMSIS-NN", ("SOFTMAX",)),
    ("arm_elementwise_add_s8", "CMSIS-NN", ("ADD",)),
    ("arm_svdf_state_s16_s8", "CMSIS-NN", ("SVDF",)),
    ("arm_lstm_unidirectional_s8", "CMSIS-NN", ("UNIDIRECTIONAL_SEQUENCE_LSTM",)),
    (f"{ANONYMOUS}ConvEval{NODE}", "TFLM", ("CONV_2D",)),
    (f"{ANONYMOUS}SoftmaxEvalInt8{NODE} [clone .constprop.0]", "TFLM", ("SOFTMAX",)),
    (f"{ANONYMOUS}AverageEval{NODE}", "TFLM", ("AVERAGE_POOL_2D",)),
    (f"{ANONYMOUS}ResizeNearestNeighborEval{NODE}", "TFLM", ("RESIZE_NEAREST_NEIGHBOR",)),
    (f"tflite::EvalReshapeReference{NODE}", "TFLM", ("RESHAPE",)),
    (f"tflite::EvalQuantizeReference{NODE}", "TFLM", ("QUANTIZE",)),
    (f"tflite::ops::micro::depthwise_conv::Eval{NODE}", "TFLM", ("DEPTHWISE_CONV_2D",)),
    (EVAL, "TFLM", ()),
    (f"{ANONYMOUS}EvalInt8{NODE}", "TFLM", ()),
    ("tflite::reference_integer_ops::ConvPerChannel(tflite::ConvParams const&, int const*)", "TFLM", ("CONV_2D",)),
    ("void tflite::reference_integer_ops::FullyConnected<signed char>(int)", "TFLM", ("FULLY_CONNECTED",)),
    ("tvmgen_default_fused_nn_conv2d_add_cast_clip_3", "TVM", ("CONV_2D", "DEPTHWISE_CONV_2D")),
    ("tvmgen_default_fused_nn_contrib_depthwise_conv2d_NCHWc", "TVM", ("DEPTHWISE_CONV_2D",)),
    ("tvmgen_kws_fused_nn_pad_nn_contrib_dense_pack_add", "TVM", ("FULLY_CONNECTED",)),
    ("tvmgen_default_fused_cast_subtract_nn_conv2d", "TVM", ("CONV_2D", "DEPTHWISE_CONV_2D")),
    ("tvmgen_default_fused_nn_softmax", "TVM", ("SOFTMAX",)),
    ("tvmgen_default_fused_reshape", "TVM", ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")),
    ("forward_conv2d_sssa8_ch_nl_pool", "X-CUBE-AI", ("CONV_2D", "DEPTHWISE_CONV_2D")),
    ("forward_dw_sssa8_ch", "X-CUBE-AI", ("DEPTHWISE_CONV_2D",)),
    ("forward_dense_integer_SSSA_ch", "X-CUBE-AI", ("FULLY_CONNECTED", "BATCH_MATMUL")),
    ("forward_sm_integer", "X-CUBE-AI", ("SOFTMAX",)),
    ("layer_07_depthwise_conv_2d", "vtarget", ("DEPTHWISE_CONV_2D",)),
    ("layer_113_add", "vtarget", ("ADD",)),
    ("vt_conv_2d_s8", "vtarget", ("CONV_2D",)),
]


@pytest.mark.parametrize(("name", "runtime", "operators"), NAMES)
def test_kernels_are_known_by_name(name: str, runtime: str, operators: tuple[str, ...]) -> None:
    kernel = known_kernel(name)
    assert kernel is not None
    assert (kernel.runtime, kernel.operators) == (runtime, operators)


@pytest.mark.parametrize(
    "name",
    [
        *("main", "memcpy", "arm_nn_mat_mult_nt_t_s8", "arm_nn_requantize", "arm_fir_q15", "arm_dot_prod_q15"),
        *("arm_convolve_wrapper_s8_get_buffer_size", "arm_transpose_conv_s8_get_reverse_conv_buffer_size"),
        *("arm_avgpool_s8_get_buffer_size", "arm_convolve_weight_sum"),
        *(
            "tvmgen_default_run",
            "tvmgen_default_cmsis_nn_main_0",
            "forward_pass",
            "layer_7_conv_2d",
            "layer_07_unheard",
        ),
        *("vt_requantize_s8", "vt_next_sample", "Eval", f"{ANONYMOUS}Prepare{NODE}", f"{ANONYMOUS}Eval(int)"),
    ],
)
def test_other_functions_are_not(name: str) -> None:
    assert known_kernel(name) is None


def test_functions_that_run_a_model_are_known() -> None:
    inference = [
        *("model_invoke", "tflite::MicroInterpreter::Invoke()", "tflite::MicroGraph::InvokeSubgraph(int)"),
        *("tflite::MicroInterpreterGraph::InvokeSubgraph(int)", "trained_model_invoke(bool)"),
        *("tflite_learn_3_invoke()", "tvmgen_default_run", "tvmgen_default___tvm_main__", "ai_network_run"),
        *("ai_platform_network_process", "stai_network_run"),
    ]
    assert [name for name in inference if not is_inference(name)] == []
    others = [
        "main",
        "model_init",
        "ai_platform_init_run",
        "tflite::MicroInterpreter::AllocateTensors()",
        "forward_run",
    ]
    assert [name for name in others if is_inference(name)] == []


def test_runtimes_come_in_order_of_their_kernels() -> None:
    assert runtimes(["memcpy", "arm_softmax_s8", EVAL, "arm_convolve_s8"]) == ("CMSIS-NN", "TFLM")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (f"{ANONYMOUS}ConvEval{NODE}", "tflite::ConvEval"),
        (f"{ANONYMOUS}EvalInt8{NODE} [clone .isra.0]", "tflite::EvalInt8"),
        ("void tflite::reference_ops::Softmax<float>(int)", "tflite::reference_ops::Softmax"),
        ("arm_softmax_s8", "arm_softmax_s8"),
        ("(odd)", "(odd)"),
    ],
)
def test_names_get_short_for_tables(name: str, short: str) -> None:
    assert short_name(name) == short


# Order.


def model(*operators: str) -> Graph:
    return Graph("", "", "", (), tuple(Operator(i, op, (), ()) for i, op in enumerate(operators)), (), ())


def calls(*functions: str | tuple[str, ...]) -> list[KernelCall]:
    named = [(f,) if isinstance(f, str) else f for f in functions]
    return [KernelCall(name[0], i, name[1:]) for i, name in enumerate(named)]


def owners(graph: Graph, made: Sequence[KernelCall]) -> tuple[list[list[int]], list[int]]:
    alignment = align(graph, made)
    assert isinstance(alignment, Alignment)
    return [list(places) for places in alignment.operators], list(alignment.left_over)


CONV, DEPTHWISE, DENSE, SOFTMAX = (
    *("arm_convolve_wrapper_s8", "arm_depthwise_conv_wrapper_s8", "arm_fully_connected_s8", "arm_softmax_s8"),
)


def test_operators_without_a_kernel_are_passed_over() -> None:
    graph = model("CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX")
    assert owners(graph, calls(CONV, DEPTHWISE, DENSE, SOFTMAX)) == ([[0], [1], [], [2], [3]], [])


def test_kernels_without_an_operator_are_left_over() -> None:
    graph = model("CONV_2D", "SOFTMAX")
    assert owners(graph, calls("arm_elementwise_add_s8", CONV, DENSE, SOFTMAX)) == ([[1], [3]], [0, 2])


def test_order_decides_between_equal_names() -> None:
    graph = model("CONV_2D", "ADD", "CONV_2D", "CONV_2D")
    assert owners(graph, calls(CONV, "arm_elementwise_add_s8", CONV, CONV)) == ([[0], [1], [2], [3]], [])
    assert owners(graph, calls(CONV, CONV, CONV)) == ([[0], [], [1], [2]], [])


def test_several_calls_in_a_row_may_be_one_operator() -> None:
    graph = model("CONV_2D", "SOFTMAX")
    assert owners(graph, calls(CONV, CONV, CONV, SOFTMAX)) == ([[0, 1, 2], [3]], [])
    assert owners(graph, calls(CONV, DENSE, CONV, SOFTMAX))[1] in ([0, 1], [1, 2])


def test_calls_that_are_named_eval_are_told_by_what_they_call_and_by_order() -> None:
    graph = model("CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "QUANTIZE", "SOFTMAX")
    made = calls((EVAL, CONV, "arm_convolve_s8"), EVAL, f"tflite::EvalReshapeReference{NODE}", EVAL, (EVAL, SOFTMAX))
    assert owners(graph, made) == ([[0], [1], [2], [3], [4]], [])
    assert specific(made[0])[0] == CONV
    assert specific(made[1])[0] == EVAL


def test_a_name_outweighs_a_call_that_may_be_anything() -> None:
    graph = model("SOFTMAX")
    assert owners(graph, calls(EVAL, SOFTMAX)) == ([[1]], [0])


def test_nothing_to_lay_on_anything() -> None:
    assert owners(model(), calls(CONV)) == ([], [0])
    assert owners(model("CONV_2D"), []) == ([[]], [])
