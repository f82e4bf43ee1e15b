"""What a report's page is made of: charts and tables, section by section. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Figure = dict[str, Any]  # data and layout of a Plotly figure, as JSON


@dataclass(frozen=True)
class Chart:
    """A picture: ``figure`` for the charting library, ``caption`` beside it, ``summary`` for those who can't see it."""

    title: str
    summary: str
    figure: Figure = field(repr=False)
    caption: str = ""
    height_px: int = 380


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what it shows, and what it is sorted by if that is a number."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table: ``columns`` are titles; a column of numbers has a ``value`` in its cells."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Per column, whether it holds numbers."""
        return tuple(any(row[i].value is not None for row in self.rows) for i in range(len(self.columns)))


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading."""

    title: str
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """One result, or the comparison of all."""

    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Assets:
    """The fixed texts that every report holds: its template, its style, its script, and the charting library.

    ``taken_ids`` are ids of elements whose presence keeps the library from adding styles of its own, which the page's
    policy would refuse.
    """

    template: str
    style: str
    script: str
    library: str = field(repr=False)
    library_name: str
    taken_ids: tuple[str, ...] = ()
