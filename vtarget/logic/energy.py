"""Energy: power of a state times time, with the bounds of the power figure.

The recommended model of the energy facts: E = sum over states of (a + b f) t, one coefficient set per board and clock
state. Between two published clocks power is interpolated linearly (P = a + b f); beyond them it is scaled from the
nearest one, and widened, because regulators and voltage scaling change there.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.base.errors import InputError
from vtarget.data.board import Board, PowerPoint, PowerState
from vtarget.data.profile import Bound

# Extrapolating beyond the published clocks: our assumption, per energy facts section 2 (what moves P most).
EXTRAPOLATION_WIDENING = 0.15


@dataclass(frozen=True)
class Power:
    """Watts with bounds, and where they come from."""

    watts: Bound
    source: str
    volts: float


def power_at(board: Board, clock_hz: int, state: str | None = None) -> Power | None:
    """Power of ``board`` in ``state`` (its first one if None) at ``clock_hz``; None if the board has no figures.

    InputError if the state is named and unknown.
    """
    if not board.power:
        if state is not None:
            raise InputError(f"board {board.name} has no power figures, so no state '{state}'")
        return None
    chosen = board.power[0] if state is None else _named(board, state)
    return _at_clock(chosen, clock_hz)


def energy(power: Power | None, seconds: Bound) -> Bound | None:
    """Joules; low power over low time to high power over high time."""
    if power is None:
        return None
    w = power.watts
    return Bound(w.low * seconds.low, w.nominal * seconds.nominal, w.high * seconds.high)


def _named(board: Board, state: str) -> PowerState:
    for candidate in board.power:
        if candidate.name == state:
            return candidate
    known = ", ".join(s.name for s in board.power)
    raise InputError(f"board {board.name} has no power state '{state}'", hint=f"it has {known}")


def _at_clock(state: PowerState, clock_hz: int) -> Power:
    points = sorted(state.points, key=lambda p: p.clock)
    what = f"state {state.name}, {state.voltage:g} V {state.regulator}"
    for point in points:
        if point.clock == clock_hz:
            return Power(_bound(point), f"{what}: {point.source}", state.voltage)
    below = [p for p in points if p.clock < clock_hz]
    above = [p for p in points if p.clock > clock_hz]
    if below and above:
        return Power(_between(below[-1], above[0], clock_hz), f"{what}, interpolated: {above[0].source}", state.voltage)
    nearest = below[-1] if below else above[0]
    scaled = _bound(nearest).scaled(clock_hz / nearest.clock)
    wide = Bound(
        scaled.low * (1 - EXTRAPOLATION_WIDENING),
        scaled.nominal,
        max(scaled.high, nearest.high if not below else scaled.high) * (1 + EXTRAPOLATION_WIDENING),
    )
    return Power(wide, f"{what}, scaled from {nearest.clock / 1e6:g} MHz: {nearest.source}", state.voltage)


def _bound(point: PowerPoint) -> Bound:
    return Bound(point.low, point.nominal, point.high)


def _between(below: PowerPoint, above: PowerPoint, clock_hz: int) -> Bound:
    t = (clock_hz - below.clock) / (above.clock - below.clock)
    a, b = _bound(below), _bound(above)
    return Bound(a.low + t * (b.low - a.low), a.nominal + t * (b.nominal - a.nominal), a.high + t * (b.high - a.high))
