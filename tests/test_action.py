"""The GitHub Action: its steps as a runner executes them, but for installing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from machinelib import EXAMPLES

ROOT = Path(__file__).resolve().parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash not found")


def step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run one step with the inputs given, the others by default."""
    found = next(s for s in ACTION["runs"]["steps"] if s["name"] == name)
    values = {key: spec.get("default", "") for key, spec in ACTION["inputs"].items()}
    values |= {key.replace("_", "-"): value for key, value in inputs.items()}
    env = {key: values[text.split("inputs.")[1].rstrip(" }")] for key, text in found["env"].items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    summary = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", found["run"]],
        env=os.environ | env | summary | {"PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_step_that_runs_names_its_shell() -> None:
    assert all(s["shell"] == "bash" for s in ACTION["runs"]["steps"])
    assert [s["name"] for s in ACTION["runs"]["steps"]] == ["Install vtarget", "Run", "Compare"]


def test_no_input_is_pasted_into_a_script() -> None:
    assert all("${{" not in s["run"] for s in ACTION["runs"]["steps"])


def test_run_and_compare(tmp_path: Path) -> None:
    firmware = str(EXAMPLES / "fir-m4f.elf")
    ran = step("Run", tmp_path, firmware=firmware, board="nucleo-l4r5zi", fail_if="latency_ms > 1000\n\ncycles < 1\n",
               options="--kernels 'fir|main'")  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "fir_q15" in ran.stdout
    result = json.loads((tmp_path / "vtarget.json").read_text())
    same = step("Compare", tmp_path, board="nucleo-l4r5zi", base="vtarget.json")
    assert same.returncode == 0 and "no regression" in same.stdout
    base = tmp_path / "base.json"
    base.write_text(json.dumps(result | {"cycles": result["cycles"] - 10_000}))
    policy = tmp_path / "policy.yaml"
    policy.write_text("metrics: [{metric: cycles, percent: 0.1}]\n")
    worse = step("Compare", tmp_path, board="nucleo-l4r5zi", base="base.json", policy="policy.yaml")
    assert worse.returncode == 1
    assert worse.stderr.startswith("error: regression: cycles +10,000")
    assert "### ❌ vtarget: regression" in (tmp_path / "summary.md").read_text()


def test_a_broken_budget_fails_the_job(tmp_path: Path) -> None:
    ran = step("Run", tmp_path, firmware=str(EXAMPLES / "fir-m4f.elf"), board="nucleo-l4r5zi", fail_if="cycles > 1")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: --fail-if: cycles > 1: cycles is ")


@pytest.mark.parametrize("inputs", [{}, {"firmware": "a.elf", "model": "b.tflite"}])
def test_what_to_run_must_be_clear(tmp_path: Path, inputs: dict[str, str]) -> None:
    ran = step("Run", tmp_path, board="rpi-pico", **inputs)
    assert ran.returncode == 2 and "give either firmware or model" in ran.stdout
