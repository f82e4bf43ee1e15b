"""Questions to the rows of a sweep: conditions, Pareto fronts, order, and rows as text."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeplib import cell

from vtarget.base.errors import InputError
from vtarget.data.sweep import Outcome, Row
from vtarget.logic.sweepquery import Question, marked, metrics_of_row
from vtarget.logic.sweeptext import columns, csv_header, csv_line, html, json_line, row_of, table


def row(index: int, workload: str = "m.tflite", **values: object) -> Row:
    plain: dict[str, object] = {"status": "ok", "cycles": 1000, "latency_s": 0.010, "energy_j": 5e-4, "ram_bytes": 4096}
    return Row(cell(index, workload=workload), Outcome(**{**plain, **values}))  # type: ignore[arg-type]


def indices(rows: list[Row]) -> list[int]:
    return [one.cell.index for one in rows]


ROWS = [
    row(0),
    row(1, latency_s=0.030),
    row(2, energy_j=None),
    row(3, energy_j=2e-3),
    row(4, ram_bytes=100_000),
    Row(cell(5), Outcome("failed", "doesn't fit")),
]


def test_which_boards_run_it_in_time_in_energy_and_in_memory() -> None:
    question = Question.of(where="latency_ms < 20 and energy_mj < 1 and ram_bytes < 65536")
    assert indices(question.answer(ROWS)) == [0], "an energy that isn't known is not below anything"
    assert indices(Question.of(where="not latency_ms > 20").answer(ROWS)) == [0, 2, 3, 4]
    assert indices(Question().answer(ROWS)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({"where": "latency_m < 3"}, "--where 'latency_m < 3': rows of a sweep have no 'latency_m'"),
        ({"where": "import os"}, "--where 'import os': is no condition"),
        ({"pareto": "latency_ms,joules"}, "--pareto: rows of a sweep have no 'joules'"),
        ({"pareto": "-cycles"}, "--pareto: rows of a sweep have no '-cycles'"),
        ({"sort": "-nothing"}, "--sort: rows of a sweep have no 'nothing'"),
    ],
)
def test_what_rows_do_not_have_is_named_at_once(question: dict[str, str], told: str) -> None:
    with pytest.raises(InputError) as caught:
        Question.of(**question)
    assert caught.value.message == told


def test_order_by_metrics_with_unknown_ones_last() -> None:
    rows = [row(0, cycles=3), row(1, cycles=1, ram_bytes=2), row(2, cycles=None), row(3, cycles=1, ram_bytes=1)]
    assert indices(Question.of(sort="cycles").answer(rows)) == [1, 3, 0, 2]
    assert indices(Question.of(sort="cycles, ram_bytes").answer(rows)) == [3, 1, 0, 2]
    assert indices(Question.of(sort="-cycles").answer(rows)) == [0, 1, 3, 2]


def test_the_front_is_of_each_workload_and_of_what_was_asked_for() -> None:
    rows = [
        row(0, latency_s=1.0, energy_j=4.0),
        row(1, latency_s=2.0, energy_j=2.0),
        row(2, latency_s=2.0, energy_j=3.0),
        row(3, latency_s=1.0, energy_j=4.0),
        row(4, latency_s=9.0, energy_j=9.0, workload="other.tflite"),
        row(5, latency_s=0.5, energy_j=None),
    ]
    assert [one.front for one in marked(rows, ("latency_ms", "energy_uj"))] == [True, True, False, True, True, False]
    assert [one.front for one in Question.of(where="latency_s > 1", pareto="energy_j").answer(rows)] == [
        True,
        False,
        True,
    ]


POINTS = st.lists(st.tuples(*(st.integers(0, 5),) * 3), min_size=1, max_size=30)


@given(POINTS)
def test_the_front_is_what_nothing_beats(points: list[tuple[int, int, int]]) -> None:
    names = ("cycles", "ram_bytes", "flash_bytes")
    rows = [row(n, **dict(zip(names, point, strict=True))) for n, point in enumerate(points)]

    def beaten(point: tuple[int, int, int]) -> bool:
        return any(o != point and all(x <= y for x, y in zip(o, point, strict=True)) for o in points)

    assert [one.front for one in marked(rows, names)] == [not beaten(point) for point in points]


def test_prices_in_two_currencies_are_not_compared() -> None:
    rows = [row(0, price=10.0, price_currency="EUR"), row(1, price=12.0, price_currency="USD")]
    for question in ({"where": "price < 20"}, {"pareto": "price"}, {"sort": "price"}):
        with pytest.raises(InputError, match="boards are priced in EUR and USD"):
            Question.of(**question).answer(rows)
    assert indices(Question.of(where="price < 11").answer([rows[0]])) == [0]


def test_metrics_are_in_units_that_people_say() -> None:
    found = metrics_of_row(row(0))
    assert (found["latency_ms"], found["energy_uj"], found["cycles"]) == (10.0, 500.0, 1000.0)
    assert "price" not in found


def test_rows_as_text_and_back() -> None:
    hostile = row(0, error='a "quoted", \r\nline', not_modelled=("one", "two"), bit_exact=True)
    read = row_of(json.loads(json_line(hostile)))
    assert read == replace(hostile, cell=replace(hostile.cell))
    (parsed,) = csv.DictReader(io.StringIO(csv_header() + csv_line(hostile), newline=""))
    assert list(parsed) == [name for name, _ in columns()]
    assert parsed["error"] == 'a "quoted", \r\nline'
    assert (parsed["not_modelled"], parsed["bit_exact"], parsed["price"]) == ("one; two", "true", "")
    with pytest.raises(ValueError, match="no row of a sweep"):
        row_of({"index": 1})


def test_the_table_leaves_out_what_does_not_tell_rows_apart() -> None:
    titles, lines = table([row(0, "a/m.tflite"), row(1, "a/m.tflite")])
    assert [title for title, _ in titles] == ["board", "cycles", "time", "energy", "RAM"]
    assert lines[1] == ["board1", "1,000", "10.0 ms", "500 µJ", "4,096"]
    titles, lines = table(marked([row(0), row(1, "n.tflite", cycles=7), ROWS[5]], ("cycles",)))
    assert [title for title, _ in titles][:3] == ["front", "workload", "board"]
    assert lines[2][-1] == "doesn't fit"
    assert table([]) == ([], [])


def test_html_is_escaped() -> None:
    text = html([row(0, "<script>.tflite"), row(1, "b&c.tflite")])
    assert "<script>" not in text and "&lt;script&gt;.tflite" in text and "b&amp;c.tflite" in text
    assert "<caption>2 cells</caption>" in text
