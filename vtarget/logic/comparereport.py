"""A comparison for people (rows, Markdown) and for machines (JSON, JUnit)."""

from __future__ import annotations

from html import escape
from typing import Any

from vtarget.data.comparison import FAILING, Change, Comparison, Verdict
from vtarget.logic.report import quantity

COLUMNS = ("metric", "base", "new", "change", "%", "verdict")
MOST_PARTS = 10
_UNITS = {"latency_s": "s", "energy_j": "J"}


def shown(comparison: Comparison, most_parts: int = MOST_PARTS) -> tuple[Change, ...]:
    """What is worth showing: all totals, all that fails, and of kernels, layers and spans the largest changes."""
    parts = [c for c in comparison.changes if "." in c.metric and c.verdict is not Verdict.SAME]
    kept = {c.metric for c in parts[:most_parts]} | {c.metric for c in comparison.failed}
    return tuple(c for c in comparison.changes if "." not in c.metric or c.metric in kept)


def rows(changes: tuple[Change, ...]) -> list[list[str]]:
    """Texts by COLUMNS."""
    return [
        [
            change.metric,
            _value(change.metric, change.base),
            _value(change.metric, change.new),
            _difference(change),
            "-" if change.percent is None else f"{change.percent:+.2f}",
            _verdict(change),
        ]
        for change in changes
    ]


def summary(comparison: Comparison) -> str:
    """One line: what failed, or that nothing did."""
    failed = comparison.failed
    if not failed:
        return "no regression"
    first = failed[0]
    told = f"{first.metric} {_difference(first)}" + (f" ({first.percent:+.2f} %)" if first.percent is not None else "")
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"regression: {told}{more}"


def _verdict(change: Change) -> str:
    if change.verdict is not Verdict.WORSE or change.rule is None:
        return change.verdict.value
    limits = [f"{change.rule.percent:g} %"] if change.rule.percent else []
    limits += [_value(change.metric, change.rule.absolute)] if change.rule.absolute else []
    return f"worse than {' and '.join(limits)}" if limits else "worse"


def _value(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    unit = _UNITS.get(metric)
    return quantity(value, unit) if unit else f"{value:,.0f}"


def _difference(change: Change) -> str:
    if change.base is None or change.new is None:
        return "-"
    unit = _UNITS.get(change.metric)
    sign = "-" if change.difference < 0 else "+"
    size = quantity(abs(change.difference), unit) if unit else f"{abs(change.difference):,.0f}"
    return sign + size


def markdown(comparison: Comparison) -> str:
    """A table for a pull request."""
    mark = "❌" if comparison.failed else "✅"
    lines = [f"### {mark} vtarget: {_cell(summary(comparison))}", ""]
    lines.append("| " + " | ".join(COLUMNS) + " |")
    lines.append("|---|--:|--:|--:|--:|---|")
    for change, row in zip(shown(comparison), rows(shown(comparison)), strict=True):
        cells = [f"`{_cell(row[0])}`", *(_cell(text) for text in row[1:])]
        if change.verdict in FAILING:
            cells[-1] = f"**{cells[-1]}**"
        lines.append("| " + " | ".join(cells) + " |")
    lines += [""] + [f"Compared in spite of another {_cell(told)}." for told in comparison.differences]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    """Text that can't leave its cell or become markup: names of symbols come from firmware."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")


def junit(comparison: Comparison) -> str:
    """One test case per judged metric, for CI systems that show those."""
    judged = [c for c in comparison.changes if c.rule is not None]
    failures = sum(c.verdict in FAILING for c in judged)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="vtarget compare" tests="{len(judged)}" failures="{failures}">',
    ]
    for change, row in zip(judged, rows(tuple(judged)), strict=True):
        case = f'  <testcase classname="vtarget" name={_attribute(change.metric)}'
        if change.verdict in FAILING:
            told = _attribute(f"{row[1]} -> {row[2]} ({row[4]} %): {row[5]}")
            lines.append(f"{case}><failure message={told}/></testcase>")
        else:
            lines.append(f"{case}/>")
    return "\n".join([*lines, "</testsuite>", ""])


def _attribute(text: str) -> str:
    return '"' + escape("".join(c if c.isprintable() else " " for c in text), quote=True) + '"'


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison."""
    return {
        "schema": "vtarget.comparison",
        "schema_version": 1,
        "base": comparison.base,
        "new": comparison.new,
        "passed": not comparison.failed,
        "differences": list(comparison.differences),
        "changes": [
            {
                "metric": c.metric,
                "base": c.base,
                "new": c.new,
                "difference": c.difference,
                "percent": c.percent,
                "verdict": c.verdict.value,
            }
            for c in comparison.changes
        ],
    }
