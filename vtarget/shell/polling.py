"""Polling loops: a firmware that reads one register until it changes is moved ahead to when that can be.

A loop is taken to poll once it has read the same value from the same register often in a row. If its code can only
wait (``logic.polling``), has not asked for the time, and the core registers are the same at two successive reads,
every round is like the last: rounds are then counted, not executed, up to the next event. If no event can come, the
loop can't end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vtarget.logic.polling import is_pure_poll
from vtarget.shell import layout
from vtarget.shell.recorder import Recorder
from vtarget.shell.schedule import NEVER
from vtarget.shell.timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

READS_BEFORE = 32  # before a loop is looked at


@dataclass(frozen=True)
class _Round:
    """The state at a read: core registers, how often the time was asked for, counts, cycles."""

    registers: tuple[int, ...]
    questions: int
    edges: NDArray[np.int64]
    sites: NDArray[np.int64]
    cycles: int
    instructions: int


class PollWatch:
    """Sees every read of a peripheral. ``horizon`` tells the cycle of the next event (NEVER if none can come),
    ``stuck(address)`` is called when a loop can't end."""

    def __init__(
        self, recorder: Recorder, timeline: Timeline, horizon: Callable[[], int], stuck: Callable[[int], None]
    ) -> None:
        self._recorder = recorder
        self._timeline = timeline
        self._horizon = horizon
        self._stuck = stuck
        self._last = (-1, -1, -1)
        self._reads = 0
        self._round: _Round | None = None

    def saw(self, address: int, value: int) -> None:
        """The core is reading ``value`` from ``address``."""
        seen = (address, value, int(self._recorder.words[layout.H_CURRENT]))
        if seen != self._last:
            self._last, self._reads, self._round = seen, 0, None
            return
        self._reads += 1
        if self._reads >= READS_BEFORE:
            self._look(address)

    def _look(self, address: int) -> None:
        now, before = self._take(), self._round
        self._round = now
        if before is None:
            return
        self._reads, self._round = 0, None
        edges = now.edges.copy()
        edges[: len(before.edges)] -= before.edges
        same = before.registers == now.registers and before.questions == now.questions
        if same and len(before.edges) == len(now.edges) and self._is_pure(edges):
            self._move_ahead(address, before, now, edges)
            self._reads = READS_BEFORE - 1  # if it goes on polling, look again at once

    def _take(self) -> _Round:
        recorder = self._recorder
        registers = (*recorder.engine.registers()[:15], recorder.engine.flags)
        edges, sites = recorder.edge_counts(), recorder.site_counts()
        return _Round(registers, self._timeline.questions, edges, sites, recorder.cycles, recorder.instructions)

    def _is_pure(self, edges: NDArray[np.int64]) -> bool:
        recorder = self._recorder
        rows = np.flatnonzero(edges).tolist()
        if any(recorder.edges[row].source < 0 or recorder.edges[row].target < 0 for row in rows):
            return False
        return is_pure_poll({recorder.nodes[recorder.edges[row].source].block for row in rows})

    def _move_ahead(self, address: int, before: _Round, now: _Round, edges: NDArray[np.int64]) -> None:
        horizon, words = self._horizon(), self._recorder.words
        if horizon >= NEVER:
            self._stuck(address)
            return
        cycles = now.cycles - before.cycles
        rounds = (horizon - now.cycles) // max(cycles, 1) - 1
        if rounds <= 0:
            return
        for row in np.flatnonzero(edges).tolist():
            words[self._recorder.edges[row].offset + layout.E_COUNT] += rounds * int(edges[row])
        for row in np.flatnonzero((now.sites - before.sites).any(axis=1)).tolist():
            offset = self._recorder.sites[row][2] + layout.S_COUNTS
            words[offset : offset + layout.OPERAND_CLASSES] += rounds * (now.sites[row] - before.sites[row])
        words[layout.H_CYCLES] += rounds * cycles
        words[layout.H_INSTRUCTIONS] += rounds * (now.instructions - before.instructions)
        words[layout.H_FAST_LIMIT] = 0
