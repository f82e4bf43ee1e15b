"""Epochs: what was counted at which core clock and with which caches on, where the firmware changes that.

A device reports a change in the middle of a block; the epoch changes before the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vtarget.data.record import Epoch
from vtarget.logic.pricing import Pricer
from vtarget.logic.switches import Switches, reset_switches, typical_switches
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
    switches: Switches


class Epochs:
    """Splits the recorder's counts by setting, and has it priced for the one in force. ``soon`` is called when a change
    should come into force.

    Caches that the pricer doesn't know to be switched are as is typical of the board until the firmware switches them,
    or sets up its clock or flash: from there on, what it hasn't switched is as after reset. A pricer that is pinned
    keeps its clock and that clock's wait states.
    """

    def __init__(self, recorder: Recorder, soon: Callable[[], None] = lambda: None) -> None:
        self._recorder = recorder
        self._soon = soon
        pricer = recorder.pricer
        self._pinned = pricer.pinned
        self._regions = frozenset(region.name for region in pricer.board.regions)
        self._typical = typical_switches(pricer.board)
        switches = dict(self._typical) | dict(pricer.memory.switches)
        self._assumed = dict(reset_switches(pricer.board))
        self._switchable = frozenset(self._assumed)
        self._setting = _Setting(pricer.clock_hz, (), tuple(sorted(switches.items())))
        self._wanted = self._setting
        self._edges: NDArray[np.int64] = recorder.edge_counts()
        self._sites: NDArray[np.int64] = recorder.site_counts()
        self._closed: list[Epoch] = []
        self.changes = 0
        self.changed = False  # whether another setting than the counted one has come into force

    @property
    def reclocked(self) -> bool:
        """Whether the setting to come into force has another clock, or wait states that the firmware chose."""
        return replace(self._wanted, switches=self._setting.switches) != self._setting

    def set_clock(self, clock_hz: int) -> None:
        """The core's clock has changed."""
        self._want(replace(self._set_up(), clock_hz=clock_hz))

    def set_wait_states(self, region: str, wait_states: int) -> None:
        """The firmware programmed wait states of a region; one that the board doesn't have is ignored."""
        if region in self._regions:
            states = {} if self._pinned else dict(self._wanted.wait_states) | {region: wait_states}
            self._want(replace(self._set_up(), wait_states=tuple(sorted(states.items()))))

    def set_switch(self, name: str, on: bool) -> None:
        """The firmware switched a cache or a prefetch buffer; one that the board doesn't have is ignored."""
        if name in self._switchable:
            self._assumed.pop(name, None)
            self._want(self._switched({name: on}))

    def invalidate(self, name: str, address: int | None = None, way: int | None = None) -> None:
        """The firmware emptied a cache, as ``MemorySim.invalidate``: at once, what the block has done is counted."""
        if self._recorder.memory is not None:
            self._recorder.memory.invalidate(name, address, way)

    def _set_up(self) -> _Setting:
        """The setting of a firmware that sets up the machine itself."""
        assumed, self._assumed = self._assumed, {}
        return self._switched(assumed)

    def _switched(self, states: dict[str, bool]) -> _Setting:
        return replace(self._wanted, switches=tuple(sorted((dict(self._wanted.switches) | states).items())))

    def _want(self, setting: _Setting) -> None:
        self._wanted = setting
        self.changed = setting != self._setting
        self._soon()

    def change(self) -> None:
        """Begin the next epoch."""
        self.changes += 1
        self.changed = False
        if len(self._closed) < MOST_EPOCHS:
            self._close()
            self._switch()
            self._setting = setting = self._wanted
            self._recorder.spans.epoch = len(self._closed)
            self._recorder.moments.clock(setting.clock_hz, self._recorder.moments.now)
            _reprice(self._recorder, self._recorder.pricer.at(setting.clock_hz, setting.wait_states, setting.switches))
        else:
            self._wanted = self._setting

    def _switch(self) -> None:
        memory = self._recorder.memory
        if memory is not None:
            for name, on in sorted(set(self._wanted.switches) - set(self._setting.switches)):
                memory.set_switch(name, on)

    def result(self) -> tuple[Epoch, ...]:
        """All epochs; none if nothing ever changed and what is typically on was on."""
        if not self._closed and self._setting.switches == self._typical:
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
                0 if self._pinned else setting.clock_hz,
                setting.wait_states,
                rows.astype(np.int32),
                edge_delta[rows],
                seen.astype(np.int32),
                site_delta[seen],
                setting.switches,
            )
        )


def _reprice(recorder: Recorder, pricer: Pricer) -> None:
    """From here on live cycles are those of another clock or other wait states."""
    recorder.pricer = pricer
    recorder.site_table.reprice(pricer)
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
