"""Proof that a board's description works: its files load, firmware links for it, starts from reset, and ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vtarget.base.errors import InputError, RunError, VtargetError
from vtarget.data.board import Board
from vtarget.data.limits import RunLimits
from vtarget.data.record import Reason
from vtarget.data.target import target_of
from vtarget.logic.codegen.project import LINKER_SCRIPT
from vtarget.logic.linkerscript import linker_script
from vtarget.shell.boardlib import load_board, load_chip, load_core
from vtarget.shell.building import Project, build_project
from vtarget.shell.datadir import firmware_dir
from vtarget.shell.devices.registry import find_model
from vtarget.shell.toolchain import Toolchain

EXAMPLE = "fir.c"
LIMITS = RunLimits(instructions=50_000_000, wall_seconds=120.0)
KEYWORD_MODEL = "kws_dscnn.tflite"


@dataclass(frozen=True)
class Step:
    """One proof: what was tried, whether it held, and what came of it."""

    name: str
    passed: bool
    what: str


def check_facts(name: str) -> Board:
    """The board, if its file, its core's and its chip's are right and every device has a model; else InputError."""
    board = load_board(name)
    load_core(board.core)
    for device in load_chip(board.chip).devices if board.chip else ():
        find_model(device.model, device.name)
    return board


def check_firmware(board: Board, toolchain: Toolchain, model: str | None) -> tuple[Step, ...]:
    """The example linked for the board and run from reset; then ``model``, a ``.tflite`` file, if it is given."""
    with tempfile.TemporaryDirectory(prefix="vtarget-check-") as folder:
        elf = Path(folder) / "example.elf"
        linked = _step("links", lambda: _link(board, toolchain, elf))
        if not linked.passed:
            return (linked,)
        ran = _step("runs", lambda: _run(board, elf))
    if model is None or not ran.passed:
        return (linked, ran)
    return (linked, ran, _step("model", lambda: _profile(board, toolchain, model)))


def keyword_model() -> str | None:
    """The keyword model of a checkout; None where there is none."""
    path = firmware_dir().parent / "models" / KEYWORD_MODEL
    return str(path) if path.is_file() else None


def _step(name: str, proof: Callable[[], str]) -> Step:
    try:
        return Step(name, True, proof())
    except VtargetError as error:
        return Step(name, False, error.one_line())


def example_project(board: Board) -> Project:
    """The example as firmware for the board, by the linker script that its description gives."""
    root = firmware_dir()
    common = {f"board/{path.name}": path for path in sorted((root / "common").glob("*.[ch]"))}
    files = {name: path.read_text(encoding="utf-8") for name, path in common.items()}
    files["board/" + EXAMPLE] = (root / "examples" / EXAMPLE).read_text(encoding="utf-8")
    files["freestanding/string.h"] = (root / "freestanding" / "string.h").read_text(encoding="utf-8")
    return Project(files | {LINKER_SCRIPT: linker_script(board)})


def _link(board: Board, toolchain: Toolchain, elf: Path) -> str:
    build_project(example_project(board), target_of(board, load_core(board.core).name), toolchain, elf)
    return f"{EXAMPLE} in {board.boot.region}"


def _run(board: Board, elf: Path) -> str:
    from vtarget.shell.running import execute, price, pricer_for

    pricer = pricer_for(board)
    record = execute(elf, pricer, limits=LIMITS).record
    if record.exit.reason is not Reason.SEMIHOSTING or record.exit.code:
        raise RunError(f"{EXAMPLE} ended by {record.exit.reason} {record.exit.detail}".rstrip())
    return f"{price(record, pricer).cycles.nominal:,.0f} cycles"


def _profile(board: Board, toolchain: Toolchain, model: str) -> str:
    from vtarget.shell.profiling import ModelJob, profile_model
    from vtarget.shell.running import pricer_for
    from vtarget.shell.samples import seeded_samples
    from vtarget.shell.tflitefile import read_model

    graph = read_model(model)
    job = ModelJob(graph, Path(model).read_bytes(), seeded_samples(graph, 1))
    try:
        profile, _ = profile_model(job, pricer_for(board), toolchain, None)
    except InputError as error:  # a board may be too small for a model and well described
        return error.one_line()
    return f"{profile.inference.cycles.nominal:,.0f} cycles"
