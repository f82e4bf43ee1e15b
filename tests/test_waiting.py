"""Sleep and idle loops: what wakes the core, how much virtual time passes, and when nothing can come any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import Logged, needs_assembler, run_program

from vtarget.data.limits import RunLimits
from vtarget.data.record import Reason

pytestmark = needs_assembler
M0PLUS, M4, M7, M33 = "rpi-pico", "nucleo-l4r5zi", "nucleo-f746zg", "nucleo-u575zi-q"
BOARDS = [M0PLUS, M4, M7, M33]
SYSTICK, IRQ0, IRQ1 = 15, 16, 17
TICKS = "set 0xE000E014, {reload}\nset 0xE000E018, 0\nset 0xE000E010, 7\n"


def ended(logged: Logged) -> tuple[Reason, str]:
    return logged.ran.record.exit.reason, logged.ran.record.exit.detail


@pytest.mark.parametrize("board", BOARDS)
def test_wfi_sleeps_until_the_tick(board: str, tmp_path: Path) -> None:
    source = f"""
    fn test
    push {{lr}}
    {TICKS.format(reload=9999)}
    movs r4, #5
    1: wfi
    subs r4, #1
    bne 1b
    movs r1, #0
    ldr r0, =0xE000E010
    str r1, [r0]
    pop {{pc}}
    end test
    """
    logged = run_program(tmp_path, board, source, {SYSTICK: "logger"})
    assert logged.words == (SYSTICK,) * 5
    (sleep,) = logged.ran.record.sleep
    clock_hz = logged.ran.record.epochs[-1].clock_hz if logged.ran.record.epochs else logged.ran.record.clock_hz
    assert (sleep.state, sleep.clock_hz, sleep.wakeups) == ("sleep", clock_hz, 5)
    awake = logged.ran.profile().cycles.nominal
    assert 50_000 - awake <= sleep.cycles < 50_000


@pytest.mark.parametrize("board", BOARDS)
def test_wfi_wakes_with_primask_set_and_takes_the_interrupt_later(board: str, tmp_path: Path) -> None:
    source = f"""
    fn test
    push {{lr}}
    cpsid i
    {TICKS.format(reload=999)}
    wfi
    movs r0, #1
    stmia r7!, {{r0}}
    movs r1, #0
    ldr r0, =0xE000E010
    str r1, [r0]
    cpsie i
    movs r0, #2
    stmia r7!, {{r0}}
    pop {{pc}}
    end test
    """
    logged = run_program(tmp_path, board, source, {SYSTICK: "logger"})
    assert logged.words == (1, SYSTICK, 2)


def test_wfi_does_not_wake_for_what_basepri_masks(tmp_path: Path) -> None:
    source = """
    fn test
    set IPR, 0x80
    set ISER, 1
    movs r0, #0x80
    msr basepri, r0
    set ISPR, 1
    wfi
    movs r0, #1
    stmia r7!, {r0}
    b stop
    end test
    """
    logged = run_program(tmp_path, M4, source, {IRQ0: "logger"})
    assert logged.words == ()
    assert ended(logged) == (Reason.IDLE, "waits for an interrupt that can't come")


def test_wfi_with_something_pending_does_not_sleep(tmp_path: Path) -> None:
    source = "fn test\ncpsid i\nset ISER, 1\nset ISPR, 1\nwfi\nwfi\nmovs r0, #1\nstmia r7!, {r0}\nb stop\nend test\n"
    logged = run_program(tmp_path, M4, source, {IRQ0: "logger"})
    assert logged.words == (1,)
    assert sum(sleep.cycles for sleep in logged.ran.record.sleep) == 0


def test_a_disabled_interrupt_wakes_nobody(tmp_path: Path) -> None:
    logged = run_program(tmp_path, M4, "fn test\nset ISPR, 1\nwfi\nb stop\nend test\n", {IRQ0: "logger"})
    assert ended(logged) == (Reason.IDLE, "waits for an interrupt that can't come")


@pytest.mark.parametrize("board", BOARDS)
def test_sleep_on_exit_never_comes_back_to_the_thread(board: str, tmp_path: Path) -> None:
    source = f"""
    fn test
    ldr r4, =0
    set SCR, 2
    {TICKS.format(reload=999)}
    wfi
    movs r0, #1
    stmia r7!, {{r0}}
    b stop
    end test
    fn tick
    adds r4, #1
    stmia r7!, {{r4}}
    cmp r4, #3
    bne 1f
    ldr r0, =SCR
    movs r1, #0
    str r1, [r0]
    ldr r0, =0xE000E010
    str r1, [r0]
    1: bx lr
    end tick
    """
    assert run_program(tmp_path, board, source, {SYSTICK: "tick"}).words == (1, 2, 3, 1)


# Events.


@pytest.mark.parametrize("board", BOARDS)
def test_sev_lets_one_wfe_through(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    sev
    wfe
    movs r0, #1
    stmia r7!, {r0}
    wfe
    movs r0, #2
    stmia r7!, {r0}
    b stop
    end test
    """
    logged = run_program(tmp_path, board, source)
    assert logged.words == (1,)
    assert ended(logged) == (Reason.IDLE, "waits for an event that can't come")


@pytest.mark.parametrize("board", BOARDS)
def test_a_handler_s_return_is_an_event(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    set ISER, 1
    set ISPR, 1
    isb
    wfe
    movs r0, #1
    stmia r7!, {r0}
    wfe
    b stop
    end test
    """
    logged = run_program(tmp_path, board, source, {IRQ0: "logger"})
    assert logged.words == (IRQ0, 1)
    assert ended(logged)[0] is Reason.IDLE


def test_sevonpend_makes_an_event_of_a_disabled_interrupt_that_becomes_pending(tmp_path: Path) -> None:
    """Only becoming pending is an event: one that was pending already lets no second WFE through (B1.5.18)."""
    source = """
    fn test
    set SCR, 16
    set ISPR, 1
    wfe
    movs r0, #1
    stmia r7!, {r0}
    set ISPR, 1
    wfe
    movs r0, #2
    stmia r7!, {r0}
    b stop
    end test
    """
    logged = run_program(tmp_path, M4, source, {IRQ0: "logger"})
    assert logged.words == (1,)
    assert ended(logged) == (Reason.IDLE, "waits for an event that can't come")


def test_sevonpend_wakes_a_wfe_by_a_timer_whose_interrupt_is_masked(tmp_path: Path) -> None:
    source = f"""
    fn test
    cpsid i
    set SCR, 16
    {TICKS.format(reload=4999)}
    wfe
    ldr r0, =ICSR
    ldr r1, =1 << 25
    str r1, [r0]
    wfe
    ldr r1, [r0]
    lsrs r1, #26
    stmia r7!, {{r1}}
    ldr r0, =0xE000E010
    movs r1, #0
    str r1, [r0]
    b stop
    end test
    """
    logged = run_program(tmp_path, M4, source, {SYSTICK: "logger"})
    assert logged.words == (1,)
    (sleep,) = logged.ran.record.sleep
    assert sleep.wakeups == 2 and 9_500 < sleep.cycles < 10_000


# Idle loops.


@pytest.mark.parametrize("board", BOARDS)
def test_an_idle_loop_is_moved_ahead_to_the_tick(board: str, tmp_path: Path) -> None:
    source = f"""
    fn test
    {TICKS.format(reload=0xFFFFFF)}
    b .
    end test
    fn tick
    movs r0, #1
    stmia r7!, {{r0}}
    ldr r0, =LOG + 12
    cmp r7, r0
    bne 1f
    ldr r0, =0xE000E010
    movs r1, #0
    str r1, [r0]
    1: bx lr
    end tick
    """
    logged = run_program(tmp_path, board, source, {SYSTICK: "tick"}, limits=RunLimits())
    assert logged.words == (1, 1, 1)
    assert ended(logged)[0] is Reason.IDLE
    cycles = logged.ran.profile().cycles.nominal
    around = 2000 if board == M0PLUS else 500  # the Pico waits for its serial flash
    assert 3 * (1 << 24) < cycles < 3 * (1 << 24) + around


def test_virtual_time_limits_a_sleep(tmp_path: Path) -> None:
    source = f"fn test\n{TICKS.format(reload=9999)}\n1: wfi\nb 1b\nend test\n"
    logged = run_program(
        tmp_path, M4, source + "fn quiet\nbx lr\nend quiet\n", {SYSTICK: "quiet"}, limits=RunLimits(seconds=0.01)
    )
    assert ended(logged) == (Reason.LIMIT, "0.01 s of virtual time (--max-seconds)")
    record = logged.ran.record
    passed = logged.ran.profile().cycles.nominal + sum(sleep.cycles for sleep in record.sleep)
    assert record.clock_hz * 0.01 <= passed <= record.clock_hz * 0.01 + 200


def test_a_firmware_that_only_ticks_ends(tmp_path: Path) -> None:
    """Without a limit nothing else would end it: after a minute in which nothing but its own ticks came."""
    source = f"fn test\n{TICKS.format(reload=0xFFFFFF)}\n1: wfi\nb 1b\nend test\nfn quiet\nbx lr\nend quiet\n"
    logged = run_program(tmp_path, M4, source, {SYSTICK: "quiet"}, limits=RunLimits())
    assert ended(logged)[0] is Reason.IDLE
    assert sum(sleep.cycles for sleep in logged.ran.record.sleep) > 60 * logged.ran.record.clock_hz


MASKED = """
fn test
set SHPR3, 0x80800000
movs r0, #0x40
msr basepri, r0
set 0xE000E014, {reload}
set 0xE000E018, 0
set 0xE000E010, 7
{what}
end test
"""


@pytest.mark.parametrize("what", ["wfi\nb stop", "1: wfi\nb 1b", "1: wfe\nb 1b", "b ."])
@pytest.mark.parametrize("limits", [RunLimits(wall_seconds=1.0), RunLimits(wall_seconds=20.0, seconds=0.001)])
def test_limits_hold_while_masked_ticks_are_all_that_comes(what: str, limits: RunLimits, tmp_path: Path) -> None:
    """An event every other cycle, which wakes nobody."""
    logged = run_program(tmp_path, M7, MASKED.format(what=what, reload=1), {SYSTICK: "logger"}, limits=limits)
    assert ended(logged)[0] is Reason.LIMIT
    kind = "virtual" if limits.seconds else "wall"
    assert f"s of {kind} time" in ended(logged)[1]
    assert logged.ran.profile().cycles.nominal == logged.ran.record.live_cycles


@pytest.mark.parametrize("limits", [RunLimits(wall_seconds=1.0), RunLimits(wall_seconds=20.0, seconds=0.001)])
def test_limits_hold_in_a_storm_of_interrupts(limits: RunLimits, tmp_path: Path) -> None:
    source = f"fn test\n{TICKS.format(reload=1)}\nb .\nend test\nfn quiet\nbx lr\nend quiet\n"
    logged = run_program(tmp_path, M4, source, {SYSTICK: "quiet"}, limits=limits)
    assert ended(logged)[0] is Reason.LIMIT
