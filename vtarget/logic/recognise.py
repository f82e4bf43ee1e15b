"""Knows the kernels of the common runtimes by their functions' names, and whose layer each call is by their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from vtarget.data.graph import Graph
from vtarget.data.kernelcall import Alignment, KernelCall, KnownKernel
from vtarget.logic.codegen.ops import MODULES

OURS, TFLM, CMSIS_NN, TVM, X_CUBE_AI = "vtarget", "TFLM", "CMSIS-NN", "TVM", "X-CUBE-AI"

_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_ELEMENTWISE = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")
_ACTIVATIONS = (
    *("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "PRELU", "HARD_SWISH", "LOGISTIC", "TANH", "ELU"),
    *("EXP", "RSQRT", "SOFTMAX"),
)

# A runtime's functions that do one operator each. The first pattern that matches a whole name decides; the helpers that
# these call, such as arm_nn_mat_mult_*, are left out: they run far more often than layers do.
_CMSIS_NN = {
    r"arm_convolve_\w*": ("CONV_2D",),
    r"arm_depthwise_(separable_)?conv_\w*": ("DEPTHWISE_CONV_2D",),
    r"arm_transpose_conv_\w*": ("TRANSPOSE_CONV",),
    r"arm_fully_connected_\w*": ("FULLY_CONNECTED",),
    r"arm_batch_matmul_\w*": ("BATCH_MATMUL",),
    r"arm_(avg|ave)pool_\w*": ("AVERAGE_POOL_2D", "MEAN"),
    r"arm_max_?pool_\w*": ("MAX_POOL_2D",),
    r"arm_softmax_\w*": ("SOFTMAX",),
    r"arm_elementwise_add_\w*": ("ADD",),
    r"arm_elementwise_mul_\w*": ("MUL",),
    r"arm_maximum_\w*": ("MAXIMUM",),
    r"arm_minimum_\w*": ("MINIMUM",),
    r"arm_svdf_\w*": ("SVDF",),
    r"arm_lstm_unidirectional_\w*": ("UNIDIRECTIONAL_SEQUENCE_LSTM",),
    r"arm_concatenation_\w*": ("CONCATENATION",),
    r"arm_pad_\w*": ("PAD", "PADV2"),
    r"arm_transpose_s\d+": ("TRANSPOSE",),
    r"arm_reshape_\w*": ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    r"arm_relu6_\w*": ("RELU6",),
    r"arm_relu_\w*": ("RELU",),
    r"arm_nn_activations?_\w*": ("LOGISTIC", "TANH"),
}
_CMSIS_NN_HELPERS = re.compile(r"arm_\w*_(get_\w*buffer_size|weight_sum)\w*")

# Node functions of TFLM (and of EON, which compiles its kernels in) take a context and a node; their first word names
# the operator, unless they are just Eval.
_NODE = r"(?:tflite::)?(?:.*::)?"
_NODE_ARGUMENTS = r"\(TfLiteContext\*, TfLiteNode\*\)"
_TFLM = {
    "Conv": ("CONV_2D",),
    "DepthwiseConv": ("DEPTHWISE_CONV_2D",),
    "TransposeConv": ("TRANSPOSE_CONV",),
    "FullyConnected": ("FULLY_CONNECTED",),
    "BatchMatMul": ("BATCH_MATMUL",),
    "Average": ("AVERAGE_POOL_2D",),
    "Max": ("MAX_POOL_2D",),
    "L2Norm": ("L2_NORMALIZATION",),
    "LeakyRelu": ("LEAKY_RELU",),
    "StridedSlice": ("STRIDED_SLICE",),
    "SplitV": ("SPLIT_V",),
    "Pad": ("PAD", "PADV2"),
    "UnidirectionalSequenceLstm": ("UNIDIRECTIONAL_SEQUENCE_LSTM",),
}
_TFLM_AFTER = {  # Eval comes first in these
    "Mean": ("MEAN",),
    "Sum": ("SUM",),
    "Max": ("REDUCE_MAX",),
    "Min": ("REDUCE_MIN",),
    "Maximum": ("MAXIMUM",),
    "Minimum": ("MINIMUM",),
    "ReshapeReference": ("RESHAPE",),
    "QuantizeReference": ("QUANTIZE",),
    "Svdf": ("SVDF",),
    "IntegerSVDF": ("SVDF",),
}
_TFLM_REFERENCE = {  # functions that do the work of a node, where the node function's own name says nothing
    r"DepthwiseConv(PerChannel)?\w*": ("DEPTHWISE_CONV_2D",),
    r"Conv(PerChannel)?\w*": ("CONV_2D",),
    r"TransposeConv\w*": ("TRANSPOSE_CONV",),
    r"FullyConnected(PerChannel)?\w*": ("FULLY_CONNECTED",),
    r"BatchMatMul\w*": ("BATCH_MATMUL",),
    r"AveragePool\w*": ("AVERAGE_POOL_2D",),
    r"MaxPool\w*": ("MAX_POOL_2D",),
    r"Softmax\w*": ("SOFTMAX",),
    r"(Broadcast)?Add\w*": ("ADD",),
    r"(Broadcast)?Mul\w*": ("MUL",),
    r"(Broadcast)?Sub\w*": ("SUB",),
    r"Logistic\w*": ("LOGISTIC",),
    r"Tanh\w*": ("TANH",),
    r"(Quantized)?Mean\w*": ("MEAN",),
}

_TVM = {
    r"(contrib_)?depthwise_conv2d\w*": ("DEPTHWISE_CONV_2D",),
    r"conv2d_transpose\w*": ("TRANSPOSE_CONV",),
    r"(contrib_)?conv2d\w*": _CONVOLUTIONS,  # a grouped one is called so too
    r"(contrib_)?(dense|matmul)\w*": ("FULLY_CONNECTED",),
    r"batch_matmul\w*": ("BATCH_MATMUL", "FULLY_CONNECTED"),
    r"(global_)?avg_pool2d\w*|adaptive_avg_pool2d\w*": ("AVERAGE_POOL_2D", "MEAN"),
    r"(global_)?max_pool2d\w*": ("MAX_POOL_2D",),
    r"(fast_)?softmax\w*": ("SOFTMAX",),
    r"relu\w*": ("RELU",),
    r"pad\w*": ("PAD", "PADV2"),
}
_TVM_PLAIN = {  # without nn_ in front, and perhaps behind casts and subtractions of zero points
    r"\w*sigmoid\w*": ("LOGISTIC",),
    r"\w*tanh\w*": ("TANH",),
    r"\w*mean\w*|\w*sum_\w*": ("MEAN", "SUM"),
    r"\w*concatenate\w*": ("CONCATENATION",),
    r"\w*softmax\w*": ("SOFTMAX",),
    r"\w*max_pool2d\w*": ("MAX_POOL_2D",),
    r"\w*avg_pool2d\w*": ("AVERAGE_POOL_2D", "MEAN"),
    r"reshape\w*": ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    r"transpose\w*": ("TRANSPOSE",),
    r"strided_slice\w*": ("STRIDED_SLICE", "SLICE", "SPLIT"),
    r"\w*multiply\w*": ("MUL", "QUANTIZE", "ADD"),
    r"\w*add\w*": ("ADD",),
    r"\w*subtract\w*": ("SUB",),
}

_X_CUBE_AI = {
    r"dw_\w*|conv2d_dw_\w*": ("DEPTHWISE_CONV_2D",),
    r"(conv2d_transpose|transpose_conv2d|deconv2d|convtranspose)\w*": ("TRANSPOSE_CONV",),
    r"(lite_)?(conv2d|pw|conv)(_\w*)?": _CONVOLUTIONS,  # forward_conv2d does depthwise ones of floats too
    r"(lite_)?(dense|gemm|matmul)\w*": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    r"ap(_\w*)?|avgpool\w*": ("AVERAGE_POOL_2D", "MEAN"),
    r"mp(_\w*)?|maxpool\w*": ("MAX_POOL_2D",),
    r"pool\w*|(lite_)?pool\w*": _POOLS,
    r"sm(_\w*)?|softmax\w*": ("SOFTMAX",),
    r"(lite_)?eltwise\w*": _ELEMENTWISE,
    r"relu\w*|nl(_\w*)?|sigmoid\w*|tanh\w*|prelu\w*|hard_sigmoid\w*|elu\w*|lite_nl\w*": _ACTIVATIONS,
    r"reduce\w*": ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"),
    r"concat\w*": ("CONCATENATION",),
    r"pad\w*": ("PAD", "PADV2", "MIRROR_PAD"),
    r"(slice|split)\w*": ("SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V"),
    r"transpose\w*": ("TRANSPOSE",),
    r"(reshape|flatten)\w*": ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    r"(upsample|resize)\w*": ("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"),
    r"gather\w*": ("GATHER",),
    r"argmax\w*|arg_max\w*": ("ARG_MAX",),
    r"lstm\w*": ("UNIDIRECTIONAL_SEQUENCE_LSTM",),
    r"svdf\w*": ("SVDF",),
    r"(node_)?convert\w*": ("QUANTIZE", "DEQUANTIZE", "CAST"),
}

# Functions that run a whole model once.
_INFERENCE = (
    r"model_invoke",
    r"tflite::MicroInterpreter::Invoke\(\)",
    r"tflite::Micro(Interpreter)?Graph::InvokeSubgraph\(.*\)",
    r"trained_model_invoke(\(.*\))?",
    r"tflite_learn_\d+_invoke(\(.*\))?",
    r"tvmgen_\w+_run",
    r"tvmgen_\w+___tvm_main__",
    r"TVMGraphExecutor_Run",
    r"(st)?ai_(?!platform)\w+_run",
    r"ai_platform_network_process",
)

_OURS = re.compile(r"layer_\d{2,}_(?P<layer>\w+)|vt_(?P<kernel>\w+?)_(?:s8|s16|s32|u8|f32)(?:_\w+)?")
_CLONE = re.compile(r"(?:\.(?:constprop|isra|part|lto_priv|cold)(?:\.\d+)*|\.\d+|\s*\[clone [^\]]*\])+$")


def known_kernel(name: str) -> KnownKernel | None:
    """What runtime and operators a (demangled) function name stands for; None for a function that is no kernel."""
    plain = _CLONE.sub("", name)
    return _ours(plain) or _cmsis_nn(plain) or _tvm(plain) or _x_cube_ai(plain) or _tflm(plain)


def is_inference(name: str) -> bool:
    """Whether a (demangled) function name is that of a function which runs a whole model."""
    plain = _CLONE.sub("", name)
    return any(re.fullmatch(pattern, plain) for pattern in _INFERENCE)


def _ours(name: str) -> KnownKernel | None:
    match = _OURS.fullmatch(name)
    operator = (match["layer"] or match["kernel"]).upper() if match else None
    return KnownKernel(OURS, (operator,)) if operator in MODULES and operator is not None else None


def _cmsis_nn(name: str) -> KnownKernel | None:
    if not name.startswith("arm_") or _CMSIS_NN_HELPERS.fullmatch(name):
        return None
    return _known(CMSIS_NN, _first(_CMSIS_NN, name))


def _tvm(name: str) -> KnownKernel | None:
    match = re.fullmatch(r"(?:tvmgen_[A-Za-z0-9]+_)?fused_(\w+?)(?:_compute_)?", name)
    if match is None:
        return None
    # What comes first in a fused function is its operator; a padding in front of it is part of it.
    does = re.sub(r"^nn_pad_(?=\w*nn_)", "", match[1])
    if does.startswith("nn_"):
        return _known(TVM, _first(_TVM, does.removeprefix("nn_")))
    inner = re.search(r"nn_((?:contrib_)?(?:depthwise_)?conv2d\w*|(?:contrib_)?dense\w*|batch_matmul\w*)", does)
    return _known(TVM, _first(_TVM, inner[1]) if inner else _first(_TVM_PLAIN, does))


def _x_cube_ai(name: str) -> KnownKernel | None:
    return _known(X_CUBE_AI, _first(_X_CUBE_AI, name[8:])) if name.startswith("forward_") else None


def _tflm(name: str) -> KnownKernel | None:
    node = re.fullmatch(rf"{_NODE}(\w*?)Eval(\w*){_NODE_ARGUMENTS}", name)
    if node is not None:
        before, after = node[1], node[2]
        if before:
            return KnownKernel(TFLM, _TFLM.get(before) or (_snake(before),))
        named = _TFLM_AFTER.get(after)
        return KnownKernel(TFLM, named or _of_namespace(name))
    work = re.fullmatch(r"(?:void )?tflite::reference_(?:integer_)?ops::(\w+)(?:<.*>)?\(.*\)", name)
    return _known(TFLM, _first(_TFLM_REFERENCE, work[1])) if work else None


def _of_namespace(name: str) -> tuple[str, ...]:
    """Older kernels are all called Eval, in a namespace of their own (``tflite::ops::micro::conv::Eval``)."""
    match = re.match(r"tflite::ops::micro::(\w+)::", name)
    if match is None:
        return ()
    words = "".join(word.capitalize() for word in match[1].split("_"))
    return _TFLM.get(words) or ((match[1].upper(),) if match[1].upper() in MODULES else ())


def _snake(words: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words).upper()


def _first(patterns: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...] | None:
    return next((operators for pattern, operators in patterns.items() if _compiled(pattern).fullmatch(name)), None)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _known(runtime: str, operators: tuple[str, ...] | None) -> KnownKernel | None:
    return None if operators is None else KnownKernel(runtime, operators)


def short_name(name: str) -> str:
    """A function's name for a table: no parameters, no anonymous namespaces, no return type."""
    plain = name.replace("(anonymous namespace)::", "")
    return re.sub(r"^void |<.*>|\(.*\)(?: \[clone .*\])?$", "", plain) or name


def specific(call: KernelCall) -> tuple[str, KnownKernel | None]:
    """The function that says which operator a call does, and what it says: the outermost that is no mere Eval."""
    names = (call.function, *call.inner)
    known = [(name, known_kernel(name)) for name in names]
    return next(((name, kernel) for name, kernel in known if kernel is not None and kernel.operators), known[0])


# Matches of a name that says which operators it does count more than those of one that may do any.
_NAMED, _ANY = 4, 3


def align(graph: Graph, calls: Sequence[KernelCall]) -> Alignment:
    """Which calls of one inference are which operators: as many as possible, both in order.

    A runtime may fuse or leave out operators, and call other kernels in between; kernels that are called several times
    in a row for one operator all belong to it. O(operators x calls).
    """
    kernels = [specific(call) for call in calls]
    able = [kernel.operators if kernel is not None else () for _, kernel in kernels]
    owner = _matched([operator.op for operator in graph.operators], able)
    for order, before in ((range(1, len(calls)), -1), (range(len(calls) - 2, -1, -1), 1)):
        for i in order:
            if owner[i] is None and able[i] and kernels[i] == kernels[i + before]:
                owner[i] = owner[i + before]
    of_operator: list[list[int]] = [[] for _ in graph.operators]
    for place, operator in enumerate(owner):
        if operator is not None:
            of_operator[operator].append(place)
    left_over = tuple(place for place, operator in enumerate(owner) if operator is None)
    return Alignment(tuple(tuple(places) for places in of_operator), left_over)


def _matched(operators: Sequence[str], able: Sequence[tuple[str, ...]]) -> list[int | None]:
    """For each call its operator: the best common subsequence, the earliest of equal ones."""
    best = [[0] * (len(operators) + 1) for _ in range(len(able) + 1)]
    for i in range(len(able) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(operators) - 1, -1, -1):
            worth = _worth(able[i], operators[j])
            row[j] = max(below[j], row[j + 1], below[j + 1] + worth if worth else 0)
    owner: list[int | None] = [None] * len(able)
    i = j = 0
    while i < len(able) and j < len(operators):
        worth = _worth(able[i], operators[j])
        if worth and best[i][j] == best[i + 1][j + 1] + worth:
            owner[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            i += 1
    return owner


def _worth(able: tuple[str, ...], operator: str) -> int:
    return (_NAMED if operator in able else 0) if able else _ANY


def runtimes(functions: Iterable[str]) -> tuple[str, ...]:
    """The runtimes that functions belong to, in order of first appearance."""
    return tuple(dict.fromkeys(kernel.runtime for name in functions if (kernel := known_kernel(name)) is not None))
