"""Two results set side by side, and the policy that judges what changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from vtarget.base.strictyaml import Field, Model, Text


class Rule(Model):
    """What a metric may do. ``metric`` is a name of ``logic.metrics``, or a pattern with ``*``.

    A change for the worse (``direction``: up, down, or both) beyond ``percent`` of the base *and* ``absolute`` units is
    a regression. ``missing`` is what a metric means that only the base has.
    """

    metric: Text
    direction: Literal["up", "down", "both"] = "up"
    percent: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    absolute: Annotated[float, Field(ge=0, le=1e18)] = 0.0
    missing: Literal["fail", "warn"] = "warn"


class Policy(Model):
    """The rules of a comparison; for each metric, the first that names it counts."""

    metrics: Annotated[tuple[Rule, ...], Field(min_length=1)]


# What is judged without a policy: totals may grow by half a percent, memory not at all.
DEFAULT_POLICY = Policy(
    metrics=(
        Rule(metric="cycles", percent=0.5),
        Rule(metric="energy_j", percent=0.5),
        Rule(metric="*_bytes"),
    )
)


@dataclass(frozen=True)
class ResultFacts:
    """What a comparison needs of a result file: what must agree for two to be comparable, and the metrics by name."""

    path: str
    identity: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, float], ...]


class Verdict(StrEnum):
    """What a rule says of a change."""

    SAME = "same"
    WITHIN = "within"
    BETTER = "better"
    WORSE = "worse"
    MISSING = "missing"
    MISSING_FAILS = "missing (fail)"
    NEW = "new"
    UNJUDGED = "unjudged"


FAILING = frozenset({Verdict.WORSE, Verdict.MISSING_FAILS})


@dataclass(frozen=True)
class Change:
    """One metric in both results; None where one of them lacks it."""

    metric: str
    base: float | None
    new: float | None
    verdict: Verdict
    rule: Rule | None

    @property
    def difference(self) -> float:
        """new - base, 0 where one is missing."""
        return 0.0 if self.base is None or self.new is None else self.new - self.base

    @property
    def percent(self) -> float | None:
        """The difference in percent of the base; None where there is no base to take it of."""
        return 100 * self.difference / abs(self.base) if self.base and self.new is not None else None


@dataclass(frozen=True)
class Comparison:
    """All metrics of two results. ``differences`` are the parts of their identities that were allowed to differ."""

    base: str
    new: str
    changes: tuple[Change, ...]
    differences: tuple[str, ...]

    @property
    def failed(self) -> tuple[Change, ...]:
        """What makes the comparison fail."""
        return tuple(change for change in self.changes if change.verdict in FAILING)
