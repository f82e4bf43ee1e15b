"""The probe made of pyOCD, against a debug port that isn't there, behind pyOCD's remote-probe protocol."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fakeboard import DWT_CTRL, FLASH, RAM, At, FakeBoard
from fakedap import remote_probe
from machinelib import EXAMPLES, FIRMWARE, write_program
from test_boardrun import CALLER, END, EXIT, OVERHEAD, RESET, SP, F, G, call, image, pick
from test_gdb_server import debugged
from virtualboard import VirtualBoard, target_type

from vtarget.base.errors import InputError
from vtarget.shell.boardlib import load_board
from vtarget.shell.boardrun import BoardRun
from vtarget.shell.laps import End
from vtarget.shell.measuring import MeasureOptions, measure
from vtarget.shell.probes.counters import CycleCounter, Stopwatch
from vtarget.shell.probes.errors import (
    ConnectionLostError,
    LockedChipError,
    NoProbeError,
    ProbeError,
    RefusedError,
    VerifyError,
    WrongDeviceError,
)
from vtarget.shell.probes.probe import comparators, identify, read_word, verify, write_word
from vtarget.shell.probes.pyocdprobe import PyocdProbe
from vtarget.shell.running import execute, load_firmware, price, pricer_for

RUN = (At(RESET), At(F, 10), At(G, 20))


@pytest.fixture(autouse=True)
def package() -> None:
    pytest.importorskip("pyocd", reason="the package pyocd is not installed (extra 'board')")


@contextmanager
def probed(board: FakeBoard) -> Iterator[PyocdProbe]:
    with remote_probe(board) as server:
        probe = PyocdProbe(f"remote:127.0.0.1:{server.port}", None)
        try:
            yield probe
        finally:
            probe.close()


def test_the_core_and_its_comparators() -> None:
    with probed(FakeBoard(RUN, running=True)) as probe:
        assert identify(probe, "cortex-m4") == 0x410FC241
        assert comparators(probe) == 6
        assert (probe.kind, probe.serial) == ("pyocd", None)  # a remote probe's name is that of a host
        with pytest.raises(WrongDeviceError, match="connected to cortex-m4, the board's core is cortex-m33"):
            identify(probe, "cortex-m33")


def test_memory_and_registers() -> None:
    with probed(FakeBoard(RUN, running=True)) as probe:
        data = bytes(range(251))
        for address in (RAM, RAM + 1):
            probe.write_memory(address, data)
            assert probe.read_memory(address, len(data)) == data
        write_word(probe, RAM, 0xDEADBEEF)
        assert read_word(probe, RAM) == 0xDEADBEEF
        probe.write_register("r1", 0xFFFFFFFE)
        assert (probe.read_register("r1"), probe.read_register("r0")) == (0xFFFFFFFE, 0)
        with pytest.raises(RefusedError, match="pyOCD can't read memory at 0x40000000: "):
            probe.read_memory(0x40000000, 4)


def test_stops_waits_and_steps() -> None:
    board = FakeBoard(RUN, running=True)
    with probed(board) as probe:
        probe.reset_halt()
        assert probe.read_register("pc") == RESET
        probe.set_breakpoint(F)
        probe.resume()
        halt = probe.wait_halt(2)
        assert halt is not None and halt.pc == F
        assert probe.step().pc == G
        probe.clear_breakpoint(F)
        probe.resume()
        assert probe.wait_halt(0.05) is None
        assert probe.halt().pc == G
        assert board.breakpoints == set()


def test_comparators_run_out() -> None:
    with probed(FakeBoard(RUN, running=True, comparators=2)) as probe:
        probe.set_breakpoint(F)
        probe.set_breakpoint(G)
        with pytest.raises(ProbeError, match="0x08000400"):
            probe.set_breakpoint(CALLER)


@pytest.mark.parametrize("running", [True, False])
def test_the_board_is_left_as_it_was_found(running: bool) -> None:
    board = FakeBoard(RUN, running=running)
    with probed(board) as probe:
        probe.set_breakpoint(G)
        probe.restore()
    assert (board.running, board.breakpoints, board.resets_made) == (running, set(), 1)


def test_calls_are_timed_without_what_stopping_takes() -> None:
    board = FakeBoard([At(RESET), *call(F, 100), *call(G, 60), *call(F, 150), END], overhead=OVERHEAD)
    board.load(image())
    described = load_board("nucleo-l4r5zi")
    with probed(board) as probe:
        verify(probe, image())
        watch = Stopwatch(probe, CycleCounter(), described.clock.max)
        run = BoardRun(probe, watch, image(), described, End(EXIT), 3.0)
        run.overhead_cycles = OVERHEAD
        lap = run.lap([pick(F, 2), pick(G)])
        assert lap.calls == {F: [100, 150], G: [60]}
        assert lap.exit_code == 0
        assert board.words[DWT_CTRL] & 1


def test_a_whole_measurement() -> None:
    pricer = pricer_for("nucleo-l4r5zi")
    firmware = load_firmware(EXAMPLES / "fir-m4f.elf", pricer)
    record = execute(EXAMPLES / "fir-m4f.elf", pricer).record
    fir = next(f.address for f in firmware.functions if f.name == "fir_q15")
    calls = [at for _ in range(12) for at in call(fir, 1000, sp=SP, back=FLASH + 0x230)]
    assert firmware.entry is not None
    board = FakeBoard(
        [At(firmware.entry), *calls, At(record.exit.pc, 5, r0=0x18, r1=0x20026)], overhead=OVERHEAD, running=True
    )
    board.load(firmware)
    options = MeasureOptions(repeats=2, flash=False, timeout_s=10)
    with probed(board) as probe:
        found = measure(firmware, pricer, record, price(record, pricer), probe, options, version="test")
    assert found.probe == "pyocd"
    assert [(k.name, k.calls, k.spread) for k in found.kernels] == [("fir_q15", 12, 0)]
    # The trace has no instruction to measure the overhead on, and the notes say that.
    assert found.kernels[0].total_cycles == 12 * (1000 + OVERHEAD)
    assert any("overhead of a stop is not known" in note for note in found.notes)
    assert board.running


def test_pyocd_programs_runs_and_measures_the_virtual_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the wire: pyOCD's flash loader with an algorithm that runs on the virtual core, reset and halt by vector
    catch, comparators, single steps, core registers and the DWT."""
    from pyocd.target import TARGET

    monkeypatch.setitem(TARGET, "virtual", target_type())
    firmware, name = FIRMWARE / "rtos" / "rtos-m4f.elf", "mps2-an386"
    pricer = pricer_for(name)
    image = load_firmware(firmware, pricer)
    record = execute(firmware, pricer).record
    profile = price(record, pricer)
    other = write_program(tmp_path / "other.elf", name, {"reset": "e7fe b.n -4"})
    options = MeasureOptions(repeats=1, pattern=re.compile("^check_output$"), timeout_s=30)
    with debugged(other, name) as session, closing(VirtualBoard(session.port)) as board, remote_probe(board) as server:
        probe = PyocdProbe(f"remote:127.0.0.1:{server.port}", "virtual")
        try:
            with pytest.raises(VerifyError):
                verify(probe, image)
            found = measure(image, pricer, record, profile, probe, options, version="test")
            assert probe.read_memory(image.segments[0].load_address, 64) == image.segments[0].data[:64]
            probe.reset_halt()
            assert probe.read_register("pc") == image.entry
            assert probe.step().pc != image.entry
        finally:
            probe.close()
    (kernel,) = found.kernels
    (estimate,) = (k for k in profile.kernels if k.name == "check_output")
    assert (kernel.calls, kernel.spread, kernel.total_cycles) == (1, 0, estimate.total_cycles)
    assert (found.counter, found.overhead_cycles, found.exit_code) == ("DWT_CYCCNT", 0, 0)
    assert found.total is not None


def test_a_connection_that_is_lost() -> None:
    board = FakeBoard(RUN, running=True)
    with remote_probe(board) as server:
        probe = PyocdProbe(f"remote:127.0.0.1:{server.port}", None)
        server.unplugged = True
        for action in (lambda: probe.read_memory(RAM, 4), probe.resume, probe.halt, probe.restore):
            with pytest.raises(ConnectionLostError, match="pyOCD can't "):
                action()
        probe.close()


def test_a_chip_that_does_not_let_debuggers_in() -> None:
    with probed(FakeBoard(RUN, running=True, cpuid=0)) as probe, pytest.raises(LockedChipError, match="chip is locked"):
        identify(probe, "cortex-m4")


@pytest.mark.parametrize("flash", [True, False])
def test_a_chip_whose_memory_cant_be_read_is_locked_and_left_alone(flash: bool) -> None:
    pricer = pricer_for("nucleo-l4r5zi")
    firmware = load_firmware(EXAMPLES / "fir-m4f.elf", pricer)
    record = execute(EXAMPLES / "fir-m4f.elf", pricer).record
    board = FakeBoard([At(0x08000100), At(F)], running=True)
    before = bytes(board.flash)
    with remote_probe(board, locked=True) as server:
        probe = PyocdProbe(f"remote:127.0.0.1:{server.port}", None)
        options = MeasureOptions(repeats=1, flash=flash, timeout_s=5)
        with pytest.raises(LockedChipError, match="doesn't let its memory at 0x08000000 be read") as error:
            measure(firmware, pricer, record, price(record, pricer), probe, options, version="test")
        probe.close()
    assert "\n" not in error.value.one_line() and "may not be as it was found" not in error.value.message
    assert (board.running, board.breakpoints, bytes(board.flash)) == (True, set(), before)


def test_no_probe() -> None:
    with pytest.raises(NoProbeError, match="no debug probe 'no-such-uid' is connected"):
        PyocdProbe("no-such-uid", None)
    with pytest.raises(ProbeError, match="pyOCD can't connect to the chip"):
        PyocdProbe("remote:127.0.0.1:1", None)


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyocd", None)
    with pytest.raises(InputError, match=r"the package pyocd is not installed") as error:
        PyocdProbe(None, None)
    assert "pip install 'vtarget[board]'" in error.value.one_line()
