"""Fast sums give the reference kernels' bits, on this machine and on a board."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from simdcases import add_case, check_on_host, check_on_target

CASES = [
    add_case((1, 8, 8, 16), (0.05, 0.04, 0.07), (-3, 5, -10)),
    add_case((1, 8, 8, 3), (0.02, 0.5, 0.5), (127, -128, -128), "RELU"),
    add_case((130,), (0.1, 0.1, 0.2), (0, 0, 0)),
    add_case((131,), (1.0, 1e-4, 0.9), (-128, 127, 3), "RELU6"),
    add_case((1,), (0.3, 0.2, 0.1), (1, 2, 3), "RELU_N1_TO_1"),
    add_case((257,), (0.02, 0.03, 0.001), (-128, -128, -128)),
    add_case((1, 5, 4, 7), (0.05, 0.04, 0.07), type_="int16"),
    add_case((33,), (0.02, 0.5, 0.3), activation="RELU", type_="int16"),
    add_case((50,), (0.1, 0.1, 0.3), activation="RELU6", type_="int16"),
]


def test_host(tmp_path: Path) -> None:
    check_on_host(CASES, tmp_path)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
def test_target(tmp_path: Path) -> None:
    check_on_target(CASES, tmp_path)
