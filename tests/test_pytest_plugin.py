"""The pytest plugin, as a project that has vtarget installed uses it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from machinelib import EXAMPLES

pytest_plugins = ["pytester"]
MODEL = Path(__file__).resolve().parent.parent / "models" / "ad_autoencoder.tflite"

PASSING = f"""
import pytest

@pytest.mark.vtarget(board="nucleo-l4r5zi")
def test_fir(vtarget):
    profile = vtarget.run({str(EXAMPLES / "fir-m4f.elf")!r})
    assert profile.exit.code == 0
    assert "ok" in profile.console
    vtarget.require(profile, "latency_ms < 1000", "ram_bytes <= 65536 and cycles > 0")

@pytest.mark.vtarget("mps2-an386", clock_hz=20_000_000)
def test_another(vtarget):
    slow = vtarget.run({str(EXAMPLES / "fir-m4f.elf")!r}, board="nucleo-l4r5zi")
    assert slow.clock_hz == 20_000_000
"""
FAILING = f"""
import pytest

@pytest.mark.vtarget(board="nucleo-l4r5zi")
def test_fir(vtarget):
    profile = vtarget.run({str(EXAMPLES / "fir-m4f.elf")!r})
    vtarget.require(profile, "instructions < 10", "cycles > 1", "ram_bytes < 1")

def test_nowhere(vtarget):
    vtarget.run("fir.elf")
"""
WITH_MODEL = f"""
import pytest

@pytest.mark.vtarget(board="nucleo-l4r5zi")
def test_model(vtarget):
    profile = vtarget.profile({str(MODEL)!r}, validate=False)
    assert len(profile.layers) == 4
    vtarget.require(profile, "layer(0) < cycles", "weights_bytes > 20000")
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest("")
    return pytester


def test_a_test_runs_firmware_and_holds_it_to_a_budget(project: pytest.Pytester) -> None:
    project.makepyfile(PASSING)
    project.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_broken_budget_names_the_values_and_a_missing_board_the_mark(project: pytest.Pytester) -> None:
    project.makepyfile(FAILING)
    done = project.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(
        [
            "*instructions < 10: instructions is *; ram_bytes < 1: ram_bytes is *",
            "*which board? mark the test with @pytest.mark.vtarget(board=...)*",
        ]
    )


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
def test_a_test_profiles_a_model(project: pytest.Pytester) -> None:
    project.makepyfile(WITH_MODEL)
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_mark_is_listed(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.vtarget(board, clock_hz=None):*"])
