"""How wide a table's columns are on a terminal. Values that don't wrap are never cut: where they have no room, there is
no table, and each row becomes a paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

GAPS: Final = (3, 2, 1)
# Characters that a wrapping column keeps: with the first, names can be read at a glance; with the second, at all.
_ROOM: Final = (24, 12)


@dataclass(frozen=True)
class Layout:
    """The characters between two columns, and of each column."""

    gap: int
    widths: tuple[int, ...]


def fitted(natural: Sequence[int], wraps: Sequence[bool], width: int) -> Layout | None:
    """A layout of at most ``width`` characters for columns that want ``natural`` ones; None if there is none.

    Gaps narrow before a column that ``wraps`` becomes hard to read; the widest of those give way first.
    """
    for room in _ROOM:
        least = [min(wanted, room) if wrap else wanted for wanted, wrap in zip(natural, wraps, strict=True)]
        for gap in GAPS:
            left = width - gap * (len(natural) - 1)
            if sum(least) <= left:
                return Layout(gap, _shared(natural, least, left))
    return None


def _shared(natural: Sequence[int], least: Sequence[int], room: int) -> tuple[int, ...]:
    """Widths of ``room`` characters together at most: what is above the least is cut at one height."""
    low, high = 0, max(natural, default=0)
    while low < high:
        height = (low + high + 1) // 2
        if sum(_cut(natural, least, height)) <= room:
            low = height
        else:
            high = height - 1
    return _cut(natural, least, low)


def _cut(natural: Sequence[int], least: Sequence[int], height: int) -> tuple[int, ...]:
    return tuple(max(minimum, min(wanted, height)) for wanted, minimum in zip(natural, least, strict=True))


def paragraph(titles: Sequence[str], cells: Sequence[str], width: int) -> list[str]:
    """A row as lines: its name (the first cell, or two where that is a number), then ``title value`` of the others,
    indented. No item is broken, so that one that is wider than ``width`` stands on a line of its own."""
    named = 2 if cells[0].strip().isdecimal() else 1
    lines = [" ".join(cell.strip() for cell in cells[:named])]
    others = zip(titles[named:], cells[named:], strict=True)
    items = [f"{title} {cell}".strip() for title, cell in others if cell.strip()]
    current = ""
    for at, item in enumerate(items):
        last = item if at == len(items) - 1 else f"{item},"
        if current and len(current) + 1 + len(last) > width:
            lines.append(current)
            current = ""
        current = f"{current} {last}" if current else f"  {last}"
    return [*lines, current] if current else lines
