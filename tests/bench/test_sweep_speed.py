"""What a sweep adds to its cells: time for each, memory that doesn't grow with them; and what a known stream costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from firmwarelib import needs_compiler
from speedlib import python_seconds

from vtarget.data.sweep import SweepSpec
from vtarget.logic.pricing import Pricer
from vtarget.shell import sweepunit
from vtarget.shell.matrix import matrix_of
from vtarget.shell.modelbuild import ModelCode
from vtarget.shell.profiling import FirmwareRun, ModelJob, run_firmware
from vtarget.shell.sweepunit import run_unit

MODELS = Path(__file__).resolve().parents[2] / "models"
CELLS = 10_000
MOST_MS_PER_CELL = 5.0
MOST_MEMORY_BYTES = 1 << 30
MOST_GROWTH_BYTES = 128 << 20  # from a tenth of the cells to all of them
# Prints seconds for all cells and the most memory that the process had.
SCRIPT = """
import resource, sys, time
from pathlib import Path
from sweeplib import synthetic, work
from vtarget.shell.sweeping import SweepOptions, run_sweep
list(run_sweep(synthetic(20), SweepOptions(jobs=2, journal=Path("warm"), cached=False), work=work))
matrix, begun = synthetic(int(sys.argv[1])), time.perf_counter()
rows = run_sweep(matrix, SweepOptions(jobs=2, journal=Path("journal"), cached=False), work=work)
count = sum(1 for _ in rows)
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, count)
"""


def measured(cells: int, folder: Path) -> tuple[float, float]:
    tests = str(Path(__file__).resolve().parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", SCRIPT, str(cells)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    seconds, memory_bytes, count = (float(word) for word in done.stdout.split())
    assert count == cells
    return seconds, memory_bytes


def test_ten_thousand_cells(tmp_path: Path) -> None:
    _, small = measured(CELLS // 10, tmp_path)
    seconds, large = measured(CELLS, tmp_path)
    per_cell_ms = 1000 * seconds / CELLS
    print(f"{per_cell_ms:.2f} ms per cell, {large / 1e6:.0f} MB, {(large - small) / 1e6:.0f} MB more than a tenth took")
    assert per_cell_ms < MOST_MS_PER_CELL
    assert large < MOST_MEMORY_BYTES
    assert large - small < MOST_GROWTH_BYTES


KNOWN = ("nrf5340dk", "nucleo-l552ze-q", "nucleo-u385rg-q", "nucleo-u575zi-q", "mps2-an505")  # one stream holds for all
MOST_MS_PER_BOARD = 50.0
PYTHON_MS = 40.0  # as in test_speed.py: what the fixed piece of Python took where the limit was set


def processor_ms(work: Callable[[], object]) -> float:
    """Processor time of this process; the compiler has its own."""
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


@needs_compiler
@pytest.mark.parametrize("model", ["kws_dscnn", "vww_mobilenet"])
def test_a_known_stream_on_another_board(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 ms, or as much more as Python itself is slower just now than it was at PYTHON_MS."""
    known: dict[bytes, FirmwareRun] = {}

    def run_once(code: ModelCode, elf: Path, pricer: Pricer, job: ModelJob) -> FirmwareRun:
        image = elf.read_bytes()
        if image not in known:
            known[image] = run_firmware(code, elf, pricer, job)
        return known[image]

    monkeypatch.setattr(sweepunit, "run_firmware", run_once)  # the run isn't what is measured, and takes longer
    path = str(MODELS / f"{model}.tflite")
    one, more = (matrix_of(SweepSpec(models=(path,), boards=boards)).units[0] for boards in (KNOWN[:1], KNOWN))
    assert [run_unit(one).emulations, run_unit(more).emulations] == [1, 1]
    rounds = [
        [processor_ms(work) for work in (lambda: run_unit(one), lambda: run_unit(more), python_seconds)]
        for _ in range(4)
    ]
    one_ms, more_ms, python_ms = (min(found) for found in zip(*rounds, strict=True))
    extra_ms = (more_ms - one_ms) / (len(KNOWN) - 1)
    print(f"{model}: {one_ms:.0f} ms for a board but for its run, {extra_ms:.0f} ms for each more of the same stream")
    assert 0 < extra_ms < MOST_MS_PER_BOARD * max(1.0, python_ms / PYTHON_MS)
