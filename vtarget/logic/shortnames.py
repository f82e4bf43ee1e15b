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
    """``name``, or if it is longer than ``most`` the same without what its parameter lists say, and if need be its
    template lists, too; what is still too long loses its middle."""
    for lists in ("", "(", "<("):
        shown = _without_lists(name, lists) if lists else name
        if len(shown) <= most:
            return shown
    half = (most - 1) // 2
    return f"{shown[: most - 1 - half]}…{shown[-half:]}"


def short_names(named: Sequence[tuple[str, int]], most: int = MOST_CHARACTERS) -> list[str]:
    """The names of (name, address); those that became the same have their addresses behind them."""
    shown = [short_name(name, most) for name, _ in named]
    count = Counter(shown)
    return [
        short if count[short] == 1 or short == name else f"{short} 0x{address:08x}"
        for short, (name, address) in zip(shown, named, strict=True)
    ]


def _without_lists(name: str, hidden: str) -> str:
    """The name with ``…`` in its outermost lists that a letter of ``hidden`` opens; within braces, as of lambdas,
    nothing stands for them."""
    found: list[str] = []
    open_lists: list[str] = []
    at = 0
    while at < len(name):
        kept = _KEPT.match(name, at)
        letter = kept[0] if kept else name[at]
        at += len(letter)
        closes = kept is None and letter in _CLOSING and bool(open_lists)
        closed = open_lists.pop() if closes else ""
        if not any(opened in hidden for opened in open_lists):
            if kept is not None or (closed if closes else letter) not in hidden:
                found.append(letter)
            elif "{" not in open_lists:
                found.append(f"{letter}…" if not closes and name[at : at + 1] not in _CLOSING else letter)
        if kept is None and letter in _OPENING:
            open_lists.append(letter)
    return "".join(found)
