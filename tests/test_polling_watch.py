"""Polling loops that are moved ahead: the same record as executing every round, and never past what ends the loop."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import assemble_program, needs_assembler, places

from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine, RunOptions
from vtarget.shell.running import price, pricer_for

pytestmark = needs_assembler
M3, M4 = "mps2-an385", "mps2-an386"
SYSTICK, TIMER0 = 15, 16 + 8
# CMSDK timer 0: CTRL, VALUE, RELOAD, INTSTATUS. It sets INTSTATUS when it counts from 1 to 0 with CTRL 9.
TIMER = "set 0x40000004, {count}\nset 0x40000008, {count}\nset 0x40000000, 9\n"


def run(tmp_path: Path, source: str, *, board: str = M4, watched: bool, vectors: dict[int, str] | None = None,
        instructions: int = 20_000_000) -> tuple[ExecutionRecord, Machine]:  # fmt: skip
    path = assemble_program(tmp_path / "p.elf", board, source, vectors or {})
    options = RunOptions(limits=RunLimits(instructions=instructions), reads=((places(board).log, 64),))
    machine = Machine(load_image(str(path)), pricer_for(board), options, managed=True)
    if not watched:
        machine.chipset.bus.watch = lambda *_: None
    return machine.run().record, machine


def assert_same(tmp_path: Path, source: str, **options: object) -> ExecutionRecord:
    """The run with and without the watch has the same facts."""
    one, first = run(tmp_path, source, watched=True, **options)  # type: ignore[arg-type]
    other, second = run(tmp_path, source, watched=False, **options)  # type: ignore[arg-type]
    assert one.exit == other.exit
    assert (one.instructions, one.live_cycles) == (other.instructions, other.live_cycles)
    for name in ("edge_source", "edge_target", "edge_count", "site_counts", "node_block"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    assert price(one, first.pricer).kernels == price(other, second.pricer).kernels
    log = places(options.get("board", M4)).log  # type: ignore[arg-type]
    assert first.engine.read(log, 64) == second.engine.read(log, 64)
    return one


@pytest.mark.parametrize("board", [M3, M4])
@pytest.mark.parametrize("count", [1000, 60_001])
def test_a_loop_that_an_event_ends(board: str, count: int, tmp_path: Path) -> None:
    source = f"""
    fn test
    {TIMER.format(count=count)}
    ldr r4, =0x4000000c
    1: ldr r0, [r4]
    cmp r0, #0
    beq 1b
    stmia r7!, {{r0}}
    set 0x40000000, 0
    b stop
    end test
    """
    record = assert_same(tmp_path, source, board=board)
    assert record.exit.reason is Reason.IDLE
    assert record.live_cycles > count


def test_a_loop_with_calls_conditions_and_divides(tmp_path: Path) -> None:
    source = f"""
    fn test
    {TIMER.format(count=50_000)}
    ldr r4, =0x4000000c
    1: movs r1, #100
    movs r2, #7
    udiv r1, r1, r2
    cmp r1, #3
    ite gt
    movgt r2, #1
    movle r2, #2
    bl read
    cmp r0, #0
    beq 1b
    stmia r7!, {{r0, r1, r2}}
    set 0x40000000, 0
    b stop
    end test
    fn read
    push {{r4, lr}}
    ldr r0, [r4]
    pop {{r4, pc}}
    end read
    """
    assert_same(tmp_path, source)


def test_a_loop_that_an_interrupt_interrupts(tmp_path: Path) -> None:
    """Ticks come in between; the fourth handler starts what the loop waits for."""
    source = """
    fn test
    movs r5, #0
    set 0xE000E014, 9999
    set 0xE000E018, 0
    set 0xE000E010, 7
    ldr r4, =0x4000000c
    1: ldr r0, [r4]
    cmp r0, #0
    beq 1b
    stmia r7!, {r0}
    b stop
    end test
    fn tick
    adds r5, #1
    stmia r7!, {r5}
    cmp r5, #4
    bne 2f
    set 0x40000004, 3000
    set 0x40000000, 9
    ldr r0, =0xE000E010
    movs r1, #0
    str r1, [r0]
    2: bx lr
    end tick
    """
    source = source.replace("set 0x40000000, 9\n", "set 0x40000008, 0\n set 0x40000000, 9\n")
    record = assert_same(tmp_path, source, vectors={SYSTICK: "tick"})
    assert record.exit.reason is Reason.IDLE


@pytest.mark.parametrize(
    ("clock", "start"),
    [
        ("0xE0001004", "set 0xE000EDFC, 1 << 24\nset 0xE0001000, 1\n"),  # CYCCNT
        ("0x40001004", "set 0x40001004, 0xffffffff\nset 0x40001000, 1\n"),  # another timer's value
    ],
)
def test_a_loop_with_a_time_out_of_its_own(clock: str, start: str, tmp_path: Path) -> None:
    """The time it read is no longer in a register when it polls again: the loop looks the same in each round."""
    source = f"""
    fn test
    {start}
    ldr r4, ={clock}
    ldr r5, [r4]
    1: ldr r0, =0x4000000c
    ldr r0, [r0]
    cmp r0, #0
    bne 2f
    ldr r0, [r4]
    subs r0, r0, r5
    it mi
    rsbmi r0, #0
    ldr r1, =50000
    cmp r0, r1
    blo 1b
    movs r0, #1
    2: stmia r7!, {{r0}}
    b stop
    end test
    """
    record = assert_same(tmp_path, source)
    assert record.exit.reason is Reason.IDLE
    assert 50_000 < record.live_cycles < 50_200


def test_a_loop_that_counts_its_rounds_ends_by_itself(tmp_path: Path) -> None:
    source = """
    fn test
    ldr r4, =0x4000000c
    ldr r5, =20000
    1: ldr r0, [r4]
    cmp r0, #0
    bne 2f
    subs r5, #1
    bne 1b
    2: stmia r7!, {r0, r5}
    b stop
    end test
    """
    assert assert_same(tmp_path, source).exit.reason is Reason.IDLE


def test_a_loop_that_counts_in_memory_ends_by_itself(tmp_path: Path) -> None:
    source = """
    fn test
    ldr r4, =0x4000000c
    ldr r5, =LOG + 32
    ldr r1, =5000
    str r1, [r5]
    1: ldr r0, [r4]
    cmp r0, #0
    bne 2f
    ldr r1, [r5]
    subs r1, #1
    str r1, [r5]
    movs r1, #0
    ldr r1, [r5]
    cmp r1, #0
    mov r1, r5
    bne 1b
    2: stmia r7!, {r0}
    b stop
    end test
    """
    assert assert_same(tmp_path, source).exit.reason is Reason.IDLE


def test_a_loop_that_nothing_can_end_is_stuck_and_named(tmp_path: Path) -> None:
    source = "fn test\nldr r4, =0x4000000c\n1: ldr r0, [r4]\ncmp r0, #0\nbeq 1b\nb stop\nend test\n"
    record, machine = run(tmp_path, source, watched=True)
    assert record.exit.reason is Reason.STUCK
    assert record.exit.detail == "polls register TIMER0+0x0c (0x4000000c), which nothing will change"
    assert record.exit.call_stack[0].function == "test"
    assert record.instructions < 2000
    assert price(record, machine.pricer).cycles.nominal == record.live_cycles


def test_a_stuck_register_without_a_model_is_named_by_address(tmp_path: Path) -> None:
    source = "fn test\nldr r4, =0x4001f000\n1: ldr r0, [r4]\ncmp r0, #0\nbeq 1b\nb stop\nend test\n"
    record, _ = run(tmp_path, source, watched=True)
    assert record.exit.reason is Reason.STUCK and "0x4001f000" in record.exit.detail


def test_a_loop_that_waits_for_its_interrupt_s_variable_too(tmp_path: Path) -> None:
    """A flag in memory ends it, which only the handler of an event sets."""
    source = f"""
    fn test
    set ISER, 1 << 8
    {TIMER.format(count=30_000)}
    ldr r4, =0x40001000
    ldr r5, =LOG + 32
    movs r0, #0
    str r0, [r5]
    1: ldr r0, [r4]
    ldr r1, [r5]
    orrs r0, r1
    beq 1b
    stmia r7!, {{r0}}
    b stop
    end test
    fn on_timer
    set 0x40000000, 0
    set 0x4000000c, 1
    movs r0, #1
    str r0, [r5]
    bx lr
    end on_timer
    """
    record = assert_same(tmp_path, source, vectors={TIMER0: "on_timer"})
    assert record.exit.reason is Reason.IDLE
