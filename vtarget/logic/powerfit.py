"""Fits a board's power to measured windows: P = a + b f per state, or one factor where all are at one clock.

A window is of the state whose name it has, else of the state that firmware runs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtarget.data.board import Board, PowerPoint, PowerState
from vtarget.data.calibration import PowerFit
from vtarget.data.measurement import Measurement
from vtarget.logic.energy import power_at


@dataclass(frozen=True)
class Watts:
    """Mean power of a state at one clock, in one window; ``width`` is a standard deviation."""

    state: str
    clock_hz: int
    watts: float
    width: float


MOST_WATTS = 400.0  # of a board, whatever a file says
SPREAD_FLOOR = 0.01  # of the power: what another temperature or part of a program changes


def windows(measurement: Measurement, board: Board) -> list[Watts]:
    """The measured windows by state."""
    states = {state.name for state in board.power}
    run = board.power[0].name if board.power else "run"
    clock_hz = measurement.measured_clock_hz or measurement.clock_hz
    found = []
    for window in measurement.power:
        watts = window.energy_j / window.seconds
        width = max(SPREAD_FLOOR * watts, window.spread_j / window.seconds / 2)
        found.append(Watts(window.name if window.name in states else run, clock_hz, watts, width or 1e-12))
    return found


def fit_power(measured: Sequence[Watts], board: Board) -> tuple[tuple[PowerFit, ...], tuple[str, ...]]:
    """A fit for each state that the board has figures for, and remarks on those that it hasn't."""
    fits, notes = [], []
    for state in dict.fromkeys(one.state for one in measured):
        of_state = [one for one in measured if one.state == state]
        if state not in {known.name for known in board.power}:
            notes.append(f"power of state {state} is not fitted: board {board.name} has no figures for it")
            continue
        fits.append(_fit(state, of_state, board))
    return tuple(fits), tuple(notes)


def _fit(state: str, measured: Sequence[Watts], board: Board) -> PowerFit:
    clocks = np.array([one.clock_hz for one in measured], dtype=float)
    watts = np.array([one.watts for one in measured])
    weights = 1 / np.array([one.width for one in measured])
    base = slope = factor = None
    if len(set(clocks)) > 1:
        columns = np.stack([np.ones_like(clocks), clocks / 1e6], axis=1)
        (base, slope), *_ = np.linalg.lstsq(columns * weights[:, None], watts * weights, rcond=None)
        estimates = columns @ np.array([base, slope])
    else:
        nominal = np.array([_nominal(board, one.clock_hz, state) for one in measured])
        factor = float((nominal * watts * weights**2).sum() / (nominal**2 * weights**2).sum())
        estimates = factor * nominal
    return PowerFit(
        state=state,
        base_w=None if base is None else float(f"{base:.6g}"),
        watts_per_mhz=None if slope is None else float(f"{slope:.6g}"),
        factor=None if factor is None else round(factor, 6),
        clocks_hz=tuple(sorted({one.clock_hz for one in measured})),
        windows=len(measured),
        residual_pct=round(float(np.max(np.abs(estimates / watts - 1))) * 100, 4),
    )


def _nominal(board: Board, clock_hz: int, state: str) -> float:
    power = power_at(board, clock_hz, state)
    assert power is not None
    return power.watts.nominal


def with_power(board: Board, fits: Sequence[PowerFit], source: str) -> Board:
    """The board with the fitted power in place of its figures; bounds are two residuals wide, and 2 % at least."""
    by_state = {fit.state: fit for fit in fits}
    states = tuple(
        state if state.name not in by_state else _fitted(board, state, by_state[state.name], source)
        for state in board.power
    )
    return board.model_copy(update={"power": states}) if by_state else board


def _fitted(board: Board, state: PowerState, fit: PowerFit, source: str) -> PowerState:
    clocks = sorted({point.clock for point in state.points} | set(fit.clocks_hz))
    wide = min(1.0, max(fit.residual_pct / 100, SPREAD_FLOOR) * 2)
    points = []
    for clock in clocks:
        if fit.base_w is not None and fit.watts_per_mhz is not None:
            watts = fit.base_w + fit.watts_per_mhz * clock / 1e6
        else:
            watts = (fit.factor or 0.0) * _nominal(board, clock, state.name)
        watts = min(max(watts, 0.0), MOST_WATTS)
        points.append(
            PowerPoint(clock=clock, nominal=watts, low=watts * (1 - wide), high=watts * (1 + wide), source=source)
        )
    return state.model_copy(update={"points": tuple(points)})
