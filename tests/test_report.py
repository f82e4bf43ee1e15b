"""Numbers as people read them, and why a run counts as failed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from vtarget.data.profile import Battery, Bound, Profile, Span
from vtarget.data.record import Exit, Frame, Reason
from vtarget.logic.report import duty_lines, ending, quantity, span_rest, span_rows, stack_lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0106, "10.6 ms"),
        (1.0, "1.00 s"),
        (0.9999, "1.00 s"),
        (0.0009994, "999 µs"),
        (0.00099999, "1.00 ms"),
        (427e-6, "427 µs"),
        (8.35e-6, "8.35 µs"),
        (34.7e-9, "34.7 ns"),
        (2.5e-13, "0.25 ps"),
        (123.4, "123 s"),
        (0.0, "0 s"),
        (None, "unknown"),
    ],
)
def test_quantities_have_three_digits_and_a_prefix(value: float | None, text: str) -> None:
    assert quantity(value, "s") == text


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (Exit(Reason.SEMIHOSTING, 3, 0x100), "semihosting exit, code 3"),
        (Exit(Reason.RETURN, 7, 0x100, "main returned"), "return from main, value 7"),
        (Exit(Reason.UNTIL, 0, 0x8000124), "reaching 0x08000124 (--until)"),
        (Exit(Reason.IDLE, 0, 0x8000124, "idle loop"), "idle: idle loop at 0x08000124"),
        (Exit(Reason.FAULT, 0, 0x2, "undefined instruction"), "fault: undefined instruction at 0x00000002"),
    ],
)
def test_endings_read_as_sentences(ended: Exit, text: str) -> None:
    assert ending(ended) == text


def test_a_deep_call_stack_shows_both_ends() -> None:
    frames = tuple(Frame(f"f{i}", i) for i in range(100))
    lines = stack_lines(Exit(Reason.FAULT, 0, 0, "", frames), most=4)
    assert lines == [
        "0x00000000 f0",
        "0x00000001 f1",
        "… 96 more frames",
        "0x00000062 f98",
        "0x00000063 f99",
    ]


def test_spans_that_are_left_out_are_told_by_name() -> None:
    spans = [Span("often", at, 4, 9 if at < 100 else 7, 1e-6, None) for at in range(1573)]
    one = cast(Profile, SimpleNamespace(spans=(*spans[:40],)))
    assert (len(span_rows(one)), span_rest(one)) == (40, [])
    both = cast(Profile, SimpleNamespace(spans=(*spans, Span("once", 0, 1, 2, 1e-6, None))))
    assert [row[:2] for row in span_rows(both)][-2:] == [("often", "24"), ("once", "0")]
    assert span_rest(both) == ["… and 1,548 more of often, of 7 .. 9 cycles"]


@pytest.mark.parametrize(
    ("years", "text"),
    [(14.0, "14.0 years (13.0 years .. 15.0 years)"), (1e300, "more than 1,000 years")],
)
def test_a_battery_lasts_so_long(years: float, text: str) -> None:
    year_s = 365.25 * 86_400
    life = Bound((years - 1) * year_s, years * year_s, (years + 1) * year_s)
    asked = cast(Profile, SimpleNamespace(sleep=(), battery=Battery(230, 3, life)))
    assert duty_lines(asked) == [("battery", f"{text} from 230 mAh at 3 V, the chip alone")]
