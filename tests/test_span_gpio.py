"""Spans that the edges of a pin mark: as long as the core's own cycle counter says, to the cycle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asmlib import needs_assembler, run_program
from machinelib import FIRMWARE, vtarget

from vtarget.data.profile import Span

# Port (address, pin's bit and name) by board; MODER is written whole, BSRR is at 0x18.
PORTS = {
    "nucleo-l4r5zi": (0x48000400, 7, "PB7"),
    "disco-f407vg": (0x40020C00, 12, "PD12"),
    "nucleo-f746zg": (0x40020400, 7, "PB7"),
    "nucleo-u575zi-q": (0x42020800, 7, "PC7"),
}
# The counter is read right before the pin rises and right after it has fallen: around nothing, and around WORK, twice.
MARKED = """
.macro marked
ldr r0, [r5]
str r2, [r4, #0x18]
.endm
.macro unmarked
str r3, [r4, #0x18]
ldr r1, [r5]
subs r1, r1, r0
stmia r7!, {{r1}}
.endm
fn test
push {{r6, lr}}
set 0xE000EDFC, 1 << 24
set 0xE0001FB0, 0xC5ACCE55
set 0xE0001000, 1
ldr r4, ={port}
ldr r0, ={moder}
str r0, [r4]
ldr r5, =0xE0001004
ldr r2, ={high}
ldr r3, ={low}
movs r6, #2
again:
marked
unmarked
marked
{work}
unmarked
subs r6, #1
bne again
pop {{r6, pc}}
end test
fn worker
push {{r4, lr}}
movs r4, #9
muls r4, r4, r4
udiv r4, r4, r2
pop {{r4, pc}}
end worker
"""
WORK = {
    "instructions": "adds r1, r1, #1\nadds r1, r1, #2\nldr r1, [r7]\nadds r1, r1, #3\n",
    "a loop": "movs r1, #100\n1: subs r1, #1\nbne 1b\n",
    "a call": "mov r8, r0\nbl worker\nmov r0, r8\n",
    "an exception": "mov r8, r0\nmov r9, r2\nmov r10, r3\nsvc 0\nmov r0, r8\n",
}


def spans_and_counts(board: str, work: str, tmp_path: Path) -> tuple[list[Span], tuple[int, ...]]:
    """What the profile says of each span, and what the firmware counted around it."""
    port, bit, pin = PORTS[board]
    source = MARKED.format(port=port, moder=1 << 2 * bit, high=1 << bit, low=1 << bit + 16, work=WORK[work])
    logged = run_program(
        tmp_path, board, source + "fn nothing\nbx lr\nend nothing\n", {11: "nothing"}, span_pins=(pin,)
    )
    spans = list(logged.ran.profile().spans)
    assert [(span.name, span.index) for span in spans] == [(pin, index) for index in range(4)]
    assert not any("span" in note or "pin" in note for note in logged.ran.record.not_modelled)
    return spans, logged.words


@needs_assembler
@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("board", PORTS)
def test_a_span_is_as_long_as_the_cycle_counter_says(board: str, work: str, tmp_path: Path) -> None:
    """Reading the counter takes the same around nothing and around work, so that differences are equal. But the M7
    issues two instructions in a cycle: which ones go together depends on their neighbours, so that a cycle may lie
    before or behind the edge."""
    spans, counts = spans_and_counts(board, work, tmp_path)
    most = 1 if board == "nucleo-f746zg" else 0
    for empty, full in ((0, 1), (2, 3)):
        marked, counted = spans[full].cycles - spans[empty].cycles, counts[full] - counts[empty]
        assert marked > 0
        assert abs(counted - marked) <= most
    # Reading the counter and storing is inside what was counted.
    assert 1 <= counts[0] - spans[0].cycles <= 3


@needs_assembler
def test_instructions_of_a_span_are_those_between_the_edges(tmp_path: Path) -> None:
    for work, expected in (("instructions", 5), ("a loop", 1 + 200 + 1), ("a call", 9), ("an exception", 7)):
        spans, _ = spans_and_counts("nucleo-l4r5zi", work, tmp_path)
        # From the store that raises the pin up to the one that lowers it.
        assert [span.instructions for span in spans] == [1, expected, 1, expected]


def test_the_pin_of_a_start_up_program_marks_its_three_phases() -> None:
    program = FIRMWARE / "startups" / "nucleo-l4r5zi.elf"
    done = vtarget("run", program, "-b", "nucleo-l4r5zi", "--span-gpio", "pb7", "--span", "compute")
    rows = [line.split() for line in done.out.splitlines() if line.startswith(("PB7", "compute"))]
    spans = {(row[0], row[1]): int(row[3].replace(",", "")) for row in rows if row[1].isdigit() and len(row) > 6}
    assert [key for key in spans if key[0] == "PB7"] == [("PB7", "0"), ("PB7", "1"), ("PB7", "2")]
    # The first is a computation, with the call of board_pin around it; the second a delay of 10 to 11 ms, awake.
    assert spans["compute", "0"] < spans["PB7", "0"] < spans["compute", "0"] + 30
    assert 10 <= spans["PB7", "1"] / 120_000 <= 11
    # The third is ten milliseconds asleep: what is awake of it.
    assert spans["PB7", "2"] < 0.2 * 1_200_000


def test_a_pin_that_marks_nothing_is_told() -> None:
    program = FIRMWARE / "startups" / "nucleo-l4r5zi.elf"
    done = vtarget("run", program, "-b", "nucleo-l4r5zi", "--span-gpio", "PC13", "--span-gpio", "PX99")
    assert done.code == 0
    for pin in ("PC13", "PX99"):
        assert f"  pin {pin} never changed, so it marks no span; PB7 did\n" in done.out


def test_a_pulse_that_does_not_end_is_told() -> None:
    program = FIRMWARE / "startups" / "nucleo-l4r5zi.elf"
    done = vtarget("run", program, "-b", "nucleo-l4r5zi", "--span-gpio", "PB7", "--until", "HAL_Delay")
    assert done.code == 0
    assert "  span PB7 was begun and not left\n" in done.out


def test_spans_of_a_pin_are_kept_in_records(tmp_path: Path) -> None:
    program, record = FIRMWARE / "startups" / "nucleo-l4r5zi.elf", tmp_path / "pins.record"
    board = ("-b", "nucleo-l4r5zi")
    ran, again = tmp_path / "ran.json", tmp_path / "again.json"
    assert vtarget("run", program, *board, "--quiet", "--span-gpio", "PB7", "--record", record, "--json", ran).code == 0
    assert vtarget("run", "--from-record", record, *board, "--quiet", "--json", again).code == 0
    assert len(json.loads(ran.read_text())["spans"]) == 3
    assert again.read_bytes() == ran.read_bytes()
