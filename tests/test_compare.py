"""Two results side by side: what is comparable, what a policy calls a regression, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from vtarget.app.compare_cmd import compare as command
from vtarget.base.errors import InputError, RunError
from vtarget.data.comparison import Policy, ResultFacts, Rule, Verdict
from vtarget.logic.compare import compare
from vtarget.logic.comparereport import junit, markdown, shown, summary
from vtarget.logic.metrics import facts_of, metrics_of, with_scaled

IDENTITY = (("board", "nucleo-l4r5zi"), ("clock", "120000000 Hz"), ("provenance", "uncalibrated"))


def result(cycles: int = 1000, **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "schema": "vtarget.profile",
        "schema_version": 1,
        "board": {"name": "nucleo-l4r5zi", "core": "cortex-m4", "clock_hz": 120_000_000},
        "instructions": 800,
        "cycles": cycles,
        "latency_s": cycles / 120e6,
        "energy_j": None,
        "provenance": "uncalibrated",
        "kernels": [{"name": "fir", "cycles": cycles - 100}, {"name": "main", "cycles": 100}],
        "layers": [],
        "spans": [{"name": "s", "cycles": 10}, {"name": "s", "cycles": 20}],
        "memory": {"flash_bytes": 1208, "ram_bytes": 4048, "stack_peak_bytes": 104, "arena_bytes": None},
        "validation": None,
    }
    return base | changes


def facts(path: str = "r.json", **metrics: float) -> ResultFacts:
    return ResultFacts(path, IDENTITY, tuple(metrics.items()))


def verdict(base: float | None, new: float | None, **rule: Any) -> Verdict:
    before = {} if base is None else {"cycles": base}
    after = {} if new is None else {"cycles": new}
    policy = Policy(metrics=(Rule.model_validate({"metric": "cycles"} | rule),))
    return compare(facts(**before), facts(**after), policy).changes[0].verdict


def test_metrics_of_a_result() -> None:
    assert metrics_of(result()) == {
        "instructions": 800.0,
        "cycles": 1000.0,
        "latency_s": 1000 / 120e6,
        "flash_bytes": 1208.0,
        "ram_bytes": 4048.0,
        "stack_peak_bytes": 104.0,
        "kernels.fir.cycles": 900.0,
        "kernels.main.cycles": 100.0,
        "spans.s.cycles": 30.0,
    }
    assert with_scaled({"latency_s": 0.002})["latency_ms"] == 2.0


def test_the_identity_of_a_result() -> None:
    assert facts_of("r.json", result()).identity == IDENTITY
    model = facts_of("r.json", result(model={"sha256": "abc"}, engine="simd"))
    assert model.identity == (*IDENTITY, ("model", "abc"), ("engine", "simd"))


@pytest.mark.parametrize(
    ("base", "new", "rule", "expected"),
    [
        (1000, 1000, {}, Verdict.SAME),
        (1000, 1001, {}, Verdict.WORSE),
        (1000, 999, {}, Verdict.BETTER),
        (1000, 1005, {"percent": 0.5}, Verdict.WITHIN),
        (1000, 1006, {"percent": 0.5}, Verdict.WORSE),
        (1000, 1006, {"percent": 0.5, "absolute": 10}, Verdict.WITHIN),
        (1000, 1011, {"percent": 0.5, "absolute": 10}, Verdict.WORSE),
        (1000, 990, {"direction": "down"}, Verdict.WORSE),
        (1000, 1010, {"direction": "down"}, Verdict.BETTER),
        (1000, 990, {"direction": "both", "percent": 0.5}, Verdict.WORSE),
        (0, 1, {"percent": 50}, Verdict.WORSE),
        (1000, None, {}, Verdict.MISSING),
        (1000, None, {"missing": "fail"}, Verdict.MISSING_FAILS),
        (None, 1000, {}, Verdict.NEW),
    ],
)
def test_verdicts(base: float | None, new: float | None, rule: dict[str, Any], expected: Verdict) -> None:
    assert verdict(base, new, **rule) is expected


def test_the_first_rule_that_names_a_metric_counts() -> None:
    policy = Policy(metrics=(Rule(metric="kernels.fir*", percent=50), Rule(metric="*")))
    base = ResultFacts("a", IDENTITY, (("kernels.fir.cycles", 100.0), ("kernels.main.cycles", 100.0)))
    new = ResultFacts("b", IDENTITY, (("kernels.fir.cycles", 120.0), ("kernels.main.cycles", 120.0)))
    assert {c.metric: c.verdict for c in compare(base, new, policy).changes} == {
        "kernels.fir.cycles": Verdict.WITHIN,
        "kernels.main.cycles": Verdict.WORSE,
    }


def test_by_default_kernels_are_shown_and_not_judged() -> None:
    changes = compare(facts_of("a", result()), facts_of("b", result(2000))).changes
    verdicts = {c.metric: c.verdict for c in changes}
    assert verdicts["cycles"] is Verdict.WORSE
    assert verdicts["kernels.fir.cycles"] is Verdict.UNJUDGED
    assert next(c.metric for c in changes if "." in c.metric) == "kernels.fir.cycles"


def test_what_is_not_comparable_is_refused_unless_allowed() -> None:
    other = facts_of("b", result(board={"name": "rpi-pico", "clock_hz": 125_000_000}))
    with pytest.raises(InputError, match="not comparable: board: nucleo-l4r5zi and rpi-pico"):
        compare(facts_of("a", result()), other)
    with pytest.raises(InputError, match="not comparable: clock"):
        compare(facts_of("a", result()), other, allow=("board",))
    allowed = compare(facts_of("a", result()), other, allow=("board", "clock"))
    assert allowed.differences == (
        "board: nucleo-l4r5zi and rpi-pico",
        "clock: 120000000 Hz and 125000000 Hz",
    )
    with pytest.raises(InputError, match="--allow weather"):
        compare(facts_of("a", result()), other, allow=("weather",))


@given(st.integers(10_000, 10**12), st.floats(0.51, 50))
def test_seeded_regressions_are_caught(cycles: int, percent: float) -> None:
    grown = int(cycles * (1 + percent / 100)) + 1
    comparison = compare(facts(cycles=cycles), facts(cycles=grown))
    assert [c.metric for c in comparison.failed] == ["cycles"]


@given(st.floats(1e-9, 1e12))
def test_equal_runs_are_never_flagged(value: float) -> None:
    assert not compare(facts(cycles=value, energy_j=value), facts(cycles=value, energy_j=value * (1 + 1e-15))).failed


def test_one_percent_is_caught_at_half_a_percent_a_thousand_times() -> None:
    for cycles in range(100_000, 1_100_000, 1000):
        assert compare(facts(cycles=cycles), facts(cycles=cycles * 1.01)).failed
        assert not compare(facts(cycles=cycles), facts(cycles=cycles)).failed


def test_markdown_cannot_be_broken_by_names() -> None:
    evil = "kernels.a|b`<script>\n.cycles"
    base = ResultFacts("a", IDENTITY, ((evil, 1.0),))
    text = markdown(compare(base, ResultFacts("b", IDENTITY, ((evil, 2.0),)), Policy(metrics=(Rule(metric="*"),))))
    row = text.splitlines()[-1]
    assert row.startswith("| `kernels.a\\|b'&lt;script> .cycles` |")
    assert "❌" in text.splitlines()[0]


def test_junit_has_a_case_per_judged_metric() -> None:
    comparison = compare(facts_of("a", result()), facts_of("b", result(1100)))
    suite = ElementTree.fromstring(junit(comparison))
    assert suite.attrib == {"name": "vtarget compare", "tests": "4", "failures": "1"}
    failing = [case for case in suite if len(case)]
    assert [case.attrib["name"] for case in failing] == ["cycles"]
    assert failing[0][0].attrib["message"] == "1,000 -> 1,100 (+10.00 %): worse than 0.5 %"


def test_all_that_fails_is_shown_however_many_kernels_changed_more() -> None:
    names = [f"kernels.k{n}.cycles" for n in range(30)]
    base = ResultFacts("a", IDENTITY, tuple((name, 1000.0) for name in names))
    new = ResultFacts("b", IDENTITY, tuple((name, 1000.0 + 100 - n) for n, name in enumerate(names)))
    comparison = compare(base, new, Policy(metrics=(Rule(metric="kernels.k29.*"),)))
    assert [c.metric for c in shown(comparison)][-1] == "kernels.k29.cycles"
    assert len(shown(comparison)) == 11
    assert summary(comparison) == "regression: kernels.k29.cycles +71 (+7.10 %)"


def write(path: Path, value: object) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def test_the_command_passes_and_fails(tmp_path: Path) -> None:
    base, same, worse = (
        write(tmp_path / name, value)
        for name, value in (("a.json", result()), ("b.json", result()), ("c.json", result(1010)))
    )
    passed = CliRunner().invoke(command, [base, same])
    assert passed.exit_code == 0 and passed.output.endswith("no regression\n")
    failed = CliRunner().invoke(command, [base, worse, "--markdown", str(tmp_path / "m.md"), "--json", "-"])
    assert isinstance(failed.exception, RunError)
    assert str(failed.exception) == "regression: cycles +10 (+1.00 %)"
    assert json.loads(failed.output)["passed"] is False
    assert (tmp_path / "m.md").read_text().startswith("### ❌ vtarget: regression: cycles +10 (+1.00 %)")


def test_a_policy_file_decides(tmp_path: Path) -> None:
    base, new = write(tmp_path / "a.json", result()), write(tmp_path / "b.json", result(1010))
    policy = tmp_path / "policy.yaml"
    policy.write_text("metrics:\n  - {metric: cycles, percent: 2}\n")
    assert CliRunner().invoke(command, [base, new, "--policy", str(policy)]).exit_code == 0
    policy.write_text("metrics:\n  - {metric: cycles, percents: 2}\n")
    refused = CliRunner().invoke(command, [base, new, "--policy", str(policy)])
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception).startswith(f"{policy}:2: metrics.0: unknown key 'percents'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "is no JSON object"),
        ("{", "Expecting property name"),
        ('{"schema": "other"}', "schema 'other' is not 'vtarget.profile'"),
        ('{"schema": "vtarget.profile", "schema_version": 99}', "schema_version is 99, this vtarget reads 1"),
        ('{"schema": "vtarget.profile", "board": 3}', "board is no object"),
        ('{"schema": "vtarget.profile", "board": {"clock_hz": NaN}}', "NaN is no JSON number"),
        ('{"schema": "vtarget.profile", "board": {"clock_hz": "x"}}', "board.clock_hz is no number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_unusable_results_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    refused = CliRunner().invoke(command, [str(path), str(path)])
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception).startswith(f"{path}: not a usable result: ") and message in str(refused.exception)
