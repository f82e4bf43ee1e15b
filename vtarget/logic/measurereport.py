"""A measurement beside the estimate of the same firmware, in words and columns. Pure."""

from __future__ import annotations

from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Profile

COLUMNS = ("kernel", "calls", "measured", "spread", "estimated", "error")


def error_percent(measured: Timed, calls: int, estimated: float) -> float | None:
    """How far the estimate is off, as a share of what was measured; None if they are not of as many calls."""
    if not measured.total_cycles or measured.calls != calls:
        return None
    return 100 * (estimated - measured.total_cycles) / measured.total_cycles


def rows(measurement: Measurement, profile: Profile) -> list[tuple[str, ...]]:
    """A row for each measured kernel, in the order of the measurement, and for the run."""
    estimates = {(k.name, k.address): (k.calls, float(k.total_cycles)) for k in profile.kernels}
    found = [_row(kernel, estimates.get((kernel.name, kernel.address or 0))) for kernel in measurement.kernels]
    if measurement.total is not None:
        found.append(_row(measurement.total, (1, profile.cycles.nominal)))
    known = {kernel.name for kernel in measurement.kernels}
    return found + [_row(span, None) for span in measurement.spans if span.name not in known]


def heading(measurement: Measurement) -> str:
    """One line: what was measured where, and how."""
    runs = f"{measurement.runs} run{'s' if measurement.runs > 1 else ''}"
    return (
        f"{measurement.firmware_path} on {measurement.board} ({measurement.core}) through {measurement.probe}, "
        f"{measurement.counter}, {runs}, cycles"
    )


def _row(measured: Timed, estimate: tuple[int, float] | None) -> tuple[str, ...]:
    cells = (measured.name, f"{measured.calls:,}", f"{measured.total_cycles:,}", f"{measured.spread:,}")
    if estimate is None:
        return (*cells, "-", "-")
    error = error_percent(measured, *estimate)
    return (*cells, f"{estimate[1]:,.0f}", "-" if error is None else f"{error:+.2f} %")
