"""Faults as handlers see them: status registers, escalation, lockup, and what becomes of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import Logged, needs_assembler, places, run_program

from vtarget.data.limits import RunLimits
from vtarget.data.record import Reason

pytestmark = needs_assembler
M0PLUS, M4, M7, M33 = "rpi-pico", "nucleo-l4r5zi", "nucleo-f746zg", "nucleo-u575zi-q"
BOARDS = [M0PLUS, M4, M7, M33]
MAINLINE = [M4, M7, M33]
NMI, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT, SVC, IRQ0, IRQ1 = 2, 3, 4, 5, 6, 11, 16, 17
FORCED = 1 << 30
# Logs IPSR, CFSR, HFSR, the stacked pc relative to ``test``, then clears the status and skips four bytes.
SKIP = """
fn on_fault
mrs r0, ipsr
ldr r3, =CFSR
ldr r1, [r3]
ldr r2, [r3, #4]
stmia r7!, {r0, r1, r2}
str r1, [r3]
str r2, [r3, #4]
ldr r0, [sp, #24]
ldr r1, =test
movs r2, #1
bics r1, r2
subs r2, r0, r1
stmia r7!, {r2}
adds r0, #4
str r0, [sp, #24]
bx lr
end on_fault
"""
ENABLE = "set SHCSR, 0x70000\n"


def causing(instruction: str, before: str = "") -> str:
    """A function in which a four-byte instruction at offset 0x40 faults; it logs 0x77 if it goes on."""
    return (
        f"""
    fn test
    push {{lr}}
    {before}
    b 1f
    .ltorg
    .org test + 0x40
    1: {instruction}
    movs r0, #0x77
    stmia r7!, {{r0}}
    b stop
    end test
    """
        + SKIP
    )


FAULTS = {
    # instruction, what comes before it, vector, CFSR
    "read": ("ldr.w r0, [r4]", "ldr r4, =0x9ffffff0", BUS_FAULT, 0x8200),
    "write": ("str.w r0, [r4]", "ldr r4, =0x9ffffff0", BUS_FAULT, 0x8200),
    "undefined": ("udf.w #0", "", USAGE_FAULT, 0x10000),
    "no FPU": ("vmov.f32 s0, #1.0", "", USAGE_FAULT, 0x80000),
    "divide": ("udiv r0, r1, r2", "set CCR, 0x210\n movs r1, #5\n movs r2, #0", USAGE_FAULT, 0x2000000),
    "signed divide": ("sdiv r0, r1, r2", "set CCR, 0x210\n movs r1, #5\n movs r2, #0", USAGE_FAULT, 0x2000000),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("board", MAINLINE)
def test_an_enabled_fault_names_its_cause_and_can_be_skipped(board: str, name: str, tmp_path: Path) -> None:
    instruction, before, vector, cfsr = FAULTS[name]
    logged = run_program(tmp_path, board, causing(instruction, ENABLE + before), {vector: "on_fault"})
    assert logged.words == (vector, cfsr, 0, 0x40, 0x77)
    assert logged.ran.record.exit.reason is Reason.IDLE


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("board", MAINLINE)
def test_a_fault_that_is_not_enabled_becomes_a_hard_fault(board: str, name: str, tmp_path: Path) -> None:
    instruction, before, _, cfsr = FAULTS[name]
    logged = run_program(tmp_path, board, causing(instruction, before), {HARD_FAULT: "on_fault"})
    assert logged.words == (HARD_FAULT, cfsr, FORCED, 0x40, 0x77)
    assert logged.ran.record.exit.reason is Reason.IDLE


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("board", MAINLINE)
def test_a_fault_without_any_handler_ends_the_run_and_is_named(board: str, name: str, tmp_path: Path) -> None:
    instruction, before, _, _ = FAULTS[name]
    logged = run_program(tmp_path, board, causing(instruction, before))
    ended = logged.ran.record.exit
    test = next(f for f in logged.ran.machine.image.functions if f.name == "test")
    assert (ended.reason, ended.pc, logged.words) == (Reason.FAULT, test.address + 0x40, ())
    assert "lockup" not in ended.detail and "vector" not in ended.detail


def test_the_address_of_a_bus_fault_is_there_to_read(tmp_path: Path) -> None:
    source = causing("ldr.w r0, [r4, #4]", ENABLE + "ldr r4, =0x9ffffff0").replace(
        "mrs r0, ipsr", "ldr r0, =BFAR\n ldr r0, [r0]\n stmia r7!, {r0}\n mrs r0, ipsr"
    )
    logged = run_program(tmp_path, M4, source, {BUS_FAULT: "on_fault"})
    assert logged.words == (0x9FFFFFF4, BUS_FAULT, 0x8200, 0, 0x40, 0x77)


def test_a_divide_by_zero_gives_zero_unless_trapped(tmp_path: Path) -> None:
    source = causing("udiv r0, r1, r2", "movs r1, #5\n movs r2, #0").replace("movs r0, #0x77", "nop")
    assert run_program(tmp_path, M4, source, {HARD_FAULT: "on_fault"}).words == (0,)


def test_faults_of_the_m0plus_are_hard_faults(tmp_path: Path) -> None:
    """It has no status registers; an unaligned load is a fault there."""
    source = """
    fn test
    push {lr}
    ldr r4, =LOG + 0x801
    ldr r0, [r4]
    nop
    ldr r4, =0x9ffffff0
    str r0, [r4]
    nop
    movs r0, #0x77
    stmia r7!, {r0}
    b stop
    end test
    fn on_fault
    mrs r0, ipsr
    stmia r7!, {r0}
    ldr r0, [sp, #24]
    adds r0, #4
    str r0, [sp, #24]
    bx lr
    end on_fault
    """
    logged = run_program(tmp_path, M0PLUS, source, {HARD_FAULT: "on_fault"})
    assert logged.words == (HARD_FAULT, HARD_FAULT, 0x77)


JUMPS = {
    "nowhere": ("ldr r0, =0x9ffffff1", BUS_FAULT, 0x100, 0x9FFFFFF0),
    "a peripheral": ("ldr r0, =0x40000001", MEM_MANAGE, 0x1, 0x40000000),
    "without the Thumb bit": ("ldr r0, =0x08000200", USAGE_FAULT, 0x20000, 0x08000200),
}


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_to_no_code_stacks_where_it_led(name: str, tmp_path: Path) -> None:
    load, vector, cfsr, target = JUMPS[name]
    source = f"""
    fn test
    push {{lr}}
    {ENABLE}
    {load}
    blx r0
    movs r0, #0x77
    stmia r7!, {{r0}}
    b stop
    end test
    fn on_fault
    mrs r0, ipsr
    ldr r1, =CFSR
    ldr r1, [r1]
    ldr r2, [sp, #24]
    ldr r3, [sp, #20]
    stmia r7!, {{r0, r1, r2}}
    str r3, [sp, #24]
    ldr r3, =0x01000000
    str r3, [sp, #28]
    bx lr
    end on_fault
    """
    logged = run_program(tmp_path, M4, source, {vector: "on_fault"})
    assert logged.words == (vector, cfsr, target, 0x77)


# Escalation and lockup.


def ended(logged: Logged) -> tuple[Reason, str]:
    return logged.ran.record.exit.reason, logged.ran.record.exit.detail


def test_a_fault_in_a_hard_fault_handler_locks_up_and_tells_of_the_first(tmp_path: Path) -> None:
    source = causing("ldr.w r0, [r4]", "ldr r4, =0x9ffffff0").replace("bx lr\nend on_fault", "udf #1\nend on_fault")
    logged = run_program(tmp_path, M4, source, {HARD_FAULT: "on_fault"})
    assert logged.words[:2] == (HARD_FAULT, 0x8200)
    assert ended(logged) == (Reason.FAULT, "read of unmapped memory at 0x9ffffff0")


def test_a_fault_handler_that_hangs_tells_of_the_fault(tmp_path: Path) -> None:
    source = causing("ldr.w r0, [r4]", ENABLE + "ldr r4, =0x9ffffff0").replace(
        "bx lr\nend on_fault", "b .\nend on_fault"
    )
    logged = run_program(tmp_path, M4, source, {BUS_FAULT: "on_fault"})
    assert ended(logged) == (Reason.FAULT, "read of unmapped memory at 0x9ffffff0")


TICK = "ldr r0, =0xE000E010\nmovs r1, #99\nstr r1, [r0, #4]\nmovs r1, #7\nstr r1, [r0]\n"


@pytest.mark.parametrize("loop", ["b .", "1: wfi\nb 1b", "1: wfe\nb 1b"])
def test_a_fault_handler_that_hangs_below_a_tick_ends_the_run_at_once(loop: str, tmp_path: Path) -> None:
    source = causing("udf.w #0", TICK).replace("bx lr\nend on_fault", f"{loop}\nend on_fault")
    logged = run_program(tmp_path, M4, source, {HARD_FAULT: "on_fault"})
    assert ended(logged) == (Reason.FAULT, "undefined instruction")
    assert logged.ran.machine.chipset.timeline.now() < 10_000


def test_a_fault_handler_that_waits_for_a_more_urgent_interrupt_gets_it(tmp_path: Path) -> None:
    urgent = "set 0xE000ED18, 0x40404000\n"  # SHPR1: configurable faults at 0x40; SysTick stays at 0
    source = causing("udf.w #0", ENABLE + urgent + TICK).replace("bx lr\nend on_fault", "b .\nend on_fault")
    source += "fn on_tick\nmovs r0, #0x55\nstmia r7!, {r0}\nb stop\nend on_tick\n"
    logged = run_program(tmp_path, M4, source, {USAGE_FAULT: "on_fault", 15: "on_tick"})
    assert logged.words[-1] == 0x55


def test_a_fault_handler_that_resets_tells_of_the_fault(tmp_path: Path) -> None:
    source = causing("udf.w #0", ENABLE).replace("bx lr\nend on_fault", "set AIRCR, 0x05FA0004\nb .\nend on_fault")
    logged = run_program(tmp_path, M4, source, {USAGE_FAULT: "on_fault"})
    assert ended(logged) == (Reason.FAULT, "undefined instruction")


def test_a_reset_without_a_fault_is_a_reset(tmp_path: Path) -> None:
    logged = run_program(tmp_path, M4, "fn test\nset AIRCR, 0x05FA0004\ndsb\n1: b 1b\nend test\n")
    assert ended(logged)[0] is Reason.RESET


@pytest.mark.parametrize("board", MAINLINE)
def test_svc_with_interrupts_masked_escalates(board: str, tmp_path: Path) -> None:
    source = f"fn test\npush {{lr}}\ncpsid i\nsvc 0\ncpsie i\nb stop\nend test\n{SKIP}".replace("adds r0, #4", "nop")
    logged = run_program(tmp_path, board, source, {HARD_FAULT: "on_fault", SVC: "logger"})
    assert logged.words == (HARD_FAULT, 0, FORCED, 6)


def test_svc_in_a_handler_as_urgent_escalates(tmp_path: Path) -> None:
    source = "fn test\nsvc 0\nb stop\nend test\nfn on_svc\npush {lr}\nsvc 1\npop {pc}\nend on_svc\n" + SKIP
    logged = run_program(tmp_path, M4, source.replace("adds r0, #4", "nop"), {HARD_FAULT: "on_fault", SVC: "on_svc"})
    assert logged.words[:3] == (HARD_FAULT, 0, FORCED)
    assert ended(logged)[0] is Reason.IDLE


def test_a_frame_outside_memory_ends_the_run(tmp_path: Path) -> None:
    source = "fn test\nldr r0, =0x9fffff00\nmov sp, r0\nsvc 0\nb stop\nend test\n"
    logged = run_program(tmp_path, M4, source, {SVC: "logger"})
    reason, detail = ended(logged)
    assert reason is Reason.FAULT and "0x9ffffee0" in detail and "STKERR" in detail


def test_a_frame_outside_memory_on_a_threads_stack_is_a_fault_on_the_main_stack(tmp_path: Path) -> None:
    """STKERR (bit 12) escalates to HardFault, whose handler logs CFSR and HFSR."""
    thread = "ldr r0, =0x9fffff00\nmsr psp, r0\nmovs r0, #2\nmsr control, r0\nisb\nsvc 0\nb stop"
    handler = "fn on_fault\nldr r0, =0xE000ED28\nldr r0, [r0]\nldr r1, =LOG\nstr r0, [r1, #4]\n1: b 1b\nend on_fault\n"
    source = f"fn test\n{thread}\nend test\n{handler}"
    logged = run_program(tmp_path, M4, source, {SVC: "logger", HARD_FAULT: "on_fault"})
    reason, detail = ended(logged)
    assert reason is Reason.FAULT and "0x9ffffee0" in detail and "STKERR" in detail
    kernels = {kernel.name: kernel.interrupts for kernel in logged.ran.profile().kernels}
    assert kernels["on_fault"] == 1


@pytest.mark.parametrize("vector", ["0", "LOG + 1", "0x08000100", "0x9ffffff1"])
def test_an_unusable_vector_ends_the_run_in_words(vector: str, tmp_path: Path) -> None:
    source = "fn test\nset ISER, 1\nset ISPR, 1\nisb\nb stop\nend test\n"
    reason, detail = ended(run_program(tmp_path, M4, source, {IRQ0: vector}))
    assert reason is Reason.FAULT
    assert detail


# NMI and FAULTMASK.


def test_nmi_interrupts_whatever_is_masked_and_faultmask_outlives_it(tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    cpsid i
    cpsid f
    set ICSR, 1 << 31
    isb
    mrs r0, faultmask
    mrs r1, primask
    stmia r7!, {r0, r1}
    b stop
    end test
    """
    assert run_program(tmp_path, M4, source, {NMI: "logger"}).words == (NMI, 1, 1)


def test_faultmask_is_cleared_by_the_return_of_another_handler(tmp_path: Path) -> None:
    source = """
    fn test
    push {lr}
    set ISER, 3
    set ISPR, 1
    isb
    mrs r0, faultmask
    stmia r7!, {r0}
    b stop
    end test
    fn irq0
    cpsid f
    set ISPR, 2
    isb
    mrs r0, faultmask
    stmia r7!, {r0}
    bx lr
    end irq0
    """
    assert run_program(tmp_path, M4, source, {IRQ0: "irq0", IRQ1: "logger"}).words == (1, IRQ1, 0)


# Illegal returns.

RETURN = """
fn test
push {{lr}}
{enable}
svc 0
b stop
end test
fn on_svc
{before}
ldr r0, ={value}
bx r0
end on_svc
fn on_fault
mrs r0, ipsr
ldr r1, =CFSR
ldr r1, [r1]
mov r2, lr
stmia r7!, {{r0, r1, r2}}
ldr r0, =0xfffffff9
bx r0
end on_fault
"""
FRAME = "mov r1, sp\n ldr r2, [r1, #28]\n {change}\n str r2, [r1, #28]"


@pytest.mark.parametrize(
    ("value", "before", "cfsr"),
    [
        ("0xfffffff1", "", 1 << 18),  # to a handler, but none is active
        ("0xfffffff5", "", 1 << 18),  # to a handler on PSP
        ("0xfffffff9", "set SHCSR, 0x70000", 1 << 18),  # the exception isn't active any more
        ("0xfffffff9", FRAME.format(change="orr r2, #5"), 1 << 18),  # a thread's frame that names an exception
        ("0xfffffff9", FRAME.format(change="bic r2, #0x1000000"), 1 << 17),  # no Thumb bit
    ],
)
def test_an_illegal_return_is_a_usage_fault_instead(value: str, before: str, cfsr: int, tmp_path: Path) -> None:
    source = RETURN.format(enable=ENABLE, value=value, before=before)
    source = source.replace("bx r0\nend on_fault", "b .\nend on_fault")
    logged = run_program(tmp_path, M4, source, {SVC: "on_svc", USAGE_FAULT: "on_fault"})
    assert logged.words == (USAGE_FAULT, cfsr, int(value, 0))
    assert logged.ran.record.exit.reason is Reason.FAULT


@pytest.mark.parametrize("handler", [True, False])
def test_an_illegal_return_escalates_where_usage_faults_are_off(handler: bool, tmp_path: Path) -> None:
    source = RETURN.format(enable="", value="0xfffffff1", before="")
    logged = run_program(tmp_path, M4, source, {SVC: "on_svc"} | ({HARD_FAULT: "on_fault"} if handler else {}))
    assert logged.words == ((HARD_FAULT, 1 << 18, 0xFFFFFFF1) if handler else ())
    assert ended(logged)[0] is (Reason.IDLE if handler else Reason.FAULT)


def test_a_core_without_fpu_takes_no_return_with_floating_point_registers(tmp_path: Path) -> None:
    source = RETURN.format(enable=ENABLE, value="0xffffffe9", before="")
    source = source.replace("bx r0\nend on_fault", "b .\nend on_fault")
    logged = run_program(tmp_path, "mps2-an385", source, {SVC: "on_svc", USAGE_FAULT: "on_fault"})
    assert logged.words == (USAGE_FAULT, 1 << 18, 0xFFFFFFE9)


def test_an_exc_return_value_is_only_an_address_in_a_thread(tmp_path: Path) -> None:
    source = "fn test\nldr r0, =0xfffffff9\nbx r0\nend test\n"
    reason, detail = ended(run_program(tmp_path, M4, source))
    assert (reason, detail) == (Reason.FAULT, "exception return outside an exception at 0xfffffff8")


def test_a_fault_storm_ends_at_a_limit(tmp_path: Path) -> None:
    """A handler that returns to what faulted, forever: the run ends all the same, and its counts hold."""
    source = causing("udf.w #0", ENABLE).replace("adds r0, #4", "nop").replace("stmia r7!, ", "@ ")
    limits = RunLimits(instructions=20_000)
    logged = run_program(tmp_path, M4, source, {USAGE_FAULT: "on_fault"}, limits=limits)
    assert ended(logged)[0] is Reason.LIMIT
    assert logged.ran.profile().instructions == logged.ran.record.instructions >= 20_000
    assert places(M4).log
