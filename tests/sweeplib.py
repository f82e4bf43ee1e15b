"""Sweeps of made-up cells, for tests of how sweeps are run; importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from vtarget.data.sweep import Cell, Outcome
from vtarget.logic.sweeptext import json_line
from vtarget.shell.buildcache import content_key
from vtarget.shell.matrix import Matrix
from vtarget.shell.sweeping import SweepOptions, run_sweep
from vtarget.shell.sweepunit import Unit, UnitResult


def cell(index: int, **changes: object) -> Cell:
    """A cell of a made-up matrix."""
    plain = {
        "workload": f"model{index % 7}.tflite", "kind": "model", "board": f"board{index}", "engine": "simd",
        "clock_hz": None, "weights": "auto", "arena": "auto", "cflags": "", "key": content_key([str(index)]),
    }  # fmt: skip
    return Cell(index, **{**plain, **changes})  # type: ignore[arg-type]


def outcome(index: int) -> Outcome:
    """What the made-up cell comes to."""
    if index % 11 == 5:
        return Outcome("failed", f"cell {index} doesn't fit")
    return Outcome("ok", cycles=1000 + index * index % 997, latency_s=index / 1000, ram_bytes=100 * (index % 13))


def synthetic(count: int, per_unit: int = 1) -> Matrix:
    """A matrix of so many cells."""
    cells = tuple(cell(index) for index in range(count))
    groups = (cells[first : first + per_unit] for first in range(0, count, per_unit))
    return Matrix(cells, tuple(Unit("model", "model", b"", (), tuple((c, 0) for c in group)) for group in groups))


def work(unit: Unit) -> UnitResult:
    """Do a unit, at once."""
    return UnitResult(tuple((c.index, outcome(c.index)) for c, _ in unit.cells), 1)


def noting_work(unit: Unit) -> UnitResult:
    """Do a unit, and note in the file of SWEEP_NOTES which cells were done."""
    time.sleep(0.002)
    with Path(os.environ["SWEEP_NOTES"]).open("a") as file:
        file.write("".join(f"{c.index}\n" for c, _ in unit.cells))
    return work(unit)


def deadly_work(unit: Unit) -> UnitResult:
    """Do a unit, but end the process at cell 13, always, and at cell 29 the first time."""
    indices = {c.index for c, _ in unit.cells}
    if 13 in indices:
        os.kill(os.getpid(), signal.SIGKILL)
    if 29 in indices:
        mark = Path(os.environ["SWEEP_NOTES"])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return work(unit)


def slow_work(unit: Unit) -> UnitResult:
    """Do a unit in a twentieth of a second, and note the process that did."""
    time.sleep(0.05)
    with Path(os.environ["SWEEP_NOTES"]).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return work(unit)


def write_sweep(matrix: Matrix, journal: Path, output: Path, *, resume: bool) -> None:
    """Sweep in this process and write the rows as JSON lines."""
    options = SweepOptions(jobs=1, journal=journal, resume=resume, cached=False)
    with output.open("w") as file:
        for row in run_sweep(matrix, options, work=noting_work):
            file.write(json_line(row))
            file.flush()
