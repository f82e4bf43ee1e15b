"""Fast depthwise convolutions give the reference kernels' bits, on this machine and on the boards they are made for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from simdcases import Numbers, SimdCase, Window, check_on_host, check_on_target, depthwise_case

RELU = Numbers(activation="RELU", output_zero=-128, gain=0.05)
RELU6 = Numbers(activation="RELU6", output_zero=-20, gain=0.05)
LOUD = Numbers(gain=2.5, largest_weight=1, bias=30)
WIDE = Numbers(type="int16", bias_type="int64", bias=10**6, gain=0.02)
STRIDE_2 = Window((3, 3), (2, 2))
CASES = [
    depthwise_case((1, 5, 5, 8)),
    depthwise_case((1, 25, 5, 16), numbers=RELU),
    depthwise_case((1, 8, 8, 8), STRIDE_2, RELU),
    depthwise_case((1, 9, 7, 4), STRIDE_2),
    depthwise_case((2, 6, 9, 5), numbers=RELU6),
    depthwise_case((1, 6, 9, 3), numbers=RELU),
    depthwise_case((1, 6, 9, 1), multiplier=5),
    depthwise_case((1, 6, 8, 6), STRIDE_2, RELU, multiplier=2),
    depthwise_case((1, 6, 6, 8), numbers=LOUD),
    depthwise_case((1, 1, 1, 4), numbers=RELU),
    depthwise_case((1, 2, 2, 4), STRIDE_2, RELU),
    depthwise_case((1, 40, 130, 4), numbers=RELU),
    depthwise_case((1, 130, 40, 4), Window((3, 3), (2, 2), "VALID")),
    depthwise_case((1, 7, 12, 4), Window((3, 3), (1, 2)), RELU),
    depthwise_case((1, 7, 12, 4), Window((3, 3), (3, 3)), RELU),
    depthwise_case((1, 9, 9, 7), Window((5, 5)), RELU),
    depthwise_case((1, 9, 9, 4), Window((5, 5), (2, 2)), RELU6),
    depthwise_case((1, 9, 20, 4), Window((4, 10), (2, 1), "VALID")),
    depthwise_case((1, 30, 1, 6), Window((9, 1))),
    depthwise_case((1, 1, 30, 6), Window((1, 2), (1, 3))),
    depthwise_case((1, 9, 9, 4), Window((1, 1)), LOUD),
    depthwise_case((1, 25, 5, 4), Window((25, 5), (1, 1), "VALID"), Numbers(gain=0.003)),
    depthwise_case((1, 12, 12, 4), numbers=Numbers(gain=0.05, bias=None, input_zero=-128, per_channel=False)),
    depthwise_case((1, 8, 9, 12), numbers=WIDE),
    depthwise_case((2, 9, 7, 6), STRIDE_2, replace(WIDE, activation="RELU")),
    depthwise_case((1, 6, 9, 3), numbers=WIDE),
    depthwise_case((1, 6, 5, 2), numbers=replace(WIDE, bias=None), multiplier=3),
    depthwise_case((1, 1, 128, 12), Window((1, 5)), WIDE),
    depthwise_case((1, 9, 9, 4), Window((4, 4), (2, 3)), replace(WIDE, activation="RELU6")),
]


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
