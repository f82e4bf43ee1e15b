"""Timelines: spans beside exceptions and sleep, parts of them, seconds, and what reports and traces make of them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinelib import PROGRAMS, run_elf
from reportlib import HOSTILE, document

from vtarget.base.errors import InputError
from vtarget.data.record import ExecutionRecord
from vtarget.data.savedresult import SavedResult, SavedTimeline
from vtarget.data.timeline import ClockChange, Lane, LaneKind, LeftOut, Timeline
from vtarget.logic import traces
from vtarget.logic.htmlreport import html_report
from vtarget.logic.momentchart import (
    MOST_IN_ROW,
    Stretch,
    lanes_table,
    merged,
    moments_chart,
    moments_table,
    side_by_side,
)
from vtarget.logic.profile import restricted
from vtarget.logic.result import profile_json
from vtarget.logic.timelines import Seconds, part_of, timeline_of
from vtarget.logic.tracemoments import FIRST_LANE, MAIN, nesting
from vtarget.shell.resultfile import load_saved, saved_of
from vtarget.shell.running import price, pricer_for

BOARD = "nucleo-l4r5zi"
CLOCKS = (ClockChange(0, 1_000_000), ClockChange(1000, 4_000_000), ClockChange(3000, 1_000_000))
TICKS = Lane(LaneKind.EXCEPTION, "SysTick", (200, 700), (260, 760), 15, "SysTick_Handler", LeftOut(2, 50, 1200, 1700))
SLEEP = Lane(LaneKind.SLEEP, "sleep", (100, 300), (200, 700))
SPAN = Lane(LaneKind.SPAN, "work", (50,), (900,))
WHOLE = Timeline("b", 2000, 2000, CLOCKS, (SPAN, TICKS, SLEEP))


def saved(timeline: dict[str, Any], layers: int = 1) -> SavedResult:
    return saved_of(document(layers) | {"timeline": timeline})


def lane(kind: str, name: str, *moments: int, **others: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "begin_cycles": moments[::2], "end_cycles": moments[1::2], **others}


def timeline(*lanes: dict[str, Any], **others: Any) -> dict[str, Any]:
    clocks = [{"cycle": c.cycle, "clock_hz": c.clock_hz} for c in CLOCKS]
    return {
        "board": "b",
        "note": "",
        "end_cycle": 4000,
        "known_cycles": 4000,
        "clocks": clocks,
        "lanes": lanes,
    } | others


EXAMPLE = timeline(
    lane("span", "outer", 0, 2000), lane("span", "inner", 100, 400, 500, 900), lane("span", "crossing", 1500, 2500),
    lane("exception", "SysTick", 300, 320, 1000, 1400, number=15, handler="on_tick", unfinished=False,
         left_out={"count": 7, "cycles": 70, "first_cycle": 2000, "last_cycle": 3900}),
    lane("sleep", "sleep", 2500, 3000),
)  # fmt: skip


# Seconds and parts.


def test_seconds_go_through_all_changes_of_the_clock() -> None:
    seconds = Seconds(CLOCKS)
    assert [seconds.at(c) for c in (0, 500, 1000, 3000, 3500)] == pytest.approx([0, 5e-4, 1e-3, 1.5e-3, 2e-3])


def test_a_part_is_counted_from_its_begin_and_cuts_what_reaches_over_its_ends() -> None:
    part = part_of(WHOLE, 230, 720)
    assert part == Timeline(
        "b", 490, 490, (ClockChange(0, 1_000_000),),
        (
            Lane(LaneKind.SPAN, "work", (0,), (490,), unfinished=True),
            replace(TICKS, begins=(0, 470), ends=(30, 490), left_out=LeftOut(), unfinished=True),
            Lane(LaneKind.SLEEP, "sleep", (70,), (470,)),
        ),
    )  # fmt: skip


def test_a_part_is_known_up_to_where_something_is_left_out() -> None:
    part = part_of(WHOLE, 900, 1900)
    assert part == Timeline("b", 1000, 300, (ClockChange(0, 1_000_000), ClockChange(100, 4_000_000)), ())
    assert part_of(WHOLE, 1200, 1900) is None
    assert part_of(WHOLE, -1, -1) is None and part_of(None, 0, 1) is None


@pytest.fixture(scope="module")
def record() -> ExecutionRecord:
    return run_elf(PROGRAMS / "inclusive_virtual-m4f.elf", BOARD, spans=("raw_sample", "main")).record


def test_spans_are_lanes_of_a_profile_and_of_its_json(record: ExecutionRecord) -> None:
    profile = price(record, pricer_for(BOARD))
    found = profile.timeline
    assert found is not None and profile.timeline_note == ""
    spans = {lane.name: lane for lane in found.lanes}
    costs = [span.cycles for span in profile.spans if span.name == "raw_sample"]
    assert [b - a for a, b in zip(spans["raw_sample"].begins, spans["raw_sample"].ends, strict=True)] == costs
    assert (
        spans["main"].begins[0] < spans["raw_sample"].begins[0] < spans["raw_sample"].ends[-1] < spans["main"].ends[0]
    )
    assert found.end_cycle == profile.cycles.nominal and found.clocks == (ClockChange(0, profile.clock_hz),)
    plain = profile_json(profile)["timeline"]
    assert plain["board"] == BOARD and plain["lanes"][0]["begin_cycles"] == list(found.lanes[0].begins)
    again = saved_of(profile_json(profile)).timeline
    assert again is not None and again.lanes[0].ends == found.lanes[0].ends


def test_a_profile_of_one_span_has_its_part_of_the_timeline(record: ExecutionRecord) -> None:
    first = next(span for span in record.spans if span.name == "main")
    part = price(restricted(record, first), pricer_for(BOARD)).timeline
    whole = timeline_of(record)
    assert part is not None and whole is not None
    assert part.end_cycle == first.end_cycle - first.begin_cycle
    names = {lane.name: lane for lane in part.lanes}
    assert names["main"].begins == (0,) and not names["main"].unfinished
    moved = next(lane for lane in whole.lanes if lane.name == "raw_sample")
    assert names["raw_sample"].begins == tuple(begin - first.begin_cycle for begin in moved.begins)


@pytest.mark.parametrize(("board", "clock_hz"), [("nucleo-u575zi-q", None), (BOARD, 24_000_000)])
def test_another_board_or_clock_has_the_moments_of_the_run_and_says_so(
    board: str, clock_hz: int | None, record: ExecutionRecord
) -> None:
    profile = price(record, pricer_for(board, clock_hz=clock_hz))
    own = price(record, pricer_for(BOARD))
    assert profile.timeline == own.timeline
    assert profile.timeline_note == f"moments are those of the recorded run, on {BOARD} at 120 MHz"
    shown = saved_of(profile_json(profile)).timeline
    assert shown is not None and f"Moments are those of the recorded run, on {BOARD}" in moments_chart(shown).caption


# Saved timelines.


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (timeline(clocks=[{"cycle": 1, "clock_hz": 4}]), "clocks are not in order of time from cycle 0 on"),
        (timeline(clocks=[]), "timeline.clocks"),
        (timeline(lane("span", "x\n", 5, 4)), "a stretch of 'x\\n' ends before it begins"),
        (timeline(lane("span", "x", 5, 4001)), "'x' goes on after the run"),
        (timeline(lane("span", "x") | {"begin_cycles": [1]}), "a stretch of 'x' ends before it begins"),
        (timeline(lane("other", "x")), "timeline.lanes"),
    ],
)
def test_results_whose_timeline_makes_no_sense_are_refused(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(document(1) | {"timeline": changed}))
    with pytest.raises(InputError) as raised:
        load_saved(str(path), "report")
    assert words in raised.value.one_line()


# The chart and its tables.

STRETCHES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=40).map(
    lambda pairs: [
        Stretch(begin, begin + length, 0, i)
        for i, (begin, length) in enumerate(sorted(pairs, key=lambda p: (p[0], -p[1])))
    ]
)


@given(STRETCHES)
def test_rows_hold_everything_and_nothing_in_them_overlaps(stretches: list[Stretch]) -> None:
    rows = side_by_side(stretches)
    assert sorted(s.index for row in rows for s in row) == list(range(len(stretches)))
    assert all(a.end <= b.begin for row in rows for a, b in pairwise(row))


@given(STRETCHES, st.integers(1, 10))
def test_merging_loses_no_stretch(stretches: list[Stretch], most: int) -> None:
    row = (side_by_side(stretches) or [[]])[0]
    found = merged(row, most)
    assert sum(s.merged for s in found) == len(row)
    assert [s.begin for s in found[:1]] == [s.begin for s in row[:1]]
    assert all(any(m.begin <= s.begin and s.end <= m.end for m in found) for s in row)


def test_many_short_stretches_become_few() -> None:
    row = [Stretch(10 * i, 10 * i + 1, 0, i) for i in range(10 * MOST_IN_ROW)]
    assert len(merged(row)) <= MOST_IN_ROW + 1


def shown(found: SavedTimeline | None) -> SavedTimeline:
    assert found is not None
    return found


def boxes(figure: dict[str, Any], place: int) -> list[tuple[float, float]]:
    """From and to of what a row shows."""
    found = []
    for trace in figure["data"]:
        if round(sum(trace["y"][:2]) / 2) == place:
            corners = [x for x in trace["x"] if x is not None]
            found += list(zip(corners[::4], corners[2::4], strict=True))
    return sorted(found)


def test_the_chart_has_a_row_per_depth_of_spans_exception_and_sleep_state() -> None:
    chart = moments_chart(shown(saved(EXAMPLE).timeline))
    axis = chart.figure["layout"]["yaxis"]
    assert axis["ticktext"] == ["outer", "spans 2", "SysTick: on_tick", "asleep (sleep)", "clock"]
    # 1 MHz up to cycle 1000, then 4 MHz: in milliseconds.
    assert boxes(chart.figure, 0) == [(0, 1.25)]
    assert boxes(chart.figure, 1) == [(0.1, 0.4), (0.5, 0.9), (1.125, 1.375)]
    assert boxes(chart.figure, 2) == [(0.3, 0.32), (1.0, 1.1), (1.25, 2.4)]
    assert boxes(chart.figure, 3) == [(1.375, 1.5)]
    assert boxes(chart.figure, 4) == [(0, 1.0), (1.0, 1.5), (1.5, 2.5)]
    texts = [t for trace in chart.figure["data"] for t in trace["text"] if t]
    assert {"inner 1: 400 µs", "SysTick 0: 20.0 µs", "7 more, their moments not kept: 1.15 ms", "4 MHz: 500 µs"} <= {
        *texts
    }
    assert chart.summary == (
        "2.50 ms since reset; outer once; inner 2 times; crossing once; SysTick: on_tick 9 times; asleep (sleep) once"
    )
    assert "too many to be kept" in chart.caption and "no moments are known" not in chart.caption


def test_what_is_not_known_is_shaded() -> None:
    chart = moments_chart(shown(saved(timeline(known_cycles=3000)).timeline))
    (shade,) = chart.figure["layout"]["shapes"]
    assert (shade["x0"], shade["x1"]) == (1.5, 2.5) and "Of the shaded end no moments are known." in chart.caption


def test_tables_tell_what_the_chart_shows() -> None:
    found = shown(saved(EXAMPLE).timeline)
    rows = {row[1].text: [cell.text for cell in row] for row in lanes_table(found).rows}
    assert rows["SysTick"] == ["exception", "SysTick", "on_tick", "9", "490", "300 µs", "2.40 ms", "100 µs", "7"]
    assert rows["inner"] == ["span", "inner", "", "2", "700", "100 µs", "900 µs", "400 µs", "–"]
    order = [[cell.text for cell in row] for row in moments_table(found).rows]
    assert order[:3] == [
        ["0 s", "span", "outer", "0", "1.25 ms", "2,000"], ["100 µs", "span", "inner", "0", "300 µs", "300"],
        ["300 µs", "exception", "SysTick", "0", "20.0 µs", "20"],
    ]  # fmt: skip
    assert len(order) == 7


def test_names_are_escaped_for_the_charting_library() -> None:
    lanes = [lane("span", name, 0, 9, handler=name) for name in HOSTILE]
    lanes += [lane("exception", name, 0, 9, handler=name) for name in HOSTILE]
    figure = moments_chart(shown(saved(timeline(*lanes)).timeline)).figure
    texts = [t for trace in figure["data"] for t in trace["text"] if t] + figure["layout"]["yaxis"]["ticktext"]
    assert not any("<script" in t or "<img" in t or "\x1b" in t for t in texts)


def test_a_report_of_a_timeline_has_its_chart_and_tables() -> None:
    pytest.importorskip("plotly", reason="plotly is not installed")
    from vtarget.shell.reportfile import report_assets

    page = html_report([saved(EXAMPLE)], report_assets())
    assert 'aria-label="Timeline: 2.50 ms since reset; outer once' in page
    assert ">Moments in order (7 rows)<" in page and "holds totals, not moments" not in page
    assert "holds totals, not moments" in html_report([saved_of(document(1))], report_assets())


# Traces.


@given(STRETCHES)
def test_tracks_hold_everything_and_nest(stretches: list[Stretch]) -> None:
    tracks = nesting(stretches)
    assert sorted(s.index for track in tracks for s in track) == list(range(len(stretches)))
    for track in tracks:
        for a in track:
            assert all(b.end <= a.end or b.begin >= a.end for b in track if b.begin >= a.begin and b.index > a.index)


def test_a_chrome_trace_has_tracks_on_real_time() -> None:
    trace = traces.chrome_trace([saved(EXAMPLE)])
    events = [e for e in trace["traceEvents"] if e["pid"] == 2]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    ticks = FIRST_LANE + 3
    assert names == {
        MAIN: "main", MAIN + 1: "spans that overlap 1", ticks: "SysTick: on_tick", ticks + 1: "asleep (sleep)",
    }  # fmt: skip
    found = {(e["tid"], e["name"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"}
    assert found == {
        (MAIN, "run", 0, 2500), (MAIN, "outer", 0, 1250), (MAIN, "inner", 100, 300), (MAIN, "inner", 500, 400),
        (MAIN + 1, "crossing", 1125, 250), (ticks, "SysTick", 300, 20), (ticks, "SysTick", 1000, 100),
        (ticks, "7 more, not kept", 1250, 1150), (ticks + 1, "sleep", 1375, 125),
    }  # fmt: skip
    counters = [(e["ts"], e["args"]["MHz"]) for e in events if e["ph"] == "C"]
    assert counters == [(0, 1), (1000, 4), (1500, 1)]
    sums = [e for e in trace["traceEvents"] if e["pid"] == 1 and e["ph"] == "X"]
    assert {e["tid"] for e in sums} == {traces.LAYERS, traces.CALLS}  # spans and sleep have moments
