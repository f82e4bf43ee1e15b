"""Applies a calibration to a record that is priced already: every cycle by the factor of its term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vtarget.data.board import Board
from vtarget.data.calibration import TERMS, AppliedCalibration, Calibration
from vtarget.data.profile import Bound
from vtarget.data.record import ExecutionRecord
from vtarget.data.waterfall import CyclePart
from vtarget.logic.costs import Part
from vtarget.logic.decode import Block
from vtarget.logic.energy import power_at
from vtarget.logic.powerfit import with_power
from vtarget.logic.pricing import Pricer
from vtarget.logic.terms import PART_OF, TermSplit, split_terms
from vtarget.logic.waterfall import Split

Cycles = NDArray[np.float64]
UNKNOWN_WIDTH = 0.5  # of the factor of a term that a calibration doesn't name
_PARTS = np.zeros((len(TERMS), len(CyclePart)))
_PARTS[np.arange(len(TERMS)), PART_OF] = 1.0


def calibrate_parts(
    parts: Sequence[Part], blocks: Sequence[Block], calibration: Calibration, board: Board, power_state: str | None
) -> tuple[list[Part], list[Split]]:
    """The epochs with calibrated cycles and power (of the ``board`` as ``calibrated_board`` gives it)."""
    factors = np.array([calibration.factor(term) for term in TERMS])
    found = [
        _calibrated(part, split, factors, calibration)
        for part, split in zip(parts, split_terms(parts, blocks), strict=True)
    ]
    powered = [replace(part, power=power_at(board, part.pricer.clock_hz, power_state)) for part, _ in found]
    return powered, [split for _, split in found]


def calibrated_board(board: Board, applied: AppliedCalibration) -> Board:
    """The board with calibrated power."""
    return with_power(board, applied.fit.power, f"calibrated {applied.fit.date}, {applied.file}")


def _calibrated(part: Part, split: TermSplit, factors: Cycles, calibration: Calibration) -> tuple[Part, Split]:
    nodes = whole(by_part(split.nodes, factors))
    cycles = part.cycles.copy()
    cycles[:, 1] = nodes.sum(axis=1)
    nominal, terms = float(cycles[:, 1].sum()), split.nodes.sum(axis=0)
    half = half_width(terms, nominal, calibration)
    total = Bound(max(0.0, float(np.floor(nominal - half))), nominal, float(np.ceil(nominal + half)))
    scaled = Split(by_part(split.edges, factors), by_part(split.sites[part.events], factors), nodes)
    return replace(part, cycles=cycles, total=total), scaled


def by_part(terms: NDArray[np.int64], factors: Cycles) -> Cycles:
    """Calibrated cycles by CyclePart of what is given by Term (in the last dimension)."""
    return np.asarray((terms * factors) @ _PARTS)


def whole(cycles: Cycles) -> NDArray[np.int64]:
    """Whole numbers less than 1 off, whose running sums are the nearest to those of ``cycles``."""
    sums = np.rint(np.cumsum(cycles.ravel())).astype(np.int64)
    return np.diff(sums, prepend=0).reshape(cycles.shape)


def half_width(terms: NDArray[np.int64], nominal: float, calibration: Calibration) -> float:
    """Two standard deviations of a total: what each factor leaves open, and what the form of the fit misses."""
    widths = []
    for term in TERMS:
        factor, left = calibration.factors.get(term), calibration.unidentified.get(term)
        if factor is not None:
            widths.append((factor.high - factor.low) / 2)
        else:
            widths.append(2 * (UNKNOWN_WIDTH if left is None else left.prior_width))
    spread = np.abs(terms) * np.array(widths)
    return float(np.hypot(np.sqrt((spread * spread).sum()), 2 * calibration.error_pct / 100 * nominal))


def calibration_notes(record: ExecutionRecord, pricer: Pricer, applied: AppliedCalibration) -> tuple[str, ...]:
    """What to keep in mind of this calibration for this record."""
    fit, notes = applied.fit, []
    if fit.board_sha256 != pricer.board_sha256:
        notes.append(f"{applied.file}: it was fitted with other facts of board {fit.board} or its core than these")
    clocks = {source.clock_hz for source in fit.sources}
    if clocks and pricer.clock_hz not in clocks:
        shown = ", ".join(f"{hz / 1e6:g}" for hz in sorted(clocks))
        notes.append(f"{applied.file}: fitted at {shown} MHz, applied at {pricer.clock_hz / 1e6:g} MHz")
    if record.clock_reads:
        notes.append("the clock that the firmware read while it ran was not calibrated")
    return tuple(notes)
