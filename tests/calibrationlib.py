"""Boards that don't exist, measured without a probe: what their twins take, kernel by kernel."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from vtarget.data.calibration import TERMS, Calibration
from vtarget.data.measurement import Measurement, PowerWindow, Timed
from vtarget.data.record import ExecutionRecord
from vtarget.logic.calibration import Observation, prior_widths
from vtarget.logic.costs import price_parts, relocated_blocks
from vtarget.logic.observations import Observed, observe
from vtarget.logic.pricing import Pricer
from vtarget.logic.terms import inclusive, split_terms
from vtarget.logic.twin import draw
from vtarget.logic.twinpricing import factors_of
from vtarget.shell.running import execute, price, pricer_for

EXAMPLES = Path(__file__).resolve().parent.parent / "firmware" / "examples"
BOARDS = {"nucleo-l4r5zi": "m4f", "nucleo-u575zi-q": "m33", "nucleo-f746zg": "m7", "rpi-pico": "m0plus"}
FITTED = ("biquad", "conv_int8", "fft", "memcpy_bench", "quantise")
HELD_OUT = ("fc_int8", "fir")
MOST_CALLS = 2000  # as ``measure`` has it
ROUNDS = 3


def example(name: str, board: str) -> Path:
    """An example for the board's core."""
    return EXAMPLES / f"{name}-{BOARDS[board]}.elf"


@cache
def board_pricer(board: str) -> Pricer:
    """The board as it is described."""
    return pricer_for(board)


@cache
def recorded(name: str, board: str) -> ExecutionRecord:
    """The virtual run of an example."""
    return execute(example(name, board), board_pricer(board)).record


@cache
def _terms(name: str, board: str) -> tuple[tuple[str, int, int, tuple[float, ...]], ...]:
    """(kernel, address, calls, cycles by Term) of all that a probe could measure."""
    record, pricer = recorded(name, board), board_pricer(board)
    parts = price_parts(record, pricer, None)
    by_function = inclusive(record, split_terms(parts, relocated_blocks(record, pricer.board)))
    calls = {kernel.address: kernel.calls for kernel in price(record, pricer).kernels}
    return tuple(
        (function.name, function.address, calls[function.address], tuple(terms))
        for function, terms in zip(record.functions, by_function, strict=True)
        if 0 < calls.get(function.address, 0) <= MOST_CALLS
    )


def truth_of(board: str, seed: int) -> Calibration:
    """What the twin with that seed hides."""
    pricer = board_pricer(board)
    return draw(seed, pricer.core, pricer.board, pricer.board_sha256)


def measured(name: str, board: str, truth: Calibration, *, jitter_pct: float = 0.1, seed: int = 0) -> Measurement:
    """An example on the twin: all kernels, each the median of ROUNDS runs that differ by jitter."""
    seeds = [(seed, n, *name.encode()) for n in range(ROUNDS)]
    factors = np.array([factors_of(truth, jitter_pct, s) for s in seeds])
    kernels = []
    for kernel, address, calls, terms in _terms(name, board):
        totals = sorted(round(float(cycles)) for cycles in factors @ np.array(terms))
        kernels.append(
            Timed(name=kernel, address=address, calls=calls, total_cycles=totals[1], spread=totals[-1] - totals[0])
        )
    return measurement(board, recorded(name, board), kernels, serial=truth.board_serial)


def measurement(
    board: str,
    record: ExecutionRecord,
    kernels: list[Timed],
    *,
    serial: str | None = None,
    power: tuple[PowerWindow, ...] = (),
    clock_hz: int | None = None,
) -> Measurement:
    """A measurement of a recorded firmware."""
    pricer = board_pricer(board)
    return Measurement(
        board=board,
        core=pricer.core.name,
        probe="gdb:3333",
        board_serial=serial,
        clock_hz=clock_hz or pricer.clock_hz,
        counter="DWT_CYCCNT",
        firmware_path=record.image_path,
        firmware_sha256=record.image_sha256,
        vtarget_version="0.1.0",
        date="2026-01-31",
        runs=ROUNDS,
        overhead_cycles=0,
        kernels=tuple(kernels),
        power=power,
    )


def true_cycles(name: str, board: str, truth: Calibration) -> dict[str, float]:
    """What the twin takes for the kernels that have at least a hundredth of the run's cycles, by name."""
    factors = np.array([truth.factor(term) for term in TERMS])
    rows = {kernel: float(factors @ np.array(terms)) for kernel, _, _, terms in _terms(name, board)}
    return {kernel: cycles for kernel, cycles in rows.items() if cycles >= 0.01 * max(rows.values())}


@cache
def observed(name: str, board: str) -> Observed:
    """An example's kernels; what was measured is put in later."""
    return observe(recorded(name, board), board_pricer(board), measured(name, board, truth_of(board, 0)))


@cache
def priors(board: str) -> np.ndarray:
    """As ``calibrate`` has them."""
    found = [observed(name, board) for name in FITTED]
    nominal = np.sum([one.nominal for one in found], axis=0)
    return prior_widths(board_pricer(board).core, nominal, [one.bounds for one in found])


def observations(board: str, seed: int) -> list[Observation]:
    """What the twin with that seed took."""
    truth, found = truth_of(board, seed), []
    for name in FITTED:
        timed = {t.name: t for t in measured(name, board, truth, seed=seed).kernels}
        for one in observed(name, board).observations:
            result = timed[one.kernel]
            found.append(replace(one, measured=float(result.total_cycles), spread=float(result.spread)))
    return found


def estimates(name: str, board: str, values: np.ndarray) -> dict[str, float]:
    """Cycles of an example's kernels with these factors by term."""
    return {one.kernel: float(one.terms @ values) for one in observed(name, board).observations}
