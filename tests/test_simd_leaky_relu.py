"""Fast leaky rectifiers give the reference kernels' bits, on this machine and on a board."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from simdcases import check_on_host, check_on_target, leaky_relu_case

CASES = [
    leaky_relu_case(100, (0.01, 0.01), 0.1),
    leaky_relu_case(101, (0.01, 0.02), 0.3),
    leaky_relu_case(102, (0.03, 0.002), 0.01),
]


def test_host(tmp_path: Path) -> None:
    check_on_host(CASES, tmp_path)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
def test_target(tmp_path: Path) -> None:
    check_on_target(CASES, tmp_path)
