"""Published power figures against the board files: at their clock and supply, the estimate or inside its bounds."""

from __future__ import annotations

import pytest

from vtarget.logic.energy import power_at
from vtarget.shell.boardlib import board_names, load_board

# Datasheet and energy-run figures that a board's point is: board, state, MHz, milliwatts (current x supply), source.
FIGURES = [
    ("disco-f407vg", "run", 168, 40 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run", 144, 31 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run", 120, 26 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run", 90, 20 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run", 60, 14 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run", 30, 8 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run", 16, 5 * 3.3, "DS8626 Rev12 Table 20"),
    ("disco-f407vg", "run-art-off", 168, 46 * 3.3, "DS8626 Rev12 Table 21"),
    ("disco-f407vg", "run-art-off", 120, 37 * 3.3, "DS8626 Rev12 Table 21"),
    ("disco-f407vg", "run-art-off", 60, 22 * 3.3, "DS8626 Rev12 Table 21"),
    ("disco-f407vg", "sleep", 168, 12 * 3.3, "DS8626 Rev12"),
    ("nucleo-f103rb", "run", 72, 27 * 3.3, "DS5319 Rev19 Table 17"),
    ("nucleo-f103rb", "run", 48, 18.6 * 3.3, "DS5319 Rev19 Table 17"),
    ("nucleo-f103rb", "run", 8, 4.6 * 3.3, "DS5319 Rev19 Table 17"),
    ("nucleo-h743zi", "run", 400, 105 * 3.3, "DS12110 Rev10 Table 31"),
    ("nucleo-h743zi", "run-cache-off", 400, 73 * 3.3, "DS12110 Rev10 Table 32"),
    ("nucleo-h743zi", "run-itcm", 400, 71 * 3.3, "DS12110 Rev10 Table 30"),
    ("nucleo-h743zi", "run-itcm", 300, 50 * 3.3, "DS12110 Rev10 Table 30"),
    ("nucleo-h743zi", "run-itcm", 216, 37 * 3.3, "DS12110 Rev10 Table 30"),
    ("nucleo-h743zi", "run-itcm", 144, 25 * 3.3, "DS12110 Rev10 Table 30"),
    ("nucleo-l4r5zi", "run-3v0-ldo", 120, 75.3, "MLPerf Tiny v1.1, Krai kws"),
    ("nrf52840dk", "run", 64, 3.3 * 3.0, "recalled"),
    ("nrf52840dk", "run-ldo", 64, 6.3 * 3.0, "recalled"),
    ("nrf52840dk", "run-ram", 64, 2.8 * 3.0, "recalled"),
]
# Measured workloads, of which a board's point is the mean: each lies inside the bounds.
WORKLOADS = [
    ("nucleo-l4r5zi", "run", 120, (38.73, 42.19, 41.95, 43.82), "MLPerf Tiny v1.2 ST ad, kws, ic, vww"),
    ("nucleo-l4r5zi", "run", 120, (43.2, 53.0, 55.2), "MLPerf Tiny v1.2 Skymizer, OctoML"),
    ("nucleo-l4r5zi", "run-3v0-smps", 120, (33.37, 32.88, 33.07, 33.74), "MLPerf Tiny v1.3 ST"),
    ("nucleo-u575zi-q", "run", 160, (24.02, 22.72, 23.36, 23.00), "MLPerf Tiny v1.2 ST"),
    ("nucleo-u575zi-q", "run", 160, (24.24, 23.07, 23.57, 23.31), "MLPerf Tiny v1.3 ST"),
    ("nucleo-u385rg-q", "run", 96, (5.90, 5.09, 5.30, 5.26), "MLPerf Tiny v1.3 ST"),
    ("nucleo-h7a3zi-q", "run", 280, (135.63, 121.86, 125.15, 124.80, 162.74), "MLPerf Tiny v1.2, v1.0 ST"),
    ("ek-ra6m4", "run", 200, (71.17, 74.74, 71.87, 73.94), "MLPerf Tiny v0.7"),
]
# Uncalibrated figures are good to about a third at best (spreads of the energy facts, section 2).
LEAST_HALF_WIDTH = 0.16


def _milliwatts(board: str, state: str, mhz: int) -> tuple[float, float, float]:
    power = power_at(load_board(board), mhz * 1_000_000, state)
    assert power is not None
    return power.watts.low * 1e3, power.watts.nominal * 1e3, power.watts.high * 1e3


@pytest.mark.parametrize(("board", "state", "mhz", "milliwatts", "source"), FIGURES)
def test_a_published_figure_is_the_estimate(board: str, state: str, mhz: int, milliwatts: float, source: str) -> None:
    assert source
    assert _milliwatts(board, state, mhz)[1] == pytest.approx(milliwatts, rel=0.005)


@pytest.mark.parametrize(("board", "state", "mhz", "measured", "source"), WORKLOADS)
def test_measured_workloads_lie_inside_the_bounds(
    board: str, state: str, mhz: int, measured: tuple[float, ...], source: str
) -> None:
    assert source
    low, nominal, high = _milliwatts(board, state, mhz)
    assert all(low <= value <= high + 1e-9 for value in measured)
    assert low < nominal < high


@pytest.mark.parametrize("name", board_names())
def test_no_bounds_are_narrower_than_the_facts_justify(name: str) -> None:
    for state in load_board(name).power:
        for point in state.points:
            if point.nominal >= 1e-3:  # deep sleep has its own figures
                assert point.high - point.nominal >= LEAST_HALF_WIDTH * point.nominal, (state.name, point.source)
                assert point.nominal - point.low >= (LEAST_HALF_WIDTH - 0.01) * point.nominal, (
                    state.name,
                    point.source,
                )
