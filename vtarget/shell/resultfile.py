"""Results that were written as JSON, read again. What a file holds is checked before anything believes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

from vtarget.base.errors import InputError, printable
from vtarget.base.strictyaml import parse_json
from vtarget.data.savedresult import SavedResult, SavedTimeline
from vtarget.shell.files import read_file

MOST_BYTES = 256 << 20
T = TypeVar("T")


def load_result(path: str, option: str, read: Callable[[Mapping[str, Any]], T]) -> T:
    """``read`` of the JSON object in a file; what it can't use (ValueError) is an InputError that names the file."""
    data = read_file(path, option, MOST_BYTES)
    try:
        result = json.loads(data, parse_constant=_no_number)
        if not isinstance(result, dict):
            raise ValueError("is no JSON object")
        return read(result)
    except (ValueError, RecursionError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{path}: not a usable result: {what}", hint="make one with --json") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def load_saved(path: str, option: str) -> tuple[SavedResult, ...]:
    """The results in a file of ``run --json`` or ``profile --json`` (one, or a list). InputError if it is none."""
    data = read_file(path, option, MOST_BYTES)
    try:
        found = json.loads(data, parse_constant=_no_number)
        results = tuple(saved_of(result) for result in (found if isinstance(found, list) else [found]))
        if not results:
            raise ValueError("is an empty list")
    except (ValueError, RecursionError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{path}: not a usable result: {what}", hint="make one with --json") from None
    return results


def saved_of(result: object) -> SavedResult:
    """A result's JSON object, checked. ValueError if it is none."""
    saved = parse_json(json.dumps(result).encode(), SavedResult)
    if any(row.parent is not None and row.parent >= at for at, row in enumerate(saved.contexts)):
        raise ValueError("contexts: a row stands above its parent")
    if saved.timeline is not None:
        _check_timeline(saved.timeline)
    return saved


def _check_timeline(timeline: SavedTimeline) -> None:
    changes = [change.cycle for change in timeline.clocks]
    if changes[0] or any(a >= b for a, b in pairwise(changes)):
        raise ValueError("timeline: clocks are not in order of time from cycle 0 on")
    for lane in timeline.lanes:
        kept, left_out = (*lane.begins, *lane.ends), lane.left_out
        if len(lane.begins) != len(lane.ends) or any(a > b for a, b in zip(lane.begins, lane.ends, strict=True)):
            raise ValueError(f"timeline: a stretch of '{printable(lane.name)}' ends before it begins")
        if left_out.first_cycle > left_out.last_cycle or max((*kept, left_out.last_cycle)) > timeline.end_cycle:
            raise ValueError(f"timeline: '{printable(lane.name)}' goes on after the run")
