"""What a sweep adds to its cells: time for each, memory that doesn't grow with them; and what a known stream costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from firmwarelib import needs_compiler

from vtarget.data.sweep import SweepSpec
from vtarget.shell.matrix import matrix_of
from vtarget.shell.sweepunit import run_unit

pytestmark = pytest.mark.bench

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


def unit_seconds(boards: tuple[str, ...]) -> float:
    """Processor time of this process for a model on these boards, the compiler's left out; the least of three."""
    spec = SweepSpec(models=(str(MODELS / "kws_dscnn.tflite"),), boards=boards)
    (unit,) = matrix_of(spec).units
    found = []
    for _ in range(3):
        begun = time.process_time()
        assert run_unit(unit).emulations == 1
        found.append(time.process_time() - begun)
    return min(found)


@needs_compiler
def test_a_known_stream_on_another_board() -> None:
    unit_seconds(KNOWN)
    one, all_of_them = unit_seconds(KNOWN[:1]), unit_seconds(KNOWN)
    extra_ms = 1000 * (all_of_them - one) / (len(KNOWN) - 1)
    print(f"{1000 * one:.0f} ms for a board, {extra_ms:.0f} ms for each more of the same stream")
    assert extra_ms < MOST_MS_PER_BOARD
