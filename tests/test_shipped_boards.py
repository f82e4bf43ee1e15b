"""Every shipped board runs firmware: an example, and the keyword model where it fits."""

from __future__ import annotations

import importlib.util
import shutil
from functools import cache
from pathlib import Path

import pytest
from firmwarelib import FIRMWARE, build, needs_compiler
from machinelib import run_elf

from vtarget.base.errors import InputError
from vtarget.data.validation import Validation
from vtarget.shell.boardlib import board_names, load_board
from vtarget.shell.interpreter import InterpreterResult
from vtarget.shell.modelbuild import ModelOptions
from vtarget.shell.profiling import ModelJob, interpret, profile_model
from vtarget.shell.running import pricer_for
from vtarget.shell.samples import seeded_samples
from vtarget.shell.tflitefile import read_model
from vtarget.shell.toolchain import find_toolchain

CORES = {"cortex-m0plus": "m0plus", "cortex-m3": "m3", "cortex-m4": "m4f", "cortex-m7": "m7", "cortex-m33": "m33"}
CORES |= {"cortex-m55": "m33", "cortex-m85": "m33"}  # what they have in common
KEYWORDS = FIRMWARE.parent / "models" / "kws_dscnn.tflite"
# A board's name and what its memory lacks for the keyword model.
TOO_SMALL = {"nucleo-f103rb": "SRAM needs 21440 of 20480 bytes", "nucleo-l073rz": "SRAM needs 21440 of 20480 bytes"}

needs_interpreter = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or importlib.util.find_spec("ai_edge_litert") is None,
    reason="arm-none-eabi-gcc or ai-edge-litert not found",
)


@needs_compiler
@pytest.mark.parametrize("name", board_names())
def test_the_reset_vector_starts_the_example_firmware(name: str, tmp_path: Path) -> None:
    core = CORES[load_board(name).core]
    (elf,) = build.build([build.Program(FIRMWARE / "examples" / "fir.c", core, name, "fir.elf")], tmp_path)
    record = run_elf(elf, name).record
    assert record.exit.code == 0
    assert record.console == "fir crc=0xedc0b4b9 ok\n"


@cache
def _job() -> tuple[ModelJob, InterpreterResult]:
    graph = read_model(str(KEYWORDS))
    job = ModelJob(graph, KEYWORDS.read_bytes(), seeded_samples(graph, 1), ModelOptions("simd"))
    with interpret(job) as work:
        return job, work.result()


def validation_on(name: str) -> Validation:
    job, interpreted = _job()
    validation = profile_model(job, pricer_for(name), find_toolchain("gcc"), interpreted)[0].validation
    assert validation is not None
    return validation


@needs_interpreter
@pytest.mark.parametrize("name", [name for name in board_names() if name not in TOO_SMALL])
def test_the_keyword_model_is_bit_exact(name: str) -> None:
    assert validation_on(name).bit_exact


@needs_interpreter
@pytest.mark.parametrize(("name", "missing"), TOO_SMALL.items())
def test_a_board_too_small_for_the_keyword_model_refuses_it(name: str, missing: str) -> None:
    with pytest.raises(InputError, match=rf"^the model doesn't fit board {name}: {missing}"):
        validation_on(name)
