"""What changed between two results, and what a policy says of it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from vtarget.base.errors import InputError
from vtarget.data.comparison import DEFAULT_POLICY, Change, Comparison, Policy, ResultFacts, Rule, Verdict

ROUNDING = 1e-12  # of a value: what two ways to compute the same float may differ by


def compare(
    base: ResultFacts, new: ResultFacts, policy: Policy = DEFAULT_POLICY, *, allow: Iterable[str] = ()
) -> Comparison:
    """Every metric of both, judged; the largest changes first among kernels and layers.

    InputError if they differ in what they are of (board, clock, provenance, model, engine), unless ``allow`` names it.
    """
    differences = _differences(base, new, frozenset(allow))
    before, after = dict(base.metrics), dict(new.metrics)
    names = dict.fromkeys([*before, *after])
    changes = [_change(name, before.get(name), after.get(name), policy) for name in names]
    totals = [change for change in changes if "." not in change.metric]
    parts = sorted((c for c in changes if "." in c.metric), key=lambda c: (-_size(c), c.metric))
    return Comparison(base.path, new.path, (*totals, *parts), differences)


def _differences(base: ResultFacts, new: ResultFacts, allowed: frozenset[str]) -> tuple[str, ...]:
    before, after = dict(base.identity), dict(new.identity)
    unknown = allowed - {*before, *after, "model", "engine"}
    if unknown:
        raise InputError(
            f"--allow {min(unknown)}: nothing of that name is compared", hint=f"one of {', '.join(before)}"
        )
    found = []
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name, "none"), after.get(name, "none")
        if one == other:
            continue
        told = f"{name}: {_short(one)} and {_short(other)}"
        if name not in allowed:
            raise InputError(
                f"{base.path} and {new.path} are not comparable: {told}", hint=f"--allow {name} compares them anyway"
            )
        found.append(told)
    return tuple(found)


def _short(text: str) -> str:
    return text if len(text) < 24 else text[:12] + "…"


def _size(change: Change) -> float:
    if change.base is None or change.new is None:
        return abs(change.base or change.new or 0.0)
    return abs(change.difference)


def _change(name: str, base: float | None, new: float | None, policy: Policy) -> Change:
    rule = next((rule for rule in policy.metrics if fnmatchcase(name, rule.metric)), None)
    return Change(name, base, new, _verdict(base, new, rule), rule)


def _verdict(base: float | None, new: float | None, rule: Rule | None) -> Verdict:
    if base is None:
        return Verdict.NEW
    if new is None:
        if rule is None:
            return Verdict.UNJUDGED
        return Verdict.MISSING_FAILS if rule.missing == "fail" else Verdict.MISSING
    difference = new - base
    if abs(difference) <= ROUNDING * max(abs(base), abs(new)):
        return Verdict.SAME
    if rule is None:
        return Verdict.UNJUDGED
    worse = rule.direction == "both" or (difference > 0) == (rule.direction == "up")
    if not worse:
        return Verdict.BETTER
    beyond = abs(difference) > rule.percent / 100 * abs(base) and abs(difference) > rule.absolute
    return Verdict.WORSE if beyond else Verdict.WITHIN
