"""A sweep that is killed goes on where it was: no finished cell is lost or done again, and the rows are the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from firmwarelib import needs_compiler
from sweeplib import cell, noting_work, outcome, synthetic, write_sweep

from vtarget.base.errors import InputError
from vtarget.shell.outcomes import Journal, OutcomeCache, code_digest
from vtarget.shell.sweeping import SweepOptions, run_sweep

ROOT = Path(__file__).resolve().parent.parent
CELLS = 60
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notes"
    monkeypatch.setenv("SWEEP_NOTES", str(path))
    return path


def journaled(path: Path) -> set[str]:
    """Keys of the whole lines of a journal."""
    if not path.exists():
        return set()
    data = path.read_bytes()
    lines = data[: data.rfind(b"\n") + 1].splitlines()[1:]
    return {json.loads(line)["key"] for line in lines}


@forks
@pytest.mark.parametrize("moment", range(20))
def test_kill_at_any_moment(moment: int, tmp_path: Path, notes: Path) -> None:
    matrix = synthetic(CELLS, per_unit=1 + moment % 4)
    write_sweep(matrix, tmp_path / "j0", tmp_path / "undisturbed.jsonl", resume=False)
    notes.unlink()
    journal, output = tmp_path / "journal", tmp_path / "rows.jsonl"
    context = multiprocessing.get_context("fork")
    process = context.Process(target=write_sweep, args=(matrix, journal, output), kwargs={"resume": False})
    process.start()
    time.sleep(random.Random(moment).uniform(0.0, 0.25))
    process.kill()
    process.join()
    finished = journaled(journal)
    notes.unlink(missing_ok=True)
    write_sweep(matrix, journal, output, resume=True)
    assert output.read_bytes() == (tmp_path / "undisturbed.jsonl").read_bytes()
    again = [int(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    assert sorted(again) == [c.index for c in matrix.cells if c.key not in finished]


def test_a_torn_last_line_is_dropped_and_written_again(tmp_path: Path, notes: Path) -> None:
    path = tmp_path / "journal"
    matrix = synthetic(5)
    write_sweep(matrix, path, tmp_path / "rows", resume=False)
    whole = path.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[-1])):
        path.write_bytes(whole[:-cut])
        notes.unlink(missing_ok=True)
        write_sweep(matrix, path, tmp_path / "again", resume=True)
        assert notes.read_text() == "4\n"
        assert path.read_bytes() == whole
        assert (tmp_path / "again").read_bytes() == (tmp_path / "rows").read_bytes()


def test_without_resume_a_journal_begins_anew(tmp_path: Path, notes: Path) -> None:
    for _ in range(2):
        write_sweep(synthetic(4), tmp_path / "journal", tmp_path / "rows", resume=False)
    assert notes.read_text().split() == ["0", "1", "2", "3"] * 2
    assert len(journaled(tmp_path / "journal")) == 4


def test_a_finished_cell_is_in_the_journal_before_its_row_is_given_out(tmp_path: Path, notes: Path) -> None:
    options = SweepOptions(jobs=1, journal=tmp_path / "journal", cached=False)
    for row in run_sweep(synthetic(6), options, work=noting_work):
        assert row.cell.key in journaled(tmp_path / "journal")


@pytest.mark.parametrize("content", [b"no journal\n", b'{"format": "other"}\n', b"[]\n"])
def test_what_is_no_journal_is_not_resumed_from(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(InputError, match="line 1 is not of a sweep's journal"):
        Journal(path, resume=True)
    assert path.read_bytes() == content


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, resume=False)
    journal.add([(cell(n).key, outcome(n)) for n in range(3)])
    journal.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{}\n" + lines[2])
    with pytest.raises(InputError, match="line 2 is not of"):
        Journal(path, resume=True)


def test_outcomes_are_kept_for_later_sweeps(tmp_path: Path) -> None:
    cache = OutcomeCache(tmp_path)
    key = cell(3).key
    assert cache.get(key) is None
    cache.put(key, outcome(3))
    assert cache.get(key) == outcome(3)
    (tmp_path / "objects" / key[:2] / key).write_bytes(b'{"status": 1}')
    assert cache.get(key) is None
    assert len(code_digest()) == 64


@needs_compiler
def test_a_real_sweep_killed_and_resumed(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("lstm_gesture.tflite", "ad_autoencoder.tflite"):
        shutil.copy(ROOT / "models" / name, models)
    command = [sys.executable, "-m", "vtarget", "sweep", str(models), "-b", "nucleo-l4r5zi", "-b", "mps2-an385"]
    command += ["--no-cache", "--quiet", "--jobs", "2"]
    undisturbed, resumed, journal = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "journal"
    subprocess.run([*command, "-o", str(undisturbed)], check=True)
    with subprocess.Popen([*command, "-o", str(resumed), "--journal", str(journal)]) as process:
        while process.poll() is None and not journaled(journal):
            time.sleep(0.02)
        process.kill()
    assert journaled(journal)
    parquet = tmp_path / "b.parquet"
    resume = [*command, "-o", str(resumed), "-o", str(parquet), "--journal", str(journal), "--resume"]
    subprocess.run(resume, check=True)
    assert resumed.read_bytes() == undisturbed.read_bytes()
    assert len(journaled(journal)) == 4
    rows = [json.loads(line) for line in undisturbed.read_text().splitlines()]
    assert pytest.importorskip("pyarrow.parquet").read_table(parquet).to_pylist() == rows
