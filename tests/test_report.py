"""Numbers as people read them, and why a run counts as failed."""

from __future__ import annotations

import pytest

from vtarget.data.record import Exit, Frame, Reason
from vtarget.logic.report import ending, quantity, stack_lines


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
