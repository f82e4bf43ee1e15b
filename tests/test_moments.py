"""Moments of a run: collected within bounds, and to the cycle where a small program's can be told by hand."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from asmlib import needs_assembler, run_program
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.record import ExecutionRecord, Reason
from vtarget.data.timeline import ClockChange, Lane, LaneKind, LeftOut, Timeline
from vtarget.shell.moments import MOST_CLOCKS, MOST_EXCEPTIONS, MOST_STRETCHES, Moments, exception_name

SVC, PENDSV, SYSTICK, IRQ0, IRQ1 = 11, 14, 15, 16, 17
M4, M0PLUS = "nucleo-l4r5zi", "rpi-pico"
NO_WAITS_HZ = 16_000_000  # at which the M4 board's flash has no wait states


def lane(timeline: Timeline | None, name: str) -> Lane:
    assert timeline is not None
    return next(found for found in timeline.lanes if found.name == name)


# Collecting.


@pytest.mark.parametrize(
    ("number", "name"),
    [(2, "NMI"), (3, "HardFault"), (7, "exception 7"), (11, "SVCall"), (14, "PendSV"), (15, "SysTick"), (16, "IRQ 0"),
     (255, "IRQ 239")],
)  # fmt: skip
def test_exceptions_are_called_as_in_the_manuals(number: int, name: str) -> None:
    assert exception_name(number) == name


def test_stretches_of_exceptions_and_sleep() -> None:
    moments = Moments(8_000_000)
    moments.handlers[SYSTICK] = "on_tick"
    moments.slept("sleep", 100, 200)
    moments.slept("sleep", 300, 300)  # something was pending: it didn't sleep
    moments.entered(SYSTICK, 200)
    moments.entered(IRQ0, 210)
    moments.left(IRQ0, 240)
    moments.left(SYSTICK, 260)
    moments.left(SVC, 270)  # never entered
    moments.slept("Stop 2", 400, 900)
    moments.entered(PENDSV, 950)
    assert moments.result("b", 1000) == Timeline(
        "b", 1000, 1000, (ClockChange(0, 8_000_000),),
        (
            Lane(LaneKind.EXCEPTION, "PendSV", (950,), (1000,), PENDSV, unfinished=True),
            Lane(LaneKind.EXCEPTION, "SysTick", (200,), (260,), SYSTICK, "on_tick"),
            Lane(LaneKind.EXCEPTION, "IRQ 0", (210,), (240,), IRQ0),
            Lane(LaneKind.SLEEP, "Stop 2", (400,), (900,)),
            Lane(LaneKind.SLEEP, "sleep", (100,), (200,)),
        ),
    )  # fmt: skip


def test_the_clock_changes_only_where_it_does() -> None:
    moments = Moments(4)
    for hz, cycle in ((4, 10), (8, 20), (8, 30), (16, 40), (32, 40), (4, 50)):
        moments.clock(hz, cycle)
    clocks = moments.result("b", 60).clocks
    assert [(c.cycle, c.clock_hz) for c in clocks] == [(0, 4), (20, 8), (40, 32), (50, 4)]


def test_what_there_is_no_room_for_is_counted() -> None:
    moments = Moments(1)
    for at in range(0, 10 * (MOST_STRETCHES + 3), 10):
        moments.entered(SYSTICK, at)
        moments.left(SYSTICK, at + 4)
    (ticks,) = moments.result("b", 1_000_000).lanes
    begin = 10 * MOST_STRETCHES
    assert len(ticks.begins) == MOST_STRETCHES and (ticks.begins[-1], ticks.ends[-1]) == (begin - 10, begin - 6)
    assert ticks.left_out == LeftOut(3, 12, begin, begin + 24)
    assert (ticks.count, ticks.cycles) == (MOST_STRETCHES + 3, 4 * (MOST_STRETCHES + 3))


def test_only_so_many_exceptions_keep_their_moments() -> None:
    moments = Moments(1)
    for number in range(MOST_EXCEPTIONS + 2):
        moments.entered(IRQ0 + number, 10 * number)
        moments.left(IRQ0 + number, 10 * number + 5)
    lanes = moments.result("b", 1000).lanes
    assert [len(found.begins) for found in lanes] == [1] * MOST_EXCEPTIONS + [0, 0]
    assert lanes[-1].left_out == LeftOut(1, 5, 170, 175)


def test_beyond_too_many_changes_of_the_clock_nothing_is_told() -> None:
    moments = Moments(1)
    for number in range(MOST_CLOCKS + 1):
        moments.slept("sleep", 10 * number, 10 * number + 5)
        moments.clock(2 + number % 2, 10 * number + 10)
    moments.slept("sleep", 50_000, 50_001)
    timeline = moments.result("b", 60_000)
    assert timeline.known_cycles == 10 * (MOST_CLOCKS + 1) and len(timeline.clocks) == MOST_CLOCKS + 1
    assert len(timeline.lanes[0].begins) == MOST_STRETCHES and timeline.lanes[0].left_out.last_cycle == 50_001


@given(
    rounds=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50)), max_size=60),
    finished=st.booleans(),
    before=st.integers(MOST_STRETCHES - 50, MOST_STRETCHES),
)
def test_rounds_of_native_code_are_as_if_told_one_by_one(
    rounds: list[tuple[int, int, int]], finished: bool, before: int
) -> None:
    one, many = Moments(1), Moments(1)
    for moments in (one, many):
        for at in range(before):
            moments.slept("sleep", 10 * at, 10 * at + 5)
            moments.entered(SYSTICK, 10 * at + 5)
            moments.left(SYSTICK, 10 * at + 8)
    now, table = 100_000, []
    for number, (thread, asleep, handler) in enumerate(rounds):
        begin, entry, back = now + thread, now + thread + asleep, now + thread + asleep + handler
        table.append((begin if asleep else -1, entry, back))
        one.slept("sleep", begin, entry)
        one.entered(SYSTICK, entry)
        if finished or number < len(rounds) - 1:
            one.left(SYSTICK, back)
        now = back
    if rounds:
        many.ticked(SYSTICK, np.array(table, dtype=np.int64), len(rounds) - (not finished))
    assert one.result("b", now) == many.result("b", now)


# Runs.

# SysTick each 1000 cycles of the core; the thread sleeps three times, then stops.
TICKING = """
fn test
set 0xE000E014, 999
set 0xE000E018, 0
set 0xE000E010, 7
movs r4, #3
again: wfi
subs r4, #1
bne again
ldr r0, =0xE000E010
movs r1, #0
str r1, [r0]
done: b done
end test
fn on_tick
nop
nop
bx lr
end on_tick
"""


@needs_assembler
def test_ticks_come_each_thousand_cycles_and_wake_the_core(tmp_path: Path) -> None:
    """An M4 takes 12 cycles to enter a handler (TRM-M4 3.9), here ``nop``, ``nop``, ``bx lr``."""
    ran = run_program(tmp_path, M4, TICKING, {SYSTICK: "on_tick"}, clock_hz=NO_WAITS_HZ).ran
    timeline = ran.record.timeline
    ticks, sleep = lane(timeline, "SysTick"), lane(timeline, "sleep")
    assert (ticks.kind, ticks.number, ticks.handler, ticks.count) == (LaneKind.EXCEPTION, SYSTICK, "on_tick", 3)
    assert np.diff(ticks.begins).tolist() == [1000, 1000]
    # The core sleeps from the WFI on until the tick, and the handler is entered then and there.
    assert sleep.ends == ticks.begins
    costs = {k.name: k for k in ran.profile().kernels}
    # A handler's entry, its code and its return are its own: three of them are what the function costs.
    assert {b - a for a, b in zip(ticks.begins, ticks.ends, strict=True)} == {costs["on_tick"].cycles // 3}
    (asleep,) = ran.record.sleep
    assert sum(b - a for a, b in zip(sleep.begins, sleep.ends, strict=True)) == asleep.cycles
    # From return to WFI: subs, bne, wfi of the thread.
    gaps = [begin - end for begin, end in zip(sleep.begins[1:], ticks.ends, strict=False)]
    assert len(set(gaps)) == 1 and 3 <= gaps[0] <= 6
    assert timeline is not None and timeline.clocks == (ClockChange(0, NO_WAITS_HZ),)
    assert timeline.end_cycle == ran.record.live_cycles + asleep.cycles


NESTED = """
fn test
set SHPR3, 0x00C00000
set ISER, 3
set IPR, 0x00000080
svc 0
set ICSR, PENDSV
b next
next: set ISPR, 1
done: b done
end test
fn on_irq0
ldr r0, =ISPR
movs r1, #2
str r1, [r0]
b on
on: bx lr
end on_irq0
fn short
bx lr
end short
"""


@needs_assembler
@pytest.mark.parametrize("board", [M0PLUS, M4])
def test_what_preempts_an_exception_lies_inside_it(board: str, tmp_path: Path) -> None:
    handlers = {SVC: "short", PENDSV: "short", IRQ0: "on_irq0", IRQ1: "short"}
    timeline = run_program(tmp_path, board, NESTED, handlers).ran.record.timeline
    assert timeline is not None
    assert [found.name for found in timeline.lanes] == ["SVCall", "PendSV", "IRQ 0", "IRQ 1"]
    svc, pendsv, outer, inner = ((found.begins[0], found.ends[0]) for found in timeline.lanes)
    assert 0 < svc[0] < svc[1] < pendsv[0] < pendsv[1] < outer[0] < inner[0] < inner[1] < outer[1]
    assert not any(found.unfinished or found.left_out.count for found in timeline.lanes)


@needs_assembler
def test_a_tail_chained_exception_begins_where_the_other_ends(tmp_path: Path) -> None:
    source = NESTED.replace("set IPR, 0x00000080", "set IPR, 0x00008000")  # IRQ 1 waits for the end of IRQ 0
    handlers = {SVC: "short", PENDSV: "short", IRQ0: "on_irq0", IRQ1: "short"}
    timeline = run_program(tmp_path, M4, source, handlers).ran.record.timeline
    assert lane(timeline, "IRQ 0").ends == lane(timeline, "IRQ 1").begins


@needs_assembler
def test_a_handler_that_never_returns_ends_with_the_run(tmp_path: Path) -> None:
    source = "fn test\nsvc 0\nend test\nfn forever\nhere: b here\nend forever\n"
    record = run_program(tmp_path, M4, source, {SVC: "forever"}).ran.record
    svc, timeline = lane(record.timeline, "SVCall"), record.timeline
    assert record.exit.reason is Reason.IDLE and timeline is not None
    assert svc.unfinished and svc.ends == (timeline.end_cycle,) and svc.handler == "forever"


def span_facts(record: ExecutionRecord, name: str) -> list[tuple[int, int]]:
    return [(span.begin_cycle, span.end_cycle) for span in record.spans if span.name == name]


@needs_assembler
def test_spans_begin_and_end_at_moments_too(tmp_path: Path) -> None:
    """A span without interrupts lasts as many cycles as it costs; one in which a tick came lasts that much longer."""
    source = """
    fn test
    set 0xE000E014, 199
    set 0xE000E018, 0
    set 0xE000E010, 7
    movs r4, #20
    again: bl work
    subs r4, #1
    bne again
    ldr r0, =0xE000E010
    movs r1, #0
    str r1, [r0]
    done: b done
    end test
    fn work
    movs r0, #3
    more: subs r0, #1
    bne more
    bx lr
    end work
    fn on_tick
    bx lr
    end on_tick
    """
    ran = run_program(tmp_path, M4, source, {SYSTICK: "on_tick"}, clock_hz=NO_WAITS_HZ, spans=("work",)).ran
    ticks = lane(ran.record.timeline, "SysTick")
    costs = [span.cycles for span in ran.profile().spans]
    moments = span_facts(ran.record, "work")
    assert len(moments) == 20 and 0 < ticks.count < 20
    handlers = list(zip(ticks.begins, ticks.ends, strict=True))
    for (begin, end), cycles in zip(moments, costs, strict=True):
        inside = [b - a for a, b in handlers if begin <= a and b <= end]
        assert end - begin == cycles + sum(inside)
    assert all(a[1] <= b[0] for a, b in pairwise(moments))
    timeline = ran.profile().timeline
    assert lane(timeline, "work").begins == tuple(begin for begin, _ in moments)
