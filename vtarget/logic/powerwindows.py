"""Stretches of a power recording, cut by a digital channel or by times: what each took, and how sure that is. Pure.

A recording is a row of cells: a sample holds from one bound to the next. Energy is the sum of power times width, so the
windows of a recording that tile it add up to the whole. Pieces of a recording come one after the other and aren't kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError
from vtarget.data.measurement import PowerWindow

Floats = NDArray[np.float64]
MOST_WINDOWS = 200_000
GAP = 1.5  # usual intervals: what is wider lacks samples
LOOSE_EDGES = 0.05  # of a window's energy: worth a remark
UNEVEN = 0.1  # of the usual length


@dataclass(frozen=True)
class Piece:
    """Cells in a row: n + 1 bounds, mean power of each; ``share`` of a cell in which the channel was high; ``unsure_j``
    is energy that no sample vouches for, in gaps."""

    bounds_s: Floats
    watts: Floats
    share: Floats | None
    unsure_j: Floats


@dataclass(frozen=True)
class Mark:
    """A point of a recording: energy up to it, and the most that another place within the same cell would make."""

    time_s: float
    joules: float
    slack_j: float
    unsure_j: float


@dataclass(frozen=True)
class Window:
    """A stretch; ``slack_j`` is what its edges and gaps leave open, either way."""

    start_s: float
    seconds: float
    energy_j: float
    slack_j: float


@dataclass(frozen=True)
class Cut:
    """Windows, the stretches between them, and how many windows the recording's ends cut off."""

    windows: tuple[Window, ...]
    between: tuple[Window, ...]
    cut_off: int = 0


def between_marks(start: Mark, end: Mark) -> Window:
    """The stretch from one mark to the next.

    An edge is seen up to one sample late. That is energy missing at the start and too much at the end, so the larger of
    both bounds their sum.
    """
    slack = max(start.slack_j, end.slack_j) + end.unsure_j - start.unsure_j
    return Window(start.time_s, end.time_s - start.time_s, end.joules - start.joules, slack)


class Cells:
    """Makes cells of samples: each holds until the next one or, where ``ending``, has held since the one before."""

    def __init__(self, *, ending: bool = False) -> None:
        self.gaps = 0
        self.step_s = 0.0
        self._ending = ending
        self._times: Floats = np.empty(0)
        self._watts: Floats = np.empty(0)
        self._share: Floats | None = None
        self._begun = False

    def push(self, times_s: Floats, watts: Floats, share: Floats | None) -> Piece | None:
        """The cells that these samples complete; None if they complete none."""
        times, watts = np.concatenate((self._times, times_s)), np.concatenate((self._watts, watts))
        if share is not None and self._share is not None:
            share = np.concatenate((self._share, share))
        keep = slice(-1, None) if len(times) > 1 else slice(None)
        self._times, self._watts, self._share = times[keep], watts[keep], None if share is None else share[keep]
        if len(times) < 2:
            return None
        first, self._begun = not self._begun, True
        if first:
            steps = np.diff(times)
            self.step_s = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
        if first and self._ending:
            return self._piece(np.concatenate(([times[0] - self.step_s], times)), watts, share)
        of = slice(1, None) if self._ending else slice(None, -1)
        return self._piece(times, watts[of], None if share is None else share[of])

    def finish(self) -> Piece | None:
        """The last cell, as wide as the others."""
        if self._ending or not len(self._times) or not self.step_s:
            return None
        bounds = np.array([self._times[-1], self._times[-1] + self.step_s])
        return self._piece(bounds, self._watts[-1:], None if self._share is None else self._share[-1:])

    def _piece(self, bounds: Floats, watts: Floats, share: Floats | None) -> Piece:
        widths = np.diff(bounds)
        gaps = widths > GAP * self.step_s
        self.gaps += int(gaps.sum())
        unsure = np.where(gaps, np.abs(watts) * (widths - self.step_s), 0.0)
        return Piece(bounds, watts, share, unsure)


class _Meter:
    """Energy since the recording began."""

    def __init__(self) -> None:
        self.joules = self.unsure_j = 0.0

    def read(self, piece: Piece) -> tuple[Floats, Floats]:
        """Energy, and energy that no sample vouches for, at each bound of the next piece."""
        energy = np.concatenate(([self.joules], piece.watts * np.diff(piece.bounds_s))).cumsum()
        unsure = np.concatenate(([self.unsure_j], piece.unsure_j)).cumsum()
        self.joules, self.unsure_j = float(energy[-1]), float(unsure[-1])
        return energy, unsure


class ChannelCutter:
    """Cuts where a digital channel goes high and low again.

    Levels held for less than ``debounce_s`` count as not there. An edge stands at a cell's start, or within the cell
    that is high for a part of its time only. A window that is open at either end of the recording is left out.
    """

    def __init__(self, debounce_s: float = 0.0) -> None:
        self._debounce_s = debounce_s
        self._meter = _Meter()
        self._last: tuple[float, float, float] | None = None  # share, width and power of the last cell
        self._pending: tuple[Mark, bool] | None = None
        self._rose: Mark | None = None
        self._fell: Mark | None = None
        self._windows: list[Window] = []
        self._between: list[Window] = []
        self._cut_off = 0
        self._since = 2  # cells since the last edge
        self._high_first = False

    def feed(self, piece: Piece) -> None:
        """The next piece. InputError if there are more windows than anyone wants."""
        assert piece.share is not None
        energy, unsure = self._meter.read(piece)
        widths = np.diff(piece.bounds_s)
        if self._last is None:
            self._high_first = bool(piece.share[0] >= 0.5)
            self._last = (float(self._high_first), 0.0, 0.0)
        share = np.concatenate(([self._last[0]], piece.share))
        width = np.concatenate(([self._last[1]], widths))
        watts = np.concatenate(([self._last[2]], piece.watts))
        high = share >= 0.5
        at = np.flatnonzero(high[1:] != high[:-1])
        rising = high[at + 1]
        back = np.where(rising, share[at], 1 - share[at]) * width[at]
        back[np.diff(at, prepend=-self._since) == 1] = 0.0  # the edge before this one has taken that cell's part
        forth = np.where(rising, 1 - share[at + 1], share[at + 1]) * width[at + 1]
        self._since = len(widths) - int(at[-1]) if len(at) else self._since + len(widths)
        times = piece.bounds_s[at] - back + forth
        joules = energy[at] + (forth - back) * np.where(forth > back, watts[at + 1], watts[at])
        slack = np.maximum(np.abs(watts[at]), np.abs(watts[at + 1])) * np.maximum(width[at], width[at + 1])
        for row in zip(
            times.tolist(), joules.tolist(), slack.tolist(), unsure[at].tolist(), rising.tolist(), strict=True
        ):
            self._edge(Mark(*row[:4]), rising=row[4])
        self._last = (float(share[-1]), float(width[-1]), float(watts[-1]))

    def _edge(self, mark: Mark, *, rising: bool) -> None:
        if self._pending is not None:
            earlier, rose = self._pending
            if mark.time_s - earlier.time_s < self._debounce_s:
                self._pending = None
                return
            self._settle(earlier, rising=rose)
        self._pending = (mark, rising)

    def _settle(self, mark: Mark, *, rising: bool) -> None:
        if rising:
            if self._fell is not None and mark.time_s > self._fell.time_s:
                self._between.append(between_marks(self._fell, mark))
            self._rose = mark
            return
        if self._rose is None:
            self._cut_off += 1
        elif mark.time_s > self._rose.time_s:
            self._windows.append(between_marks(self._rose, mark))
            if len(self._windows) > MOST_WINDOWS:
                raise InputError(
                    f"the channel is high more than {MOST_WINDOWS:,} times", hint="--debounce ignores short pulses"
                )
        self._rose, self._fell = None, mark

    def finish(self) -> Cut:
        """All that was cut."""
        if self._pending is not None:
            self._settle(self._pending[0], rising=self._pending[1])
            self._pending = None
        open_at_end = self._rose is not None
        never_changed = self._high_first and not self._windows and not self._cut_off and not open_at_end
        return Cut(tuple(self._windows), tuple(self._between), self._cut_off + open_at_end + never_changed)


class SpanCutter:
    """Cuts at given times, in seconds as the recording counts them."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        self._spans = tuple(spans)
        self._wanted: Floats = np.unique(np.array(self._spans, dtype=float))
        self._marks: dict[float, Mark] = {}
        self._meter = _Meter()
        self._reach: tuple[float, float] | None = None

    def feed(self, piece: Piece) -> None:
        """The next piece."""
        energy, unsure = self._meter.read(piece)
        bounds = piece.bounds_s
        self._reach = (self._reach[0] if self._reach else float(bounds[0]), float(bounds[-1]))
        inside = self._wanted[(self._wanted >= bounds[0]) & (self._wanted <= bounds[-1])]
        cell = np.clip(np.searchsorted(bounds, inside, side="right") - 1, 0, len(piece.watts) - 1)
        slack = np.abs(piece.watts[cell]) * np.diff(bounds)[cell]
        rows = (inside, np.interp(inside, bounds, energy), slack, np.interp(inside, bounds, unsure))
        for row in zip(*(values.tolist() for values in rows), strict=True):
            self._marks.setdefault(row[0], Mark(*row))

    def finish(self) -> tuple[Window, ...]:
        """A window for each span, in their order. InputError for one that the recording doesn't hold."""
        for start, end in self._spans:
            if start not in self._marks or end not in self._marks:
                reach = "no time" if self._reach is None else f"{self._reach[0]:g} s to {self._reach[1]:g} s"
                raise InputError(f"--window {start:g}s..{end:g}s is not in the recording ({reach})")
        return tuple(between_marks(self._marks[start], self._marks[end]) for start, end in self._spans)


def summarise(name: str, windows: Sequence[Window], source: str) -> PowerWindow:
    """Windows as repeats of one thing: medians, and the largest energy less the smallest, widened by what edges leave
    open. InputError if more energy went back than came."""
    for window in windows:
        if window.energy_j < 0:
            raise InputError(
                f"window {name} at {window.start_s:g} s: {window.energy_j:.3g} J is negative",
                hint="is the instrument wired the other way round, or the board fed past it?",
            )
    energies = [window.energy_j for window in windows]
    spread = max(energies) - min(energies) + 2 * max(window.slack_j for window in windows)
    return PowerWindow(
        name=name,
        count=len(windows),
        seconds=_rounded(float(np.median([window.seconds for window in windows]))),
        energy_j=_rounded(float(np.median(energies))),
        spread_j=_rounded(spread),
        source=source,
    )


def remarks(name: str, windows: Sequence[Window]) -> tuple[str, ...]:
    """What makes these windows poor ones."""
    found = []
    loose = max((window.slack_j / window.energy_j for window in windows if window.energy_j > 0), default=0.0)
    if loose > LOOSE_EDGES:
        found.append(
            f"{name}: the edges leave {100 * loose:.0f} % of a window's energy open: sample faster, or repeat the work"
            " within a window"
        )
    usual = float(np.median([window.seconds for window in windows]))
    far = max(abs(window.seconds - usual) for window in windows)
    if far > UNEVEN * usual:
        found.append(f"{name}: windows are of unlike length (up to {100 * far / usual:.0f} % from the median)")
    return tuple(found)


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
