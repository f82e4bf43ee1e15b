"""Each way a run can end: its reason, code, place, words and call stack, and the exit status of the command."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from machinelib import EXAMPLES, PROGRAMS, CommandResult, run_elf, vtarget, write_program

from vtarget.data.limits import RunLimits
from vtarget.data.record import Exit, Frame, Reason
from vtarget.shell.recorder import Recorder

M4F = "nucleo-l4r5zi"
WALL = RunLimits(wall_seconds=10.0)

RESET = "b500 push {lr}\n bl main\n e7fe b ."
RESET_PC, MAIN, AFTER_MAIN = 0x08000100, 0x08000140, 0x08000106
IN_RESET = Frame("Reset_Handler", AFTER_MAIN)
# Calls through a register what stands in the literal.
CALL = "4801 ldr r0, [pc, #4]\n 4780 blx r0\n be00 bkpt 0\n be00 bkpt 0\n .word {}"
JUMP = "4801 ldr r0, [pc, #4]\n 4700 bx r0\n be00 bkpt 0\n be00 bkpt 0\n .word {}"
LOAD = "4801 ldr r0, [pc, #4]\n 6801 ldr r1, [r0]\n be00 bkpt 0\n be00 bkpt 0\n .word {}"
STORE = "4801 ldr r0, [pc, #4]\n 6001 str r1, [r0]\n be00 bkpt 0\n be00 bkpt 0\n .word {}"


@dataclass(frozen=True)
class Case:
    """A program whose ``main`` is ``code``; ``place`` is where in it the run ends, ``status`` that of the command."""

    name: str
    code: str
    detail: str
    place: int = MAIN
    board: str = M4F
    reason: Reason = Reason.FAULT
    status: int = 1


def in_main(case: Case) -> tuple[int, tuple[Frame, ...]]:
    """(pc, call stack) on the case's board; places are written down for a boot region at 0x08000000."""
    moved = {M4F: 0, "disco-f407vg": 0, "mps2-an385": -0x08000000, "rpi-pico": 0x08000100, "nucleo-u575zi-q": 0}
    shift = moved[case.board]
    pc = case.place + shift
    return pc, (Frame("main", pc), Frame("Reset_Handler", AFTER_MAIN + shift))


def end_of(elf: Path, board: str, **options: object) -> Exit:
    return run_elf(elf, board, **({"limits": WALL} | options)).record.exit


CASES = [
    Case("svc", "df05 svc 5", "SVC executed, but no handler for it"),
    Case("bkpt", "be01 bkpt 1", "breakpoint (BKPT) without a debugger"),
    Case("udf", "de2a udf #42", "undefined instruction"),
    Case("udf.w", "f7f0 a000 udf.w #0", "undefined instruction"),
    Case(
        "absent coprocessor",
        "ffff ffff",
        "instruction of coprocessor 15, which nucleo-l4r5zi (cortex-m4) doesn't have",
    ),
    Case("jump to 0", JUMP.format("0x00000001"), "jump to unmapped memory at 0x00000000", MAIN + 2),
    Case("call to nowhere", CALL.format("0x70000001"), "jump to unmapped memory at 0x70000000", MAIN + 2),
    Case(
        "jump to registers", JUMP.format("0xe000ed01"), "jump to memory that is not executable at 0xe000ed00", MAIN + 2
    ),
    Case(
        "jump to a data-only RAM",
        JUMP.format("0x10000001"),
        "jump to memory that is not executable at 0x10000000",
        MAIN + 2,
        "disco-f407vg",
    ),
    Case(
        "exception return", JUMP.format("0xfffffff9"), "exception return outside an exception at 0xfffffff8", MAIN + 2
    ),
    Case("unmapped read", LOAD.format("0xc0000000"), "read of unmapped memory at 0xc0000000", MAIN + 2),
    Case("unmapped write", STORE.format("0xc0000000"), "write to unmapped memory at 0xc0000000", MAIN + 2),
    Case("write to flash", STORE.format("0x08000000"), "write to read-only memory at 0x08000000", MAIN + 2),
    Case(
        "push below the RAM",
        "4801 ldr r0, [pc, #4]\n 4685 mov sp, r0\n b402 push {r1}\n be00 bkpt 0\n .word 0x20000000",
        "write to unmapped memory at 0x1ffffffc",
        MAIN + 4,
    ),
    Case(
        "unaligned read on M0+",
        LOAD.format("0x20000001"),
        "unaligned access at 0x20000001, which cortex-m0plus can't do",
        MAIN + 2,
        "rpi-pico",
    ),
    Case(
        "unaligned write on M0+",
        STORE.format("0x20000002"),
        "unaligned access at 0x20000002, which cortex-m0plus can't do",
        MAIN + 2,
        "rpi-pico",
    ),
    Case(
        "floating point on M3",
        "ee30 0a20 vadd.f32 s0, s0, s1",
        "instruction 'vadd.f32 s0, s0, s1', which mps2-an385 (cortex-m3) lacks (fp_single)",
        MAIN,
        "mps2-an385",
    ),
    Case(
        "double precision on a single-precision FPU",
        "f04f 7270 mov.w r2, #0x3c00000\n ee30 0b01 vadd.f64 d0, d0, d1",
        "instruction 'vadd.f64 d0, d0, d1', which nucleo-l4r5zi (cortex-m4) lacks (fp_double)",
        MAIN + 4,
    ),
    Case(
        "floating point with the FPU off",
        "ee30 0a20 vadd.f32 s0, s0, s1",
        "floating-point instruction while the FPU is off (CPACR not written)",
    ),
    Case(
        "DSP on M3",
        "fb20 f001 smuad r0, r0, r1",
        "instruction 'smuad r0, r0, r1', which mps2-an385 (cortex-m3) lacks (dsp)",
        MAIN,
        "mps2-an385",
    ),
    Case(
        "parallel add on M3",
        "fa90 f011 qadd16 r0, r0, r1",
        "instruction 'qadd16 r0, r0, r1', which mps2-an385 (cortex-m3) lacks (dsp)",
        MAIN,
        "mps2-an385",
    ),
    Case(
        "divide on M0+",
        "fb90 f0f1 sdiv r0, r0, r1",
        "instruction 'sdiv r0, r0, r1', which rpi-pico (cortex-m0plus) lacks (baseline_v8)",
        MAIN,
        "rpi-pico",
    ),
    Case(
        "wide move on M0+",
        "f240 0001 movw r0, #1",
        "instruction 'movw r0, #1', which rpi-pico (cortex-m0plus) lacks (baseline_v8)",
        MAIN,
        "rpi-pico",
    ),
    Case(
        "IT on M0+",
        "bf08 it eq\n 2001 moveq r0, #1",
        "instruction 'it eq', which rpi-pico (cortex-m0plus) lacks (thumb2)",
        MAIN,
        "rpi-pico",
    ),
    Case(
        "branch on zero on M0+",
        "2000 movs r0, #0\n b100 cbz r0, .+4",
        "instruction 'cbz r0, pc+0x0', which rpi-pico (cortex-m0plus) lacks (baseline_v8)",
        MAIN + 2,
        "rpi-pico",
    ),
    Case("idle", "bf00 nop\n e7fd b .-2", "idle loop", MAIN, reason=Reason.IDLE, status=0),
    Case(
        "wfi", "bf30 wfi\n e7fd b .-2", "waits for an interrupt that can't come", MAIN + 2, reason=Reason.IDLE, status=0
    ),
    Case("wfe", "bf20 wfe\n e7fd b .-2", "waits for an event that can't come", MAIN + 2, reason=Reason.IDLE, status=0),
    Case(
        "second wfe after one event",
        "bf40 sev\n bf20 wfe\n bf20 wfe\n e7fe b .",
        "waits for an event that can't come",
        MAIN + 6,
        reason=Reason.IDLE,
        status=0,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ends_with_place_words_and_call_stack(case: Case, tmp_path: Path) -> None:
    elf = write_program(tmp_path / "program.elf", case.board, {"Reset_Handler": RESET, "main": case.code})
    pc, stack = in_main(case)
    assert end_of(elf, case.board) == Exit(case.reason, 0, pc, case.detail, stack)
    result = vtarget("run", elf, "-b", case.board, "--timeout", "10")
    failing = f"error: {elf}: {case.detail}, at pc 0x{pc:08x} in main < Reset_Handler\n"
    assert (result.code, result.err) == (case.status, failing if case.status else "")
    if case.status:
        assert result.out.rstrip().endswith(f"call stack\n  0x{pc:08x} main\n  0x{stack[1].address:08x} Reset_Handler")


def test_a_call_to_an_even_address_is_arm_state(tmp_path: Path) -> None:
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": CALL.format("0x08000200")})
    assert end_of(elf, M4F) == Exit(
        Reason.FAULT,
        0,
        0x08000200,
        "jump to 0x08000200 without the Thumb bit (Arm state)",
        (Frame("sub_08000200", 0x08000200), Frame("main", MAIN + 4), IN_RESET),
    )


def test_execution_past_the_end_of_memory(tmp_path: Path) -> None:
    """RAM is full of zeros, which are movs r0, r0; eight of them lead to its end."""
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": CALL.format("0x2009fff1")})
    ran = run_elf(elf, M4F)
    last = 0x2009FFFE
    stack = (Frame("sub_2009fff0", last), Frame("main", MAIN + 4), IN_RESET)
    assert ran.record.exit == Exit(Reason.FAULT, 0, last, "execution ran out of memory at 0x200a0000", stack)
    assert ran.record.instructions == 2 + 2 + 8


def test_yield_is_a_no_op(tmp_path: Path) -> None:
    code = "bf10 yield\n bf10 yield\n bf00 nop\n e7fe b ."
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": code})
    ran = run_elf(elf, M4F)
    assert (ran.record.exit.reason, ran.record.exit.pc) == (Reason.IDLE, MAIN + 6)
    # push bl, yield yield nop b, and the branch once more: it is an idle loop when it has come back to itself.
    assert ran.record.instructions == 7


# Semihosting and return.


@pytest.mark.parametrize(
    ("block", "code", "status"),
    [((0x20026, 0), 0, 0), ((0x20026, 3), 3, 1), ((0x20026, 256), 256, 1), ((0x20026, 0xFFFFFFFF), -1, 1),
     ((0x20023, 0), 1, 1)],
)  # fmt: skip
def test_semihosting_exit_carries_its_code(block: tuple[int, int], code: int, status: int, tmp_path: Path) -> None:
    program = (
        f"2020 movs r0, #0x20\n a101 adr r1, .+8\n beab bkpt 0xab\n bf00 nop\n .word {block[0]}\n .word {block[1]}"
    )
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": program})
    ended = end_of(elf, M4F)
    assert ended == Exit(Reason.SEMIHOSTING, code, MAIN + 4, "", (Frame("main", MAIN + 4), IN_RESET))
    result = vtarget("run", elf, "-b", M4F, "--quiet")
    assert (result.code, result.out) == (status, "")
    assert result.err == (f"error: {elf}: the firmware exited with code {code}\n" if status else "")


@pytest.mark.parametrize(("reason", "code"), [("0x20026", 0), ("0x20024", 1)])
def test_plain_semihosting_exit_knows_only_done_and_failed(reason: str, code: int, tmp_path: Path) -> None:
    program = f"2018 movs r0, #0x18\n 4901 ldr r1, [pc, #4]\n beab bkpt 0xab\n bf00 nop\n .word {reason}"
    elf = write_program(tmp_path / "p.elf", "rpi-pico", {"Reset_Handler": RESET, "main": program})
    ended = end_of(elf, "rpi-pico")
    assert (ended.reason, ended.code, ended.pc) == (Reason.SEMIHOSTING, code, 0x10000244)


def test_return_from_main_is_an_end_of_its_own() -> None:
    elf = PROGRAMS / "return_main-m4f.elf"
    # 0x080000b8 is "b ." behind the call of main.
    assert end_of(elf, M4F) == Exit(
        Reason.RETURN, 7, 0x080000B8, "main returned", (Frame("Reset_Handler", 0x080000B8),)
    )
    result = vtarget("run", elf, "-b", M4F)
    assert (result.code, result.err) == (0, "")
    assert "ended by       return from main, value 7\n" in result.out


def test_startup_code_that_goes_on_after_main_gets_a_million_instructions(tmp_path: Path) -> None:
    reset = "b500 push {lr}\n bl main\n 3101 adds r1, #1\n e7fd b .-2"
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": reset, "main": "3801 subs r0, #1\n 4770 bx lr"})
    ran = run_elf(elf, M4F)
    ended = Exit(Reason.RETURN, -1, AFTER_MAIN, "main returned", (Frame("Reset_Handler", AFTER_MAIN),))
    assert ran.record.exit == ended
    # push and bl, then a million from where main's last block began.
    assert ran.record.instructions == 2 + 1_000_000


def test_idle_program() -> None:
    elf = PROGRAMS / "idle-m4f.elf"
    ended = end_of(elf, M4F)
    assert (ended.reason, ended.code, ended.detail) == (Reason.IDLE, 0, "idle loop")
    assert [f.function for f in ended.call_stack] == ["main", "Reset_Handler"]
    assert vtarget("run", elf, "-b", M4F, "--quiet") == CommandResult(0, "", "")


# Until. inclusive_tailcall: first 0x08000104 nop nop b.w, second 0x080000fc nop b.w, main 0x08000114.

TAILCALL = PROGRAMS / "inclusive_tailcall-m4f.elf"
UNTIL_STACK = [Frame("main", 0x0800011A), Frame("Reset_Handler", 0x080000AE)]


@pytest.mark.parametrize(
    ("until", "pc", "function"),
    [("first", 0x08000104, "main"), ("0x08000104", 0x08000104, "main"), ("0x08000105", 0x08000104, "main")],
)
def test_until_stops_before_the_address(until: str, pc: int, function: str, tmp_path: Path) -> None:
    result = vtarget("run", TAILCALL, "-b", M4F, "--until", until)
    assert (result.code, result.err) == (0, "")
    assert f"ended by       reaching 0x{pc:08x} (--until)\n" in result.out
    ended = end_of(TAILCALL, M4F, until=pc)
    assert (ended.reason, ended.code, ended.pc, ended.detail) == (Reason.UNTIL, 0, pc, "")
    assert ended.call_stack[0] == Frame(function, pc)


def test_until_an_address_in_mid_block_counts_what_stands_before_it() -> None:
    at_entry = run_elf(TAILCALL, M4F, until=0x08000104)
    inside = run_elf(TAILCALL, M4F, until=0x08000106)
    assert inside.record.instructions == at_entry.record.instructions + 1
    assert inside.record.exit.pc == 0x08000106
    assert [f.function for f in inside.record.exit.call_stack] == ["first", "main", "Reset_Handler"]
    profile = {k.name: k for k in inside.profile().kernels}
    assert (profile["first"].calls, profile["first"].instructions, profile["first"].cycles) == (1, 1, 1)


def test_until_splits_a_block_without_changing_what_runs_before(tmp_path: Path) -> None:
    """A loop of five rounds whose body is cut by the address that is reached only behind it."""
    main = (
        "2005 movs r0, #5\n 2200 movs r2, #0\n 3201 adds r2, #1\n 3801 subs r0, #1\n d1fc bne .-4\n bf00 nop\n e7fe b ."
    )
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": main})
    ran = run_elf(elf, M4F, until=MAIN + 12, reads=((0x20000000, 4),))
    assert ran.record.exit.pc == MAIN + 12
    assert ran.record.instructions == 2 + 2 + 5 * 3 + 1
    assert ran.machine.engine.registers()[2] == 5
    first_round = run_elf(elf, M4F, until=MAIN + 6)
    assert (first_round.record.instructions, first_round.machine.engine.registers()[2]) == (2 + 3, 1)


def test_until_the_reset_handler_executes_nothing() -> None:
    ran = run_elf(TAILCALL, M4F, until=0x08000060)
    assert (ran.record.exit.reason, ran.record.instructions, ran.record.live_cycles) == (Reason.UNTIL, 0, 0)
    assert ran.profile().cycles.nominal == 0


def test_until_an_address_that_is_not_reached_leaves_the_other_ends() -> None:
    assert end_of(TAILCALL, M4F, until=0x08100000).reason is Reason.SEMIHOSTING


# Limits. forever: work 0x080000f4 loads a literal, then a loop of ldr adds str b at 0x080000f6.

FOREVER = PROGRAMS / "forever-m4f.elf"
IN_LOOP = (Frame("work", 0x080000F6), Frame("main", 0x0800010A))


@pytest.mark.parametrize("most", [1, 2, 1000, 1001, 1002, 1003, 1004])
def test_an_instruction_limit_stops_at_the_first_block_that_begins_after_it(most: int) -> None:
    everything = run_elf(FOREVER, M4F, limits=RunLimits(instructions=5000)).record.instructions
    ran = run_elf(FOREVER, M4F, limits=RunLimits(instructions=most))
    assert ran.record.exit.reason is Reason.LIMIT
    assert ran.record.exit.detail == f"{most} instructions (--max-instructions)"
    longest_block = 15
    assert most <= ran.record.instructions < most + longest_block
    if most >= 1000:  # in the loop of four instructions
        assert (everything - ran.record.instructions) % 4 == 0
        assert ran.record.instructions < most + 4
        assert (ran.record.exit.pc, ran.record.exit.call_stack[:2]) == (0x080000F6, IN_LOOP)


def test_a_limit_in_virtual_seconds_is_exact_to_the_block() -> None:
    ran = run_elf(FOREVER, M4F, limits=RunLimits(seconds=1e-3))
    assert (ran.record.exit.reason, ran.record.exit.detail) == (Reason.LIMIT, "0.001 s of virtual time (--max-seconds)")
    assert 120_000 <= ran.record.live_cycles < 120_000 + 10
    assert ran.profile().latency_s.nominal == pytest.approx(1e-3, rel=1e-4)
    slower = run_elf(FOREVER, M4F, clock_hz=12_000_000, limits=RunLimits(seconds=1e-3))
    assert 12_000 <= slower.record.live_cycles < 12_000 + 10
    longer = run_elf(FOREVER, M4F, clock_hz=100_000, limits=RunLimits(seconds=5.0))
    assert longer.record.exit.detail == "5.0 s of virtual time (--max-seconds)"
    assert 500_000 <= longer.record.live_cycles < 500_000 + 10


@pytest.mark.parametrize("seconds", ["1e300", "1e9"])
def test_huge_limits_are_no_limits(seconds: str) -> None:
    result = vtarget("run", TAILCALL, "-b", M4F, "--quiet", "--max-seconds", seconds, "--timeout", seconds,
                     "--max-instructions", "9" * 30)  # fmt: skip
    assert result == CommandResult(0, "", "")


def test_limits_fail_the_command() -> None:
    for option, value, words in (
        ("--max-instructions", "1000", "1000 instructions (--max-instructions)"),
        ("--max-seconds", "0.0001", "0.0001 s of virtual time (--max-seconds)"),
        ("--timeout", "0.05", "0.05 s of wall time (--timeout)"),
    ):
        result = vtarget("run", FOREVER, "-b", M4F, option, value)
        place = "at pc 0x080000f6 in work < main < Reset_Handler"
        assert (result.code, result.err) == (1, f"error: {FOREVER}: limit reached: {words}, {place}\n")
        assert f"ended by       limit: {words} at 0x080000f6\n" in result.out


# A wall limit holds whatever the host is busy with: counting, answering registers, printing, passing events on.
POLL_CLOCK = "4a01 ldr r2, [pc, #4]\n 6811 ldr r1, [r2]\n e7fd b .-2\n bf00 nop\n .word 0xe000e018"
PUT_CHARACTERS = "2003 movs r0, #3\n 4669 mov r1, sp\n beab bkpt 0xab\n e7fb b .-6"


@pytest.mark.parametrize("code", [POLL_CLOCK, PUT_CHARACTERS, "bf10 yield\n e7fd b .-2", "bl other\n e7fc b .-4"],
                         ids=["registers", "console", "yield", "spans"])  # fmt: skip
def test_a_wall_limit_holds_in_callbacks(code: str, tmp_path: Path) -> None:
    program = {"Reset_Handler": RESET, "main": code, "other": "bf00 nop\n 4770 bx lr"}
    elf = write_program(tmp_path / "p.elf", M4F, program)
    before = time.monotonic()
    ended = end_of(elf, M4F, limits=RunLimits(wall_seconds=0.2), spans=("other",))
    assert (ended.reason, ended.detail) == (Reason.LIMIT, "0.2 s of wall time (--timeout)")
    assert time.monotonic() - before < 20.0  # it was a minute, and no limit at all, when callbacks were not covered


# Faults of committed programs.


@pytest.mark.parametrize(
    ("program", "detail", "pc", "stack"),
    [
        ("fault_jump", "jump to unmapped memory at 0x70000000", 0x080000FA, ["launch", "main", "Reset_Handler"]),
        ("fault_unmapped_read", "read of unmapped memory at 0xc0000000", 0x080000F4, ["peek", "Reset_Handler"]),
        (
            "fault_write_flash",
            "write to read-only memory at 0x08000110",
            0x080000F6,
            ["overwrite", "main", "Reset_Handler"],
        ),
        ("usage_udf", "undefined instruction", 0x080000F4, ["abort_here", "main", "Reset_Handler"]),
        (
            "fpu_off",
            "floating-point instruction while the FPU is off (CPACR not written)",
            0x080000E6,
            ["main", "Reset_Handler"],
        ),
    ],
)
def test_faulting_program(program: str, detail: str, pc: int, stack: list[str]) -> None:
    elf = PROGRAMS / f"{program}-m4f.elf"
    ended = end_of(elf, M4F)
    assert (ended.reason, ended.code, ended.pc, ended.detail) == (Reason.FAULT, 0, pc, detail)
    assert [f.function for f in ended.call_stack] == stack
    result = vtarget("run", elf, "-b", M4F, "--quiet")
    assert result == CommandResult(1, "", f"error: {elf}: {detail}, at pc 0x{pc:08x} in {' < '.join(stack)}\n")


def test_recursion_into_unmapped_memory_shows_the_ends_of_a_deep_stack() -> None:
    elf = PROGRAMS / "fault_stack-m4f.elf"
    ended = end_of(elf, M4F)
    # 384 KiB SRAM3 stand on 64 + 192 KiB: 655,360 bytes hold 635 frames of 1,032 bytes and what main and reset pushed.
    assert (ended.detail, ended.pc) == ("write to unmapped memory at 0x1ffffc18", 0x08000102)
    assert len(ended.call_stack) == 637
    assert {f.function for f in ended.call_stack[:-1]} == {"deeper"}
    result = vtarget("run", elf, "-b", M4F)
    where = "at pc 0x08000102 in deeper < … (629 more frames)"
    assert (result.code, result.err) == (1, f"error: {elf}: {ended.detail}, {where}\n")
    lines = result.out[result.out.index("call stack\n") :].splitlines()
    assert len(lines) == 1 + 15 + 1 + 15
    assert lines[16] == "  … 607 more frames"
    assert lines[-1].endswith(" Reset_Handler")


def test_endless_recursion_without_a_stack_frame_meets_a_limit(tmp_path: Path) -> None:
    program = {"Reset_Handler": RESET, "main": "bl again\n", "again": "bf00 nop\n bl again\n"}
    elf = write_program(tmp_path / "p.elf", M4F, program)
    result = vtarget("run", elf, "-b", M4F, "--json", "-", "--timeout", "20")
    ended = json.loads(result.out)["exit"]
    assert (result.code, ended["reason"]) == (1, "limit")
    assert ended["detail"] == "call stack deeper than the recorder has room for"
    assert len(ended["call_stack"]) == 1000
    assert ended["call_stack"][500]["function"].endswith(" frames left out)")
    assert result.err.startswith(
        f"error: {elf}: limit reached: call stack deeper than the recorder has room for, at pc "
    )
    assert result.err.count("\n") == 1 and len(result.err) < 300


def test_a_function_that_only_calls_itself_is_not_idle(tmp_path: Path) -> None:
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": "bl main"})
    ended = end_of(elf, M4F)
    assert (ended.reason, ended.detail) == (Reason.LIMIT, "call stack deeper than the recorder has room for")


def test_console_output_is_bounded_and_what_is_dropped_noted(tmp_path: Path) -> None:
    """Twenty times 60,000 bytes: 1,200,000, of which 1 MiB is kept."""
    main = (
        """
    2414 movs r4, #20
    2004 movs r0, #4
    4902 ldr r1, [pc, #8]
    beab bkpt 0xab
    3c01 subs r4, #1
    d1fa bne .-8
    e7fe b .
    bf00 nop
    """.replace("4901 ldr r1, [pc, #4]", "4902 ldr r1, [pc, #8]")
        + ".word 0x08001000"
    )
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": main},
                        extra={0x08001000: b"x" * 60_000 + b"\0"})  # fmt: skip
    ran = run_elf(elf, M4F)
    assert ran.record.exit.reason is Reason.IDLE
    assert ran.record.console == "x" * (1 << 20)
    assert ran.record.not_modelled == ("console output beyond its limit dropped (151424 bytes)",)
    assert vtarget("run", elf, "-b", M4F, "--quiet", "--strict").code == 1


def test_unaligned_word_access_works_where_the_core_can(tmp_path: Path) -> None:
    main = "4802 ldr r0, [pc, #8]\n 6801 ldr r1, [r0]\n e7fe b .\n bf00 nop\n .word 0x04030201\n .word 0x08000149"
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": RESET, "main": main})
    ran = run_elf(elf, M4F)
    assert ran.record.exit.reason is Reason.IDLE
    assert ran.machine.engine.registers()[1] == 0x49040302


def test_every_program_ends_the_same_way_twice() -> None:
    for elf in sorted(set(PROGRAMS.glob("*-m4f.elf")) - {PROGRAMS / "microkernels-m4f.elf"}):
        limits = RunLimits(instructions=200_000)
        assert run_elf(elf, M4F, limits=limits).profile() == run_elf(elf, M4F, limits=limits).profile(), elf.name


@pytest.mark.parametrize("board", ["mps2-an385", "rpi-pico", "nrf52840dk", "nucleo-f746zg"])
def test_firmware_linked_for_another_board_is_refused_in_one_line(board: str) -> None:
    result = vtarget("run", EXAMPLES / "fir-m4f.elf", "-b", board)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {EXAMPLES}/fir-m4f.elf: ") and result.err.count("\n") == 1


def test_a_breakpoint_in_exit_after_main_is_a_return(tmp_path: Path) -> None:
    """The Pico SDK's _exit is a BKPT: main's result is what the run ends with."""
    elf = write_program(
        tmp_path / "p.elf",
        M4F,
        {"Reset_Handler": "b500 push {lr}\nbl main\nbe00 bkpt 0", "main": "2007 movs r0, #7\n4770 bx lr"},
    )
    ended = end_of(elf, M4F)
    assert (ended.reason, ended.code, ended.detail) == (Reason.RETURN, 7, "main returned")


def test_a_main_that_runs_as_a_thread_may_return(tmp_path: Path) -> None:
    """On the process stack it is one thread of several, as in Zephyr: its return ends nothing."""
    thread = "2020 movs r0, #32\n0600 lsls r0, r0, #24\n3080 adds r0, #128\nf380 8809 msr psp, r0\n2002 movs r0, #2"
    reset = f"{thread}\nf380 8814 msr control, r0\nf3bf 8f6f isb\nbl main\ne7fe b ."
    elf = write_program(tmp_path / "p.elf", M4F, {"Reset_Handler": reset, "main": "2007 movs r0, #7\n4770 bx lr"})
    ended = end_of(elf, M4F)
    assert (ended.reason, ended.code, ended.detail) == (Reason.IDLE, 0, "idle loop")


def test_an_interrupt_in_a_callback_of_native_code_waits_for_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    first_sight = Recorder._first_sight

    def interrupted(recorder: Recorder, current: int, key: int, unused: int) -> int:
        if len(seen) == 3:
            signal.raise_signal(signal.SIGINT)
        seen.append("callback")
        return first_sight(recorder, current, key, unused)

    monkeypatch.setattr(Recorder, "_first_sight", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            run_elf(EXAMPLES / "fir-m4f.elf", M4F)
        assert len(seen) >= 4  # nothing was raised in the fourth
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
