"""Generated resizing, requantisation, casts and arg max give what TensorFlow Lite's interpreter gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from conversion_cases import CASES, cast_options
from hostkernels import HostModel
from modelwriter import TensorSpec
from opcases import OpCase, build_cases, compare, compare_in_place, constant, refusal

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not found")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc not found")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HostModel]:
    folder: Path = tmp_path_factory.mktemp("conversion")
    return build_cases(CASES, folder)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer_equals_the_interpreter(case: OpCase, built: dict[str, HostModel]) -> None:
    compare(case, built[str(case)])


def test_sharing_memory_with_an_input_changes_nothing(built: dict[str, HostModel]) -> None:
    names = [str(case) for case in CASES if compare_in_place(case, built[str(case)])]
    assert "QUANTIZE-int8-20x30-finer" in names and "CAST-int8-20x30" in names
    assert not any(name.startswith(("RESIZE", "ARG")) for name in names)


def _quantize(type_: str, values: list[float], tmp_path: Path) -> list[int]:
    shape = (len(values),)
    case = OpCase(
        "QUANTIZE", [TensorSpec(shape, "float32")], [TensorSpec(shape, type_, 0.5, 3 if type_ == "int8" else 0)]
    )
    (got,) = build_cases([case], tmp_path)[str(case)].run([np.array(values, np.float32)])
    return got.tolist()


def test_quantising_rounds_halves_away_from_zero_and_saturates(tmp_path: Path) -> None:
    values = [0.25, -0.25, 0.24, 1e9, -1e9, float("inf"), float("-inf")]
    assert _quantize("int8", values, tmp_path) == [4, 2, 3, 127, -128, 127, -128]


def test_what_is_no_number_quantises_to_the_smallest(tmp_path: Path) -> None:
    assert _quantize("int16", [float("nan")], tmp_path) == [-32768]


def test_to_int32_from_int8_which_the_interpreter_lacks(tmp_path: Path) -> None:
    case = OpCase("QUANTIZE", [TensorSpec((3,), "int8", 0.5, 3)], [TensorSpec((3,), "int32", 0.25, 10)])
    (got,) = build_cases([case], tmp_path)[str(case)].run([np.array([-128, 3, 127], np.int8)])
    assert got.tolist() == [-252, 10, 258]


def test_arg_max_of_int16_which_the_interpreter_lacks(tmp_path: Path) -> None:
    inputs = [TensorSpec((2, 4), "int16", 0.1), constant(1, "int32")]
    case = OpCase("ARG_MAX", inputs, [TensorSpec((2,), "int32")], {"output_type": "int32"})
    values = np.array([[-5, 300, 300, -32768], [32767, 0, 1, 2]], np.int16)
    (got,) = build_cases([case], tmp_path)[str(case)].run([values])
    assert got.tolist() == [1, 0]


def test_casting_from_float_saturates(tmp_path: Path) -> None:
    values = np.array([3e9, -3e9, 1e20, float("nan"), -2.9], np.float32)
    cases = [
        OpCase(
            "CAST",
            [TensorSpec((5,), "float32")],
            [TensorSpec((5,), t)],
            cast_options("float32", t),
        )
        for t in ("int32", "int64", "int8", "bool")
    ]
    built = build_cases(cases, tmp_path)
    got = [built[str(case)].run([values])[0].tolist() for case in cases]
    assert got[0] == [2147483647, -2147483648, 2147483647, 0, -2]
    assert got[1] == [3000000000, -3000000000, 2**63 - 1, 0, -2]
    assert got[2] == [127, -128, 127, 0, -2]
    assert got[3] == [True, True, True, True, True]


def _resize(op: str, shape: tuple[int, ...], out: tuple[int, int], type_: str = "int8", **options: bool) -> OpCase:
    inputs = [TensorSpec(shape, type_, 0.1, 3), constant(out, "int32")]
    return OpCase(op, inputs, [TensorSpec((shape[0], *out, shape[3]), type_, 0.1, 3)], options)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (_resize("RESIZE_BILINEAR", (1, 2, 2, 1), (4, 4), "uint8"), "its input has type uint8"),
        (
            _resize("RESIZE_BILINEAR", (1, 2, 2, 1), (4, 4), align_corners=True, half_pixel_centers=True),
            "align_corners and half_pixel_centers exclude each other",
        ),
        (
            _resize("RESIZE_BILINEAR", (1, 1, 1, 1), (2000, 1)),
            "1 to 2000 is too much for integer arithmetic",
        ),
        (
            OpCase("QUANTIZE", [TensorSpec((2,), "float32")], [TensorSpec((2,), "int32", 0.1)]),
            "it turns float32 into int32",
        ),
        (
            OpCase("QUANTIZE", [TensorSpec((2,), "int8", 1.0)], [TensorSpec((2,), "int8", 1e-10)]),
            "the output's scale is too small for that of the input",
        ),
        (
            OpCase("CAST", [TensorSpec((2,), "int8")], [TensorSpec((3,), "float32")]),
            "shape [2] can't become [3]",
        ),
        (
            OpCase("ARG_MAX", [TensorSpec((2, 3), "float32"), TensorSpec((), "int32")], [TensorSpec((2,), "int32")]),
            "its axis isn't a constant",
        ),
        (
            OpCase("ARG_MAX", [TensorSpec((2, 3), "float32"), constant(1, "int32")], [TensorSpec((3,), "int32")]),
            "output shape [3] doesn't follow from its axis, which gives [2]",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, OpCase) else "",
)
def test_what_is_refused_and_why(case: OpCase, reason: str) -> None:
    assert refusal(case) == reason
