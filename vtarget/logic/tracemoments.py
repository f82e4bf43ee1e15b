"""The moments of a result as tracks of a Chrome trace: slices on the time since reset, one track per exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vtarget.data.savedresult import SavedResult, SavedTimeline
from vtarget.data.timeline import LaneKind
from vtarget.logic.momentchart import Stretch, lane_title, stretches_of
from vtarget.logic.timelines import Seconds

MAIN = 1
FIRST_LANE = 100
Slice = Callable[[int, str, float, float, dict[str, Any]], dict[str, Any]]  # of a track, from .. to .. in seconds


def nesting(stretches: Iterable[Stretch]) -> list[list[Stretch]]:
    """Tracks in which each stretch lies in another one or beside it; those that cross another's end go to the next."""
    found: list[tuple[list[Stretch], list[int]]] = []  # and the ends of what is open, the innermost last
    for stretch in stretches:
        for track in found:
            while track[1] and track[1][-1] <= stretch.begin:
                track[1].pop()
        chosen = next((track for track in found if not track[1] or stretch.end <= track[1][-1]), None)
        if chosen is None:
            found.append(chosen := ([], []))
        chosen[0].append(stretch)
        chosen[1].append(stretch.end)
    return [stretches for stretches, _ in found]


def tracks(timeline: SavedTimeline) -> dict[int, str]:
    """Names of the tracks by number: the run with its spans, then exceptions and sleep."""
    more = len(nesting(stretches_of(timeline, LaneKind.SPAN))) - 1
    names = {MAIN: "main"} | {MAIN + number: f"spans that overlap {number}" for number in range(1, more + 1)}
    lanes = enumerate(timeline.lanes, FIRST_LANE)
    return names | {tid: lane_title(lane) for tid, lane in lanes if lane.kind is not LaneKind.SPAN}


def slices(timeline: SavedTimeline, make: Slice) -> Iterator[dict[str, Any]]:
    """All of them. What a lane leaves out is one slice that says how much that is; spans beyond what is known are
    among what isn't."""
    seconds = Seconds(timeline.clocks)

    def made(tid: int, name: str, begin: int, end: int, facts: dict[str, Any]) -> dict[str, Any]:
        return make(tid, name, seconds.at(begin), seconds.at(end), facts | {"cycle": begin, "cycles": end - begin})

    yield made(MAIN, "run", 0, timeline.end_cycle, {"board": timeline.board})
    for number, track in enumerate(nesting(stretches_of(timeline, LaneKind.SPAN))):
        for stretch in track:
            name = timeline.lanes[stretch.lane].name
            yield made(MAIN + number, name, stretch.begin, stretch.end, {"call": stretch.index})
    if timeline.known_cycles < timeline.end_cycle:
        yield made(MAIN, "no moments kept", timeline.known_cycles, timeline.end_cycle, {})
    lanes = ((tid, lane) for tid, lane in enumerate(timeline.lanes, FIRST_LANE) if lane.kind is not LaneKind.SPAN)
    for tid, lane in lanes:
        for index, (begin, end) in enumerate(zip(lane.begins, lane.ends, strict=True)):
            yield made(tid, lane.name, begin, end, {"number": index})
        rest = lane.left_out
        if rest.count:
            facts = {"count": rest.count, "together": rest.cycles}
            yield made(tid, f"{rest.count} more, not kept", rest.first_cycle, rest.last_cycle, facts)


def clock_counter(result: SavedResult, pid: int) -> Iterator[dict[str, Any]]:
    """The core's clock as a counter."""
    assert result.timeline is not None
    seconds = Seconds(result.timeline.clocks)
    for change in result.timeline.clocks:
        at_us = round(1e9 * seconds.at(change.cycle)) / 1e3
        yield {"name": "clock MHz", "ph": "C", "pid": pid, "ts": at_us, "args": {"MHz": change.clock_hz / 1e6}}
