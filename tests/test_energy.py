"""Power by clock and energy by time, on boards written down here."""

from __future__ import annotations

import pytest

from vtarget.base.errors import InputError
from vtarget.data.board import Board, PowerPoint, PowerState
from vtarget.data.profile import Bound
from vtarget.logic.energy import energy, power_at
from vtarget.shell.boardlib import load_board


def point(mhz: int, nominal_mw: float) -> PowerPoint:
    return PowerPoint(
        clock=mhz * 1_000_000,
        nominal=nominal_mw / 1000,
        low=0.8 * nominal_mw / 1000,
        high=1.5 * nominal_mw / 1000,
        source=f"table at {mhz} MHz",
    )


def board(*points: PowerPoint) -> Board:
    states = (PowerState(name="run", voltage=3.0, regulator="ldo", points=points),) if points else ()
    return load_board("mps2-an386").model_copy(update={"power": states})


def test_a_published_clock_gives_its_own_figure() -> None:
    power = power_at(board(point(60, 30), point(120, 50)), 120_000_000)
    assert power is not None
    assert power.watts == Bound(0.04, 0.05, 0.075)
    assert power.source == "state run, 3 V ldo: table at 120 MHz"


def test_between_two_clocks_power_is_a_line() -> None:
    power = power_at(board(point(60, 30), point(120, 50)), 90_000_000)
    assert power is not None
    assert power.watts.nominal == pytest.approx(0.040)
    assert power.watts.low == pytest.approx(0.032)
    assert power.watts.high == pytest.approx(0.060)
    assert "interpolated" in power.source


def test_below_the_lowest_clock_the_bound_reaches_up_to_its_power() -> None:
    power = power_at(board(point(60, 30)), 30_000_000)
    assert power is not None
    assert power.watts.nominal == pytest.approx(0.015)
    assert power.watts.low == pytest.approx(0.8 * 0.015 * 0.85)
    assert power.watts.high == pytest.approx(0.045 * 1.15)
    assert "scaled from 60 MHz" in power.source


def test_above_the_highest_clock_it_scales_and_widens() -> None:
    power = power_at(board(point(60, 30)), 120_000_000)
    assert power is not None
    assert power.watts.nominal == pytest.approx(0.060)
    assert power.watts.high == pytest.approx(0.090 * 1.15)


def test_no_figure_is_no_power_and_no_energy() -> None:
    assert power_at(board(), 25_000_000) is None
    assert energy(None, Bound(1, 2, 3)) is None


def test_energy_multiplies_bound_by_bound() -> None:
    power = power_at(board(point(60, 30)), 60_000_000)
    joules = energy(power, Bound(1.0, 2.0, 3.0))
    assert joules is not None
    assert (joules.low, joules.nominal, joules.high) == (
        pytest.approx(0.024),
        pytest.approx(0.060),
        pytest.approx(0.135),
    )


def test_an_unknown_state_names_those_there_are() -> None:
    with pytest.raises(InputError, match="board mps2-an386 has no power state 'stop'") as caught:
        power_at(board(point(60, 30)), 60_000_000, "stop")
    assert caught.value.hint == "it has run"
    with pytest.raises(InputError, match="has no power figures"):
        power_at(board(), 60_000_000, "run")
