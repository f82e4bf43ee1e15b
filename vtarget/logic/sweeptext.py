"""Rows of a sweep as text: JSON lines, CSV, a table, and HTML for notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import Any

from vtarget.data.sweep import Cell, Outcome, Row
from vtarget.logic.report import quantity

_KINDS = {"str": "text", "Literal": "text", "int": "int", "float": "float", "bool": "bool", "tuple": "texts"}
_LEFT = frozenset({"workload", "board", "engine", "weights", "arena", "cflags"})
MOST_HTML_ROWS = 200
_NOTHING = Outcome("failed")


def columns(*, front: bool = False) -> list[tuple[str, str]]:
    """(name, type) of a row's values: ``text``, ``int``, ``float``, ``bool`` or ``texts``; ``front`` if asked."""
    kinds = {f.name: _kind(str(f.type)) for f in (*fields(Cell), *fields(Outcome))}
    return [*kinds.items(), *((("front", "bool"),) if front else ())]


def _kind(annotation: str) -> str:
    return next(kind for name, kind in _KINDS.items() if annotation.startswith(name))


def json_line(row: Row) -> str:
    """The row as a line of JSON, with its end."""
    return json.dumps(row.to_dict(), allow_nan=False) + "\n"


def csv_header(*, front: bool = False) -> str:
    """The first line of a CSV file."""
    return ",".join(name for name, _ in columns(front=front)) + "\r\n"


def csv_line(row: Row) -> str:
    """The row as a line of CSV (RFC 4180): lists joined by semicolons, nothing for what isn't known."""
    return ",".join(_csv(value) for value in row.to_dict().values()) + "\r\n"


def _csv(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = "; ".join(value) if isinstance(value, list) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def table(rows: Sequence[Row]) -> tuple[list[tuple[str, bool]], list[list[str]]]:
    """((title, numbers), cells) of the rows; columns that say the same of all, or nothing, are left out."""
    found = [_shown(row) for row in rows]
    titles = [title for title in (found[0] if found else {}) if _tells(title, found)]
    return [(title, title not in _LEFT and title != "") for title in titles], [
        [row[title] for title in titles] for row in found
    ]


def telling_titles(cells: Sequence[Cell]) -> list[tuple[str, bool]]:
    """(title, numbers) of the columns to show while a sweep of these cells is under way: of what they are, only what
    they differ in."""
    of_cells = [_shown(Row(cell, _NOTHING)) for cell in cells]
    fixed = ("board", "cycles", "time", "energy", "flash", "RAM", "")
    titles = [t for t in _shown(Row(cells[0], _NOTHING)) if t in fixed or len({row[t] for row in of_cells}) > 1]
    return [(title, title not in _LEFT and title != "") for title in titles]


def line_of(row: Row, titles: Iterable[tuple[str, bool]]) -> list[str]:
    """The row's values under these titles."""
    values = _shown(row)
    return [values[title] for title, _ in titles]


def _tells(title: str, rows: Sequence[Mapping[str, str]]) -> bool:
    values = {row[title] for row in rows}
    if title in ("board", "cycles", "time"):
        return True
    return values not in ({""}, {"-"}) and not (len(values) == 1 and title in _LEFT | {"clock"})


def _shown(row: Row) -> dict[str, str]:
    cell, found = row.cell, row.outcome
    clock = found.clock_hz or cell.clock_hz
    ok = found.status == "ok"
    return {
        "front": {None: "", True: "*", False: ""}[row.front],
        "workload": cell.workload.replace("\\", "/").rpartition("/")[2],
        "board": cell.board,
        "engine": cell.engine or "",
        "weights": cell.weights or "",
        "arena": cell.arena or "",
        "cflags": cell.cflags or "",
        "clock": "" if clock is None else f"{clock / 1e6:g} MHz",
        "cycles": f"{found.cycles:,}" if found.cycles is not None else "-",
        "time": quantity(found.latency_s, "s") if ok else "-",
        "energy": quantity(found.energy_j, "J") if ok and found.energy_j is not None else "-",
        "flash": f"{found.flash_bytes:,}" if found.flash_bytes is not None else "-",
        "RAM": f"{found.ram_bytes:,}" if found.ram_bytes is not None else "-",
        "price": f"{found.price:,.2f} {found.price_currency}" if found.price is not None else "",
        "outputs": {None: "", True: "bit-exact"}.get(found.bit_exact, f"off by {found.max_abs_diff or 0:g}"),
        "": found.error or ("" if found.emulated_on is None else f"approximated from {found.emulated_on}"),
    }


def summary(rows: Iterable[Row]) -> str:
    """One line: how many rows, and how many of them failed."""
    statuses = [row.outcome.status for row in rows]
    bad = statuses.count("failed")
    return f"{len(statuses)} cells" + (f", {bad} failed" if bad else "")


def html(rows: Sequence[Row]) -> str:
    """A table for a notebook, at most MOST_HTML_ROWS rows of it; whatever files say is escaped."""
    titles, lines = table(rows[:MOST_HTML_ROWS])
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in titles)
    body = "".join(f"<tr>{''.join(_td(text, right) for text, (_, right) in zip(line, titles, strict=True))}</tr>"
                   for line in lines)  # fmt: skip
    more = f"<p>and {len(rows) - MOST_HTML_ROWS} more rows</p>" if len(rows) > MOST_HTML_ROWS else ""
    return (
        f"<table><caption>{escape(summary(rows))}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{more}"
    )


def _td(text: str, right: bool) -> str:
    return f'<td style="text-align: {"right" if right else "left"}">{escape(text)}</td>'


def row_of(plain: Mapping[str, Any]) -> Row:
    """The row of a line of JSON, read; ValueError if it is none."""
    try:
        cell = Cell(**{f.name: plain[f.name] for f in fields(Cell)})
        found = Outcome(**{f.name: plain[f.name] for f in fields(Outcome) if f.name != "not_modelled"},
                        not_modelled=tuple(plain["not_modelled"]))  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ValueError(f"no row of a sweep: {error}") from None
    return Row(cell, found)
