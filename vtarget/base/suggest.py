"""Did-you-mean: the known name that a mistyped one resembles."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str]) -> str | None:
    """The name in ``known`` most like ``word`` (case ignored), or None when nothing is close."""
    by_folded = {name.casefold(): name for name in known}
    matches = get_close_matches(word[:80].casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the closest known name, else all of them when they are few, else None."""
    names = list(known)
    match = closest(word, names)
    if match is not None:
        return f"did you mean '{match}'?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 16 else None
