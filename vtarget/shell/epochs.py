"""Epochs: what was counted at which core clock, where the firmware changes it.

A clock tree or a flash controller reports a change in the middle of a block; the epoch changes before the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vtarget.data.record import Epoch
from vtarget.logic.pricing import Pricer
from vtarget.shell import layout
from vtarget.shell.recorder import Recorder

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_EPOCHS = 10_000


class ClockProgrammedError(Exception):
    """The firmware has begun to set up its clock tree, on a board that was taken to run at its typical clock."""


@dataclass(frozen=True)
class _Setting:
    clock_hz: int
    wait_states: tuple[tuple[str, int], ...]


class Epochs:
    """Splits the recorder's counts by setting, and has it priced for the one in force."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._setting = _Setting(recorder.pricer.clock_hz, ())
        self._wanted = self._setting
        self._edges: NDArray[np.int64] = recorder.edge_counts()
        self._sites: NDArray[np.int64] = recorder.site_counts()
        self._closed: list[Epoch] = []
        self.changes = 0
        self.changed = False  # whether another setting than the counted one has come into force

    def set_clock(self, clock_hz: int) -> None:
        """The core's clock has changed."""
        self._want(_Setting(clock_hz, self._wanted.wait_states))

    def set_wait_states(self, region: str, wait_states: int) -> None:
        """The firmware programmed wait states of a region."""
        states = dict(self._wanted.wait_states) | {region: wait_states}
        self._want(_Setting(self._wanted.clock_hz, tuple(sorted(states.items()))))

    def _want(self, setting: _Setting) -> None:
        self._wanted = setting
        self.changed = setting != self._setting

    def change(self) -> None:
        """Begin the next epoch."""
        self.changes += 1
        self.changed = False
        if len(self._closed) < MOST_EPOCHS:
            self._close()
            self._setting = self._wanted
            self._recorder.spans.epoch = len(self._closed)
            pricer = self._recorder.pricer.at(self._setting.clock_hz, self._setting.wait_states)
            _reprice(self._recorder, pricer)
        else:
            self._wanted = self._setting

    def result(self) -> tuple[Epoch, ...]:
        """All epochs; none if nothing ever changed."""
        if not self._closed:
            return ()
        self._close()
        return tuple(self._closed)

    def _close(self) -> None:
        edges, sites = self._recorder.edge_counts(), self._recorder.site_counts()
        edge_delta, site_delta = edges.copy(), sites.copy()
        edge_delta[: len(self._edges)] -= self._edges
        site_delta[: len(self._sites)] -= self._sites
        self._edges, self._sites = edges, sites
        rows, seen = np.flatnonzero(edge_delta), np.flatnonzero(site_delta.any(axis=1))
        setting = self._setting
        self._closed.append(
            Epoch(
                setting.clock_hz,
                setting.wait_states,
                rows.astype(np.int32),
                edge_delta[rows],
                seen.astype(np.int32),
                site_delta[seen],
            )
        )


def _reprice(recorder: Recorder, pricer: Pricer) -> None:
    """From here on live cycles are those of another clock or other wait states."""
    recorder.pricer = pricer
    words = recorder.words
    for edge in recorder.edges:
        source = recorder.nodes[edge.source].block if edge.source >= 0 else None
        target = recorder.nodes[edge.target].block if edge.target >= 0 else None
        if source is not None and edge.executed >= 0:
            source = source.first(edge.executed)
        cycles = pricer.edge(source, edge.exit, target).nominal
        flags = int(words[edge.offset + layout.E_FLAGS]) & (1 << layout.CYCLES_SHIFT) - 1
        words[edge.offset + layout.E_FLAGS] = flags | cycles << layout.CYCLES_SHIFT
        if words[edge.offset + layout.E_FAST] != layout.SPECIAL:
            words[edge.offset + layout.E_FAST] = cycles
