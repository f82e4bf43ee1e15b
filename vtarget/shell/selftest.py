"""What ``vtarget doctor`` tries in a process of its own, where a package may raise, crash or hang: that is an answer.

Each trial that succeeds leaves a line in a file; the first without one is what ended the process.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from vtarget.base.errors import InputError, RunError, printable
from vtarget.shell.commands import cause, run_limited

BOARD = "nucleo-l4r5zi"
ANSWERS = "answers.txt"
# Adds up 100 to 1 and stores the sum: movs r0, #0; movs r1, #100; loop: adds r0, r0, r1; subs r1, #1; bne loop;
# ldr r2, =RAM; str r0, [r2]; end: b end.
_CODE = bytes.fromhex("0020 6421 4018 0139 fcd1 014a 1060 fee7")
_END = len(_CODE) - 2
_SUM, _INSTRUCTIONS = 5050, 2 + 3 * 100 + 2
MOST_CHARACTERS = 200
_OWN = re.compile(r"^vtarget\.[\w.]+: ")  # how a traceback names our errors
_CHILD = "import sys; sys.path[:] = {path!r}; from vtarget.shell.selftest import serve; serve({trials!r})"


def try_all(trials: Sequence[str], folder: Path, timeout_s: float) -> dict[str, tuple[str, str]]:
    """(answer, problem) of each trial; one of them is empty. A process that ends early is started again for the rest.

    A trial is ``emulator``, ``native``, ``interpreter`` (its answer is empty, too, if there is none), or a module.
    """
    results: dict[str, tuple[str, str]] = {}
    while left := [trial for trial in trials if trial not in results]:
        (folder / ANSWERS).unlink(missing_ok=True)
        command = [sys.executable, "-P", "-c", _CHILD.format(path=sys.path, trials=left)]
        try:
            code, output = run_limited(command, folder, os.environ, left[0], timeout_s, "it")
            problem = _problem(code, output)
        except RunError as error:
            problem = error.message.partition(": ")[2]
        for trial, answer in _answers(folder / ANSWERS):
            results[trial] = (answer, "")
        unanswered = next((trial for trial in left if trial not in results), None)
        if unanswered is not None:
            results[unanswered] = ("", problem)
    return results


def _answers(path: Path) -> list[tuple[str, str]]:
    if not path.exists():
        return []
    return [(trial, answer) for trial, answer in map(json.loads, path.read_text(encoding="utf-8").splitlines())]


def _problem(code: int, output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    if code <= 0 or not lines:
        return f"it ended its process ({cause(code)})"
    return printable(_OWN.sub("", lines[-1].strip()))[:MOST_CHARACTERS]


def serve(trials: Sequence[str]) -> None:
    """The other end of ``try_all``."""
    known = {"emulator": emulate, "native": count, "interpreter": load_interpreter}
    for trial in trials:
        if trial in known:
            answer = known[trial]()
        else:
            importlib.import_module(trial)
            answer = trial
        with Path(ANSWERS).open("a", encoding="utf-8") as file:
            file.write(json.dumps([trial, answer]) + "\n")


def emulate() -> str:
    """Has the emulator execute a loop, without vtarget's hooks. RunError if its result is wrong."""
    from vtarget.shell.boardlib import load_board
    from vtarget.shell.engine import Engine

    board = load_board(BOARD)
    base, ram = _places()
    engine = Engine(board)
    engine.write(base + 8, _program(ram))
    fault = engine.run(base + 8, base + 8 + _END)
    if fault is not None:
        raise RunError(f"the test program ended by {fault.what}")
    return _right("the sum of 1 to 100", engine.register(0), _SUM)


def count() -> str:
    """Runs the same as a firmware. RunError if what native code has counted is wrong."""
    from vtarget.data.image import Image, Segment
    from vtarget.shell.running import pricer_for
    from vtarget.shell.runoptions import RunOptions
    from vtarget.shell.starting import run_image

    base, ram = _places()
    vectors = (ram + 0x1000).to_bytes(4, "little") + (base + 9).to_bytes(4, "little")
    data = vectors + _program(ram)
    image = Image("self-test", "bin", "", (Segment(base, base, data, len(data), True),), None, vector_table=base)
    result = run_image(image, pricer_for(BOARD), RunOptions(until=base + 8 + _END, reads=((ram, 4),)))
    _right("the sum of 1 to 100", int.from_bytes(result.reads[0], "little"), _SUM)
    return _right("instructions counted", result.record.instructions, _INSTRUCTIONS)


def load_interpreter() -> str:
    """The TensorFlow Lite interpreter that is used, loaded; empty if none is installed."""
    from vtarget.shell.interpreter import INTERPRETERS, installed

    try:
        return " ".join(installed())
    except InputError:
        for name, module in INTERPRETERS.items():
            if version_of(name) is not None:
                importlib.import_module(module)  # says why it can't be
        return ""


def version_of(distribution: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _places() -> tuple[int, int]:
    from vtarget.shell.boardlib import load_board

    board = load_board(BOARD)
    ram = next(region for region in board.regions if region.writable and region.alias_of is None)
    return board.vector_addresses()[0], ram.base


def _program(ram: int) -> bytes:
    return _CODE + ram.to_bytes(4, "little")


def _right(what: str, is_: int, should: int) -> str:
    if is_ != should:
        raise RunError(f"{what}: {is_} instead of {should}")
    return f"{what}: {should}"
