"""Generated layers that move elements give what TensorFlow Lite's interpreter gives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostkernels import HostModel
from modelwriter import TensorSpec
from movement_cases import CASES, moving
from opcases import OpCase, build_cases, compare, compare_in_place, constant, refusal

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    folder: Path = tmp_path_factory.mktemp("movement")
    return build_cases(CASES, folder)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer_equals_the_interpreter(case: OpCase, built: dict[str, HostModel]) -> None:
    compare(case, built[str(case)])


def test_the_same_memory_costs_nothing_and_changes_nothing(built: dict[str, HostModel]) -> None:
    names = [str(case) for case in CASES if compare_in_place(case, built[str(case)])]
    assert {name.split("-")[0] for name in names} == {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE"}
    assert {built[name].layers[0].kernel for name in names} == {"vt_copy"}


def _kernel(built: dict[str, HostModel], name: str) -> str:
    return built[name].layers[0].kernel


def test_contiguous_runs_are_copied_at_once_and_single_elements_by_their_width(built: dict[str, HostModel]) -> None:
    assert _kernel(built, "CONCATENATION-int16-1x3x4_2x3x4") == "vt_move_runs"
    assert _kernel(built, "TRANSPOSE-int8-2x3x4x5-middle") == "vt_move_runs"
    assert _kernel(built, "TRANSPOSE-int8-2x3x4x5-nchw") == "vt_move_8"
    assert _kernel(built, "TRANSPOSE-int16-2x3x4x5-nchw") == "vt_move_16"
    assert _kernel(built, "TRANSPOSE-float32-2x3x4x5-all") == "vt_move_32"
    assert _kernel(built, "TRANSPOSE-float32-2x3x4x5-same") == "vt_copy"


def test_indices_fed_at_run_time_stay_inside_the_axis(tmp_path: Path) -> None:
    pair = (0.1, 3)
    case = OpCase(
        "GATHER",
        [TensorSpec((3, 2), "int8", *pair), TensorSpec((4,), "int32")],
        [TensorSpec((4, 2), "int8", *pair)],
        {"axis": 0},
    )
    layer = build_cases([case], tmp_path)[str(case)]
    values = np.array([[1, 2], [3, 4], [5, 6]], np.int8)
    (got,) = layer.run([values, np.array([1, -1, 3, 2147483647], np.int32)])
    assert got.tolist() == [[3, 4], [1, 2], [5, 6], [5, 6]]


def test_a_padding_value_may_be_fed_at_run_time(tmp_path: Path) -> None:
    paddings = constant([[0, 1]], "int32")
    case = moving("PADV2", "float32", [(2,)], [(3,)], after=[paddings, TensorSpec((), "float32")])
    layer = build_cases([case], tmp_path)[str(case)]
    (got,) = layer.run([np.array([1, 2], np.float32), np.array(7, np.float32)])
    assert got.tolist() == [1.0, 2.0, 7.0]


def _strided(bounds: list[list[int]], shape: tuple[int, ...], **masks: int) -> OpCase:
    after = [constant(v, "int32") for v in bounds]
    return moving("STRIDED_SLICE", "int8", [(2, 6)], [shape], masks, after=after)


FED = TensorSpec((2,), "int32")


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (
            moving("CONCATENATION", "int8", [(2, 3), (2, 3)], [(2, 6)], {"axis": 2}),
            "axis 2 isn't one of 2",
        ),
        (
            moving("CONCATENATION", "int8", [(2, 3), (3, 3)], [(2, 6)], {"axis": 1}),
            "its inputs differ in other dimensions than the axis",
        ),
        (
            moving("CONCATENATION", "int8", [(2, 3), (2, 3)], [(2, 7)], {"axis": 1}),
            "output shape [2, 7] doesn't follow from its inputs, which give [2, 6]",
        ),
        (
            OpCase(
                "CONCATENATION",
                [TensorSpec((2,), "int8", 0.1), TensorSpec((2,), "int8", 0.2)],
                [TensorSpec((4,), "int8", 0.1)],
                {"axis": 0},
            ),
            "input 1 is quantised otherwise than the output",
        ),
        (
            moving("SPLIT", "int8", [(2, 6)], [(2, 3)] * 2, {"num_splits": 2}, before=[TensorSpec((), "int32")]),
            "its axis isn't a constant",
        ),
        (
            moving("UNPACK", "int8", [(2, 6)], [(2,)] * 5, {"axis": 1}),
            "its outputs don't add up to the input's 6 along axis 1",
        ),
        (
            moving("SLICE", "int8", [(2, 6)], [(2, 3)], after=[FED, constant([2, 3], "int32")]),
            "its begin isn't constant",
        ),
        (
            moving("SLICE", "int8", [(2, 6)], [(2, 3)], after=[constant([0, 4], "int32"), constant([2, 3], "int32")]),
            "begin [0, 4] and size [2, 3] reach outside shape [2, 6]",
        ),
        (_strided([[0, 0], [2, 6], [1, 0]], (2, 6)), "a stride is 0"),
        (_strided([[0, 3], [2, 3], [1, 1]], (2, 6)), "bound 1 reaches outside dimension 1 of 6"),
        (_strided([[0, 7], [2, 8], [1, 1]], (2,), shrink_axis_mask=2), "bound 1 reaches outside dimension 1 of 6"),
        (_strided([[0, 0], [2, 6], [1, 1]], (2, 6), ellipsis_mask=3), "it has more than one ellipsis"),
        (
            _strided([[0, 0], [2, 6], [1, 2]], (2, 6)),
            "output shape [2, 6] doesn't follow from its bounds, which give [2, 3]",
        ),
        (moving("TRANSPOSE", "int8", [(2, 6)], [(6, 2)], after=[FED]), "its permutation isn't constant"),
        (
            moving("TRANSPOSE", "int8", [(2, 6)], [(6, 2)], after=[constant([1, 1], "int32")]),
            "its permutation isn't one of 2 axes",
        ),
        (moving("RESHAPE", "int8", [(2, 6)], [(5, 2)]), "shape [2, 6] can't become [5, 2]"),
        (moving("PAD", "int8", [(2,)], [(1,)], after=[constant([[-1, 0]], "int32")]), "a padding is negative"),
        (
            moving("MIRROR_PAD", "int8", [(3,)], [(6,)], {"mode": "REFLECT"}, after=[constant([[3, 0]], "int32")]),
            "a padding is larger than what it mirrors",
        ),
        (
            moving(
                "GATHER", "int8", [(2, 6)], [(2, 6)], {"axis": 0, "batch_dims": 1}, after=[constant([0, 1], "int32")]
            ),
            "batch_dims 1 doesn't fit its axis and shapes",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, OpCase) else "",
)
def test_what_is_refused_and_why(case: OpCase, reason: str) -> None:
    assert refusal(case) == reason


def test_a_padding_value_must_be_quantised_as_the_output() -> None:
    paddings = constant([[0, 1]], "int32")
    case = moving(
        "PADV2", "int8", [(2,)], [(3,)], after=[paddings, TensorSpec((1,), "int8", 0.1, 3, data=np.array([1]))]
    )
    assert refusal(case) is None
    other = replace(case, inputs=[*case.inputs[:2], TensorSpec((1,), "int8", 0.2, 3, data=np.array([1]))])
    assert refusal(other) == "its padding value is quantised otherwise than the output"
