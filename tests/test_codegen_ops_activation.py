"""Reference kernels of activations, pooling, reductions and softmax against TensorFlow Lite's, bit for bit."""

from __future__ import annotations

import shutil

import pytest
from heavycases import (
    elementwise,
    interpreters_outputs,
    largest_difference,
    our_outputs,
    pool_2d,
    prelu,
    reduction,
    softmax,
)
from hostkernels import HostModel
from opcases import FLOAT_TOLERANCE, OpCase, build_cases, compare_in_place

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")

TYPES = ("int8", "int16", "float32")
POOLS = [
    case
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
    for type_ in TYPES
    for case in (
        pool_2d(op, type_),
        pool_2d(op, type_, size=(3, 3), stride=(1, 1), padding="SAME"),
        pool_2d(op, type_, size=(3, 2), padding="SAME"),
        pool_2d(op, type_, size=(7, 6), stride=(7, 6)),
        pool_2d(op, type_, (2, 5, 5, 1), size=(5, 5), padding="SAME"),
        pool_2d(op, type_, (1, 25, 5, 16), size=(25, 5), stride=(25, 5)),
        *(pool_2d(op, type_, activation=activation) for activation in ("RELU", "RELU6", "RELU_N1_TO_1")),
    )
]
SOFTMAXES = [
    softmax(types[0], types[1], shape, scale / (100 if types[0] == "int16" else 1), beta)
    for types in (("int8", "int8"), ("int8", "int16"), ("int16", "int16"), ("float32", "float32"))
    for shape in ((1, 10), (4, 33), (2, 3, 5), (1, 2, 2, 7), (1, 1), (12,), (1, 300))
    for scale, beta in ((0.02, 1.0), (0.1, 1.0), (0.37, 0.5), (2.0, 1.0))
]
SIGMOIDS = [
    elementwise(op, "int8", (scale, 5), output)
    for op, output in (("LOGISTIC", (1 / 256, -128)), ("TANH", (1 / 128, 0)))
    for scale in (0.01, 0.05, 0.1, 0.3)
]
SIGMOIDS += [
    elementwise(op, "int16", (scale, 0), (2.0**-15, 0))
    for op in ("LOGISTIC", "TANH")
    for scale in (0.0002, 0.0013, 2.0**-10, 2.0**-11, 2.0**-12, 2.0**-13, 2.0**-14, 0.5)
]
SIGMOIDS += [elementwise(op, "float32") for op in ("LOGISTIC", "TANH")]
RECTIFIERS = [
    elementwise(op, "int8", *scales, **({"alpha": 0.1} if op == "LEAKY_RELU" else {}))
    for op in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU")
    for scales in (((0.05, 5), (0.05, 5)), ((0.05, -20), (0.04, -128)), ((0.02, 0), (0.2, 9)))
]
RECTIFIERS += [
    elementwise(op, "int16", (0.0005, 0), (scale, 0), **({"alpha": 0.3} if op == "LEAKY_RELU" else {}))
    for op in ("RELU", "RELU6", "LEAKY_RELU")
    for scale in (0.0005, 0.0004, 0.002)
]
RECTIFIERS += [
    elementwise(op, "float32", **({"alpha": alpha} if alpha is not None else {}))
    for op, alpha in (
        *((op, None) for op in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")),
        ("LEAKY_RELU", 0.1),
        ("LEAKY_RELU", -2.0),
    )
]
SWISHES = [
    elementwise("HARD_SWISH", "int8", *scales)
    for scales in (((0.05, 5), (0.05, 5)), ((0.05, -20), (0.04, -128)), ((0.02, 0), (0.2, 9)), ((0.5, 3), (0.3, 0)))
] + [elementwise("HARD_SWISH", "float32")]
PRELUS = [
    prelu(type_, shape, alpha, scales)
    for type_ in ("int8", "float32")
    for shape, alpha in (
        ((1, 4, 5, 6), (1, 1, 6)),
        ((1, 4, 5, 6), (4, 5, 6)),
        ((1, 4, 5, 6), (1, 1, 1)),
        ((1, 4, 5, 6), (4, 1, 6)),
        ((2, 3), (3,)),
    )
    for scales in ((0.05, 0.002, 0.05), (0.05, 0.01, 0.02))
]
NORMALISATIONS = [
    elementwise("L2_NORMALIZATION", type_, (0.05, 7), (1 / 128, 0), shape)
    for type_ in ("int8", "float32")
    for shape in ((1, 8), (3, 5), (2, 3, 4), (1, 2, 3, 128), (1, 1))
]
REDUCED = (
    ((1, 4, 5, 6), (1, 2), True),
    ((1, 4, 5, 6), (2, 1), False),
    ((2, 3, 4), (-1,), False),
    ((2, 3, 4), (0,), True),
    ((2, 3, 4), (0, 2), False),
    ((1, 25, 5, 16), (1, 2), False),
    ((2, 3, 4, 5), (1, 3), True),
    ((7,), (0,), False),
    ((2, 3, 4, 5), (0, 1, 2, 3), False),
    ((2, 3, 2, 3, 2), (1, 3), False),
)
MEANS = [
    reduction("MEAN", type_, shape, axes, keep, source, output)
    for type_, source, outputs in (
        ("int8", (0.05, 7), ((0.05, 7), (0.03, -20))),
        ("int16", (0.0005, 0), ((0.0005, 0), (0.0003, 0))),
        ("float32", (1.0, 0), ((1.0, 0),)),
    )
    for output in outputs
    for shape, axes, keep in REDUCED
]
FLOAT_SUMS = [reduction("SUM", "float32", shape, axes, keep) for shape, axes, keep in REDUCED]
CASES = [
    *POOLS,
    *SOFTMAXES,
    *SIGMOIDS,
    *RECTIFIERS,
    *SWISHES,
    *PRELUS,
    *NORMALISATIONS,
    *MEANS,
    *FLOAT_SUMS,
]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    return build_cases(CASES, tmp_path_factory.mktemp("elementwise"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_interpreter(case: OpCase, hosts: dict[str, HostModel]) -> None:
    difference = largest_difference(our_outputs(case, hosts[str(case)]), interpreters_outputs(case))
    assert difference <= (FLOAT_TOLERANCE if case.outputs[0].type == "float32" else 0)


def test_elementwise_layers_may_work_in_place(hosts: dict[str, HostModel]) -> None:
    alone = {str(case) for case in (*SIGMOIDS, *RECTIFIERS, *SWISHES, *PRELUS)}
    for name, host in hosts.items():
        assert host.layers[0].in_place == ((host.graph.inputs[0],) if name in alone else ())


@pytest.mark.parametrize("case", [*SIGMOIDS, *RECTIFIERS, *SWISHES, *PRELUS], ids=str)
def test_working_in_place_changes_nothing(case: OpCase, hosts: dict[str, HostModel]) -> None:
    assert compare_in_place(case, hosts[str(case)]) == 1
