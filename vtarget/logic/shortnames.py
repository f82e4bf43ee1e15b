"""Long names of C++ functions as tables and messages show them: results for programs have them whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

MOST_CHARACTERS: Final = 72
_OPENING, _CLOSING = "<({", ">)}"
_KEPT: Final = re.compile(r"\(anonymous namespace\)|operator(?:\(\)|<=>|->\*?|[<>]{1,2}=?)")


def short_name(name: str, most: int = MOST_CHARACTERS) -> str:
    """``name``, or if it is longer than ``most`` the same without what its template and parameter lists say; what is
    still too long loses its middle."""
    if len(name) <= most:
        return name
    name = _without_lists(name)
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - half]}…{name[-half:]}"


def short_names(named: Sequence[tuple[str, int]], most: int = MOST_CHARACTERS) -> list[str]:
    """The names of (name, address); those that became the same have their addresses behind them."""
    shown = [short_name(name, most) for name, _ in named]
    count = Counter(shown)
    return [
        short if count[short] == 1 or short == name else f"{short} 0x{address:08x}"
        for short, (name, address) in zip(shown, named, strict=True)
    ]


def _without_lists(name: str) -> str:
    """The name with ``…`` in its outermost ``<>`` and ``()``; of braces, as of lambdas, what is in no other list."""
    found: list[str] = []
    open_lists: list[str] = []
    at = 0
    while at < len(name):
        kept = _KEPT.match(name, at)
        letter = kept[0] if kept else name[at]
        at += len(letter)
        if kept is None and letter in _OPENING:
            if not open_lists:
                found.append(f"{letter}…" if letter in "<(" and name[at : at + 1] not in _CLOSING else letter)
            open_lists.append(letter)
        elif kept is None and letter in _CLOSING and open_lists:
            open_lists.pop()
            if not open_lists:
                found.append(letter)
        elif not open_lists or open_lists == ["{"]:
            found.append(letter)
    return "".join(found)
