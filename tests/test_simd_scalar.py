"""The fast engine on cores without the DSP extension: int8 kernels of their own, the reference kernels' bits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from simdcases import (
    Numbers,
    SimdCase,
    Window,
    add_case,
    check_on_host,
    check_on_target,
    conv_case,
    depthwise_case,
    fully_connected_case,
)
from targetkernels import run_models

from vtarget.data.target import Target

M0PLUS = Target("cortex-m0plus")
RELU = Numbers(activation="RELU", output_zero=-128)
RELU6 = Numbers(activation="RELU6", output_zero=-20, gain=0.05)
LOUD = Numbers(gain=2.5, largest_weight=1, bias=30)
CASES = [
    conv_case((1, 6, 3, 64), 16, numbers=RELU),
    conv_case((2, 3, 3, 7), 5),
    conv_case((1, 4, 4, 16), 9, numbers=LOUD),
    conv_case((1, 4, 4, 16), 8, numbers=Numbers(bias=2**31 - 1)),
    conv_case((1, 8, 8, 3), 7, Window((3, 3), (2, 2)), RELU6),
    conv_case((1, 49, 10, 1), 8, Window((10, 4), (2, 2)), RELU),
    conv_case((1, 9, 11, 2), 3, Window((3, 3), dilation=(2, 3)), RELU),
    depthwise_case((1, 7, 5, 8), numbers=RELU),
    depthwise_case((2, 6, 9, 5), Window((3, 3), (2, 2)), RELU6),
    depthwise_case((1, 6, 8, 6), numbers=LOUD, multiplier=2),
    depthwise_case((1, 9, 9, 7), Window((5, 4), padding="VALID"), RELU),
    depthwise_case((1, 9, 20, 4), Window((3, 3), dilation=(2, 3))),
    depthwise_case((1, 2, 3, 4), Window((1, 1), (2, 2)), Numbers(gain=0.05, bias=2**31 - 1)),
    fully_connected_case(1, 64, 12),
    fully_connected_case(4, 33, 7, RELU6),
    fully_connected_case(1, 7, 3, LOUD),
    add_case((1, 8, 8, 3), (0.02, 0.5, 0.5), (127, -128, -128), "RELU"),
    add_case((130,), (0.1, 0.1, 0.2), (0, 3, -7)),
]
needs_compiler = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")


def test_host(tmp_path: Path) -> None:
    check_on_host(CASES, tmp_path, target=M0PLUS)


@needs_compiler
@pytest.mark.parametrize("board", ["rpi-pico", "mps2-an385"])
def test_target(board: str, tmp_path: Path) -> None:
    check_on_target(CASES, tmp_path, board)


@needs_compiler
@pytest.mark.parametrize(("board", "most"), [("rpi-pico", 6.0), ("mps2-an385", 4.2)])
def test_pointwise_cycles(board: str, most: float, tmp_path: Path) -> None:
    case: SimdCase = conv_case((1, 12, 12, 64), 64, numbers=RELU)
    assert run_models([case.model], [case.inputs], tmp_path, board)[0].cycles_per_mac() < most
