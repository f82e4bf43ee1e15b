"""The timeline of a result as a chart and as tables: spans, exceptions and sleep on the time since reset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vtarget.data.page import Cell, Chart, Table
from vtarget.data.savedresult import SavedLane, SavedTimeline
from vtarget.data.timeline import LaneKind
from vtarget.logic.chartparts import PALETTE, figure_of, name_rows, rows_px, text
from vtarget.logic.report import quantity
from vtarget.logic.reporttables import count, measure
from vtarget.logic.timelines import Seconds

MOST_IN_ROW = 1500  # stretches drawn one by one; of more, neighbours are drawn as one
MOST_SPAN_ROWS = 8
MOST_CLOCKS = 200  # changes of the clock that are drawn
MOST_ROWS = 300  # of the table of moments
MOST_TOLD = 12  # lanes named in the summary
_HALF_ROW = 0.36
_UNITS = ((1.0, "s", "s"), (1e3, "ms", "ms"), (1e6, "µs", "µs"))  # factor of seconds, on the axis, in a text
_KINDS = {LaneKind.SPAN: "span", LaneKind.EXCEPTION: "exception", LaneKind.SLEEP: "asleep"}
_SPAN_COLORS = PALETTE[:3]
_HANDLER_COLORS, _SLEEP_COLOR, _CLOCK_COLORS = PALETTE[3:6], PALETTE[7], (PALETTE[6], PALETTE[1])


@dataclass(frozen=True)
class Stretch:
    """A piece of a row: of that lane the stretch with this ``index``, or ``merged`` that many of the row."""

    begin: int
    end: int
    lane: int
    index: int
    merged: int = 1


@dataclass
class _Row:
    name: str
    color: Sequence[str]
    stretches: list[Stretch]


def lane_title(lane: SavedLane) -> str:
    """What a lane is called beside a chart."""
    if lane.kind is LaneKind.SLEEP:
        return f"asleep ({lane.name})"
    telling = lane.handler and lane.handler.removesuffix("_Handler") not in lane.name
    return f"{lane.name}: {lane.handler}" if telling else lane.name


def stretches_of(timeline: SavedTimeline, kind: LaneKind) -> list[Stretch]:
    """All stretches of one kind in order of time, what lies around others before them."""
    found = [
        Stretch(begin, end, number, index)
        for number, lane in enumerate(timeline.lanes)
        if lane.kind is kind
        for index, (begin, end) in enumerate(zip(lane.begins, lane.ends, strict=True))
    ]
    return sorted(found, key=lambda stretch: (stretch.begin, -stretch.end))


def side_by_side(stretches: Iterable[Stretch]) -> list[list[Stretch]]:
    """Rows in which nothing overlaps: what lies inside another is a row further down. In order of time."""
    rows: list[list[Stretch]] = []
    for stretch in stretches:
        row = next((row for row in rows if row[-1].end <= stretch.begin), None)
        if row is None:
            rows.append(row := [])
        row.append(stretch)
    return rows


def merged(row: Sequence[Stretch], most: int = MOST_IN_ROW) -> list[Stretch]:
    """At most about that many stretches: neighbours that are near each other become one."""
    if len(row) <= most:
        return list(row)
    gap = (row[-1].end - row[0].begin) // most + 1
    found: list[Stretch] = []
    for stretch in row:
        last = found[-1] if found else None
        if last is not None and stretch.end - last.begin <= gap:
            found[-1] = Stretch(last.begin, max(last.end, stretch.end), last.lane, last.index, last.merged + 1)
        else:
            found.append(stretch)
    return found


def moments_chart(timeline: SavedTimeline) -> Chart:
    """A row per depth of spans, per exception and per sleep state; the page's user enlarges a part by dragging."""
    seconds = Seconds(timeline.clocks)
    whole = seconds.at(timeline.end_cycle)
    factor, unit, _ = next((row for row in _UNITS if whole * row[0] >= 1), _UNITS[-1])
    axis = _Axis(seconds, factor, unit)
    rows = list(_rows(timeline))
    traces = [t for place, row in enumerate(rows) for t in _row_traces(timeline, row, place, axis)]
    traces += _left_out(timeline, [row.name for row in rows], axis)
    if len(timeline.clocks) > 1:
        traces += _clock_traces(timeline, len(rows), axis)
    figure = figure_of(traces, x=f"{unit} since reset", y="")
    names = [row.name for row in rows] + ["clock"] * (len(timeline.clocks) > 1)
    name_rows(figure, names)
    figure["layout"]["yaxis"] |= {"range": [len(names) - 0.5, -0.5], "autorange": False, "fixedrange": True}
    figure["layout"]["xaxis"] |= {"range": [0, axis.at(timeline.end_cycle)]}
    figure["layout"] |= {"hovermode": "closest", "dragmode": "zoom"}
    if timeline.known_cycles < timeline.end_cycle:
        figure["layout"]["shapes"] = [
            {"type": "rect", "xref": "x", "yref": "paper", "x0": axis.at(timeline.known_cycles), "y0": 0, "y1": 1,
             "x1": axis.at(timeline.end_cycle), "fillcolor": "#88888833", "line": {"width": 0}}
        ]  # fmt: skip
    return Chart("Timeline", _summary(timeline, whole), figure, _caption(timeline), rows_px(len(names)))


@dataclass(frozen=True)
class _Axis:
    seconds: Seconds
    factor: float
    unit: str

    def at(self, cycle: int) -> float:
        """Where on the axis a cycle is, to the nanosecond."""
        return round(1e9 * self.seconds.at(cycle)) / (1e9 / self.factor)


def _rows(timeline: SavedTimeline) -> Iterator[_Row]:
    spans = side_by_side(stretches_of(timeline, LaneKind.SPAN))
    for depth, row in enumerate(spans[:MOST_SPAN_ROWS]):
        names = {timeline.lanes[stretch.lane].name for stretch in row}
        yield _Row(names.pop() if len(names) == 1 else f"spans {depth + 1}", _SPAN_COLORS, merged(row))
    handlers = 0
    for number, lane in enumerate(timeline.lanes):
        if lane.kind is not LaneKind.SPAN and lane.count:
            found = [Stretch(*pair, number, i) for i, pair in enumerate(zip(lane.begins, lane.ends, strict=True))]
            asleep = lane.kind is LaneKind.SLEEP
            color = _SLEEP_COLOR if asleep else _HANDLER_COLORS[handlers % len(_HANDLER_COLORS)]
            handlers += not asleep
            yield _Row(lane_title(lane), (color,), merged(found))


def _row_traces(timeline: SavedTimeline, row: _Row, place: int, axis: _Axis) -> Iterator[dict[str, Any]]:
    """A trace per colour; spans of one name have one colour."""
    several = len({stretch.lane for stretch in row.stretches}) > 1
    for number, color in enumerate(row.color):
        own = [s for s in row.stretches if not several or s.lane % len(row.color) == number]
        if own and (several or number == 0):
            labels = [_label(timeline, s) for s in own]
            yield _boxes([(s.begin, s.end) for s in own], labels, place, color, axis)


def _label(timeline: SavedTimeline, stretch: Stretch) -> str:
    if stretch.merged > 1:
        return f"{stretch.merged:,} near each other"
    lane = timeline.lanes[stretch.lane]
    cut = lane.unfinished and stretch.index == len(lane.ends) - 1
    return f"{text(lane.name)} {stretch.index}{' (cut off)' if cut else ''}"


def _boxes(
    stretches: Sequence[tuple[int, int]], labels: Sequence[str], place: int, color: str, axis: _Axis
) -> dict[str, Any]:
    """Boxes of one colour as one path with gaps: however short a stretch is, its outline can be seen."""
    top, bottom = place - _HALF_ROW, place + _HALF_ROW
    x: list[float | None] = []
    shown: list[str | None] = []
    for (begin, end), label in zip(stretches, labels, strict=True):
        a, b = axis.at(begin), axis.at(end)
        x += [a, a, b, b, None]
        lasts = quantity(axis.seconds.at(end) - axis.seconds.at(begin), "s")
        shown += [f"{label}: {lasts}"] * 4 + [None]
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": [bottom, top, top, bottom, None] * len(labels), "text": shown,
        "fill": "toself", "fillcolor": color, "line": {"width": 1, "color": color, "simplify": False},
        "hoveron": "points", "hovertemplate": f"%{{text}}<br>at %{{x}} {axis.unit}<extra></extra>",
    }  # fmt: skip


def _left_out(timeline: SavedTimeline, names: Sequence[str], axis: _Axis) -> Iterator[dict[str, Any]]:
    for lane in timeline.lanes:
        rest = lane.left_out
        if rest.count and lane_title(lane) in names:
            label = f"{rest.count:,} more, their moments not kept"
            place = names.index(lane_title(lane))
            yield _boxes([(rest.first_cycle, rest.last_cycle)], [label], place, "#88888855", axis)


def _clock_traces(timeline: SavedTimeline, place: int, axis: _Axis) -> Iterator[dict[str, Any]]:
    changes = timeline.clocks[:MOST_CLOCKS]
    ends = [change.cycle for change in timeline.clocks[1 : MOST_CLOCKS + 1]]
    ends += [timeline.known_cycles] * (len(changes) - len(ends))
    for number, color in enumerate(_CLOCK_COLORS):
        own = list(zip(changes, ends, strict=True))[number :: len(_CLOCK_COLORS)]
        if own:
            labels = [f"{change.clock_hz / 1e6:g} MHz" for change, _ in own]
            yield _boxes([(change.cycle, end) for change, end in own], labels, place, color, axis)


def _summary(timeline: SavedTimeline, whole: float) -> str:
    counts = [(lane_title(lane), lane.count) for lane in timeline.lanes if lane.count]
    told = [f"{title} {'once' if times == 1 else f'{times:,} times'}" for title, times in counts]
    more = [f"{len(told) - MOST_TOLD} more rows"] if len(told) > MOST_TOLD else []
    return "; ".join((f"{quantity(whole, 's')} since reset", *told[:MOST_TOLD], *more))


def _caption(timeline: SavedTimeline) -> str:
    parts = ["Dragging enlarges, a double click shows all again. What is too short to be seen is a line."]
    if timeline.note:
        parts.append(f"{timeline.note[:1].upper()}{timeline.note[1:]}.")
    if any(lane.left_out.count for lane in timeline.lanes):
        parts.append("Where moments were too many to be kept, the row is pale: the table below says how many.")
    if timeline.known_cycles < timeline.end_cycle:
        parts.append("Of the shaded end no moments are known.")
    if len(side_by_side(stretches_of(timeline, LaneKind.SPAN))) > MOST_SPAN_ROWS:
        parts.append(f"Only the outer {MOST_SPAN_ROWS} rows of spans are drawn.")
    return " ".join(parts)


def lanes_table(timeline: SavedTimeline) -> Table:
    """One row per lane: how often and for how long, kept or not."""
    seconds = Seconds(timeline.clocks)
    return Table(
        "Timeline",
        ("what", "name", "handler", "times", "cycles", "first at", "last until", "longest", "moments left out"),
        tuple(
            (
                Cell(_KINDS[lane.kind]), Cell(lane.name), Cell(lane.handler), count(lane.count),
                count(sum(lane.ends) - sum(lane.begins) + lane.left_out.cycles),
                measure(_first(lane, seconds), "s"), measure(_last(lane, seconds), "s"),
                measure(_longest(lane, seconds), "s"), count(lane.left_out.count or None),
            )
            for lane in timeline.lanes
        ),
        f"Times since reset. {timeline.note}".strip(),
    )  # fmt: skip


def _first(lane: SavedLane, seconds: Seconds) -> float | None:
    if lane.begins:
        return seconds.at(lane.begins[0])
    return seconds.at(lane.left_out.first_cycle) if lane.left_out.count else None


def _last(lane: SavedLane, seconds: Seconds) -> float | None:
    if lane.left_out.count:
        return seconds.at(lane.left_out.last_cycle)
    return seconds.at(lane.ends[-1]) if lane.ends else None


def _longest(lane: SavedLane, seconds: Seconds) -> float | None:
    """Of those that are kept."""
    return max((seconds.at(b) - seconds.at(a) for a, b in zip(lane.begins, lane.ends, strict=True)), default=None)


def moments_table(timeline: SavedTimeline) -> Table:
    """The first moments of all lanes, in order of time."""
    seconds = Seconds(timeline.clocks)
    found = sorted((s for kind in LaneKind for s in stretches_of(timeline, kind)), key=lambda s: (s.begin, -s.end))
    note = f"The first {MOST_ROWS} of {len(found):,} moments." if len(found) > MOST_ROWS else ""
    return Table(
        "Moments in order",
        ("at", "what", "name", "number", "lasts", "cycles"),
        tuple(
            (
                measure(seconds.at(s.begin), "s"), Cell(_KINDS[timeline.lanes[s.lane].kind]),
                Cell(timeline.lanes[s.lane].name), count(s.index),
                measure(seconds.at(s.end) - seconds.at(s.begin), "s"), count(s.end - s.begin),
            )
            for s in found[:MOST_ROWS]
        ),
        note,
    )  # fmt: skip
