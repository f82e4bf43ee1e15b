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


@dataclass
class _Open:
    name: str
    function: int
    edges: NDArray[np.int64]
    sites: NDArray[np.int64]


class SpanRecorder:
    """Collects spans; recursion inside a span belongs to it. After SPAN_LIMIT spans the rest are only counted."""

    def __init__(self, recorder: Recorder, names: tuple[str, ...]) -> None:
        self._recorder = recorder
        self._names = frozenset(names)
        self._open: list[_Open] = []
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
        self._open.append(_Open(name, function, edges, recorder.site_counts()))
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
        index = sum(1 for other in self.closed if other.name == span.name)
        self.closed.append(
            SpanFacts(
                span.name,
                index,
                edge_rows.astype(np.int32),
                edges[edge_rows],
                site_rows.astype(np.int32),
                sites[site_rows],
                self.epoch,
            )
        )
        return span.name

    def _inside(
        self, function: int, edges: NDArray[np.intp], sites: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows that belong to contexts in which ``function`` is active: what handlers and other threads did
        meanwhile is theirs."""
        recorder = self._recorder
        active = recorder.tree.contexts_with(function)
        within = [recorder.nodes[n].context in active for n in range(len(recorder.nodes))]
        kept = [e for e in edges.tolist() if recorder.edges[e].source >= 0 and within[recorder.edges[e].source]]
        seen = [s for s in sites.tolist() if within[recorder.sites[s][0]]]
        return np.array(kept, dtype=np.intp), np.array(seen, dtype=np.intp)

    @property
    def open_names(self) -> tuple[str, ...]:
        """Spans that were begun and not left."""
        return tuple(span.name for span in self._open)

    def _row(self, edge_offset: int) -> int:
        return (edge_offset - layout.EDGES) // layout.EDGE_WORDS - 1
