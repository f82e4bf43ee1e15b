"""The whole loop without hardware: our own virtual board behind its GDB server is measured as a real one would be."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fakeboard import At, FakeBoard, served
from machinelib import EXAMPLES, FIRMWARE, vtarget, write_program
from test_gdb_server import debugged

from vtarget.base.errors import InputError, VtargetError
from vtarget.data.board import Board
from vtarget.data.measurement import Measurement
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord, Reason, SiteKind
from vtarget.logic.decode import Block
from vtarget.logic.measurereport import rows
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardlib import load_board
from vtarget.shell.measurementfile import load_measurement
from vtarget.shell.measuring import MeasureOptions, end_of, measure, open_probe
from vtarget.shell.probes.errors import CounterMissingError, NeverReachedError, VerifyError, WrongDeviceError
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.probes.probe import verify
from vtarget.shell.running import execute, load_firmware, price, pricer_for

QEMU = "qemu-system-arm"
ONCE = MeasureOptions(repeats=1)
CALLED = re.compile("^(?!Reset|semihost_exit)")  # all functions that return
FIR, L4 = EXAMPLES / "fir-m4f.elf", "nucleo-l4r5zi"


def plain(name: str) -> Board:
    """The board with memory that never makes the core wait: what a block costs doesn't depend on what ran before it."""
    board = load_board(name)
    slow = {"wait_states": None, "prefetch": None, "data_access": None}
    regions = tuple(region.model_copy(update=slow) for region in board.regions)
    return board.model_copy(update={"caches": (), "regions": regions})


def emulated(firmware: Path, board: str | Board) -> tuple[ExecutionRecord, Profile]:
    pricer = pricer_for(board)
    record = execute(firmware, pricer).record
    return record, price(record, pricer)


def measured(firmware: Path, board: str | Board, port: int, options: MeasureOptions) -> Measurement:
    """``firmware`` measured on what is at ``port``."""
    pricer = pricer_for(board)
    record, profile = emulated(firmware, board)
    probe = GdbProbe("127.0.0.1", port)
    try:
        return measure(load_firmware(firmware, pricer), pricer, record, profile, probe, options, version="test")
    finally:
        probe.close()


def loop(firmware: Path, board: str | Board, options: MeasureOptions = ONCE) -> Measurement:
    with debugged(firmware, board) as session:
        return measured(firmware, board, session.port, options)


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("fir-m4f", L4),
        ("conv_int8-m4f", L4),
        ("biquad-m4f", L4),
        ("fir-m0plus", "rpi-pico"),
        ("fft-m7", "nucleo-f746zg"),
        ("fc_int8-m33", "nucleo-u575zi-q"),
    ],
)
def test_measured_cycles_are_those_of_the_virtual_run(name: str, board: str) -> None:
    firmware, fast = EXAMPLES / f"{name}.elf", plain(board)
    found = loop(firmware, fast, MeasureOptions(repeats=2))
    _, profile = emulated(firmware, fast)
    estimates = {(k.name, k.address): (k.calls, k.total_cycles) for k in profile.kernels}
    assert len(found.kernels) >= 1
    assert {(k.name, k.address): (k.calls, k.total_cycles) for k in found.kernels}.items() <= estimates.items()
    assert {kernel.spread for kernel in found.kernels} == {0}
    assert found.total is not None
    assert found.total.total_cycles == profile.cycles.nominal - 1  # all but the BKPT that ends the run
    assert (found.overhead_cycles, found.exit_code) == (0, 0)
    assert found.counter == ("SysTick" if "m0plus" in name else "DWT_CYCCNT")
    assert (found.board, found.clock_hz) == (board, fast.clock.typical)


@pytest.mark.parametrize(
    ("firmware", "board", "counter"),
    [
        ("fft-m7", "nucleo-f746zg", "DWT_CYCCNT"),
        ("conv_int8-m33", "nucleo-u575zi-q", "DWT_CYCCNT"),
        ("conv_int8-m4f", L4, "DWT_CYCCNT"),
        ("fir-m0plus", "rpi-pico", "SysTick"),
    ],
)
def test_boards_with_caches_are_measured_to_the_cycle(firmware: str, board: str, counter: str) -> None:
    found = loop(EXAMPLES / f"{firmware}.elf", board)
    record, profile = emulated(EXAMPLES / f"{firmware}.elf", board)
    estimates = {k.address: (k.calls, k.total_cycles) for k in profile.kernels}
    assert found.counter == counter
    for kernel in found.kernels:
        assert kernel.address is not None
        assert (kernel.calls, kernel.total_cycles) == estimates[kernel.address], kernel.name
    assert found.total is not None
    assert found.total.total_cycles == profile.cycles.nominal - 1 - fetching_of_the_last(record, pricer_for(board))


def fetching_of_the_last(record: ExecutionRecord, pricer: Pricer) -> int:
    """What the miss takes of the line that begins with the BKPT that ends the run: it is met before that line."""
    cycles = 0
    for row in np.flatnonzero(record.site_kind == SiteKind.FETCH).tolist():
        node, index = int(record.site_node[row]), int(record.site_insn[row])
        number = record.node_block[node]
        block = Block(int(record.block_address[number]), record.block_code[number])
        if block.addresses[index] == record.exit.pc:
            events = np.flatnonzero(record.site_counts[row]).tolist()
            cycles += sum(pricer.fetch(block, index, event).nominal for event in events)
    return cycles


@pytest.mark.parametrize("board", ["nucleo-l073rz", "rpi-pico"])
def test_no_wrap_of_a_narrow_counter_is_missed(board: str, tmp_path: Path) -> None:
    """A call of more cycles than SysTick counts, on a board that may run them faster than the probe looks."""
    reset = """
        2064 movs r0, #100
        0400 lsls r0, r0, #16
        bl spin
        2018 movs r0, #0x18
        4901 ldr r1, [pc, #4]
        beab bkpt 0xab
        bf00 nop
        .word 0x20026
        """
    spin = "3801 subs r0, #1\n d1fd bne.n -6\n 4770 bx lr"
    firmware = write_program(tmp_path / "spin.elf", board, {"reset": reset, "spin": spin})
    found = loop(firmware, board)
    _, profile = emulated(firmware, board)
    (estimate,) = (kernel.total_cycles for kernel in profile.kernels if kernel.name == "spin")
    assert found.counter == "SysTick"
    assert estimate > 1 << 24
    assert [(kernel.name, kernel.total_cycles) for kernel in found.kernels] == [("spin", estimate)]


def test_firmware_that_sets_up_its_clock() -> None:
    """The virtual run begins anew when that shows; the counter keeps what the debugger had set up."""
    found = loop(FIRMWARE / "startups" / "disco-f407vg.elf", "disco-f407vg")
    _, profile = emulated(FIRMWARE / "startups" / "disco-f407vg.elf", "disco-f407vg")
    assert found.total is not None
    assert found.total.total_cycles == pytest.approx(profile.cycles.nominal, abs=8)


def test_more_kernels_than_fit_a_pass_and_those_that_call_each_other() -> None:
    firmware = FIRMWARE / "tests" / "inclusive_fptr-m4f.elf"
    found = loop(firmware, plain(L4), MeasureOptions(repeats=1, pattern=CALLED))
    _, profile = emulated(firmware, plain(L4))
    estimates = {k.address: k for k in profile.kernels}
    assert len(found.kernels) >= 4
    for kernel in found.kernels:
        assert kernel.address is not None
        estimate = estimates[kernel.address]
        assert (kernel.name, kernel.calls, kernel.total_cycles) == (kernel.name, estimate.calls, estimate.total_cycles)


@pytest.mark.parametrize("name", ["inclusive_recursion", "inclusive_tailcall"])
def test_recursion_and_tail_calls(name: str) -> None:
    firmware = FIRMWARE / "tests" / f"{name}-m4f.elf"
    found = loop(firmware, plain(L4), MeasureOptions(repeats=1, pattern=CALLED))
    _, profile = emulated(firmware, plain(L4))
    estimates = {k.address: k for k in profile.kernels}
    assert len(found.kernels) >= 2
    for kernel in found.kernels:
        assert kernel.address is not None
        assert (kernel.name, kernel.total_cycles) == (kernel.name, estimates[kernel.address].total_cycles)


def test_the_wrong_board_and_other_firmware() -> None:
    with debugged(FIR, L4) as session, pytest.raises(WrongDeviceError, match=r"is cortex-m7 \(hint|core is cortex-m7"):
        measured(EXAMPLES / "fft-m7.elf", "nucleo-f746zg", session.port, MeasureOptions())
    with debugged(FIR, L4) as session, pytest.raises(VerifyError, match="differs from"):
        measured(EXAMPLES / "fft-m4f.elf", L4, session.port, MeasureOptions(flash=False))


def test_another_firmware_is_flashed_first() -> None:
    with debugged(EXAMPLES / "fft-m4f.elf", L4) as session:
        found = measured(FIR, L4, session.port, MeasureOptions(repeats=1))
    assert found.kernels[0].name == "fir_q15"


def test_the_run_goes_on_as_if_nobody_had_measured() -> None:
    plain, _ = emulated(FIR, L4)
    with debugged(FIR, L4) as session:
        measured(FIR, L4, session.port, MeasureOptions(repeats=1))
        after = session.record()
    assert (after.instructions, after.live_cycles, after.console) == (
        plain.instructions,
        plain.live_cycles,
        plain.console,
    )


def test_an_interrupted_core_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    board = FakeBoard([At(0x08000100)])
    board.load(load_firmware(FIR, pricer_for(L4)))
    board.place = 0
    with served(board) as port:
        with pytest.raises(NeverReachedError, match="was not reached within"):
            measured(FIR, L4, port, MeasureOptions(repeats=1, timeout_s=0.3))
        end = time.monotonic() + 10
        while not board.running and time.monotonic() < end:  # the server may not have read the last packet yet
            time.sleep(0.01)
    assert (board.running, board.breakpoints) == (True, set())


def test_where_a_run_ends() -> None:
    record, _ = emulated(FIR, L4)
    image = load_firmware(FIR, pricer_for(L4))
    ended = end_of(record, image)
    assert ended is not None
    assert image.read(ended.address, 2) == b"\xab\xbe"
    assert record.exit.reason is Reason.SEMIHOSTING


# The command line.


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    with debugged(FIR, L4) as session:
        done = vtarget(
            *("measure", str(FIR), "-b", L4, "--probe", f"gdb:localhost:{session.port}", "-o", str(out)),
            *("--repeat", "1", "--span", "fir_q15", "--serial", "B-17"),
        )
    assert (done.code, done.err) == (0, "")
    assert next(line.split() for line in done.out.splitlines() if line.startswith("fir_q15"))[-2:] == ["+0.00", "%"]
    found = load_measurement(str(out))
    assert json.loads(out.read_text())["schema"] == "vtarget.measurement"
    assert (found.probe, found.board_serial) == (f"gdb:{session.port}", "B-17")
    assert [span.name for span in found.spans] == ["fir_q15"]
    _, profile = emulated(FIR, L4)
    assert [row[0] for row in rows(found, profile)] == ["fir_q15", "total"]


def test_the_command_with_json_on_standard_output() -> None:
    with debugged(FIR, L4) as session:
        done = vtarget("measure", str(FIR), "-b", L4, "--probe", f"gdb:{session.port}", "--json", "-", "--repeat", "1")
    assert done.code == 0
    assert json.loads(done.out)["kernels"][0]["calls"] == 12


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ((), 2, "missing option --probe (pyocd[:UID] or gdb:[HOST:]PORT)"),
        (("--probe", "usb"), 2, "--probe 'usb': no such kind of probe (hint: pyocd[:UID] or gdb:HOST:PORT)"),
        (("--probe", "gdb:localhost"), 2, "--probe gdb:localhost: no port (hint: such as gdb:localhost:3333)"),
        (("--probe", "gdb:1", "--kernels", "("), 2, "--kernels '(': not a regular expression: "),
        (("--probe", "gdb:1", "--span", "nowhere"), 2, "--span: no symbol 'nowhere' in "),
        (("--probe", "gdb:1", "-o", "/nowhere/m.json"), 2, "-o /nowhere/m.json: no such directory: /nowhere"),
        (("--probe", "gdb:127.0.0.1:1"), 1, "no GDB server at port 1 of 127.0.0.1: Connection refused"),
    ],
)
def test_what_the_command_refuses(arguments: tuple[str, ...], code: int, error: str) -> None:
    done = vtarget("measure", str(FIR), "-b", L4, *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"error: {error}")
    assert done.err.count("\n") == 1


def test_nothing_is_written_when_a_measurement_fails(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    board = FakeBoard([At(0x08000100)], has_cyccnt=False)
    with served(board) as port:
        done = vtarget("measure", str(FIR), "-b", L4, "--probe", f"gdb:{port}", "-o", str(out))
    assert done.code == 1
    assert done.err.startswith("error: the core has no cycle counter: DWT_CYCCNT can't be switched on (hint: ")
    assert list(tmp_path.iterdir()) == []


def test_firmware_that_fails_in_emulation_is_not_measured() -> None:
    fault = FIRMWARE / "tests" / "fault_jump-m4f.elf"
    done = vtarget("measure", str(fault), "-b", L4, "--probe", "gdb:1")
    assert done.code == 1
    assert done.err.startswith("error: nothing is measured, for the emulated run failed: ")


def test_probes_by_name() -> None:
    board = load_board(L4)
    for text in ("", "usb", "jlink:1"):
        with pytest.raises(InputError, match="no such kind of probe"):
            open_probe(text, board)
    with pytest.raises(VtargetError, match="no GDB server at port 1"):
        open_probe("gdb:1", board)


# QEMU's server, which none of this was written beside.


@contextmanager
def qemu(machine: str) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(QEMU, "-M", machine, "-display", "none", "-monitor", "none", "-serial", "none", "-S"),
            *("-gdb", f"tcp:127.0.0.1:{port}", "-semihosting-config", "enable=on,target=native"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def connected(port: int) -> GdbProbe:
    end = time.monotonic() + 10
    while True:
        try:
            return GdbProbe("127.0.0.1", port)
        except VtargetError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_qemu_runs_what_is_loaded_and_its_memory_is_the_virtual_boards() -> None:
    firmware, board = FIRMWARE / "rtos" / "rtos-m4f.elf", "mps2-an386"
    pricer = pricer_for(board)
    image = load_firmware(firmware, pricer)
    ours = execute(firmware, pricer, reads=[("log_text", None), ("log_length", None)])
    with qemu(board) as port:
        probe = connected(port)
        try:
            probe.flash(image)
            verify(probe, image)
            probe.reset_halt()
            assert probe.read_register("pc") == image.entry
            main = next(f.address for f in image.functions if f.name == "main")
            probe.set_breakpoint(main)
            probe.resume()
            halt = probe.wait_halt(20)
            assert halt is not None
            assert halt.pc == main
            probe.clear_breakpoint(main)
            probe.set_breakpoint(ours.record.exit.pc)
            probe.resume()
            while (halt := probe.wait_halt(20)) is not None and probe.read_register("r0") not in (0x18, 0x20):
                probe.clear_breakpoint(halt.pc)
                probe.step()
                probe.set_breakpoint(halt.pc)
                probe.resume()
            assert halt is not None
            theirs = tuple(probe.read_memory(*image.objects[name]) for name in ("log_text", "log_length"))
            assert theirs == ours.reads
            assert int.from_bytes(theirs[1], "little") > 100
        finally:
            probe.close()


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_qemu_has_no_cycle_counter_and_the_error_says_so() -> None:
    with qemu("mps2-an386") as port:
        connected(port).close()
    with qemu("mps2-an386") as port:
        connecting = connected(port)
        connecting.close()
        with pytest.raises(CounterMissingError, match="the core has no cycle counter") as error:
            measured(FIRMWARE / "rtos" / "rtos-m4f.elf", "mps2-an386", port, MeasureOptions(repeats=1))
    assert "QEMU models none" in error.value.one_line()
