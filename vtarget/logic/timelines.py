"""Timelines: the moments of a record with its spans, a part of them, and what they are in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

from vtarget.data.record import ExecutionRecord, SpanFacts
from vtarget.data.timeline import NOTHING_LEFT_OUT, ClockChange, Lane, LaneKind, LeftOut, Timeline


def timeline_of(record: ExecutionRecord) -> Timeline | None:
    """The record's timeline, lanes of its spans first; None if it has no moments."""
    if record.timeline is None:
        return None
    spans = _span_lanes(record.spans, record.timeline.known_cycles)
    return replace(record.timeline, lanes=(*spans, *record.timeline.lanes))


def _span_lanes(spans: Sequence[SpanFacts], known_cycles: int) -> list[Lane]:
    by_name: dict[str, list[SpanFacts]] = {}
    for span in spans:
        if span.begin_cycle >= 0:
            by_name.setdefault(span.name, []).append(span)
    lanes = []
    for name, found in by_name.items():
        kept = [span for span in found if span.end_cycle <= known_cycles]
        lanes.append(
            Lane(
                LaneKind.SPAN,
                name,
                tuple(span.begin_cycle for span in kept),
                tuple(span.end_cycle for span in kept),
                left_out=_left_out(found[len(kept) :]),
            )
        )
    return lanes


def _left_out(spans: Sequence[SpanFacts]) -> LeftOut:
    if not spans:
        return NOTHING_LEFT_OUT
    cycles = sum(span.end_cycle - span.begin_cycle for span in spans)
    return LeftOut(len(spans), cycles, spans[0].begin_cycle, spans[-1].end_cycle)


def part_of(timeline: Timeline | None, begin: int, end: int) -> Timeline | None:
    """What happened from cycle ``begin`` to ``end``, counted from ``begin`` on. It is known up to where the first lane
    leaves something out; None where nothing is known."""
    if timeline is None or begin < 0:
        return None
    starts = [lane.left_out.first_cycle for lane in timeline.lanes if lane.left_out.count]
    known = min(end, timeline.known_cycles, *starts) if starts else min(end, timeline.known_cycles)
    if known <= begin:
        return None
    at = bisect_right([change.cycle for change in timeline.clocks], begin) - 1
    first = ClockChange(0, timeline.clocks[at].clock_hz)
    later = (ClockChange(c.cycle - begin, c.clock_hz) for c in timeline.clocks[at + 1 :] if c.cycle < end)
    lanes = [_part_of_lane(lane, begin, known) for lane in timeline.lanes]
    kept = tuple(lane for lane in lanes if lane.begins)
    return Timeline(timeline.board, end - begin, known - begin, (first, *later), kept)


def _part_of_lane(lane: Lane, begin: int, end: int) -> Lane:
    stretches = [(a, b) for a, b in zip(lane.begins, lane.ends, strict=True) if a < end and b > begin]
    inside = [(max(a, begin), min(b, end)) for a, b in stretches]
    last = bool(stretches) and stretches[-1][1] == lane.ends[-1]
    return replace(
        lane,
        begins=tuple(a - begin for a, _ in inside),
        ends=tuple(b - begin for _, b in inside),
        left_out=NOTHING_LEFT_OUT,
        unfinished=bool(stretches) and (stretches[-1][1] > end or (lane.unfinished and last)),
    )


class Change(Protocol):
    """A change of the clock, of a timeline or as a saved one has it."""

    @property
    def cycle(self) -> int:
        """When."""

    @property
    def clock_hz(self) -> int:
        """To what."""


class Seconds:
    """Tells what a cycle of a timeline is in seconds since reset, through all changes of the clock."""

    def __init__(self, clocks: Sequence[Change]) -> None:
        self._cycles = [change.cycle for change in clocks]
        self._clocks = [change.clock_hz for change in clocks]
        self._seconds = [0.0]
        for (before, after), clock_hz in zip(pairwise(self._cycles), self._clocks, strict=False):
            self._seconds.append(self._seconds[-1] + (after - before) / clock_hz)

    def at(self, cycle: int) -> float:
        """Seconds at a cycle."""
        row = bisect_right(self._cycles, cycle) - 1
        return self._seconds[row] + (cycle - self._cycles[row]) / self._clocks[row]
