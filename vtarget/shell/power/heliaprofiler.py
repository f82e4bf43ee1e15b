"""``power_summary.csv`` of Ambiq's heliaPROFILER: lines of scope, metric and value.

Scopes ``gated_window_0`` and on are what the firmware's GPIO marked, with ``duration_s``, ``energy_j`` and
``sample_count``, the number of statistics packets in them: an edge is known to one packet. Without such scopes, that of
the measurement counts, unless it is of the whole capture. A window holds as many inferences as fit in, so its power
calibrates. Source: helia-profiler, report/power.py and power/joulescope/stats.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vtarget.base.errors import InputError
from vtarget.logic.powerwindows import Window
from vtarget.shell.power.recording import Result, Results
from vtarget.shell.power.resultrows import number, read_rows

KIND = "heliaprofiler-csv"
COLUMNS = ["scope", "metric", "value"]
UNGATED = ("whole_capture_window", "free_form_capture")
NOTE = "heliaPROFILER's windows hold many inferences each: use their power, not their energy"
_GATED = re.compile(r"gated_window_\d+")


def matches(names: Sequence[str]) -> bool:
    """Whether a table with these columns is such a summary."""
    return [name.lower() for name in names] == COLUMNS


def open_results(path: str) -> Results:
    """The windows that were gated. InputError if there are none, or a line is no good."""
    (_, header), *rows = read_rows(path)
    if not matches(header):
        raise InputError(f"{path}: line 1: the columns are not scope, metric, value")
    scopes: dict[str, dict[str, float]] = {}
    for line, (scope, metric, value) in rows:
        figures = scopes.setdefault(scope, {})
        if metric in figures:
            raise InputError(f"{path}: line {line}: {scope} {metric} is there twice")
        if metric in ("duration_s", "energy_j", "sample_count", "start_s"):
            figures[metric] = number(path, line, "value", value)
    gated = [scope for scope in scopes if _GATED.fullmatch(scope)]
    chosen = gated or [scope for scope in scopes if scope not in UNGATED][:1]
    if not chosen:
        raise InputError(
            f"{path}: only the whole capture was measured, setup and idle time included", hint="gate it by a GPIO"
        )
    return Results(KIND, path, tuple(_result(path, scope, scopes[scope]) for scope in chosen), NOTE)


def _result(path: str, scope: str, figures: dict[str, float]) -> Result:
    missing = [metric for metric in ("duration_s", "energy_j") if metric not in figures]
    if missing or not figures["duration_s"]:
        raise InputError(f"{path}: {scope} has no {missing[0] if missing else 'duration'}")
    packets = figures.get("sample_count", 0.0)
    slack = figures["energy_j"] / packets if packets else 0.0
    return Result(scope, "", Window(figures.get("start_s", 0.0), figures["duration_s"], figures["energy_j"], slack))
