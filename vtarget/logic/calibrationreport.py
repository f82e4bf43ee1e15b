"""Calibrations as rows for people."""

from __future__ import annotations

from vtarget.data.calibration import Calibration, Factor, PowerFit, Residual

FACTOR_COLUMNS = ("term", "factor", "low .. high", "told")
RESIDUAL_COLUMNS = ("kernel", "firmware", "calls", "measured", "uncalibrated", "calibrated", "left out")
TOLD_PCT = 5.0


def factor_rows(fit: Calibration) -> list[list[str]]:
    """(term, factor, bounds, how well it is told) of each factor."""
    return [
        [term.shown, f"{factor.value:.3f}", f"{factor.low:.3f} .. {factor.high:.3f}", _told(factor)]
        for term, factor in fit.factors.items()
    ]


def _told(factor: Factor) -> str:
    if factor.tied_to:
        return f"only together with {' and '.join(term.shown for term in factor.tied_to)}"
    return "well" if is_told(factor) else f"to {_half_pct(factor):.0f} %"


def is_told(factor: Factor) -> bool:
    """Whether the data tell it by itself, to within TOLD_PCT (two standard deviations)."""
    return not factor.tied_to and _half_pct(factor) <= TOLD_PCT


def _half_pct(factor: Factor) -> float:
    return 100 * (factor.high - factor.low) / 2 / factor.value if factor.value else 100.0


def residual_rows(fit: Calibration) -> list[list[str]]:
    """A row per kernel, those with most cycles first."""
    ordered = sorted(fit.residuals, key=lambda row: (-row.measured_cycles, row.firmware, row.kernel))
    return [_residual(row) for row in ordered]


def _residual(row: Residual) -> list[str]:
    left_out = "-" if row.left_out_pct is None else _pct(row.left_out_pct)
    numbers = [f"{row.calls:,}", f"{row.measured_cycles:,}", _pct(row.before_pct), _pct(row.after_pct), left_out]
    return [row.kernel, row.firmware, *numbers]


def _pct(value: float) -> str:
    return f"{value:+.2f} %"


def unidentified_lines(fit: Calibration) -> list[str]:
    """What keeps the factor 1, by reason."""
    by_reason: dict[str, list[str]] = {}
    for term, left in fit.unidentified.items():
        by_reason.setdefault(left.reason, []).append(term.shown)
    return [f"{', '.join(terms)}: {reason}" for reason, terms in by_reason.items()]


def power_lines(fit: Calibration) -> list[str]:
    """A line per power state."""
    return [f"{one.state}: {_power(one)}, {one.windows} windows, at most {one.residual_pct:.2f} % off"
            for one in fit.power]  # fmt: skip


def _power(fit: PowerFit) -> str:
    if fit.base_w is not None and fit.watts_per_mhz is not None:
        return f"{fit.base_w * 1e3:.4g} mW + {fit.watts_per_mhz * 1e6:.4g} uW/MHz"
    return f"the board's figures times {fit.factor:.3f}"


def summary_lines(fit: Calibration) -> list[tuple[str, str]]:
    """(label, value) of what the fit is worth."""
    if not fit.residuals:
        return []
    out = "not possible: too few kernels" if fit.leave_one_out_pct is None else f"{fit.leave_one_out_pct:.2f} %"
    return [
        ("uncalibrated", f"{fit.uncalibrated_pct:.2f} % off (root mean square over kernels)"),
        ("calibrated", f"{fit.residual_pct:.2f} %"),
        ("leave one out", out),
        ("condition", "unknown" if fit.condition is None else f"{fit.condition:.1f}"),
    ]


def heading(fit: Calibration) -> str:
    """What was fitted, and when."""
    serial = f" {fit.board_serial}" if fit.board_serial else ""
    return f"{fit.board}{serial}, {fit.core}, {fit.date}: {len(fit.residuals)} kernels"
