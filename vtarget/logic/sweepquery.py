"""Questions to the rows of a sweep: which fulfil a condition, which are on a Pareto front, in what order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.sweep import Outcome, Row
from vtarget.logic.expression import Condition, condition
from vtarget.logic.metrics import SCALED, with_scaled

_NO_METRICS = frozenset({"status", "error", "core", "bit_exact", "price_currency", "provenance", "emulated_on"})
_FIELDS = tuple(name for name in Outcome.__dataclass_fields__ if name not in _NO_METRICS and name != "not_modelled")
METRICS = (*_FIELDS, *SCALED)


def metrics_of_row(row: Row) -> dict[str, float]:
    """The numbers of a row by name, in SI units and in those that people say; what isn't known is left out."""
    found = {name: getattr(row.outcome, name) for name in _FIELDS}
    return with_scaled({name: float(value) for name, value in found.items() if value is not None})


@dataclass(frozen=True)
class Question:
    """What is asked of all rows: a condition (all that it speaks of must be known), a front of metrics that should be
    small, and what to sort by (``-`` in front: largest first)."""

    where: Condition | None = None
    pareto: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()

    @classmethod
    def of(cls, where: str | None = None, pareto: str | None = None, sort: str | None = None) -> Question:
        """A question from texts, metrics being separated by commas. InputError for unknown ones."""
        wanted = None if where is None else _where(where)
        return cls(wanted, _metrics(pareto, "--pareto"), _metrics(sort, "--sort", signed=True))

    @property
    def needs_all(self) -> bool:
        """Whether no row can be given out before all are there."""
        return bool(self.pareto or self.sort)

    def takes(self, row: Row) -> bool:
        """Whether the row fulfils the condition; a failed one does where there is none."""
        if self.where is None:
            return True
        metrics = metrics_of_row(row)
        return row.outcome.status == "ok" and set(self.where.names) <= set(metrics) and self.where.holds(metrics)

    def answer(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that fulfil the condition, the front among them marked, in the order asked for."""
        found = [row for row in rows if self.takes(row)]
        _check_currency(found, self.where.names if self.where is not None else ())
        if self.pareto:
            found = marked(found, self.pareto)
        for name in reversed(self.sort):
            found = _sorted(found, name.removeprefix("-"), largest_first=name.startswith("-"))
        return found


def _where(text: str) -> Condition:
    try:
        found = condition(text)
    except InputError as error:
        raise InputError(error.message.replace("--fail-if", "--where", 1), hint=error.hint) from None
    for name in found.names:
        _check_metric(name, f"--where '{text}'")
    return found


def _metrics(text: str | None, option: str, *, signed: bool = False) -> tuple[str, ...]:
    names = () if text is None else tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        _check_metric(name.removeprefix("-") if signed else name, option)
    return names


def _check_metric(name: str, option: str) -> None:
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or f"one of {', '.join(METRICS)}"
        raise InputError(f"{option}: rows of a sweep have no '{name}'", hint=hint)


def _sorted(rows: list[Row], name: str, *, largest_first: bool) -> list[Row]:
    """Rows without the metric stand last either way; equal ones keep their order."""
    _check_currency(rows, [name])
    values = [(row, metrics_of_row(row).get(name)) for row in rows]
    known = [(row, value) for row, value in values if value is not None]
    known.sort(key=lambda pair: -pair[1] if largest_first else pair[1])
    return [row for row, _ in known] + [row for row, value in values if value is None]


def marked(rows: Sequence[Row], metrics: Sequence[str]) -> list[Row]:
    """Rows that say whether they are on the front of their workload: no other row of it is as small in all metrics and
    smaller in one. A row that lacks a metric is on none."""
    _check_currency(rows, metrics)
    points: list[tuple[float, ...] | None] = []
    for row in rows:
        known = metrics_of_row(row)
        points.append(tuple(known[name] for name in metrics) if set(metrics) <= set(known) else None)
    by_workload: dict[str, set[tuple[float, ...]]] = {}
    for row, point in zip(rows, points, strict=True):
        if point is not None:
            by_workload.setdefault(row.cell.workload, set()).add(point)
    fronts = {workload: _front(found) for workload, found in by_workload.items()}
    return [
        replace(row, front=point is not None and point in fronts[row.cell.workload])
        for row, point in zip(rows, points, strict=True)
    ]


def _front(points: set[tuple[float, ...]]) -> set[tuple[float, ...]]:
    front: list[tuple[float, ...]] = []
    for point in sorted(points):  # whatever dominates a point comes before it
        if not any(all(x <= y for x, y in zip(other, point, strict=True)) for other in front):
            front.append(point)
    return set(front)


def _check_currency(rows: Iterable[Row], metrics: Iterable[str]) -> None:
    if "price" not in metrics:
        return
    currencies = sorted({row.outcome.price_currency for row in rows if row.outcome.price_currency is not None})
    if len(currencies) > 1:
        raise InputError(f"price: boards are priced in {' and '.join(currencies)}", hint="state all in one currency")
