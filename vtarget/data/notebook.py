"""Values as a little HTML for notebooks: facts, then a table. All of it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

MOST_ROWS = 12


def summary_html(
    title: str,
    facts: Sequence[tuple[str, str]],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> str:
    """A title, facts by name, and the first rows of a table; no style, so that it looks as the notebook does."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows[:MOST_ROWS])
    listed = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in facts)
    left = len(rows) - MOST_ROWS
    more = f"<p>… and {left} more</p>" if left > 0 else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    return f"<div><strong>{escape(title)}</strong><ul>{listed}</ul>{table}{more}</div>"
