"""Fast pooling kernels give the reference kernels' bits, on this machine and on a board."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from simdcases import Window, check_on_host, check_on_target, pool_case

CASES = [
    case
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
    for case in (
        pool_case(op, (1, 25, 5, 64), Window((25, 5), (25, 5), "VALID")),
        pool_case(op, (2, 8, 8, 7), Window((2, 2), (2, 2)), "RELU"),
        pool_case(op, (1, 7, 5, 4), Window((3, 3), (2, 1)), "RELU6"),
        pool_case(op, (1, 15, 17, 5), Window((15, 17), (1, 1), "VALID")),
    )
]


def test_host(tmp_path: Path) -> None:
    check_on_host(CASES, tmp_path)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
def test_target(tmp_path: Path) -> None:
    check_on_target(CASES, tmp_path)
