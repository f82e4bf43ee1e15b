"""What the branch predictor makes of each branch: followed transition by transition, without Python.

The predictor holds branches that were taken, in sets of ways. One that it doesn't hold is taken to go straight on.
"""

from __future__ import annotations

from typing import Any

import numba
from numba import types

from vtarget.shell.layout import (
    B_HISTORY,
    B_SITE,
    H_CYCLES,
    H_INSTRUCTIONS,
    H_MOST_STATE,
    N_BRANCH,
    S_COUNTS,
    S_PRICES,
    Y_NEXT,
    Y_SET,
    Y_STATE,
    Y_USED,
    Y_WAYS,
)
from vtarget.shell.native.calls import pointer
from vtarget.shell.native.compiling import Recipe

MISPREDICTED = 1  # the class, as logic.zones names it


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _count(s: Any, record: int) -> None:
    site = s[record + B_SITE]
    s[site + S_COUNTS + MISPREDICTED] += 1
    s[H_CYCLES] += s[site + S_PRICES + MISPREDICTED]


@numba.njit  # type: ignore[untyped-decorator]
def _come_in(s: Any, record: int) -> None:
    """A branch that the predictor doesn't hold was taken: mispredicted, it takes the place used least recently."""
    _count(s, record)
    history = s[record + B_HISTORY]
    first = s[history + Y_SET]
    place = first
    for way in range(first, first + s[history + Y_WAYS]):
        if s[way] == 0:
            place = way
            break
        if s[s[way] + Y_USED] < s[s[place] + Y_USED]:
            place = way
    if s[place] != 0:
        s[s[place] + Y_STATE] = 0
    s[place] = history
    s[history + Y_STATE] = (s[H_MOST_STATE] >> 1) + 1
    s[history + Y_USED] = s[H_INSTRUCTIONS]


@numba.njit  # type: ignore[untyped-decorator]
def predict(s: Any, source: int, address: int) -> None:
    """Execution went on at ``address`` behind the node ``source``: count it if that wasn't predicted, and learn."""
    record = s[source + N_BRANCH]
    if record == 0:
        return
    history, most = s[record + B_HISTORY], s[H_MOST_STATE]
    state = s[history + Y_STATE]
    taken = address != s[history + Y_NEXT]
    if state == 0:
        if taken:
            _come_in(s, record)
        return
    if (2 * state > most) != taken:
        _count(s, record)
    s[history + Y_STATE] = min(state + 1, most) if taken else max(state - 1, 1)
    s[history + Y_USED] = s[H_INSTRUCTIONS]


def _on_new_branch(uc: int, record: int, buffer: int) -> int:
    _come_in(pointer(buffer), record)
    return 0


on_new_branch = Recipe(types.int64(types.int64, types.int64, types.int64), _on_new_branch)
