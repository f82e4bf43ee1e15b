"""Order statistics, ideals, and the sentence on a slow layer."""

from __future__ import annotations

import pytest

from vtarget.data.graph import ElementType
from vtarget.data.modelprofile import Spread
from vtarget.logic.layers import ideal_macs_per_cycle, median_sample, spread_of


def test_the_first_inference_is_cold_and_stands_apart() -> None:
    assert spread_of([100, 10, 30, 20]) == Spread(cold=100, minimum=10, median=20, p95=30, maximum=30)
    assert spread_of([7]) == Spread(7, 7, 7, 7, 7)
    assert spread_of([0, *range(1, 101)]) == Spread(cold=0, minimum=1, median=50, p95=95, maximum=100)


def test_the_median_sample_is_a_warm_one() -> None:
    assert median_sample([100, 10, 30, 20]) == 3
    assert median_sample([5]) == 0
    assert median_sample([5, 9]) == 1


@pytest.mark.parametrize(
    ("core", "fpu", "element", "macs"),
    [
        ("cortex-m4", "fpv4-sp", ElementType.INT8, 2.0),
        ("cortex-m3", None, ElementType.INT8, 0.5),
        ("cortex-m0plus", None, ElementType.INT16, 0.5),
        ("cortex-m4", "fpv4-sp", ElementType.FLOAT32, 1 / 3),
        ("cortex-m7", "fpv5-sp", ElementType.FLOAT32, 1.0),
        ("cortex-m4", None, ElementType.FLOAT32, 0.01),
    ],
)
def test_ideals_are_the_multipliers_of_the_core(core: str, fpu: str | None, element: ElementType, macs: float) -> None:
    assert ideal_macs_per_cycle(core, fpu, element) == macs
