"""Windows of power as columns for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from vtarget.base.units import ENERGY, POWER, TIME, readable
from vtarget.data.measurement import PowerWindow

COLUMNS = ("window", "count", "length", "energy", "power", "spread")


def rows(windows: Sequence[PowerWindow]) -> list[tuple[str, ...]]:
    """A row for each kind of window; spread is half the width of its energies, as a share of them."""
    return [_row(window) for window in windows]


def _row(window: PowerWindow) -> tuple[str, ...]:
    half = f"±{50 * window.spread_j / window.energy_j:.2f} %" if window.energy_j else "-"
    return (
        window.name,
        f"{window.count:,}",
        readable(window.seconds, TIME, 4),
        readable(window.energy_j, ENERGY, 4),
        readable(window.energy_j / window.seconds, POWER, 4),
        half,
    )
