"""Prints how well twins are found out: ``python tests/bench/twins.py``. docs/calibration.md has the figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from calibrationlib import (  # noqa: E402
    BOARDS,
    FITTED,
    HELD_OUT,
    board_pricer,
    estimates,
    measurement,
    observations,
    priors,
    recorded,
    true_cycles,
    truth_of,
)

from vtarget.data.calibration import TERMS, AppliedCalibration, Calibration  # noqa: E402
from vtarget.data.measurement import PowerWindow  # noqa: E402
from vtarget.logic.calibrated import calibrated_board  # noqa: E402
from vtarget.logic.calibration import calibrate  # noqa: E402
from vtarget.logic.calibrationreport import is_told  # noqa: E402
from vtarget.logic.energy import power_at  # noqa: E402
from vtarget.logic.powerfit import fit_power, windows  # noqa: E402

SEEDS = range(20)
ALL_ONE = np.ones(len(TERMS))
METER_NOISE, WINDOWS = 0.01, 4  # standard deviation of a window's energy; windows at each clock


@dataclass(frozen=True)
class Found:
    """One twin found out; errors as shares, factors by term as (found, hidden)."""

    uncalibrated: tuple[float, ...]
    fitted: tuple[float, ...]
    held_out: tuple[float, ...]
    factors: tuple[tuple[float, float], ...]
    power: tuple[float, ...]

    @property
    def factor_errors(self) -> tuple[float, ...]:
        """By how much the identified factors are off."""
        return tuple(abs(found / hidden - 1) for found, hidden in self.factors)


def _errors(board: str, names: tuple[str, ...], values: np.ndarray, truth: Calibration) -> Iterator[float]:
    for name in names:
        calibrated = estimates(name, board, values)
        for kernel, cycles in true_cycles(name, board, truth).items():
            yield abs(calibrated[kernel] / cycles - 1)


def _power(board: str, seed: int, truth: Calibration) -> Iterator[float]:
    """By how much power is off at two clocks, after a fit to noisy windows at both."""
    described, random, seen = board_pricer(board).board, np.random.default_rng(seed), []
    if not described.power:
        return
    hidden = calibrated_board(described, AppliedCalibration("truth", truth))
    clocks = [described.clock.typical, described.clock.typical // 2]
    for clock_hz in clocks:
        power = power_at(hidden, clock_hz)
        assert power is not None
        watts = power.watts.nominal * (1 + METER_NOISE * random.standard_normal(WINDOWS))
        made = tuple(
            PowerWindow(name="run", count=1, seconds=1.0, energy_j=float(w), spread_j=0.0, source="made") for w in watts
        )
        seen += windows(measurement(board, recorded("fft", board), [], power=made, clock_hz=clock_hz), described)
    fits, _ = fit_power(seen, described)
    fitted = calibrated_board(described, AppliedCalibration("fit", truth.model_copy(update={"power": fits})))
    for clock_hz in clocks:
        true, mine = power_at(hidden, clock_hz), power_at(fitted, clock_hz)
        assert true is not None and mine is not None
        yield abs(mine.watts.nominal / true.watts.nominal - 1)


def find_out(board: str, seed: int) -> Found:
    """Measure a twin of that seed, with its jitter, and calibrate."""
    truth = truth_of(board, seed)
    fit = calibrate(observations(board, seed), priors(board))
    told = {term: factor.value for term, factor in fit.factors().items() if is_told(factor)}
    return Found(
        uncalibrated=tuple(_errors(board, (*FITTED, *HELD_OUT), ALL_ONE, truth)),
        fitted=tuple(_errors(board, FITTED, fit.fit.values, truth)),
        held_out=tuple(_errors(board, HELD_OUT, fit.fit.values, truth)),
        factors=tuple((value, truth.factor(term)) for term, value in told.items()),
        power=tuple(_power(board, seed, truth)),
    )


def table() -> Iterator[str]:
    """A row per board, over all seeds: the worst of each."""
    yield "board             without a fit   fitted   held out   factors told   off by   power"
    for board in BOARDS:
        found = [find_out(board, seed) for seed in SEEDS]
        mean = [100 * float(np.mean(one.uncalibrated)) for one in found]
        worst = [
            100 * max((value for one in found for value in values(one)), default=float("nan"))
            for values in map(attrgetter, ("fitted", "held_out", "factor_errors", "power"))
        ]
        told = [len(one.factors) for one in found]
        power = "no figures" if np.isnan(worst[3]) else f"{worst[3]:.1f} %"
        yield (
            f"{board:<18}{min(mean):4.0f} .. {max(mean):2.0f} %  {worst[0]:5.2f} %   {worst[1]:6.2f} %  "
            f"{min(told):4} .. {max(told):2}       {worst[2]:5.1f} %   {power}"
        )


if __name__ == "__main__":
    for line in table():
        print(line)
