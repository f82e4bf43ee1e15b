"""Waterfalls in columns and bars, for people. Pure: the application decides where they go, and in which colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vtarget.data.modelprofile import LayerProfile
from vtarget.data.profile import Profile
from vtarget.data.waterfall import NO_WATERFALL, CyclePart, Waterfall
from vtarget.logic.report import MOST_KERNELS, select_kernels
from vtarget.logic.shortnames import short_names

GLYPHS = "█▓▒░▞▚╳"  # by CyclePart, so that bars can be read without colours
_NONE = "-"

Bar = tuple[tuple[CyclePart, int], ...]  # stretches of a bar: whose, and how many characters


@dataclass(frozen=True)
class WaterfallRow:
    """One line of a table: what it is about, its cells (see ``columns``), and what its bar is made of."""

    cells: tuple[str, ...]
    waterfall: Waterfall


def of_kernels(profile: Profile, pattern: re.Pattern[str] | None = None) -> list[tuple[str, Waterfall]]:
    """(name, waterfall) of the kernels that the kernel table shows."""
    chosen = select_kernels(profile, pattern)
    shown = chosen if pattern else chosen[:MOST_KERNELS]
    names = short_names([(k.name, k.address) for k in shown])
    return [(name, k.waterfall or NO_WATERFALL) for k, name in zip(shown, names, strict=True)]


def of_layers(layers: Sequence[LayerProfile]) -> list[tuple[str, Waterfall]]:
    """(number and operator, waterfall) of a model's layers."""
    return [(f"{layer.index} {layer.op}", layer.waterfall or NO_WATERFALL) for layer in layers]


def shown_parts(rows: Sequence[tuple[str, Waterfall]], total: Waterfall) -> list[CyclePart]:
    """The parts that anything took."""
    return [part for part in CyclePart if total.parts[part] or any(w.parts[part] for _, w in rows)]


def table_rows(rows: Sequence[tuple[str, Waterfall]], parts: Sequence[CyclePart]) -> list[WaterfallRow]:
    """Name, cycles, and the share of each part."""
    return [
        WaterfallRow((name, f"{fall.total:,}", *(_percent(fall.parts[p], fall.total) for p in parts)), fall)
        for name, fall in rows
    ]


def total_rows(total: Waterfall, parts: Sequence[CyclePart]) -> list[tuple[str, ...]]:
    """(glyph and part, cycles, share), one line per part."""
    return [
        (f"{GLYPHS[part]} {part.title}", f"{total.parts[part]:,}", _percent(total.parts[part], total.total))
        for part in parts
    ]


def _percent(cycles: int, total: int) -> str:
    return f"{100 * cycles / total:.1f} %" if cycles and total else _NONE


def bar(waterfall: Waterfall, width: int) -> Bar:
    """A bar of ``width`` characters for the whole: each part gets its share, by largest remainders."""
    positive = Waterfall.of(max(0, cycles) for cycles in waterfall.parts)
    if not positive.total or width < 1:
        return ()
    lengths = positive.scaled_to(width).parts
    return tuple((part, lengths[part]) for part in CyclePart if lengths[part])


def step_bars(total: Waterfall, parts: Sequence[CyclePart], width: int) -> list[tuple[int, int]]:
    """(blank characters, characters) per part: each bar begins where the one before it ended."""
    lengths = dict(bar(total, width))
    found, start = [], 0
    for part in parts:
        found.append((start, lengths.get(part, 0)))
        start += lengths.get(part, 0)
    return found
