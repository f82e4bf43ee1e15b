"""Our preemptive scheduler: the same log on every core, in QEMU and in vtarget."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from firmwarelib import FIRMWARE, QEMU_TARGETS, build, needs_compiler
from machinelib import run_elf
from qemu import needs_qemu, run_qemu

from vtarget.data.record import Reason

LOG_CRC = 0xCF975FBF
# Boards that QEMU lacks; the ticks are of the same number of clocks there.
OTHER_BOARDS = [
    ("m0plus", "rpi-pico"),
    ("m0plus", "nucleo-g071rb"),
    ("m4f", "nucleo-l4r5zi"),
    ("m7", "nucleo-f746zg"),
    ("m33", "nucleo-u575zi-q"),
]


def rtos(core: str) -> Path:
    return FIRMWARE / "rtos" / f"rtos-{core}.elf"


def check_log(console: str) -> None:
    log, verdict = console[: console.rindex("log crc")], console[console.rindex("log crc") :]
    assert verdict == f"log crc=0x{LOG_CRC:08x} ok\n"
    assert zlib.crc32(log.encode()) == LOG_CRC


@needs_qemu
@pytest.mark.parametrize(("core", "board"), QEMU_TARGETS)
def test_tasks_log_the_same_events_in_qemu_and_in_vtarget(core: str, board: str) -> None:
    expected = run_qemu(board, rtos(core))
    ran = run_elf(rtos(core), board)
    assert ran.record.console == expected.console
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, expected.exit_code)
    assert expected.exit_code == 0
    check_log(expected.console)


@needs_compiler
@pytest.mark.parametrize(("core", "board"), OTHER_BOARDS)
def test_tasks_log_the_same_events_on_boards_people_have(core: str, board: str, tmp_path: Path) -> None:
    (elf,) = build.build([build.rtos_program(core, board)], tmp_path)
    ran = run_elf(elf, board)
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    check_log(ran.record.console)


@needs_compiler
@pytest.mark.parametrize("clocks", [1500, 100_000])
def test_the_length_of_a_tick_does_not_change_the_log(clocks: int, tmp_path: Path) -> None:
    """The high task comes in between at other instructions; short ticks are hardly longer than its turn."""
    (elf,) = build.build([build.rtos_program("m4f", "mps2-an386", (f"CLOCKS_PER_TICK={clocks}u",))], tmp_path)
    check_log(run_elf(elf, "mps2-an386").record.console)
