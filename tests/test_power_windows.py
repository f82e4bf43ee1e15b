"""Windows of a recording: literal energies, edges within samples, debouncing, and that nothing is lost in cutting."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtarget.base.errors import InputError
from vtarget.logic.powerreport import rows
from vtarget.logic.powerwindows import (
    Cells,
    ChannelCutter,
    Cut,
    Piece,
    SpanCutter,
    Window,
    remarks,
    summarise,
)


def pieces(
    watts: list[float], share: list[float] | None = None, *, step: float = 1.0, at: tuple[int, ...] = ()
) -> list[Piece]:
    """Samples at 0, step, 2 step, ..., handed over in parts that end at ``at``."""
    cells = Cells()
    times = np.arange(len(watts)) * step
    found = []
    for first, last in zip((0, *at), (*at, len(watts)), strict=True):
        of = slice(first, last)
        part = None if share is None else np.array(share[of], dtype=float)
        found.append(cells.push(times[of], np.array(watts[of], dtype=float), part))
    return [piece for piece in (*found, cells.finish()) if piece is not None]


def cut(watts: list[float], share: list[float], *, debounce: float = 0.0, at: tuple[int, ...] = ()) -> Cut:
    cutter = ChannelCutter(debounce)
    for piece in pieces(watts, share, at=at):
        cutter.feed(piece)
    return cutter.finish()


def test_a_window_is_where_the_channel_is_high() -> None:
    found = cut([1, 1, 5, 6, 1, 1], [0, 0, 1, 1, 0, 0])
    assert found.windows == (Window(start_s=2.0, seconds=2.0, energy_j=11.0, slack_j=6.0),)
    assert (found.between, found.cut_off) == ((), 0)


def test_what_lies_between_two_windows() -> None:
    found = cut([5, 1, 2, 3, 5, 1], [1, 0, 0, 0, 1, 0])
    assert found.cut_off == 1  # the first one began before the recording
    assert [w.start_s for w in found.windows] == [4.0]
    assert [(w.seconds, w.energy_j) for w in found.between] == [(3.0, 6.0)]


@pytest.mark.parametrize(
    ("share", "cut_off"), [([0, 0, 1, 1], 1), ([1, 1, 1, 1], 1), ([0, 0, 0, 0], 0), ([1, 1, 0, 0], 1)]
)
def test_windows_that_the_ends_cut_off_are_left_out(share: list[float], cut_off: int) -> None:
    found = cut([1, 1, 1, 1], share)
    assert (found.windows, found.cut_off) == ((), cut_off)


def test_an_edge_lies_within_a_sample_that_is_high_for_a_part() -> None:
    # 0.25 of sample 1 and 0.75 of sample 4 are high: from 1.75 s to 4.75 s.
    (window,) = cut([2, 2, 2, 2, 2, 2], [0, 0.25, 1, 1, 0.75, 0]).windows
    assert (window.start_s, window.seconds, window.energy_j) == pytest.approx((1.75, 3.0, 6.0))


def test_a_single_sample_that_is_high_for_a_part() -> None:
    (window,) = cut([2, 2, 4, 2, 2], [0, 0, 0.75, 0, 0]).windows
    assert (window.seconds, window.energy_j) == (0.75, 3.0)


def test_levels_held_too_shortly_are_ignored() -> None:
    share = [0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0]
    raw = cut([1.0] * 12, share)
    assert [(w.start_s, w.seconds) for w in raw.windows] == [(1, 1), (4, 2), (7, 3)]
    calm = cut([1.0] * 12, share, debounce=1.5)
    assert [(w.start_s, w.seconds) for w in calm.windows] == [(4, 6)]


def test_the_power_of_a_gap_is_not_vouched_for() -> None:
    cells, cutter = Cells(), ChannelCutter()
    times = np.array([0.0, 1, 2, 3, 7, 8, 9])
    piece = cells.push(times, np.array([1.0, 1, 2, 2, 2, 1, 1]), np.array([0.0, 0, 1, 1, 1, 0, 0]))
    assert piece is not None
    cutter.feed(piece)
    (window,) = cutter.finish().windows
    assert (cells.gaps, cells.step_s) == (1, 1.0)
    # Four cells are 1 s wide and one is 4 s, of which 3 s are the gap's.
    assert (window.seconds, window.energy_j, window.slack_j) == (6.0, 12.0, 2.0 + 3 * 2.0)


def test_samples_that_end_at_their_time() -> None:
    cells = Cells(ending=True)
    first = cells.push(np.array([10.0]), np.array([1.0]), None)
    second = cells.push(np.array([20.0, 30.0]), np.array([2.0, 3.0]), None)
    third = cells.push(np.array([40.0]), np.array([4.0]), None)
    assert first is None and second is not None and third is not None and cells.finish() is None
    assert second.bounds_s.tolist() == [0, 10, 20, 30] and second.watts.tolist() == [1, 2, 3]
    assert third.bounds_s.tolist() == [30, 40] and third.watts.tolist() == [4]


def test_windows_by_time_cut_through_samples() -> None:
    cutter = SpanCutter([(0.5, 2.25), (3, 4)])
    for piece in pieces([4, 8, 16, 32], at=(2, 3)):
        cutter.feed(piece)
    assert [(w.start_s, w.seconds, w.energy_j) for w in cutter.finish()] == [(0.5, 1.75, 2 + 8 + 4), (3, 1, 32)]


def test_a_window_beyond_the_recording_is_refused() -> None:
    cutter = SpanCutter([(1, 9)])
    for piece in pieces([1, 1, 1, 1]):
        cutter.feed(piece)
    with pytest.raises(InputError, match=r"--window 1s\.\.9s is not in the recording \(0 s to 4 s\)"):
        cutter.finish()


def test_repeats_become_medians_and_a_spread() -> None:
    windows = [Window(0, 1.0, 10.0, 0.1), Window(2, 1.1, 12.0, 0.2), Window(4, 1.2, 11.0, 0.1)]
    row = summarise("run", windows, "x.csv")
    assert (row.count, row.seconds, row.energy_j) == (3, 1.1, 11.0)
    assert row.spread_j == pytest.approx(2.0 + 2 * 0.2)
    assert rows([row]) == [("run", "3", "1.1 s", "11 J", "10 W", "±10.91 %")]


def test_negative_energy_is_refused() -> None:
    with pytest.raises(InputError, match=r"window run at 3 s: -1 J is negative"):
        summarise("run", [Window(3.0, 1.0, -1.0, 0.0)], "x.csv")


def test_poor_windows_are_remarked_on() -> None:
    assert remarks("run", [Window(0, 1, 100, 1), Window(2, 1.01, 100, 1)]) == ()
    short, uneven = remarks("run", [Window(0, 1, 100, 20), Window(2, 2, 200, 1)])
    assert "the edges leave 20 % of a window's energy open" in short
    assert "unlike length (up to 33 % from the median)" in uneven


def test_a_channel_that_never_rests_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtarget.logic.powerwindows.MOST_WINDOWS", 10)
    with pytest.raises(InputError, match="high more than 10 times"):
        cut([1.0] * 50, [0, 1] * 25)


LEVELS = st.lists(st.tuples(st.floats(0, 10), st.sampled_from([0.0, 1.0, 0.25, 0.6])), min_size=2, max_size=60)


@given(LEVELS, st.data())
@settings(max_examples=200, deadline=None)
def test_cutting_loses_nothing_and_pieces_dont_matter(samples: list[tuple[float, float]], data: st.DataObject) -> None:
    watts, share = [s[0] for s in samples], [s[1] for s in samples]
    at = tuple(sorted(data.draw(st.sets(st.integers(1, len(samples) - 1), max_size=5))))
    whole, parted = cut(watts, share), cut(watts, share, at=at)
    assert len(whole.windows) == len(parted.windows) and whole.cut_off == parted.cut_off
    for one, other in zip(whole.windows + whole.between, parted.windows + parted.between, strict=True):
        assert (one.start_s, one.seconds) == pytest.approx((other.start_s, other.seconds))
        assert one.energy_j == pytest.approx(other.energy_j, abs=1e-9)
    # Windows and what lies between them follow each other without a hole.
    ordered = sorted(whole.windows + whole.between, key=lambda w: w.start_s)
    for one, following in pairwise(ordered):
        assert one.start_s + one.seconds == pytest.approx(following.start_s)
    if ordered:
        start, end = ordered[0].start_s, ordered[-1].start_s + ordered[-1].seconds
        spans = SpanCutter([(start, end), (0.0, float(len(watts)))])
        for piece in pieces(watts):
            spans.feed(piece)
        covered, everything = spans.finish()
        assert sum(w.energy_j for w in ordered) == pytest.approx(covered.energy_j, abs=1e-9)
        assert everything.energy_j == pytest.approx(sum(watts), abs=1e-9)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=40), st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_windows_that_tile_a_recording_add_up_to_it(watts: list[float], shares: list[float]) -> None:
    ends = sorted({round(share * len(watts), 6) for share in shares} | {0.0, float(len(watts))})
    spans = list(pairwise(ends))
    cutter = SpanCutter(spans)
    for piece in pieces(watts):
        cutter.feed(piece)
    assert sum(w.energy_j for w in cutter.finish()) == pytest.approx(sum(watts), abs=1e-6)


@given(st.floats(0.0, 0.99), st.floats(0.0, 0.99), st.integers(5, 40))
@settings(max_examples=100, deadline=None)
def test_the_true_energy_lies_within_the_slack(rise: float, fall: float, length: int) -> None:
    """A board at 2 W in a window, 1 W out of it, whose channel and power are sampled at instants."""
    start, end = 3 + rise, 3 + length + fall
    times = np.arange(length + 8)
    high = (times >= start) & (times < end)
    (window,) = cut(np.where(high, 2.0, 1.0).tolist(), high.astype(float).tolist()).windows
    assert abs(window.energy_j - 2.0 * (end - start)) <= window.slack_j + 1e-9
