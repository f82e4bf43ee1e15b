"""Twins: a probe takes them for boards, and their time is what their hidden factors make of every cycle."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from calibrationlib import BOARDS, board_pricer, example, recorded, true_cycles, truth_of
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import FIRMWARE, vtarget

from vtarget.data.calibration import TERMS, AppliedCalibration, Term
from vtarget.logic.calibrationreport import is_told
from vtarget.logic.cost import EXITS
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.logic.profile import NO_LIVE_CYCLES
from vtarget.logic.twin import PAIRED_SPREAD, POWER_SPREAD, SPREAD
from vtarget.logic.twinpricing import TwinPricer, factors_of
from vtarget.shell import layout
from vtarget.shell.calibrationfile import load_calibration
from vtarget.shell.epochs import ClockProgrammedError
from vtarget.shell.gdb.target import merged
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.measurementfile import load_measurement
from vtarget.shell.running import execute, load_firmware, price
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.twin import Twin, image_of

SECONDS = 120


# --- the truth -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_a_seed_decides_the_truth(board: str) -> None:
    assert truth_of(board, 5) == truth_of(board, 5)
    assert truth_of(board, 5).factors != truth_of(board, 6).factors


@pytest.mark.parametrize("board", BOARDS)
def test_truths_are_within_their_documented_ranges(board: str) -> None:
    slower = 0
    for seed in range(50):
        truth = truth_of(board, seed)
        slots = truth.factor(Term.ISSUE)
        paired = board_pricer(board).core.pipeline != "scalar"
        low, high = PAIRED_SPREAD
        assert slots == 1 if not paired else 1 + low <= max(slots, 1 / slots) <= 1 + high + 1e-3
        others = [truth.factor(term) for term in TERMS if term is not Term.ISSUE]
        assert all(1 + SPREAD[0] - 1e-3 <= max(f, 1 / f) <= 1 + SPREAD[1] + 1e-3 for f in others)
        assert all(f > 1 for f in others) or all(f < 1 for f in others)
        slower += others[0] > 1
        assert all(abs((fit.factor or 0) - 1) <= POWER_SPREAD + 1e-3 for fit in truth.power)
        assert [fit.state for fit in truth.power] == [state.name for state in board_pricer(board).board.power]
    assert 25 < slower < 48


def test_jitter_differs_from_run_to_run_and_is_about_as_large_as_asked() -> None:
    truth = truth_of("nucleo-l4r5zi", 1)
    exact = factors_of(truth, 0.0, (1, 1))
    assert exact.tolist() == [truth.factor(term) for term in TERMS]
    runs = np.array([factors_of(truth, 2.0, (1, n)) / exact - 1 for n in range(100)])
    assert 0.018 < runs.std() < 0.022
    assert abs(runs.mean()) < 0.003


# --- its time --------------------------------------------------------------------------------------------------------


def twin_of(board: str, seed: int) -> Twin:
    return Twin(board_pricer(board), truth_of(board, seed))


@pytest.mark.parametrize("name", ["fft", "memcpy_bench", "quantise"])
@pytest.mark.parametrize("board", BOARDS)
def test_a_twin_takes_what_its_truth_says(board: str, name: str) -> None:
    image = load_firmware(example(name, board), board_pricer(board))
    machine = twin_of(board, 3).machine(image, RunOptions())
    ran = machine.run().record
    plain = recorded(name, board)
    assert ran.instructions == plain.instructions and ran.console == plain.console
    truth = AppliedCalibration("truth", truth_of(board, 3))
    assert ran.live_cycles == pytest.approx(price(plain, board_pricer(board), calibration=truth).cycles.nominal, abs=2)
    assert machine.recorder.words[layout.H_CYCLES] >= machine.recorder.cycles


def test_a_twin_without_a_secret_is_the_board() -> None:
    pricer = board_pricer("nucleo-f746zg")
    image = load_firmware(example("fft", "nucleo-f746zg"), pricer)
    truth = truth_of("nucleo-f746zg", 0).model_copy(update={"factors": {}})
    record = Twin(pricer, truth).machine(image, RunOptions()).run().record
    assert record.live_cycles == recorded("fft", "nucleo-f746zg").live_cycles


def test_a_twin_keeps_time_through_changes_of_its_clock() -> None:
    """The firmware sets up its clock and caches, sleeps, and takes interrupts from SysTick and timers."""
    pricer = board_pricer("nucleo-l4r5zi")
    image = load_image(str(FIRMWARE / "startups" / "nucleo-l4r5zi.elf"))
    truth = truth_of("nucleo-l4r5zi", 3)
    twin = Twin(pricer, truth)
    with pytest.raises(ClockProgrammedError):
        twin.machine(image, RunOptions()).run()
    twin.set_up_by_firmware(image)
    record = twin.machine(image, RunOptions()).run().record
    assert len(record.epochs) > 1
    facts = replace(record, live_cycles=NO_LIVE_CYCLES)
    exact = price(facts, pricer, calibration=AppliedCalibration("truth", truth))
    assert record.live_cycles == pytest.approx(exact.cycles.nominal, abs=4)
    assert record.live_cycles != price(facts, pricer).cycles.nominal


def test_prices_of_a_twin_are_fractions_and_whole_ones_are_above() -> None:
    pricer: Pricer = board_pricer("nucleo-l4r5zi")
    factors = factors_of(truth_of("nucleo-l4r5zi", 3), 0.0, (0,))
    twin = TwinPricer.twin(pricer, factors)
    record = recorded("fir", "nucleo-l4r5zi")
    blocks = [Block(int(a), code) for a, code in zip(record.block_address, record.block_code, strict=True)]
    rows = zip(record.edge_source.tolist(), record.edge_target.tolist(), record.edge_exit.tolist(), strict=True)
    for source, target, leaving in rows:
        if source < 0 or target < 0:
            continue
        ends = blocks[record.node_block[source]], blocks[record.node_block[target]]
        exact = twin.exact_edge(ends[0], EXITS[leaving], ends[1])
        assert exact <= twin.edge(ends[0], EXITS[leaving], ends[1]).nominal < exact + 1
        plain = pricer.edge(ends[0], EXITS[leaving], ends[1]).nominal
        assert plain - 1e-9 <= exact <= plain * (1 + SPREAD[1]) + 1e-9
        lengths = [twin.prefix(ends[0], index) for index in range(len(ends[0].insns))]
        assert lengths == sorted(lengths)


# --- its flash -------------------------------------------------------------------------------------------------------


def test_an_erased_twin_does_nothing() -> None:
    for board in BOARDS:
        image = image_of({}, board_pricer(board).board)
        assert image.path == "erased flash"
        region = board_pricer(board).board.boot.region
        assert image_of({region: b"\xff" * 4096}, board_pricer(board).board).path == "erased flash"
        assert image_of({region: b"\x00" * 64}, board_pricer(board).board).path == "erased flash"


@pytest.mark.parametrize("board", BOARDS)
def test_what_was_flashed_is_an_image(board: str) -> None:
    pricer = board_pricer(board)
    elf = load_firmware(example("fir", board), pricer)
    region = pricer.board.region(pricer.board.boot.region)
    flash = bytearray(b"\xff" * region.size)
    for segment in elf.segments:
        if region.holds(segment.load_address):
            at = segment.load_address - region.base
            flash[at : at + len(segment.data)] = segment.data
    image = image_of({region.name: bytes(flash)}, pricer.board)
    ran = Machine(image, pricer, RunOptions()).run().record
    assert ran.console == recorded("fir", board).console
    assert ran.instructions == recorded("fir", board).instructions


def test_what_was_loaded_into_ram_is_an_image_where_there_is_no_flash() -> None:
    pricer = board_pricer("mps2-an386")
    elf = load_firmware(FIRMWARE / "rtos" / "rtos-m4f.elf", pricer)
    loads = {segment.load_address: segment.data for segment in elf.segments if segment.data}
    image = image_of({}, pricer.board, loads)
    ran, plain = (Machine(each, pricer, RunOptions()).run().record for each in (image, elf))
    assert (ran.console, ran.instructions) == (plain.console, plain.instructions)
    assert image_of({}, pricer.board, {0x2000_0000: b"no firmware"}).path == "erased flash"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=20))))
def test_stretches_hold_what_memory_holds(writes: list[tuple[int, bytes]]) -> None:
    memory: dict[int, int] = {}
    ordered: dict[int, bytes] = {}
    for address, data in writes:
        ordered.pop(address, None)  # as a write goes behind those before it
        ordered[address] = data
    for address, data in ordered.items():
        memory |= {address + i: byte for i, byte in enumerate(data)}
    found = merged(ordered)
    assert {start + i: byte for start, data in found.items() for i, byte in enumerate(data)} == memory
    ends = [(start, start + len(data)) for start, data in found.items()]
    assert all(end < start for (_, end), (start, _) in pairwise(ends))


# --- the whole loop --------------------------------------------------------------------------------------------------


class Served:
    """``vtarget twin`` in a process of its own."""

    def __init__(self, board: str, seed: int, folder: Path, sessions: int) -> None:
        self.truth = folder / "truth.yaml"
        command = [sys.executable, "-m", "vtarget", "twin", "-b", board, "--perturb", str(seed), "--port", "0"]
        options = ["--reveal", str(self.truth), "--sessions", str(sessions)]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, encoding="utf-8")
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.fullmatch(r"gdb: waiting for a debugger on (127\.0\.0\.1:\d+)\n", line)
        assert found is not None, line
        self.place = found[1]

    def waits(self) -> None:
        """For the next debugger."""
        assert self.process.stderr is not None
        while "waiting for a debugger" not in (line := self.process.stderr.readline()):
            assert line, "the twin has ended"


@pytest.fixture
def served() -> Iterator[list[Served]]:
    started: list[Served] = []
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize(
    ("board", "seed", "fitted"),
    [
        ("nucleo-l4r5zi", 7, ("fft", "quantise")),
        ("nucleo-u575zi-q", 8, ("fft", "biquad")),
        ("rpi-pico", 9, ("memcpy_bench", "fft")),
    ],
)
def test_a_twin_is_measured_and_found_out(
    board: str, seed: int, fitted: tuple[str, str], tmp_path: Path, served: list[Served]
) -> None:
    served.append(Served(board, seed, tmp_path, len(fitted)))
    twin = served[0]
    files = []
    for number, name in enumerate(fitted):
        if number:
            twin.waits()
        files.append(tmp_path / f"{name}.json")
        probe = ("--probe", f"gdb:{twin.place}")
        ran = vtarget("measure", example(name, board), "-b", board, *probe, "-o", files[-1], "--repeat", "2", "--quiet")
        assert ran.code == 0, ran.err
    assert twin.process.wait(SECONDS) == 0
    truth = load_calibration(str(twin.truth))
    assert truth.board_serial == f"twin-{seed}"
    for name, file in zip(fitted, files, strict=True):
        true = true_cycles(name, board, truth)
        for timed in load_measurement(str(file)).kernels:
            if timed.name in true:
                assert timed.total_cycles == pytest.approx(true[timed.name], rel=0.006), timed.name
    written = tmp_path / f"{board}.calibration.yaml"
    assert vtarget("calibrate", *files, "-b", board, "-o", written, "--quiet").code == 0
    fit = load_calibration(str(written))
    assert max(abs(row.after_pct) for row in fit.residuals) < 1
    assert fit.leave_one_out_pct is None or fit.leave_one_out_pct < fit.uncalibrated_pct
    told = {term: factor for term, factor in fit.factors.items() if is_told(factor)}
    assert told
    applied = AppliedCalibration("fit", fit)
    for name in fitted:
        profile = price(recorded(name, board), board_pricer(board), calibration=applied)
        kernels = {kernel.name: kernel.total_cycles for kernel in profile.kernels}
        for kernel, cycles in true_cycles(name, board, truth).items():
            assert kernels[kernel] == pytest.approx(cycles, rel=0.01), kernel


def test_a_twin_without_flash_is_loaded_measured_and_keeps_its_ram(tmp_path: Path, served: list[Served]) -> None:
    """The image lies in RAM for code: plain writes; what they wrote outlasts resets and debuggers."""
    firmware, board = FIRMWARE / "rtos" / "rtos-m4f.elf", "mps2-an386"
    served.append(Served(board, 3, tmp_path, 2))
    totals = []
    for option in ("--repeat=2", "--no-flash"):
        measure = ("measure", firmware, "-b", board, "--probe", f"gdb:{served[0].place}", "--kernels", "check_output")
        ran = vtarget(*measure, option, "-o", tmp_path / "m.json", "--quiet")
        assert ran.code == 0, ran.err
        found = load_measurement(str(tmp_path / "m.json"))
        assert [(kernel.name, kernel.calls) for kernel in found.kernels] == [("check_output", 1)]
        totals.append(found.kernels[0].total_cycles)
        if option != "--no-flash":
            served[0].waits()
    assert served[0].process.wait(SECONDS) == 0
    truth = AppliedCalibration("truth", load_calibration(str(served[0].truth)))
    pricer = board_pricer(board)
    profile = price(execute(firmware, pricer).record, pricer, calibration=truth)
    (true,) = (kernel.total_cycles for kernel in profile.kernels if kernel.name == "check_output")
    assert totals == pytest.approx([true, true], rel=0.006)


def test_the_command_refuses_what_it_cant_use(tmp_path: Path) -> None:
    kept = tmp_path / "board.yaml"
    kept.write_text("name: mine\n")
    ran = vtarget("twin", "-b", "nucleo-l4r5zi", "--perturb", "1", "--port", "0", "--reveal", kept)
    assert ran.code == 2 and "exists and is no calibration" in ran.err
    assert kept.read_text() == "name: mine\n"
    port = vtarget("twin", "-b", "nucleo-l4r5zi", "--perturb", "1", "--port", "70000")
    assert port.code == 2 and port.err.startswith("error: --port '70000': ")
    host = vtarget("twin", "-b", "nucleo-l4r5zi", "--perturb", "1", "--port", "no.such.host.invalid:1")
    assert host.code == 2 and host.err.startswith("error: --port no.such.host.invalid:1: ")
    assert vtarget("twin", "-b", "no-board", "--perturb", "1", "--port", "0").code == 2
    assert vtarget("twin", "-b", "nucleo-l4r5zi", "--perturb", "-1", "--port", "0").code == 2
