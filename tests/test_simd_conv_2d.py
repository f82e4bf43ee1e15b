"""Fast convolutions give the reference kernels' bits, on this machine and on the boards they are made for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from simdcases import M4, Numbers, SimdCase, Window, check_on_host, check_on_target, conv_case, float_conv_case

from vtarget.logic.codegen.registry import emit
from vtarget.shell.tflitefile import parse_model

RELU = Numbers(activation="RELU", output_zero=-128)
RELU6 = Numbers(activation="RELU6", output_zero=-128)
SHIFTED_RELU = Numbers(activation="RELU", output_zero=-17)
# Real multipliers from 1/2 up, which the short form of requantisation can't express.
LOUD = Numbers(gain=2.5, largest_weight=1, bias=30)
WIDE = Numbers(type="int16", bias_type="int64", bias=10**6)
CASES = [
    conv_case((1, 5, 5, 8), 16),
    conv_case((1, 6, 3, 64), 64, numbers=RELU),
    conv_case((2, 3, 3, 7), 5, numbers=RELU6),
    conv_case((1, 1, 1, 3), 1),
    conv_case((1, 1, 2, 130), 3, numbers=SHIFTED_RELU),
    conv_case((1, 4, 4, 16), 8, numbers=LOUD),
    conv_case((1, 4, 4, 16), 9, numbers=Numbers(bias=None, input_zero=-128)),
    conv_case((1, 4, 4, 16), 8, numbers=Numbers(bias=2**31 - 1)),
    conv_case((1, 5, 4, 12), 6, numbers=Numbers(per_channel=False, output_zero=127)),
    conv_case((1, 9, 9, 4), 6, Window(stride=(2, 2))),
    conv_case((1, 49, 10, 1), 8, Window((10, 4), (2, 2)), RELU),
    conv_case((1, 8, 8, 3), 16, Window((3, 3)), RELU6),
    conv_case((1, 8, 8, 3), 7, Window((3, 3), (2, 2)), SHIFTED_RELU),
    conv_case((2, 7, 6, 16), 16, Window((3, 3)), RELU),
    conv_case((1, 7, 6, 5), 4, Window((5, 2), padding="VALID")),
    conv_case((1, 9, 11, 2), 3, Window((3, 3), dilation=(2, 3)), RELU),
    conv_case((1, 9, 11, 6), 3, Window((3, 2), (1, 2), dilation=(2, 1)), LOUD),
    conv_case((1, 2, 2, 4), 4, Window((5, 5)), Numbers(input_zero=127)),
    conv_case((1, 3, 40, 1), 2, Window((1, 7), (1, 3), "VALID")),
    conv_case((1, 6, 6, 17), 10, Window((2, 2), (2, 2), "VALID"), Numbers(activation="RELU_N1_TO_1", output_zero=0)),
    conv_case((1, 5, 5, 8), 16, numbers=WIDE),
    conv_case((1, 2, 2, 7), 5, numbers=replace(WIDE, activation="RELU6")),
    conv_case((2, 7, 6, 16), 8, Window((3, 3)), WIDE),
    conv_case((1, 9, 8, 3), 3, Window((3, 3), (2, 2)), replace(WIDE, activation="RELU", bias=None)),
    conv_case((1, 1, 40, 12), 6, Window((1, 7)), WIDE),
    conv_case((1, 9, 11, 2), 3, Window((3, 3), dilation=(2, 3)), replace(WIDE, gain=2**-15)),
    float_conv_case((1, 5, 5, 8), 16),
    float_conv_case((1, 4, 2, 7), 5, activation="RELU6"),
    float_conv_case((2, 7, 6, 3), 6, Window((3, 3), (2, 2)), "RELU"),
    float_conv_case((1, 9, 11, 1), 3, Window((3, 2), dilation=(2, 3))),
]
# What falls back: groups, sums beyond 32 bits, multipliers from 1/2 up, 32-bit accumulators.
SLOW = [
    conv_case((1, 3, 3, 1100), 4, numbers=WIDE),
    conv_case((1, 3, 3, 2), 4, numbers=replace(WIDE, gain=0.75, largest_weight=1)),
    conv_case((1, 3, 3, 2), 4, numbers=replace(WIDE, bias_type="int32")),
]


def test_fallback(tmp_path: Path) -> None:
    for case in SLOW:
        graph = parse_model("m.tflite", case.model)
        layer = emit(graph.operators[0], graph, "simd", M4)
        assert not layer.kernel.endswith("_simd") and "reference kernel used" in layer.notes[0], case
    check_on_host(SLOW, tmp_path, fast=False)


def test_host(tmp_path: Path) -> None:
    check_on_host(CASES, tmp_path)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
@pytest.mark.parametrize(
    ("board", "cases"),
    [("nucleo-l4r5zi", CASES), ("nucleo-f746zg", CASES[::3]), ("nucleo-u575zi-q", CASES[1::3])],
    ids=("m4", "m7", "m33"),
)
def test_target(board: str, cases: list[SimdCase], tmp_path: Path) -> None:
    check_on_target(cases, tmp_path, board)
