"""Hidden truths for boards that don't exist: factors of terms and power, drawn by a seed.

A twin is slower than the model (three times in four) or faster, in all its terms together, so that estimates of whole
kernels are about 5 to 25 % off: each term takes 1 + SPREAD times the model's cycles, or the inverse of that;
instruction slots, where instructions pair, 1 + PAIRED_SPREAD times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtarget import __version__
from vtarget.data.board import Board
from vtarget.data.calibration import TERMS, Calibration, Factor, PowerFit, Term
from vtarget.data.core import Core

SPREAD = (0.3, 0.75)
PAIRED_SPREAD = (0.06, 0.12)
POWER_SPREAD = 0.25
SLOWER = 0.75  # probability
EPOCH_DAY = "1970-01-01"  # a twin's truth has no date


def draw(seed: int, core: Core, board: Board, board_sha256: str) -> Calibration:
    """The truth of the twin with that seed, as the calibration that would be exact."""
    random = np.random.default_rng([seed, *board.name.encode()])
    is_slower = random.random() < SLOWER
    factors = {}
    for term in TERMS:
        paired = core.pipeline != "scalar"
        low, high = PAIRED_SPREAD if term is Term.ISSUE else SPREAD
        times = 1 + float(random.uniform(low, high))
        value = 1.0 if term is Term.ISSUE and not paired else round(times if is_slower else 1 / times, 4)
        factors[term] = Factor(value=value, low=value, high=value, prior_width=0.0)
    return Calibration(
        board=board.name,
        board_sha256=board_sha256,
        board_serial=f"twin-{seed}",
        core=core.name,
        date=EPOCH_DAY,
        vtarget_version=__version__,
        factors=factors,
        uncalibrated_pct=0.0,
        residual_pct=0.0,
        power=tuple(_power(random, board)),
        notes=(f"the truth of the twin with seed {seed}, not a fit",),
    )


def _power(random: np.random.Generator, board: Board) -> Sequence[PowerFit]:
    found = []
    for state in board.power:
        factor = round(1 + float(random.uniform(-POWER_SPREAD, POWER_SPREAD)), 4)
        clocks = tuple(point.clock for point in state.points)
        found.append(PowerFit(state=state.name, factor=factor, clocks_hz=clocks, windows=1, residual_pct=0.0))
    return found
