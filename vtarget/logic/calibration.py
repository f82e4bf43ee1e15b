"""Fits the factors of a core's terms to measured kernels: weighted least squares with Gaussian priors.

cycles = sum of factor x term. A term whose factor the kernels don't tell keeps its prior; terms that only appear
together share one factor. What the fit is worth is how well it does for kernels that it hasn't seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError, RunError
from vtarget.data.calibration import TERMS, Factor, Term, Unidentified
from vtarget.data.core import Core
from vtarget.data.profile import Bound
from vtarget.logic.terms import NUMBER

Vector = NDArray[np.float64]

NOISE = 0.002  # of a kernel's cycles: what form and measurement miss at least
NOISE_CYCLES_PER_CALL = 1.0  # what taking off the overhead of a stop leaves
LOWEST, HIGHEST = 0.05, 20.0  # of a factor
LEAST_WIDTH, MOST_WIDTH = 0.5, 1.0  # of a prior: most figures are 1 to 3 cycles, so one off is half or more
TOLD = 0.2  # of a prior's width: a factor that isn't known that much better than before keeps its prior
ALIKE = 0.6  # correlation from which two factors are one to the data
WORTH_JUDGING = 0.02  # kernels whose noise is below this share of their cycles tell how good a fit is
FAR_OFF = 3.0  # standard deviations, from which a kernel weighs less
MEDIAN_OF_NORMAL = 0.6745  # median of |x| of the standard normal distribution
WEIGHINGS = 5
OUTLIER_PCT = 5.0  # below it no kernel is called unexplained
LEAST_UNSEEN = 2  # kernels that can be left out, to say anything of those that weren't measured
SEEN_CYCLES = 1e-5  # of all measured cycles: a term with less isn't there


@dataclass(frozen=True)
class Observation:
    """One measured kernel: its nominal cycles by Term, over all calls, and what was measured. ``kin`` are names of
    kernels of the same firmware that were active along with it."""

    firmware: str
    kernel: str
    calls: int
    terms: Vector
    measured: float
    spread: float = 0.0
    kin: frozenset[str] = frozenset()

    @property
    def noise(self) -> float:
        """A standard deviation of the measured cycles."""
        parts = (NOISE * self.measured, self.spread / 2, NOISE_CYCLES_PER_CALL * self.calls)
        return float(np.sqrt(sum(part * part for part in parts))) or 1.0

    def is_kin(self, other: Observation) -> bool:
        """Whether one says something of the other's cycles; of one name may be one function, in several images."""
        nested = other.kernel in self.kin or self.kernel in other.kin
        return other.kernel == self.kernel or (self.firmware == other.firmware and nested)


@dataclass(frozen=True)
class Fit:
    """Factors by Term with their covariance; what could not be told, and why; ``groups`` share a factor each."""

    values: Vector
    widths: Vector
    groups: tuple[tuple[int, ...], ...]
    reasons: Mapping[int, str]
    condition: float

    def cycles(self, terms: Vector) -> float:
        """The calibrated estimate."""
        return float(terms @ self.values)


@dataclass(frozen=True)
class Judged:
    """An observation, and by how many percent estimates are off: without a fit, with it, with one that left it out."""

    observation: Observation
    before_pct: float
    after_pct: float
    left_out_pct: float | None


@dataclass(frozen=True)
class Calibrated:
    """A fit and what it is worth; errors are root mean squares in percent."""

    fit: Fit
    priors: Vector
    kernels: tuple[Judged, ...]
    uncalibrated_pct: float
    residual_pct: float
    leave_one_out_pct: float | None

    def outliers(self) -> tuple[Judged, ...]:
        """Kernels that the fit doesn't explain."""
        typical = float(np.median([abs(j.after_pct) for j in self.kernels])) / MEDIAN_OF_NORMAL
        far = max(FAR_OFF * typical, OUTLIER_PCT)
        return tuple(j for j in self.kernels if abs(j.after_pct) > far and _percent_noise(j.observation) < far)

    def factors(self) -> dict[Term, Factor]:
        """Factors that are told, two standard deviations wide each way."""
        found = {}
        for group in self.fit.groups:
            for number in group:
                value, width = float(self.fit.values[number]), 2 * float(self.fit.widths[number])
                found[TERMS[number]] = Factor(
                    value=_short(value),
                    low=_short(min(value, max(0.0, value - width))),
                    high=_short(value + width),
                    prior_width=_short(self.priors[number]),
                    tied_to=tuple(TERMS[other] for other in group if other != number),
                )
        return {term: found[term] for term in TERMS if term in found}

    def unidentified(self) -> dict[Term, Unidentified]:
        """Terms that keep their priors."""
        return {
            TERMS[number]: Unidentified(reason=self.fit.reasons[number], prior_width=_short(self.priors[number]))
            for number in sorted(self.fit.reasons)
        }


def _percent_noise(one: Observation) -> float:
    return 100 * one.noise / one.measured if one.measured else 0.0


def _short(value: float) -> float:
    return round(float(value), 6)


def prior_widths(core: Core, nominal: Vector, bounds: Iterable[Bound]) -> Vector:
    """Standard deviations of the factors before a fit, from the bounds of the records (figures, error budget, memory):
    what those leave open, as a share of the ``nominal`` cycles by Term that aren't an instruction's slot.

    Cores that issue one instruction at a time do so in one cycle each; of the others the pairing is uncertain, too.
    """
    found = list(bounds)
    total = sum(bound.nominal for bound in found) or 1.0
    open_share = sum(bound.high - bound.low for bound in found) / 2 / total
    beyond = 1 - nominal[NUMBER[Term.ISSUE]] / (nominal.sum() or 1.0)
    widths = np.full(len(TERMS), min(MOST_WIDTH, max(LEAST_WIDTH, open_share / max(beyond, 0.05))))
    budget = core.error_budget
    paired = core.pipeline != "scalar"
    widths[NUMBER[Term.ISSUE]] = max(budget.low_pct, budget.high_pct) / 100 if paired else 0.0
    return widths


def calibrate(observations: Sequence[Observation], priors: Vector) -> Calibrated:
    """Fit and judge.

    InputError without observations; RunError if nothing can be told, or if kernels that the fit hasn't seen come out
    worse with it."""
    if not observations:
        raise InputError("no measured kernel to fit to", hint="measure some with 'vtarget measure'")
    found = fit(observations, priors)
    if not found.groups:
        raise RunError("nothing can be fitted: the measured kernels tell no term of the cycles from the noise")
    judged = tuple(_judged(one, found, _left_out(one, observations, priors)) for one in observations)
    telling = [j for j in judged if j.observation.noise < WORTH_JUDGING * j.observation.measured]
    if sum(j.left_out_pct is not None for j in telling) < LEAST_UNSEEN:
        telling = list(judged)
    unseen = [j for j in telling if j.left_out_pct is not None]
    calibrated = Calibrated(
        fit=found,
        priors=priors,
        kernels=judged,
        uncalibrated_pct=_rms(j.before_pct for j in telling),
        residual_pct=_rms(j.after_pct for j in telling),
        leave_one_out_pct=_rms(j.left_out_pct for j in unseen) if len(unseen) >= LEAST_UNSEEN else None,
    )
    before, out = _rms(j.before_pct for j in unseen), calibrated.leave_one_out_pct
    if out is not None and out >= before:
        raise RunError(
            f"the fit is refused: kernels left out of it are {out:.2f} % off with it, {before:.2f} % without",
            hint="measure more kernels, and such as differ",
        )
    return calibrated


def _left_out(one: Observation, observations: Sequence[Observation], priors: Vector) -> Fit | None:
    """A fit that knows nothing of this kernel."""
    rest = [other for other in observations if not other.is_kin(one)]
    return fit(rest, priors) if rest else None


def _judged(one: Observation, found: Fit, unseen: Fit | None) -> Judged:
    left_out = None if unseen is None else _off(unseen.cycles(one.terms), one.measured)
    return Judged(one, _off(one.terms.sum(), one.measured), _off(found.cycles(one.terms), one.measured), left_out)


def _off(estimate: float, measured: float) -> float:
    return float(100 * (estimate / measured - 1)) if measured else 0.0


def _rms(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.sqrt(np.mean(np.square(known)))) if known else 0.0


@dataclass(frozen=True)
class _System:
    """Rows divided by their noise, a column per group of terms that share a factor."""

    rows: Vector
    target: Vector
    groups: tuple[tuple[int, ...], ...]
    widths: Vector

    @property
    def columns(self) -> Vector:
        """Cycles by group."""
        return np.stack([self.rows[:, list(group)].sum(axis=1) for group in self.groups], axis=1)

    def merged(self, a: int, b: int) -> _System:
        """Two groups have one factor."""
        kept = [group for i, group in enumerate(self.groups) if i not in (a, b)]
        together = tuple(sorted(self.groups[a] + self.groups[b]))
        widths = [width for i, width in enumerate(self.widths) if i not in (a, b)]
        wide = max(self.widths[a], self.widths[b])
        return replace(self, groups=(*kept, together), widths=np.array([*widths, wide]))

    def solved(self) -> tuple[Vector, Vector]:
        """Offsets of the factors from 1, and their covariance. Factors stay within LOWEST .. HIGHEST."""
        columns = self.columns
        prior = np.diag(1 / self.widths**2)
        information = columns.T @ columns + prior
        covariance = np.linalg.inv(information)
        offsets = covariance @ (columns.T @ self.target)
        held = np.zeros(len(offsets), dtype=np.bool_)
        for _ in self.groups:
            outside = (offsets < LOWEST - 1 - 1e-12) | (offsets > HIGHEST - 1 + 1e-12)
            if not outside.any():
                break
            held |= outside  # one that was let go again could leave the others outside when the rounds end
            offsets = _held(information, columns.T @ self.target, np.clip(offsets, LOWEST - 1, HIGHEST - 1), held)
        left = self.target - columns @ offsets
        spare = len(left) - float(np.trace(columns @ covariance @ columns.T))
        worse = float(left @ left) / spare if spare > 0.5 else 1.0
        return offsets, np.asarray(covariance * max(1.0, worse), dtype=np.float64)


def _held(information: Vector, gradient: Vector, offsets: Vector, held: NDArray[np.bool_]) -> Vector:
    """The solution with some offsets held where they are."""
    found, free = offsets.copy(), ~held
    if free.any():
        rest = gradient[free] - information[np.ix_(free, held)] @ offsets[held]
        found[free] = np.linalg.solve(information[np.ix_(free, free)], rest)
    return found


def fit(observations: Sequence[Observation], priors: Vector) -> Fit:
    """The most probable factors."""
    noise = np.array([one.noise for one in observations])
    terms = np.array([one.terms for one in observations])
    rows = terms / noise[:, None]
    target = (np.array([one.measured for one in observations]) - terms.sum(axis=1)) / noise
    reasons: dict[int, str] = {}
    groups: list[tuple[int, ...]] = []
    total = np.abs(terms).sum()
    for number in range(len(TERMS)):
        if np.abs(terms[:, number]).sum() <= SEEN_CYCLES * total:
            reasons[number] = "hardly any of the measured cycles are its"
        elif priors[number] == 0:
            reasons[number] = "the core issues one instruction a cycle"
        else:
            groups.append((number,))
    values, widths = np.ones(len(TERMS)), priors.copy()
    if not groups:
        return Fit(values, widths, (), reasons, 1.0)
    system = _weighed(_System(rows, target, tuple(groups), np.array([priors[g[0]] for g in groups])))
    system = _told_apart(system)
    offsets, covariance = system.solved()
    deviations = np.sqrt(np.diag(covariance))
    told = _is_told(deviations, system.widths)
    for group in (g for g, known in zip(system.groups, told, strict=True) if not known):
        for number in group:
            reasons[number] = "the measured kernels don't tell it from others, or from the noise"
    kept = tuple(group for group, known in zip(system.groups, told, strict=True) if known)
    if kept:
        # With what can't be told left at 1, the rest moves a little to make up for it.
        offsets, _ = replace(system, groups=kept, widths=system.widths[told]).solved()
        for group, offset, deviation in zip(kept, offsets, deviations[told], strict=True):
            values[list(group)], widths[list(group)] = 1 + offset, deviation
    return Fit(values, widths, kept, reasons, _condition(system, kept))


def _weighed(system: _System) -> _System:
    """Kernels far off the others' fit weigh less (Huber's weights): most likely they wait for something."""
    weighed = system
    for _ in range(WEIGHINGS):
        offsets, _ = weighed.solved()
        left = np.abs(system.target - system.columns @ offsets)
        scale = max(1.0, float(np.median(left)) / MEDIAN_OF_NORMAL)
        weights = np.minimum(1.0, FAR_OFF * scale / np.maximum(left, 1e-9))
        weighed = replace(system, rows=system.rows * weights[:, None], target=system.target * weights)
    return weighed


def _told_apart(system: _System) -> _System:
    """Terms that the data tell together only have one factor."""
    while len(system.groups) > 1:
        _, covariance = system.solved()
        deviations = np.sqrt(np.diag(covariance))
        told = _is_told(deviations, system.widths)
        related = np.abs(covariance / np.outer(deviations, deviations))
        np.fill_diagonal(related, 0.0)
        related[told, :] = related[:, told] = 0.0
        worst, other = np.unravel_index(int(np.argmax(related)), related.shape)
        if related[worst, other] < ALIKE:
            return system
        system = system.merged(int(worst), int(other))
    return system


def _is_told(deviations: Vector, widths: Vector) -> NDArray[np.bool_]:
    return deviations < TOLD * widths


def _condition(system: _System, kept: tuple[tuple[int, ...], ...]) -> float:
    """Of the fitted columns, each scaled to length 1."""
    if not kept:
        return 1.0
    columns = replace(system, groups=kept).columns
    values = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 1e-300 * values[0] else 1e300
