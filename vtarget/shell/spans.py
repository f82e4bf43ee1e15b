"""Spans: the facts of each call of a marked function, as differences of the recorder's counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vtarget.data.record import SpanFacts
from vtarget.shell import layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vtarget.shell.recorder import Recorder

SPAN_LIMIT = 10_000


@dataclass(frozen=True)
class Mark:
    """An edge of a pin inside the current block: nominal cycles and instructions before it."""

    cycles: int
    instructions: int


@dataclass
class _Marked:
    """A span that a pin has begun: the counts at its first edge."""

    edges: NDArray[np.int64]
    sites: NDArray[np.int64]
    mark: Mark
    moment: int


@dataclass
class _Open:
    name: str
    function: int
    edges: NDArray[np.int64]
    sites: NDArray[np.int64]
    moment: int


class SpanRecorder:
    """Collects spans; recursion inside a span belongs to it. After SPAN_LIMIT spans the rest are only counted."""

    def __init__(self, recorder: Recorder, names: tuple[str, ...]) -> None:
        self._recorder = recorder
        self._names = frozenset(names)
        self._open: list[_Open] = []
        self._marked: dict[str, _Marked] = {}
        self._levels: dict[str, bool] = {}  # the active level of a pin: that of its first edge
        self.closed: list[SpanFacts] = []
        self.dropped = 0
        self.epoch = 0

    def starts_at(self, function: int) -> bool:
        """Whether calling that function begins a span."""
        return function >= 0 and self._recorder.functions.names[function] in self._names

    def begin(self, function: int, edge_offset: int, *, pushes: bool) -> None:
        """A marked function is being entered by that edge, which isn't counted yet and belongs to its caller."""
        recorder = self._recorder
        name = recorder.functions.names[function]
        if any(span.name == name for span in self._open):
            return
        edges = recorder.edge_counts()
        edges[self._row(edge_offset)] += 1
        self._open.append(_Open(name, function, edges, recorder.site_counts(), self._behind(edge_offset)))
        frames = int(recorder.words[layout.H_FRAMES])
        if pushes:
            recorder.words[layout.H_SPAN] = 1
        elif frames:
            recorder.words[layout.FRAMES + (frames - 1) * layout.FRAME_WORDS + layout.F_SPAN] += 1

    def end(self, edge_offset: int) -> str | None:
        """The innermost open span is being left by that edge, which isn't counted yet and belongs to it; its name."""
        if not self._open:
            return None
        span = self._open.pop()
        if len(self.closed) >= SPAN_LIMIT:
            self.dropped += 1
            return span.name
        edges = self._recorder.edge_counts()
        edges[self._row(edge_offset)] += 1
        edges[: len(span.edges)] -= span.edges
        sites = self._recorder.site_counts()
        sites[: len(span.sites)] -= span.sites
        edge_rows, site_rows = self._inside(span.function, np.flatnonzero(edges), np.flatnonzero(sites.any(axis=1)))
        self._close(span.name, edges, edge_rows, sites, site_rows, (span.moment, self._behind(edge_offset)))
        return span.name

    def mark(self, pin: str, level: bool, mark: Mark) -> None:
        """An edge of a pin that marks spans: its first edge begins one, the edge back ends it. All that executes in
        between belongs to it, handlers too, as on a logic analyser."""
        recorder, moment = self._recorder, self._recorder.moments.now + mark.cycles
        if level == self._levels.setdefault(pin, level):
            self._marked[pin] = _Marked(recorder.edge_counts(), recorder.site_counts(), mark, moment)
            return
        begun = self._marked.pop(pin, None)
        if begun is None:
            return
        if len(self.closed) >= SPAN_LIMIT:
            self.dropped += 1
            return
        edges, sites = recorder.edge_counts(), recorder.site_counts()
        edges[: len(begun.edges)] -= begun.edges
        sites[: len(begun.sites)] -= begun.sites
        adjust = (mark.cycles - begun.mark.cycles, mark.instructions - begun.mark.instructions)
        rows, seen = np.flatnonzero(edges), np.flatnonzero(sites.any(axis=1))
        self._close(pin, edges, rows, sites, seen, (begun.moment, moment), adjust)

    def _close(
        self,
        name: str,
        edges: NDArray[np.int64],
        edge_rows: NDArray[np.intp],
        sites: NDArray[np.int64],
        site_rows: NDArray[np.intp],
        moments: tuple[int, int],
        adjust: tuple[int, int] = (0, 0),
    ) -> None:
        index = sum(1 for other in self.closed if other.name == name)
        self.closed.append(
            SpanFacts(
                name,
                index,
                edge_rows.astype(np.int32),
                edges[edge_rows],
                site_rows.astype(np.int32),
                sites[site_rows],
                self.epoch,
                *adjust,
                *moments,
            )
        )

    def _inside(
        self, function: int, edges: NDArray[np.intp], sites: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows that belong to contexts in which ``function`` is active: what handlers and other threads did
        meanwhile is theirs."""
        recorder = self._recorder
        active = recorder.tree.contexts_with(function)

        def within(node: int) -> bool:
            return node >= 0 and recorder.nodes[node].context in active

        kept = [e for e in edges.tolist() if within(recorder.edges[e].source)]
        seen = [s for s in sites.tolist() if within(recorder.sites[s][0])]
        return np.array(kept, dtype=np.intp), np.array(seen, dtype=np.intp)

    @property
    def open_names(self) -> tuple[str, ...]:
        """Spans that were begun and not left."""
        return (*(span.name for span in self._open), *self._marked)

    @property
    def marked_pins(self) -> frozenset[str]:
        """Pins that have had an edge."""
        return frozenset(self._levels)

    def _behind(self, edge_offset: int) -> int:
        """The moment at which an edge that isn't counted yet will have been taken."""
        cycles = int(self._recorder.words[edge_offset + layout.E_FLAGS]) >> layout.CYCLES_SHIFT
        return self._recorder.moments.now + cycles

    def _row(self, edge_offset: int) -> int:
        return (edge_offset - layout.EDGES) // layout.EDGE_WORDS - 1
