"""Fast fully connected layers give the reference kernels' bits, on this machine and on a board."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from simdcases import Numbers, check_on_host, check_on_target, float_case, fully_connected_case

RELU = Numbers(activation="RELU", output_zero=-128)
WIDE = Numbers(type="int16", bias_type="int64", bias=10**6)
CASES = [
    fully_connected_case(1, 64, 12),
    fully_connected_case(1, 640, 128, RELU),
    fully_connected_case(1, 1, 1),
    fully_connected_case(1, 7, 3, Numbers(gain=2.5, largest_weight=1, bias=30)),
    fully_connected_case(2, 30, 5, Numbers(activation="RELU6", output_zero=-7)),
    fully_connected_case(3, 33, 6, Numbers(per_channel=False)),
    fully_connected_case(7, 16, 4, Numbers(per_channel=False, bias=None, activation="RELU", output_zero=-128)),
    fully_connected_case(1, 64, 12, WIDE),
    fully_connected_case(4, 33, 7, WIDE),
    fully_connected_case(2, 32, 5, replace(WIDE, per_channel=False, activation="RELU")),
    float_case("FULLY_CONNECTED", ((1, 33), (7, 33), (1, 7)), {}),
    float_case("FULLY_CONNECTED", ((5, 8), (2, 8), (5, 2)), {}, "RELU", bias=False),
]


def test_host(tmp_path: Path) -> None:
    check_on_host(CASES, tmp_path)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
def test_target(tmp_path: Path) -> None:
    check_on_target(CASES, tmp_path)
