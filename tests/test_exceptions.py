"""Exceptions on the boards' cores: order, frames, EXC_RETURN values and faults, as small programs log them."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import Logged, needs_assembler, places, run_program

from vtarget.data.record import Reason

pytestmark = needs_assembler
M0PLUS, M4, M7, M33 = "rpi-pico", "nucleo-l4r5zi", "nucleo-f746zg", "nucleo-u575zi-q"
BOARDS = [M0PLUS, M4, M7, M33]
MAINLINE = [M4, M7, M33]
SVC, PENDSV, SYSTICK, IRQ0, IRQ1, IRQ2, IRQ3 = 11, 14, 15, 16, 17, 18, 19
NMI, HARD_FAULT, BUS_FAULT, USAGE_FAULT = 2, 3, 5, 6
RETURNS = {  # to a handler, to a thread on MSP, to a thread on PSP; no Security Extension on the M33
    M0PLUS: (0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFFD),
    M4: (0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFFD),
    M7: (0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFFD),
    M33: (0xFFFFFFB0, 0xFFFFFFB8, 0xFFFFFFBC),
}
PRIORITIES = "set SHPR2, 0x40000000\n set SHPR3, 0x80C00000\n"  # SVC 0x40, PendSV 0xc0, SysTick 0x80


def idle(logged: Logged) -> tuple[int, ...]:
    """What was logged, by a run that went well."""
    assert logged.ran.record.exit.reason is Reason.IDLE, logged.ran.record.exit
    return logged.words


# Order.


@pytest.mark.parametrize("board", BOARDS)
def test_svc_interrupts_a_thread_and_returns_behind_itself(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    movs r1, #1
    stmia r7!, {r1}
    svc 5
    movs r1, #2
    stmia r7!, {r1}
    pop {pc}
    end test
    fn on_svc
    mrs r0, ipsr
    mov r1, lr
    ldr r2, [sp, #24]
    subs r2, #2
    ldrb r2, [r2]
    stmia r7!, {r0, r1, r2}
    bx lr
    end on_svc
    """
    words = idle(run_program(tmp_path, board, source, {SVC: "on_svc"}))
    assert words == (1, SVC, RETURNS[board][1], 5, 2)


@pytest.mark.parametrize("board", BOARDS)
def test_pendsv_runs_after_the_systick_that_pended_it(board: str, tmp_path: Path) -> None:
    source = f"""
    fn test
    push {{lr}}
    {PRIORITIES}
    set 0xE000E014, 999
    set 0xE000E018, 0
    set 0xE000E010, 7
    wait: adds r5, #1
    ldr r0, =LOG + 20
    cmp r7, r0
    bne wait
    pop {{pc}}
    end test
    fn on_systick
    mrs r0, ipsr
    ldr r1, =ICSR
    ldr r2, =PENDSV
    str r2, [r1]
    ldr r2, [r1]
    movs r3, #0
    ldr r1, =0xE000E010
    str r3, [r1]
    stmia r7!, {{r0, r2}}
    bx lr
    end on_systick
    fn on_pendsv
    mrs r0, ipsr
    mov r1, lr
    ldr r2, =ICSR
    ldr r2, [r2]
    stmia r7!, {{r0, r1, r2}}
    bx lr
    end on_pendsv
    """
    words = idle(run_program(tmp_path, board, source, {SYSTICK: "on_systick", PENDSV: "on_pendsv"}))
    to_base = 0 if board == M0PLUS else 0x800
    assert words == (SYSTICK, 0x1000E00F | to_base, PENDSV, RETURNS[board][1], 0xE | to_base)


NESTED = """
fn test
push {lr}
set IPR, 0xC04080C0
set ISER, 15
set ISPR, 1
isb
movs r0, #99
stmia r7!, {r0}
pop {pc}
end test
fn irq0
push {lr}
mrs r0, ipsr
mov r1, lr
stmia r7!, {r0, r1}
set ISPR, 2
isb
mrs r0, ipsr
stmia r7!, {r0}
pop {pc}
end irq0
fn irq1
push {lr}
mrs r0, ipsr
mov r1, lr
stmia r7!, {r0, r1}
set ISPR, 12
isb
mrs r0, ipsr
stmia r7!, {r0}
pop {pc}
end irq1
"""


@pytest.mark.parametrize("board", BOARDS)
def test_a_more_urgent_interrupt_nests_and_an_equal_one_waits(board: str, tmp_path: Path) -> None:
    """IRQ0 pends IRQ1, which nests; that pends IRQ2, which nests too, and IRQ3, which is as urgent as IRQ0."""
    words = idle(run_program(tmp_path, board, NESTED, {IRQ0: "irq0", IRQ1: "irq1", IRQ2: "logger", IRQ3: "logger"}))
    handler, thread, _ = RETURNS[board]
    assert words == (IRQ0, thread, IRQ1, handler, IRQ2, IRQ1, IRQ0, IRQ3, 99)
