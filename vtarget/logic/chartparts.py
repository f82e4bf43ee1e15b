"""Pieces that figures of Plotly (https://plotly.com/javascript/reference/) are put together from. Colours of text,
grid and paper are left to the page, which knows whether it is dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtarget.base.errors import printable
from vtarget.data.page import Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart with any colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#999999")
_ROW_PX = 24
_LONGEST_ROW_NAME = 28


def text(value: str, most: int = 60) -> str:
    """A name as Plotly shows it literally: it reads ``<b>`` and ``&amp;`` in texts as markup."""
    shown = printable(value)
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bars(x: Sequence[Any], y: Sequence[Any], *, name: str, color: str, hover: Sequence[str], horizontal: bool = False,
          shown: str = "", suffix: str = "") -> dict[str, Any]:  # fmt: skip
    """A trace of bars; ``hover`` is what each says of itself, ``shown`` its value as a template."""
    value = shown or ("%{x:,} cycles" if horizontal else "%{y:,} cycles")
    return {
        "type": "bar",
        "orientation": "h" if horizontal else "v",
        "x": list(x),
        "y": list(y),
        "name": name,
        "text": list(hover),
        "textposition": "none",
        "marker": {"color": color},
        "hovertemplate": f"%{{text}}{suffix}<br>{value}<extra></extra>",
    }


def line(x: list[float], y: list[float], name: str) -> dict[str, Any]:
    """A dashed line for orientation."""
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "hoverinfo": "name",
            "line": {"dash": "dash", "width": 1.5, "color": "#888888"}}  # fmt: skip


def figure_of(traces: list[dict[str, Any]], *, x: str, y: str, barmode: str = "group", showlegend: bool = False,
            xtick: dict[str, Any] | None = None) -> Figure:  # fmt: skip
    """Traces on two axes with these titles."""
    layout = {
        "barmode": barmode,
        "bargap": 0.15,
        "showlegend": showlegend,
        "xaxis": {"title": {"text": x}, "automargin": True, **(xtick or {})},
        "yaxis": {"title": {"text": y}, "automargin": True},
        "margin": {"t": 8, "l": 8, "r": 8, "b": 8},
    }
    return {"data": traces, "layout": layout}


def name_rows(figure: Figure, names: Sequence[str]) -> None:
    """Rows are places, so that equal names stay apart; the axis shows the names, the first on top."""
    shown = [text(name, _LONGEST_ROW_NAME) for name in names]
    figure["layout"]["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": shown, "autorange": "reversed"}


def integers(count: int) -> dict[str, Any]:
    """Ticks of an axis that numbers ``count`` things."""
    return {"tick0": 0, "dtick": max(1, -(-count // 20))}


def rows_px(rows: int) -> int:
    """How high a chart of so many rows is."""
    return 130 + _ROW_PX * rows
