"""Firmware that stores anything anywhere in the peripheral and system space: its run ends with a reason, in time."""

from __future__ import annotations

import struct
import time
from functools import cache
from pathlib import Path

import pytest
from asmlib import assemble_program, needs_assembler, places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtarget.data.limits import RunLimits
from vtarget.data.record import Reason
from vtarget.shell.boardlib import load_board, load_chip
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine, RunOptions
from vtarget.shell.recordfile import load_record, save_record
from vtarget.shell.running import price, pricer_for

pytestmark = needs_assembler
BOARDS = ["mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "nrf52840dk", "rpi-pico", "apollo4p-evb",
          "nucleo-l4r5zi", "nucleo-f746zg", "nucleo-u575zi-q", "disco-f407vg"]  # fmt: skip
WALL_SECONDS = 4.0
REASONS = {Reason.IDLE, Reason.FAULT, Reason.LIMIT, Reason.RESET, Reason.STUCK}
TABLE = 0x1000  # behind the log
# A table of (address, value, kind), ended by an address of 0; then it sleeps, and polls what it accessed last.
SOURCE = """
fn test
ldr r4, =LOG + 0x1000
next: ldmia r4!, {r0, r1, r2}
cmp r0, #0
beq done
mov r5, r0
cmp r2, #0
beq word
cmp r2, #1
beq byte
cmp r2, #2
beq half
ldr r1, [r0]
b next
word: str r1, [r0]
b next
byte: strb r1, [r0]
b next
half: strh r1, [r0]
b next
done: svc 0
movs r2, #200
1: ldr r0, [r5]
subs r2, #1
bne 1b
wfi
wfe
2: ldr r0, [r5]
cmp r0, r2
bne 2b
b stop
end test
fn handler
bx lr
end handler
fn skip
ldr r0, [sp, #24]
adds r0, #2
str r0, [sp, #24]
bx lr
end skip
"""


@cache
def program(board: str, directory: Path) -> Path:
    vectors = dict.fromkeys((2, 11, 12, 14, *range(15, 120)), "handler") | dict.fromkeys((3, 4, 5, 6), "skip")
    return assemble_program(directory / f"{board}.elf", board, SOURCE, vectors)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@cache
def interesting(board: str) -> list[int]:
    """Where this board has registers: the system control space and its devices."""
    chip = load_board(board).chip
    devices = [device.base for device in load_chip(chip).devices] if chip else []
    return [0xE000E000, 0xE000E100, 0xE000E200, 0xE000E400, 0xE000ED00, 0xE000EF00, 0xE0001000, 0xE0000000, *devices]


def accesses(board: str) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    near = st.builds(lambda base, offset: base + 4 * offset, st.sampled_from(interesting(board)), st.integers(0, 63))
    anywhere = st.one_of(st.integers(0x40000000, 0x5FFFFFFF), st.integers(0xE0000000, 0xE00FFFFF))
    value = st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0xFFFFFFFF, 0x05FA0000, 0xC5ACCE55]),
                      st.integers(0, 31).map(lambda bit: 1 << bit))  # fmt: skip
    return st.lists(st.tuples(st.one_of(near, near, near, anywhere), value, st.integers(0, 3)), max_size=60)


@pytest.mark.parametrize("board", BOARDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_stores_end_in_words_and_in_time(board: str, directory: Path, data: st.DataObject) -> None:
    check_run(board, directory, data.draw(accesses(board)))


def check_run(board: str, directory: Path, stores: list[tuple[int, int, int]]) -> None:
    """The run ends by a reason of its own, within its wall limit, and its record is a sound one."""
    table = b"".join(struct.pack("<III", *store) for store in stores) + bytes(12)
    limits = RunLimits(instructions=200_000, wall_seconds=WALL_SECONDS)
    began = time.monotonic()
    image, pricer = load_image(str(program(board, directory))), pricer_for(board)
    options = RunOptions(limits=limits, writes=((places(board).log + TABLE, table),))
    record = Machine(image, pricer, options, managed=True).run().record
    assert time.monotonic() - began < WALL_SECONDS + 4
    assert record.exit.reason in REASONS, record.exit
    assert price(record, pricer).cycles.nominal >= 0
    path = directory / "record"
    save_record(record, str(path))
    assert load_record(str(path)).instructions == record.instructions
