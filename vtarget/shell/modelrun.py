"""``vtarget.profile``: a model on a board, from Python in one call."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from vtarget.data.board import Board
from vtarget.data.limits import RunLimits
from vtarget.data.modelprofile import ModelProfile
from vtarget.data.validation import Tolerance
from vtarget.shell.measuring import MeasureOptions
from vtarget.shell.modelbuild import ModelOptions
from vtarget.shell.profiling import ModelJob, interpret, profile_model
from vtarget.shell.running import check_power_state, pricer_for
from vtarget.shell.samples import load_samples, seeded_samples
from vtarget.shell.targets import probed
from vtarget.shell.tflitefile import read_model
from vtarget.shell.toolchain import find_toolchain


def profile(
    model: str | os.PathLike[str],
    board: str | Board,
    *,
    engine: str = "simd",
    clock_hz: int | None = None,
    inputs: str | os.PathLike[str] | None = None,
    samples: int = 1,
    seed: int = 0,
    validate: bool = True,
    tolerance: int = 0,
    cflags: tuple[str, ...] = (),
    weights_region: str = "auto",
    arena_region: str = "auto",
    toolchain: str = "auto",
    power_state: str | None = None,
    limits: RunLimits = RunLimits(wall_seconds=600.0),
    probe: str | None = None,
    repeats: int = 3,
) -> ModelProfile:
    """Turn a ``.tflite`` file into firmware, run it on a board, compare it with the interpreter, and price it.

    ``inputs`` is a file or directory of samples (default: ``samples`` random ones of ``seed``); integer outputs may
    differ by ``tolerance`` steps. What doesn't agree is in ``ModelProfile.validation``, None without ``validate``.
    With a ``probe`` (``pyocd[:UID]``, ``gdb:HOST:PORT``) the same firmware also runs on the real board, each run
    ``repeats`` times: ``ModelProfile.measured``.
    InputError for a model, board or option that can't be used, RunError if compiling, the firmware or the board fails.
    """
    pricer = pricer_for(board, clock_hz=clock_hz)
    check_power_state(pricer, power_state)
    path = os.fspath(model)
    graph = read_model(path)
    chosen = seeded_samples(graph, samples, seed) if inputs is None else load_samples(graph, os.fspath(inputs))
    job = ModelJob(
        graph=graph,
        data=Path(path).read_bytes(),
        samples=chosen,
        options=ModelOptions(engine, cflags, weights_region, arena_region),
        tolerance=Tolerance(steps=tolerance),
        limits=limits,
        power_state=power_state,
    )
    compiler = find_toolchain(toolchain)
    with ExitStack() as stack:
        work = stack.enter_context(interpret(job)) if validate else None
        target = None if probe is None else stack.enter_context(probed(probe, pricer, MeasureOptions(repeats=repeats)))
        return profile_model(job, pricer, compiler, work, target)[0]
