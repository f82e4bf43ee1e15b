"""What pricing a stored record for another board takes: the first time for a core in a process, and once more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from firmwarelib import needs_compiler
from machinelib import vtarget

TESTS = Path(__file__).resolve().parents[1]
MODEL = TESTS.parent / "models" / "kws_dscnn.tflite"
# Of the processor time that a fixed piece of Python takes in the same process, 30 ms where this was set; a first
# pricing took 0.9 to 1.6 times as long, another one 0.2 to 0.4 times.
MOST_FIRST, MOST_AGAIN = 2.4, 0.8
ROUNDS = 3
# Prints milliseconds of processor time: the first pricing, another one, the fixed piece of Python.
SCRIPT = """
import sys, time
from speedlib import python_seconds
from vtarget.shell.recordfile import load_record
from vtarget.shell.running import price, pricer_for
import vtarget.logic.profile
record, pricer = load_record(sys.argv[1]), pricer_for(sys.argv[2])
times = [time.process_time()]
for work in (lambda: price(record, pricer), lambda: price(record, pricer), python_seconds):
    work()
    times.append(time.process_time())
print(*(1000 * (after - before) for before, after in zip(times, times[1:])))
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of the model as it runs on two boards, by their names."""
    found = {}
    for board in ("nucleo-l4r5zi", "nucleo-g071rb"):
        folder = tmp_path_factory.mktemp(board)
        found[board] = folder / "record"
        assert vtarget("build", MODEL, "-b", board, "-o", folder / "project").code == 0
        elf = folder / "project" / "firmware.elf"
        assert vtarget("run", elf, "-b", board, "--record", found[board], "--quiet").code == 0
    return found


def priced(record: Path, board: str) -> list[float]:
    path = os.pathsep.join([str(TESTS), str(TESTS / "bench"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", SCRIPT, str(record), board]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


@needs_compiler
@pytest.mark.parametrize(
    ("ran_on", "board"),
    [
        ("nucleo-g071rb", "rpi-pico"),
        ("nucleo-g071rb", "nucleo-f103rb"),
        ("nucleo-l4r5zi", "nucleo-f446re"),
        ("nucleo-l4r5zi", "nucleo-u575zi-q"),
        ("nucleo-l4r5zi", "nucleo-f746zg"),
    ],
)
def test_a_record_on_another_board(ran_on: str, board: str, records: dict[str, Path]) -> None:
    first_ms, again_ms, python_ms = (
        min(c) for c in zip(*(priced(records[ran_on], board) for _ in range(ROUNDS)), strict=True)
    )
    print(f"{board}: {first_ms:.0f} ms, again {again_ms:.0f} ms; the fixed piece of Python takes {python_ms:.0f} ms")
    assert first_ms < MOST_FIRST * python_ms
    assert again_ms < MOST_AGAIN * python_ms
