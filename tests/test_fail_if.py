"""``--fail-if`` on ``run`` and ``profile``."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from machinelib import EXAMPLES

from vtarget.app.profile_cmd import profile
from vtarget.app.run_cmd import run
from vtarget.base.errors import InputError, RunError

BOARD = "mps2-an386"
MODELS = Path(__file__).resolve().parent.parent / "models"
FIR = [str(EXAMPLES / "fir-m4f.elf"), "-b", "nucleo-l4r5zi", "--quiet"]


def test_a_budget_that_is_kept() -> None:
    result = CliRunner().invoke(run, [*FIR, "--fail-if", "latency_ms > 1000", "--fail-if", "ram_bytes > 1e6"])
    assert result.exit_code == 0, result.exception


def test_a_budget_that_is_broken_names_the_values() -> None:
    result = CliRunner().invoke(run, [*FIR, "--fail-if", "instructions > 10 and flash_bytes > 2"])
    assert isinstance(result.exception, RunError)
    assert str(result.exception).startswith("--fail-if: instructions > 10 and flash_bytes > 2: instructions is ")


def test_a_condition_that_is_none_stops_before_the_run() -> None:
    result = CliRunner().invoke(run, ["nothing.elf", "-b", BOARD, "--fail-if", "cycles"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("--fail-if 'cycles'")


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
@pytest.mark.skipif(importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert not found")
def test_a_model_that_is_too_slow_says_on_which_board_and_engine() -> None:
    arguments = [str(MODELS / "ad_autoencoder.tflite"), "-b", BOARD, "-e", "simd", "-e", "reference", "--no-validate"]
    result = CliRunner().invoke(profile, [*arguments, "--quiet", "--fail-if", "layer(0) > 10"])
    assert isinstance(result.exception, RunError)
    assert str(result.exception).startswith("--fail-if: layer(0) > 10 (mps2-an386, engine simd): layers.0.cycles is ")
