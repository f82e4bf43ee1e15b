"""Named numbers of a result (``vtarget.profile``): what comparisons, budgets and expressions speak of.

Totals go by the contract's names (``cycles``, ``latency_s``, ``energy_j``, ``flash_bytes``, …); kernels, layers and
spans by ``kernels.NAME.cycles``, ``layers.INDEX.cycles`` and ``spans.NAME.cycles`` (all calls together).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vtarget.data.comparison import ResultFacts
from vtarget.logic.result import SCHEMA_VERSION

TOTALS = ("instructions", "cycles", "latency_s", "energy_j")
MEMORY = ("flash_bytes", "ram_bytes", "stack_peak_bytes", "arena_bytes", "weights_bytes", "code_bytes")
# Totals in the units that people say, by factor.
SCALED = {
    "latency_ms": ("latency_s", 1e3),
    "latency_us": ("latency_s", 1e6),
    "energy_mj": ("energy_j", 1e3),
    "energy_uj": ("energy_j", 1e6),
}


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a result's JSON object, in its order; ValueError if it is none."""
    found: dict[str, float] = {}
    for name in TOTALS:
        _add(found, name, result.get(name))
    memory = _mapping(result.get("memory") or {}, "memory")
    for name in MEMORY:
        _add(found, name, memory.get(name))
    validation = result.get("validation")
    if validation is not None:
        _add(found, "max_abs_diff", _mapping(validation, "validation").get("max_abs_diff"))
    for kind, key in (("kernels", "name"), ("spans", "name"), ("layers", "index")):
        for row in result.get(kind) or ():
            entry = _mapping(row, kind)
            name = f"{kind}.{entry.get(key)}.cycles"
            value = _number(entry.get("cycles"), name)
            if value is not None:
                found[name] = found.get(name, 0.0) + value
    return found


def facts_of(path: str, result: Mapping[str, Any]) -> ResultFacts:
    """What a comparison needs of a result; ValueError if it is no result of ``run`` or ``profile``."""
    if result.get("schema") != "vtarget.profile":
        raise ValueError(f"schema {result.get('schema')!r} is not 'vtarget.profile'")
    version = result.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version is {version!r:.20}, this vtarget reads {SCHEMA_VERSION}")
    board = _mapping(result.get("board"), "board")
    identity = {
        "board": str(board.get("name")),
        "clock": f"{_number(board.get('clock_hz'), 'board.clock_hz') or 0:.0f} Hz",
        "provenance": str(result.get("provenance")),
    }
    if "model" in result:
        identity["model"] = str(_mapping(result["model"], "model").get("sha256"))
        identity["engine"] = str(result.get("engine"))
    return ResultFacts(path, tuple(identity.items()), tuple(metrics_of(result).items()))


def with_scaled(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics, and the totals in other units."""
    scaled = {name: metrics[of] * factor for name, (of, factor) in SCALED.items() if of in metrics}
    return {**metrics, **scaled}


def _add(found: dict[str, float], name: str, value: object) -> None:
    number = _number(value, name)
    if number is not None:
        found[name] = number


def _number(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is no number")
    return float(value)


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")
    return value
