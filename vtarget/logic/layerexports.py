"""Layers for tools that show or measure models layer by layer: Model Explorer's node data, and the CSV columns of
Ambiq's AutoDeploy (neuralSPOT) and heliaPROFILER (hpx), so that a measured and an emulated run can be set side by side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vtarget.base.errors import InputError, printable
from vtarget.data.savedresult import SavedLayer, SavedResult

GRADIENT = [{"stop": 0, "bgColor": "#fff7d6"}, {"stop": 1, "bgColor": "#d55e00"}]
METRICS: dict[str, Callable[[SavedLayer], float | None]] = {
    "cycles": lambda layer: float(layer.cycles),
    "time-us": lambda layer: 1e6 * layer.latency_s,
    "energy-uj": lambda layer: None if layer.energy_j is None else 1e6 * layer.energy_j,
    "cycles-per-mac": lambda layer: layer.cycles_per_mac,
}
# The columns of AutoDeploy's profile on Apollo3 and 4 (neuralSPOT, ns-harness/src/ns_micro_profiler.cc): time and MACs,
# the counters of the DWT, those of the cache. What wasn't counted stays empty.
AUTODEPLOY_COLUMNS = (
    *("Event", "Tag", "uSeconds", "Est MACs", "cycles", "cpi", "exc", "sleep", "lsu", "fold"),
    *("daccess", "dtaglookup", "dhitslookup", "dhitsline", "iaccess", "itaglookup", "ihitslookup", "ihitsline"),
)
# The columns of hpx's profile_results.csv (helia-profiler, report/csv_writer.py); a MAC is two operations.
HPX_COLUMNS = ("id", "op", "ARM_PMU_CPU_CYCLES", "cycles", "cycles_pct", "overflow", "macs", "ops", "cycles_per_mac")
TAG_CHARS = 19  # what AutoDeploy's firmware keeps of a name


def model_explorer(result: SavedResult, metric: str = "cycles") -> dict[str, Any]:
    """Node data of one of METRICS (``GraphNodeData`` in Model Explorer's ``node_data_builder.py``; its page shows one
    to a file), for whichever graph is open. Nodes go by the name of their first output tensor, or by their number where
    that says nothing. Raises InputError if no layer has the metric."""
    values = {layer.index: METRICS[metric](layer) for layer in result.layers}
    if all(value is None for value in values.values()):
        raise InputError(f"{result.title}: no layer has a figure for --metric {metric}")
    times = Counter(layer.name for layer in result.layers)
    return {
        "name": f"{metric}, {result.board.name}{f' {result.engine}' if result.engine else ''}",
        "results": {
            layer.name if layer.name and times[layer.name] == 1 else str(layer.index): {"value": values[layer.index]}
            for layer in result.layers
            if values[layer.index] is not None
        },
        "gradient": GRADIENT,
    }


def autodeploy_csv(result: SavedResult) -> str:
    """One row per layer under AUTODEPLOY_COLUMNS."""
    rest = [""] * (len(AUTODEPLOY_COLUMNS) - 5)
    rows = [
        [layer.index, layer.op[:TAG_CHARS], round(1e6 * layer.latency_s), layer.macs, layer.cycles, *rest]
        for layer in result.layers
    ]
    return _csv(AUTODEPLOY_COLUMNS, rows)


def hpx_csv(result: SavedResult) -> str:
    """One row per layer under HPX_COLUMNS. ``ops`` of a layer without MACs isn't known here: 0."""
    whole = sum(layer.cycles for layer in result.layers) or 1
    rows = []
    for layer in result.layers:
        each = f"{layer.cycles / layer.macs:.2f}" if layer.macs else ""
        rows.append([layer.index, layer.op, f"{layer.cycles:.1f}", f"{layer.cycles:.1f}",
                     f"{100 * layer.cycles / whole:.1f}", False, layer.macs, 2 * layer.macs, each])  # fmt: skip
    return _csv(HPX_COLUMNS, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "".join(",".join(_cell(cell) for cell in row) + "\n" for row in (columns, *rows))


def _cell(value: object) -> str:
    """RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    shown = printable(str(value))
    if isinstance(value, str) and re.match(r"[=+@\t-]", shown):
        shown = f"'{shown}"
    return '"' + shown.replace('"', '""') + '"' if re.search(r'[",\n\r]', shown) else shown
