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
HANDLERS = {IRQ0: "short", IRQ1: "other"}
NO_WAITS_HZ = 16_000_000  # at which the M4 board's flash has no wait states, so that caches don't matter
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


def test_an_interrupt_pended_in_the_last_block_of_main_is_taken(tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    bl main
    pop {pc}
    end test
    fn main
    push {lr}
    set ISER, 1
    set ISPR, 1
    pop {pc}
    end main
    """
    logged = run_program(tmp_path, M4, source, {IRQ0: "logger"})
    assert (logged.ran.record.exit.reason, logged.words) == (Reason.RETURN, (IRQ0,))


@pytest.mark.parametrize("board", BOARDS)
def test_primask_holds_interrupts_back_until_it_is_cleared(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    cpsid i
    set ISER, 3
    set ISPR, 3
    isb
    movs r0, #1
    stmia r7!, {r0}
    cpsie i
    movs r0, #2
    stmia r7!, {r0}
    pop {pc}
    end test
    """
    words = idle(run_program(tmp_path, board, source, {IRQ0: "logger", IRQ1: "logger"}))
    assert words == (1, IRQ0, IRQ1, 2)


@pytest.mark.parametrize("board", MAINLINE)
def test_basepri_holds_back_the_less_urgent(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    set IPR, 0x00804020
    set ISER, 7
    movs r0, #0x40
    msr basepri, r0
    set ISPR, 7
    isb
    movs r0, #1
    stmia r7!, {r0}
    movs r0, #0x60
    msr basepri, r0
    movs r0, #2
    stmia r7!, {r0}
    movs r0, #0
    msr basepri, r0
    movs r0, #3
    stmia r7!, {r0}
    pop {pc}
    end test
    """
    words = idle(run_program(tmp_path, board, source, {IRQ0: "logger", IRQ1: "logger", IRQ2: "logger"}))
    assert words == (IRQ0, 1, IRQ1, 2, IRQ2, 3)


def test_the_handlers_of_a_table_that_was_moved_are_used(tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    set LOG + 0x800 + 64, logger
    set 0xE000ED08, LOG + 0x800
    set ISER, 1
    set ISPR, 1
    isb
    pop {pc}
    end test
    """
    assert idle(run_program(tmp_path, M4, source)) == (IRQ0,)


# Frames.

FRAME = """
fn test
push {{r4, lr}}
sub sp, #{shift}
ldr r0, =0x10101010
ldr r1, =0x11111111
ldr r2, =0x12121212
ldr r3, =0x13131313
mov r4, sp
mov r12, r2
cmp r0, r0
svc 0
behind: stmia r7!, {{r0, r1, r2, r3, r4}}
mov r0, sp
stmia r7!, {{r0}}
add sp, #{shift}
pop {{r4, pc}}
end test
fn on_svc
mov r0, sp
stmia r7!, {{r0}}
ldmia r0!, {{r1, r2, r3}}
stmia r7!, {{r1, r2, r3}}
ldmia r0!, {{r1, r2, r3}}
stmia r7!, {{r1, r2, r3}}
ldmia r0!, {{r1, r2}}
stmia r7!, {{r1, r2}}
mrs r0, xpsr
stmia r7!, {{r0}}
bx lr
end on_svc
"""


@pytest.mark.parametrize("shift", [8, 4])
@pytest.mark.parametrize("board", BOARDS)
def test_a_frame_holds_the_caller_saved_registers_on_eight_bytes(board: str, shift: int, tmp_path: Path) -> None:
    logged = run_program(tmp_path, board, FRAME.format(shift=shift), {SVC: "on_svc"})
    frame, r0, r1, r2, r3, r12, lr, pc, xpsr, inside, *after = idle(logged)
    sp = places(board).stack - 8 - shift
    assert frame == sp - 32 - (4 if shift == 4 else 0)
    assert (r0, r1, r2, r3, r12) == (0x10101010, 0x11111111, 0x12121212, 0x13131313, 0x12121212)
    elf = logged.ran.machine.image
    test = next(f for f in elf.functions if f.name == "test")
    assert test.address < pc < test.address + test.size_bytes and not pc & 1
    assert lr & 1 and lr & ~1 < test.address
    assert xpsr == 0x61000000 | (0x200 if shift == 4 else 0)  # Z, C, Thumb; bit 9 for the alignment
    assert inside & 0x1FF == SVC
    assert after == [r0, r1, r2, r3, sp, sp]


def test_frames_keep_four_bytes_if_told_to(tmp_path: Path) -> None:
    """CCR.STKALIGN clear, as it may be on the M3 and M4."""
    source = FRAME.format(shift=4).replace("push {r4, lr}", "push {r4, lr}\nset CCR, 0")
    frame, *_ = words = idle(run_program(tmp_path, M4, source, {SVC: "on_svc"}))
    assert frame == places(M4).stack - 8 - 4 - 32
    assert words[8] == 0x61000000


FLOATS = """
fn test
push {{lr}}
set CPACR, 0xF << 20
dsb
isb
{fpccr}
vmov.f32 s0, #1.0
vmov.f32 s15, #2.0
vmov.f32 s16, #3.0
svc 0
vmov r0, s0
vmov r1, s15
vmov r2, s16
mrs r3, control
stmia r7!, {{r0, r1, r2, r3}}
pop {{pc}}
end test
fn on_svc
mov r0, lr
mov r1, sp
mrs r2, control
stmia r7!, {{r0, r1, r2}}
{inside}
bx lr
end on_svc
"""
SCRIBBLE = "vmov.f32 s0, #9.0\n vmov.f32 s15, #9.0\n mrs r2, control\n stmia r7!, {r2}"


@pytest.mark.parametrize("board", MAINLINE)
@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("scribbles", [True, False])
def test_floating_point_registers_survive_a_handler(board: str, lazy: bool, scribbles: bool, tmp_path: Path) -> None:
    source = FLOATS.format(fpccr="" if lazy else "set 0xE000EF34, 0x80000000", inside=SCRIBBLE if scribbles else "nop")
    words = idle(run_program(tmp_path, board, source, {SVC: "on_svc"}))
    active = 4 | (8 if board == M33 else 0)  # FPCA; the emulator's M33 is always Secure, so there is SFPA too
    handler = [active] if scribbles else []
    one, two, three = 0x3F800000, 0x40000000, 0x40400000
    extended = RETURNS[board][1] & ~0x10
    assert words == (extended, places(board).stack - 4 - 104 & ~7, 0, *handler, one, two, three, active)


def test_a_floating_point_frame_costs_what_the_manual_says(tmp_path: Path) -> None:
    """DDI 0439 3.9.1: entry 12, 29 with floating-point registers; return 10 and 27. Lazy stacking saves them."""
    times = {}
    for lazy in (True, False):
        for inside in ("nop", "vmov.f32 s0, #9.0"):
            source = FLOATS.format(fpccr="" if lazy else "set 0xE000EF34, 0x80000000", inside=inside)
            logged = run_program(tmp_path, M4, source, {SVC: "on_svc"}, clock_hz=NO_WAITS_HZ)
            times[lazy, inside] = logged.cycles("on_svc")
    assert times[False, "nop"] - times[True, "nop"] == 29 - 12 + 27 - 10
    assert times[False, "vmov.f32 s0, #9.0"] == times[False, "nop"]
    assert times[True, "vmov.f32 s0, #9.0"] == times[False, "nop"]  # moved after all: 17 + 17


# Threads.


@pytest.mark.parametrize("board", BOARDS)
def test_a_thread_on_the_process_stack(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    ldr r0, =LOG + 0x800
    msr psp, r0
    movs r0, #2
    msr control, r0
    isb
    svc 0
    mov r0, sp
    mrs r1, control
    movs r2, #0
    msr control, r2
    isb
    mov r2, sp
    stmia r7!, {r0, r1, r2}
    pop {pc}
    end test
    fn on_svc
    mov r0, lr
    mov r1, sp
    mrs r2, psp
    mrs r3, control
    stmia r7!, {r0, r1, r2, r3}
    bx lr
    end on_svc
    """
    place = places(board)
    words = idle(run_program(tmp_path, board, source, {SVC: "on_svc"}))
    top = place.log + 0x800
    assert words == (RETURNS[board][2], place.stack - 4, top - 32, 0, top, 2, place.stack - 4)


@pytest.mark.parametrize("board", MAINLINE)
def test_an_unprivileged_thread_stays_one_across_handlers(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    ldr r0, =LOG + 0x800
    msr psp, r0
    movs r0, #3
    msr control, r0
    isb
    svc 0
    mrs r0, control
    stmia r7!, {r0}
    movs r0, #0
    msr control, r0
    mrs r0, control
    stmia r7!, {r0}
    svc 1
    mrs r0, control
    stmia r7!, {r0}
    b stop
    end test
    fn on_svc
    mrs r0, control
    stmia r7!, {r0}
    mrs r1, psp
    ldr r1, [r1, #24]
    subs r1, #2
    ldrb r1, [r1]
    cbz r1, 1f
    movs r0, #2
    msr control, r0
    1: bx lr
    end on_svc
    """
    words = idle(run_program(tmp_path, board, source, {SVC: "on_svc"}))
    assert words == (1, 3, 3, 1, 2)  # in a handler SPSEL reads as 0


@pytest.mark.parametrize("board", BOARDS)
def test_a_context_switch_made_of_frames_by_hand(board: str, tmp_path: Path) -> None:
    """SVC starts a thread with a frame that nothing was interrupted to make; a second one ends it."""
    source = """
    fn test
    push {lr}
    ldr r3, =LOG + 0x800 - 32
    ldr r0, =0x1234
    str r0, [r3]
    ldr r0, =thread
    str r0, [r3, #24]
    ldr r0, =0x01000000
    str r0, [r3, #28]
    msr psp, r3
    svc 0
    mov r0, sp
    stmia r7!, {r0}
    pop {pc}
    end test
    fn thread
    mov r1, sp
    mrs r2, ipsr
    stmia r7!, {r0, r1, r2}
    svc 1
    nop
    end thread
    fn on_svc
    mov r1, lr
    movs r2, #4
    eors r1, r2
    bx r1
    end on_svc
    """
    place = places(board)
    logged = run_program(tmp_path, board, source, {SVC: "on_svc"})
    assert idle(logged) == (0x1234, place.log + 0x800, 0, place.stack - 4)
    stacks = {stack.name: stack for stack in logged.ran.record.stacks}
    assert any("psp" in name for name in stacks)


# Time. DDI 0439 3.9.1: entry 12 cycles, return 10, tail-chaining 6.

TIMED = """
fn test
push {lr}
set ISER, 3
set ISPR, 3
isb
pop {pc}
end test
fn short
nop
nop
bx lr
end short
fn other
nop
bx lr
end other
"""


def test_entry_return_and_tail_chaining_cost_what_the_manual_says(tmp_path: Path) -> None:
    """The body of short is 2 nops and a bx of 1 (its refill belongs to the return); the second handler is chained."""
    alone = run_program(tmp_path, M4, TIMED.replace("ISPR, 3", "ISPR, 1"), HANDLERS, clock_hz=NO_WAITS_HZ)
    both = run_program(tmp_path, M4, TIMED, HANDLERS, clock_hz=NO_WAITS_HZ)
    assert alone.cycles("short") == 12 + 2 + 1 + 10
    assert both.cycles("short") == 12 + 2 + 1
    assert both.cycles("other") == 6 + 1 + 1 + 10
    assert both.cycles("test") == alone.cycles("test")


def test_a_late_arrival_of_higher_priority_goes_first(tmp_path: Path) -> None:
    """Both pend in one block: the more urgent is taken by one entry, the other is chained to it."""
    source = TIMED.replace("set ISER, 3", "set IPR, 0x0080\n set ISER, 3").replace("0x0080", "0x00000080")
    logged = run_program(tmp_path, M4, source, HANDLERS, clock_hz=NO_WAITS_HZ)
    assert (logged.cycles("other"), logged.cycles("short")) == (12 + 1 + 1, 6 + 2 + 1 + 10)


LOOPS = """
fn test
push {{lr}}
{start}
bl work
movs r1, #0
ldr r0, =0xE000E010
str r1, [r0]
pop {{pc}}
end test
fn work
push {{r4, lr}}
ldr r4, =3000
1: bl inner
subs r4, #1
bne 1b
pop {{r4, pc}}
end work
fn inner
movs r0, #3
2: subs r0, #1
bne 2b
bx lr
end inner
fn on_systick
ldr r3, =LOG
ldr r2, [r3]
adds r2, #1
str r2, [r3]
bx lr
end on_systick
"""
TICKS = "set 0xE000E014, {period}\n set 0xE000E018, 0\n set 0xE000E010, 7\n"


def profiled(logged: Logged) -> dict[str, tuple[int, int, int]]:
    """Calls, own and inclusive cycles by function."""
    return {k.name: (k.calls, k.cycles, k.total_cycles) for k in logged.ran.profile().kernels}


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("period", [211, 1009])
def test_the_time_of_interrupts_belongs_to_their_handler(board: str, period: int, tmp_path: Path) -> None:
    """What is interrupted has the calls and, but for blocks whose neighbour changed, those cycles of a quiet run."""
    vectors = {SYSTICK: "on_systick"}
    quiet = run_program(tmp_path, board, LOOPS.format(start="nop"), vectors, spans=("work",))
    busy = run_program(tmp_path, board, LOOPS.format(start=TICKS.format(period=period)), vectors, spans=("work",))
    ticks = int.from_bytes(busy.ran.reads[0][:4], "little")
    before, after = profiled(quiet), profiled(busy)
    assert after["on_systick"][0] == ticks > 20
    assert after["work"][0] == before["work"][0] == 1 and after["inner"][0] == before["inner"][0] == 3000
    for name in ("work", "inner"):
        for place in (1, 2):
            assert abs(after[name][place] - before[name][place]) <= 4 * ticks, name
    (quiet_span,), (busy_span,) = quiet.ran.profile().spans, busy.ran.profile().spans
    assert quiet_span.cycles == before["work"][2]
    assert abs(busy_span.cycles - quiet_span.cycles) <= 4 * ticks
    assert busy_span.instructions == quiet_span.instructions
