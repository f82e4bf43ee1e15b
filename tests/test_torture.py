"""The exception model against QEMU's: random programs of pending, masking, faults and FP leave the same log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from firmwarelib import FIRMWARE
from machinelib import run_elf
from qemu import needs_qemu, run_qemu
from torturelib import (
    BUS_FAULT,
    DIV_0_TRP,
    FAULTS,
    ICSR_BITS,
    IDLE_HANDLERS,
    MEM_FAULT,
    MIX_OF_CORE,
    NOT_MODELLED,
    PENDSV,
    PRIVILEGED_ONLY,
    STKALIGN,
    SVCALL,
    SYSTICK,
    USAGE_FAULT,
    Operation,
    encode,
    make_program,
    operation_codes,
    write_patched,
)

from vtarget.data.record import Reason

BOARDS = {"m3": "mps2-an385", "m4f": "mps2-an386", "m7": "mps2-an500", "m33": "mps2-an505"}
PER_RUN, RUNS = 25, 4
SEEDS = [range(first, first + PER_RUN) for first in range(0, PER_RUN * RUNS, PER_RUN)]
NMI, HARD_FAULT = 2, 3


def torture(core: str) -> Path:
    return FIRMWARE / "torture" / f"torture-{core}.elf"


def programs_of(console: str) -> list[list[str]]:
    """The events of each program, in order."""
    parts = console.split("program ")
    assert parts[0] == "" and [int(p.split("\n", 1)[0], 16) for p in parts[1:]] == list(range(len(parts) - 1))
    return [part.splitlines()[1:] for part in parts[1:]]


def values(events: list[str], name: str) -> list[int]:
    return [int(event.rsplit(" ", 1)[1], 16) for event in events if event.rsplit(" ", 1)[0] == name]


def deepest(events: list[str]) -> int:
    depth = most = 0
    for event in events:
        depth += event.startswith("enter ") - event.startswith("leave ")
        most = max(most, depth)
    assert depth == 0
    return most


def modelled(events: list[str]) -> list[str]:
    """Without what vtarget leaves to the hardware: it stacks FP registers at once and doesn't tell when they'd go."""
    return [event for event in events if not event.startswith("lspact")]


@needs_qemu
@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"seeds{seeds[0]}")
@pytest.mark.parametrize("core", BOARDS)
def test_random_programs_leave_the_log_that_qemu_leaves(core: str, seeds: range, tmp_path: Path) -> None:
    mix = replace(MIX_OF_CORE[core], limited=True)
    programs = [make_program(seed, mix) for seed in seeds]
    elf = write_patched(torture(core), programs, tmp_path / "torture.elf", PRIVILEGED_ONLY)
    reference = run_qemu(BOARDS[core], elf)
    assert reference.exit_code == 0
    expected = programs_of(reference.console)
    ran = run_elf(elf, BOARDS[core])
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    found = programs_of(ran.record.console)
    assert len(found) == len(expected) == PER_RUN
    for seed, ours, theirs in zip(seeds, found, expected, strict=True):
        assert modelled(ours) == modelled(theirs), f"program of seed {seed}"


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_random_programs_reach_what_they_are_for(core: str, tmp_path: Path) -> None:
    """In QEMU, with nothing left out: every kind of exception, every EXC_RETURN, several levels, every operation."""
    mix = MIX_OF_CORE[core]
    events: list[str] = []
    for number, seeds in enumerate(SEEDS):
        elf = write_patched(torture(core), [make_program(s, mix) for s in seeds], tmp_path / f"{number}.elf")
        result = run_qemu(BOARDS[core], elf)
        assert result.exit_code == 0
        logs = programs_of(result.console)
        assert len(logs) == PER_RUN and all(values(log, "enter") for log in logs)
        events += [event for log in logs for event in log]
    entered = {value & 0x1FF for value in values(events, "enter")}
    assert entered >= {NMI, HARD_FAULT, MEM_FAULT, BUS_FAULT, USAGE_FAULT, SVCALL, PENDSV, SYSTICK, 16, 47}
    basic = {0x10, 0x18, 0x1C}
    legal = basic | {value & ~0x10 for value in basic} if mix.has_fpu else basic
    # The handler of a bad return sees the bad value; on Armv7-M that may be "handler mode, process stack".
    assert set(values(events, " exc_return")) - {0x04, 0x14} == legal
    assert {value >> 16 for value in values(events, "enter")} == {0, 1, 2}  # each way to load EXC_RETURN
    assert deepest(events) >= 4
    cfsr = {0, 1, 0x8200, 0x10000, 0x20000, 0x40000, 0x80000, 0x1000000, 0x2000000}
    assert set(values(events, " cfsr")) == (cfsr | {0x100000} if core == "m33" else cfsr)
    done = {event.split()[0] for event in events}
    assert done >= {name for name in operation_codes() if name != "end" and (mix.has_fpu or name[:2] != "fp")}


def run_program(core: str, program: list[Operation], folder: Path, flags: int = IDLE_HANDLERS) -> list[str]:
    """The log of one program, which must be the same in QEMU and in vtarget."""
    elf = write_patched(torture(core), [program], folder / "torture.elf", flags)
    (expected,) = programs_of(run_qemu(BOARDS[core], elf).console)
    (found,) = programs_of(run_elf(elf, BOARDS[core]).record.console)
    assert found == expected
    return found


def order(events: list[str]) -> list[str]:
    return [event for event in events if event.startswith(("enter ", "leave "))]


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_of_equal_priorities_the_lower_number_goes_first(core: str, tmp_path: Path) -> None:
    """DDI 0403 B1.5.4; tail-chained, so both see the same frame and return value."""
    program = [Operation("priority", 18, 0x40), Operation("priority", 19, 0x40)]
    program += [Operation("enable", 2), Operation("enable", 3), Operation("pend_many", 0x0C)]
    events = run_program(core, program, tmp_path)
    assert order(events) == ["enter 12", "leave 12", "enter 13", "leave 13"]
    assert values(events, " exc_return") == [0x18, 0x18]
    assert len(set(values(events, " frame"))) == 1


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize(("group", "nested"), [(5, True), (6, False)])
def test_only_the_group_priority_preempts(core: str, group: int, nested: bool, tmp_path: Path) -> None:
    """0x40 and 0x00 differ in bit 6: a group priority bit with PRIGROUP 5, subpriority with 6 (DDI 0403 B1.5.4)."""
    program = [Operation("group", group), Operation("priority", 17, 0x40), Operation("enable", 1)]
    program += [Operation("priority", 16, 0x00), Operation("enable", 0), Operation("pend", 1), Operation("pend", 0)]
    found = order(run_program(core, program, tmp_path, flags=0))
    inner = ["enter 11", "enter 10", "leave 10", "leave 11"]
    assert found == (inner if nested else ["enter 11", "leave 11", "enter 10", "leave 10"])


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_a_fault_that_may_not_preempt_becomes_a_hard_fault(core: str, tmp_path: Path) -> None:
    """DDI 0403 B1.5.14: UsageFault disabled, then enabled, then enabled under PRIMASK."""
    udf = Operation("fault", FAULTS["udf"])
    program = [udf, Operation("fault_enable", 4), udf, Operation("primask", 1), udf]
    events = run_program(core, program, tmp_path)
    assert values(events, "enter") == [HARD_FAULT, USAGE_FAULT, HARD_FAULT]
    assert values(events, " hfsr") == [1 << 30, 0, 1 << 30]
    assert values(events, " cfsr") == [1 << 16] * 3


@needs_qemu
@pytest.mark.parametrize("core", ["m4f", "m7", "m33"])
def test_fp_registers_outlive_a_handler_that_overwrites_them(core: str, tmp_path: Path) -> None:
    program = [Operation("priority", PENDSV, 0xE0), Operation("fp_fill", 5), Operation("fp_log")]
    program += [Operation("icsr", ICSR_BITS["set PendSV"]), Operation("fp_compute", 1, 3)] * 2 + [Operation("fp_log")]
    events = run_program(core, program, tmp_path)
    assert values(events, " exc_return") == [0x08, 0x08]
    assert len(values(events, "s0-s31")) == 2


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("mask", [Operation("basepri", 0x40), Operation("primask", 1)], ids=lambda o: o.name)
def test_masks_hold_in_unprivileged_code(core: str, mask: Operation, tmp_path: Path) -> None:
    program = [Operation("priority", SVCALL, 0x80), mask, Operation("unprivileged", 1), Operation("svc", 1)]
    events = run_program(core, program, tmp_path)
    assert values(events, "enter") == [HARD_FAULT, HARD_FAULT]  # the second is the call that asks for privilege


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_a_divide_by_zero_traps_while_ccr_says_so(core: str, tmp_path: Path) -> None:
    divide = Operation("fault", FAULTS["sdiv by 0"])
    on, off = Operation("traps", DIV_0_TRP, STKALIGN >> 8), Operation("traps", 0, STKALIGN >> 8)
    events = run_program(core, [divide, on, divide, off, divide], tmp_path)
    assert values(events, " cfsr") == [1 << 25]


@needs_qemu
@pytest.mark.parametrize("core", ["m4f", "m7", "m33"])
def test_fpscr_outlives_a_handler(core: str, tmp_path: Path) -> None:
    """RMode 2, towards minus infinity, in the thread; the handler computes with another."""
    program = [Operation("fpscr", 2), Operation("fp_fill", 1), Operation("svc", 1), Operation("fp_log")]
    events = run_program(core, program, tmp_path)
    assert values(events, "fpscr")[-1] == 2 << 22


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_an_absent_coprocessor_is_a_nocp_fault(core: str, tmp_path: Path) -> None:
    events = run_program(core, [Operation("fault", FAULTS["absent coprocessor"])], tmp_path)
    assert values(events, " cfsr") == [1 << 19]


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_a_return_to_the_wrong_mode_is_a_usage_fault_on_the_same_frame(core: str, tmp_path: Path) -> None:
    """DDI 0403 B1.5.8: INVPC, tail-chained. The handler of the fault takes over the frame and returns well."""
    program = [Operation("fault_enable", 4), Operation("enable", 1), Operation("pend", 1), Operation("bad_return")]
    events = run_program(core, program, tmp_path, flags=0)
    assert values(events, "enter") == [17, USAGE_FAULT]
    assert values(events, " cfsr") == [1 << 18]
    assert len(set(values(events, " frame"))) == 1


@needs_qemu
@pytest.mark.parametrize("core", BOARDS)
def test_a_return_to_the_wrong_mode_clears_faultmask_too(core: str, tmp_path: Path) -> None:
    """DDI 0403 B1.5.8: DeActivate does, before INVPC is raised."""
    program = [Operation("enable", 1), Operation("pend", 1), Operation("faultmask", 1), Operation("bad_return")]
    events = run_program(core, program, tmp_path, flags=0)
    assert values(events, "enter") == [17, HARD_FAULT]
    assert values(events, " cfsr") == [1 << 18]


def test_programs_come_from_their_seed_alone() -> None:
    mix = MIX_OF_CORE["m33"]
    assert make_program(7, mix) == make_program(7, mix) != make_program(8, mix)


@pytest.mark.parametrize("core", BOARDS)
def test_what_is_not_modelled_can_be_left_out(core: str) -> None:
    mix = replace(MIX_OF_CORE[core], limited=True)
    operations = [o for seed in range(50) for o in make_program(seed, mix)]
    codes = {FAULTS[name] for name in NOT_MODELLED if name in FAULTS}
    assert not any(o.name == "fault" and o.a in codes for o in operations)
    assert not any(o.name in NOT_MODELLED for o in operations)


def test_a_program_is_encoded_as_the_firmware_reads_it(tmp_path: Path) -> None:
    codes = operation_codes()
    assert (codes["end"], codes["priority"]) == (0, 1)
    program = [Operation("priority", 16, 0x80)]
    assert encode([program, []], flags=1) == bytes((2, 0, 1, 0, 1, 16, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    with pytest.raises(ValueError, match="room for 8192"):
        write_patched(torture("m3"), [program * 2048], tmp_path / "torture.elf")
