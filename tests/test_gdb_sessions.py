"""Sessions of the real gdb with ``vtarget run --gdb``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from machinelib import EXAMPLES, run_elf, write_program

from vtarget.shell.running import price, pricer_for

GDB = "gdb-multiarch"
pytestmark = pytest.mark.skipif(shutil.which(GDB) is None, reason=f"{GDB} is not installed")
BOARD = "nucleo-l4r5zi"
CONV = EXAMPLES / "conv_int8-m4f.elf"
SECONDS = 90


@dataclass(frozen=True)
class Session:
    """What gdb and vtarget printed, and vtarget's exit status."""

    gdb: str
    profile: str
    status: int

    def cycles(self) -> list[int]:
        """What ``monitor cycles`` answered, one after the other."""
        return [int(number) for number in re.findall(r"^(\d+) cycles, ", self.gdb, re.MULTILINE)]


class Run:
    """``vtarget run --gdb 0`` in a process of its own."""

    def __init__(self, firmware: Path, board: str, *options: str) -> None:
        command = [sys.executable, "-m", "vtarget", "run", str(firmware), "-b", board, "--gdb", "0", *options]
        self._firmware = firmware
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def debug(self, *commands: str, extended: bool = False) -> Session:
        """Connect gdb, have it execute the commands, and wait for both to end."""
        assert self.process.stderr is not None
        waiting = self.process.stderr.readline()
        port = re.fullmatch(r"gdb: waiting for a debugger on 127\.0\.0\.1:(\d+)\n", waiting)
        assert port is not None, waiting
        target = "extended-remote" if extended else "remote"
        script = ["set confirm off", "set pagination off", f"target {target} :{port[1]}", *commands]
        arguments = [argument for command in script for argument in ("-ex", command)]
        gdb = subprocess.run(
            [GDB, "--nx", "--batch", str(self._firmware), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        out, err = self.process.communicate(timeout=SECONDS)
        return Session(gdb.stdout, out + err, self.process.returncode)


@pytest.fixture
def run() -> Iterator[object]:
    started: list[Run] = []

    def start(firmware: Path = CONV, board: str = BOARD, *options: str) -> Run:
        started.append(Run(firmware, board, *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def undebugged(path: Path, board: str) -> tuple[int, int]:
    record = run_elf(path, board).record
    return record.instructions, round(price(record, pricer_for(board)).cycles.nominal)


def test_load_break_look_around_and_detach(run: type[Run]) -> None:
    session = run().debug(
        "load",
        "monitor reset halt",
        "break conv_int8",
        "continue",
        "backtrace",
        "info registers pc sp xpsr msp psp primask basepri faultmask control fpscr",
        "monitor cycles",
        "stepi",
        "nexti",
        "monitor cycles",
        "set $r1 = 0x1234",
        "print/x $r1",
        "info threads",
        "monitor reset halt",
        "detach",
    )
    assert "Loading section .text" in session.gdb
    assert re.search(r"^Breakpoint 1, 0x[0-9a-f]+ in conv_int8 \(\)$", session.gdb, re.MULTILINE)
    assert re.search(r"^#0 .* in conv_int8 \(\)\n#1 .* in main \(\)$", session.gdb, re.MULTILINE)
    for register in ("xpsr", "msp", "psp", "primask", "basepri", "faultmask", "control", "fpscr"):
        assert re.search(rf"^{register} +0x", session.gdb, re.MULTILINE), register
    before, after = session.cycles()
    assert 0 < after - before < 20
    assert "$1 = 0x1234" in session.gdb
    assert "Thread 1 (core)" in session.gdb
    assert "[Inferior 1 (Remote target) detached]" in session.gdb
    assert "conv_int8 crc=" in session.profile


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("fir-m0plus", "rpi-pico"),
        ("conv_int8-m4f", "nucleo-l4r5zi"),
        ("biquad-m7", "nucleo-f746zg"),
        ("fft-m33", "nucleo-u575zi-q"),
    ],
)
def test_a_debugged_run_costs_what_the_run_costs(run: type[Run], name: str, board: str) -> None:
    path = EXAMPLES / f"{name}.elf"
    symbols = subprocess.run(["nm", str(path)], capture_output=True, text=True).stdout
    kernel = next(n for n in re.findall(r" [Tt] (\w+)", symbols) if n.startswith(name[:3]))
    session = run(path, board).debug(
        f"break {kernel}", "continue", "stepi 20", "delete", "watch *(int *)&output", "continue", "delete",
        "tbreak check_output", "continue", "finish", "detach",
    )  # fmt: skip
    assert "Hardware watchpoint 2" in session.gdb
    assert "Old value" in session.gdb and "New value" in session.gdb
    assert re.search(r"^0x[0-9a-f]+ in (main|Reset_Handler) \(\)$", session.gdb, re.MULTILINE)
    instructions, cycles = undebugged(path, board)
    assert re.search(rf"^instructions +{instructions:,}$", session.profile, re.MULTILINE), session.profile
    assert re.search(rf"^cycles +{cycles:,} ", session.profile, re.MULTILINE), session.profile
    assert session.status == 0


def test_the_cycle_counter_is_read_as_memory_and_stands_still(run: type[Run], tmp_path: Path) -> None:
    # DEMCR.TRCENA, then DWT_CTRL.CYCCNTENA (DDI 0403 C1.6.5 and C1.8.7).
    code = """
        4805 ldr r0, [pc, #20]
        f04f 7180 mov.w r1, #0x1000000
        6001 str r1, [r0]
        4a04 ldr r2, [pc, #16]
        2301 movs r3, #1
        6013 str r3, [r2]
        bf00 nop
        bf00 nop
        bf00 nop
        e7fe b.n 0
        bf00 nop
        .word 0xe000edfc
        .word 0xe0001000
        """
    path = write_program(tmp_path / "counter.elf", BOARD, {"reset": code})
    session = run(path).debug(
        "stepi 6", "x/wx 0xE0001004", "x/wx 0xE0001004", "stepi 3", "x/wx 0xE0001004", "x/i $pc", "kill"
    )
    values = [int(value, 16) for value in re.findall(r"^0xe0001004:\s+(0x[0-9a-f]+)$", session.gdb, re.MULTILINE)]
    assert len(values) == 3, session.gdb
    assert values[0] == values[1]
    assert values[2] - values[1] == 3


def test_a_function_is_called_from_gdb(run: type[Run]) -> None:
    session = run().debug(
        "break conv_int8", "continue", "call ((void (*)(unsigned))print_hex)(0x600d)", "delete", "detach"
    )
    assert "0000600d" in session.profile
    assert "conv_int8 crc=0xb7a1f4fe ok" in session.profile


def test_a_fault_stops_and_shows_its_place(run: type[Run]) -> None:
    path = EXAMPLES.parent / "tests" / "fault_write_flash-m4f.elf"
    session = run(path).debug("continue", "backtrace", "continue")
    assert "vtarget: the run has ended: fault at 0x080000f6: write to read-only memory at 0x08000110" in session.gdb
    assert "SIGSEGV" in session.gdb
    assert re.search(r"^#2 .* in overwrite \(\)\n#3 .* in main \(\)$", session.gdb, re.MULTILINE), session.gdb
    assert session.status == 1


def test_the_end_and_output_reach_gdb_and_the_run_can_begin_again(run: type[Run]) -> None:
    session = run().debug("continue", "run", "monitor cycles", "continue", extended=True)
    assert session.gdb.count("conv_int8 crc=0xb7a1f4fe ok") == 2, session.gdb
    assert session.gdb.count("exited normally]") == 2
    assert session.status == 0


def test_kill_ends_the_run_and_help_is_there(run: type[Run]) -> None:
    session = run().debug("tbreak conv_int8", "continue", "monitor help", "monitor time", "monitor nonsense", "kill")
    assert "monitor reset [halt]" in session.gdb
    assert "no such command: 'nonsense' (monitor help lists them)" in session.gdb
    assert re.search(r"^0\.\d{9} s, core clock 120000000 Hz$", session.gdb, re.MULTILINE)
    assert re.search(r"^ended by +ended by the debugger", session.profile, re.MULTILINE), session.profile


def test_cortex_debugs_way_of_starting(run: type[Run]) -> None:
    """The commands that Cortex-Debug's external server type sends."""
    session = run().debug(
        "set mem inaccessible-by-default off",
        "monitor reset halt",
        "load",
        "monitor reset halt",
        "tbreak main",
        "continue",
        "monitor reset halt",
        "continue",
        "detach",
        extended=True,
    )
    assert session.gdb.count("in main ()") == 1
    assert "conv_int8 crc=0xb7a1f4fe ok" in session.profile
