"""The system block: its registers by themselves with literal values, and the live clock as firmware measures it."""

from __future__ import annotations

from pathlib import Path

import pytest
from machinelib import PROGRAMS, Ran, run_elf, write_program

from vtarget.data.limits import RunLimits
from vtarget.data.record import Reason
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.shell.system import SystemBlock

DWT_CTRL, CYCCNT, LAR, LSR = 0xE0001000, 0xE0001004, 0xE0001FB0, 0xE0001FB4
CSR, RVR, CVR, CALIB = 0xE000E010, 0xE000E014, 0xE000E018, 0xE000E01C
CPUID, VTOR, CPACR, DEMCR, ICSR, AIRCR = 0xE000ED00, 0xE000ED08, 0xE000ED88, 0xE000EDFC, 0xE000ED04, 0xE000ED0C
TRCENA = 1 << 24
FPU_ON = 0xF << 20


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.cycles = 0
        self.questions = 0

    def __call__(self, address: int, reading: bool) -> int:
        self.questions += 1
        return self.cycles


def system(core: str = "cortex-m4", *, fpu: bool = True) -> tuple[SystemBlock, Clock]:
    clock = Clock()
    return SystemBlock(core, has_fpu=fpu, vector_table=0x08000000, now=clock), clock


def counting(core: str = "cortex-m4") -> tuple[SystemBlock, Clock]:
    block, clock = system(core)
    block.write(DEMCR, 4, TRCENA)
    block.write(DWT_CTRL, 4, 1)
    return block, clock


# Cycle counter.


def test_cycle_counter_counts_from_being_enabled() -> None:
    block, clock = system()
    clock.cycles = 1000
    assert block.read(CYCCNT, 4) == 0
    block.write(DEMCR, 4, TRCENA)
    block.write(DWT_CTRL, 4, 1)
    clock.cycles = 1234
    assert block.read(CYCCNT, 4) == 234
    assert block.read(CYCCNT, 4) == 234
    assert block.clock_reads == 3


@pytest.mark.parametrize(("register", "off", "on"), [(DWT_CTRL, 0, 1), (DEMCR, 0, TRCENA)])
def test_cycle_counter_freezes_while_it_is_off(register: int, off: int, on: int) -> None:
    block, clock = counting()
    clock.cycles = 50
    block.write(register, 4, off)
    clock.cycles = 80
    assert block.read(CYCCNT, 4) == 50
    block.write(register, 4, on)
    clock.cycles = 95
    assert block.read(CYCCNT, 4) == 65


def test_cycle_counter_takes_a_value_and_wraps() -> None:
    block, clock = counting()
    clock.cycles = 10
    block.write(CYCCNT, 4, 0xFFFFFFF0)
    clock.cycles = 25
    assert block.read(CYCCNT, 4) == 0xFFFFFFFF
    clock.cycles = 26
    assert block.read(CYCCNT, 4) == 0
    clock.cycles = 10 + 16 + (1 << 32) + 7
    assert block.read(CYCCNT, 4) == 7


def test_parts_of_the_cycle_counter_can_be_read() -> None:
    block, clock = counting()
    clock.cycles = 0x11223344
    assert [block.read(CYCCNT + i, 1) for i in range(4)] == [0x44, 0x33, 0x22, 0x11]
    assert (block.read(CYCCNT, 2), block.read(CYCCNT + 2, 2)) == (0x3344, 0x1122)


def test_one_access_asks_the_clock_once() -> None:
    block, clock = counting()
    for access in (
        lambda: block.read(CYCCNT, 4),
        lambda: block.write(CYCCNT, 4, 0),
        lambda: block.write(DWT_CTRL, 4, 1),
        lambda: block.write(DEMCR, 4, TRCENA),
        lambda: block.write(CSR, 4, 5),
        lambda: block.read(CVR, 4),
        lambda: block.read(CSR, 4),
    ):
        clock.questions = 0
        access()
        assert clock.questions == 1


def test_control_register_tells_of_comparators_and_keeps_its_enable_bit() -> None:
    block, _ = counting()
    assert block.read(DWT_CTRL, 4) == 0x40000001
    block.write(DWT_CTRL, 4, 0xFFFFFFFE)
    assert block.read(DWT_CTRL, 4) == 0x40000000


def test_dwt_of_m7_is_locked_until_it_gets_the_key() -> None:
    block, clock = counting("cortex-m7")
    assert block.read(LSR, 4) == 3
    clock.cycles = 100
    assert block.read(CYCCNT, 4) == 0
    assert block.notes == {"writes to the DWT ignored: it is locked, and the firmware did not give its DWT_LAR the key"}
    block.write(LAR, 4, 0xC5ACCE55)
    assert block.read(LSR, 4) == 1
    block.write(DWT_CTRL, 4, 1)
    clock.cycles = 130
    assert block.read(CYCCNT, 4) == 30
    block.write(LAR, 4, 0)
    block.write(CYCCNT, 4, 0)
    assert (block.read(LSR, 4), block.read(CYCCNT, 4)) == (3, 30)


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m33"])
def test_dwt_of_other_cores_has_no_lock(core: str) -> None:
    block, clock = counting(core)
    clock.cycles = 5
    assert (block.read(LSR, 4), block.read(CYCCNT, 4)) == (0, 5)
    assert block.notes == set() and block.untouched == {}


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m0plus"])
def test_baseline_cores_have_no_cycle_counter(core: str) -> None:
    block, clock = counting(core)
    clock.cycles = 100
    assert block.read(CYCCNT, 4) == 0
    assert block.untouched == {CYCCNT: 1}
    assert block.clock_reads == 0


# SysTick.


def ticking(reload: int) -> tuple[SystemBlock, Clock]:
    block, clock = system()
    clock.cycles = 500
    block.write(RVR, 4, reload)
    block.write(CVR, 4, 1)
    block.write(CSR, 4, 5)
    return block, clock


def test_systick_counts_down_from_its_reload_value() -> None:
    block, clock = ticking(9)
    seen = []
    for after in (0, 1, 2, 9, 10, 11, 20, 21, 1_000_001):
        clock.cycles = 500 + after
        seen.append(block.read(CVR, 4))
    assert seen == [0, 9, 8, 1, 0, 9, 0, 9, 9]


def test_systick_flags_each_time_it_counts_to_zero_until_that_is_read() -> None:
    block, clock = ticking(9)
    seen = []
    for after in (0, 9, 10, 10, 19, 20, 45, 46):
        clock.cycles = 500 + after
        seen.append(block.read(CSR, 4))
    assert seen == [5, 5, 0x10005, 5, 5, 0x10005, 0x10005, 5]


def test_writing_the_systick_counter_clears_it_and_its_flag() -> None:
    block, clock = ticking(9)
    clock.cycles = 515
    block.write(CVR, 4, 0x1234)
    assert (block.read(CVR, 4), block.read(CSR, 4)) == (0, 5)
    clock.cycles = 518
    assert block.read(CVR, 4) == 7


def test_systick_holds_its_value_while_it_is_off() -> None:
    block, clock = ticking(100)
    clock.cycles = 500 + 31
    block.write(CSR, 4, 4)
    clock.cycles = 900
    assert block.read(CVR, 4) == 70
    block.write(CSR, 4, 5)
    clock.cycles = 910
    assert block.read(CVR, 4) == 60
    clock.cycles = 910 + 60
    assert (block.read(CVR, 4), block.read(CSR, 4)) == (0, 0x10005)
    clock.cycles += 1
    assert block.read(CVR, 4) == 100


def test_a_new_reload_value_counts_from_the_next_wrap() -> None:
    block, clock = ticking(9)
    clock.cycles = 503
    block.write(RVR, 4, 99)
    clock.cycles = 510
    assert block.read(CVR, 4) == 0
    clock.cycles = 511
    assert block.read(CVR, 4) == 99


def test_a_reload_value_of_zero_stops_systick_at_zero() -> None:
    block, clock = ticking(9)
    clock.cycles = 505
    block.write(RVR, 4, 0)
    clock.cycles = 10_000
    assert (block.read(CVR, 4), block.read(CSR, 4)) == (0, 0x10005)
    clock.cycles = 20_000
    assert (block.read(CVR, 4), block.read(CSR, 4)) == (0, 5)


def test_systick_is_24_bits_wide() -> None:
    block, clock = ticking(0xFF123456)
    assert block.read(RVR, 4) == 0x123456
    clock.cycles = 501
    assert block.read(CVR, 4) == 0x123456


def test_systick_features_without_effect_are_noted() -> None:
    block, _ = system()
    block.write(RVR, 4, 9)
    assert block.notes == set()
    block.write(CSR, 4, 3)
    assert block.notes == {
        "SysTick interrupt enabled (TICKINT), but exceptions are not delivered",
        "SysTick runs on its reference clock, which is taken to be the core clock",
    }
    assert block.read(CALIB, 4) == 0


# Identification, VTOR, CPACR and the rest.


@pytest.mark.parametrize(
    ("core", "value"),
    [
        ("cortex-m0", 0x410CC200),
        ("cortex-m0plus", 0x410CC601),
        ("cortex-m3", 0x412FC231),
        ("cortex-m4", 0x410FC241),
        ("cortex-m7", 0x411FC271),
        ("cortex-m33", 0x410FD213),
    ],
)
def test_cpuid(core: str, value: int) -> None:
    block, _ = system(core)
    block.write(CPUID, 4, 0)
    assert block.read(CPUID, 4) == value
    assert block.read(CPUID + 3, 1) == 0x41
    assert block.untouched == {}


def test_vtor_starts_at_the_vector_table_and_can_be_moved() -> None:
    block, _ = system()
    assert block.read(VTOR, 4) == 0x08000000
    block.write(VTOR, 4, 0x20000000)
    assert block.read(VTOR, 4) == 0x20000000


def test_cpacr_switches_the_fpu_on_where_there_is_one() -> None:
    block, _ = system(fpu=True)
    assert not block.fpu_enabled
    block.write(CPACR, 4, 0x3 << 20)  # CP10 alone
    assert not block.fpu_enabled
    block.write(CPACR, 4, FPU_ON)
    assert block.fpu_enabled and block.read(CPACR, 4) == FPU_ON
    block.write(CPACR, 4, 0)
    assert not block.fpu_enabled


def test_cpacr_bits_do_not_stick_without_an_fpu() -> None:
    block, _ = system("cortex-m3", fpu=False)
    block.write(CPACR, 4, FPU_ON | 0x3)
    assert block.read(CPACR, 4) == 0x3
    assert not block.fpu_enabled


def test_writing_a_part_of_a_register_leaves_the_rest() -> None:
    block, _ = system()
    block.write(VTOR, 4, 0x11223344)
    block.write(VTOR + 1, 1, 0xAA)
    assert block.read(VTOR, 4) == 0x1122AA44
    block.write(VTOR + 2, 2, 0xBBCC)
    assert block.read(VTOR, 4) == 0xBBCCAA44
    block.write(CPACR + 2, 1, 0xF0)
    assert block.fpu_enabled


def test_unknown_registers_are_memory_and_listed_with_their_accesses() -> None:
    block, _ = system()
    block.write(0xE0042004, 4, 7)
    block.write(0xE0042005, 1, 1)
    assert block.read(0xE0042004, 4) == 0x107
    assert block.read(0xE00FF000, 4) == 0
    assert block.untouched == {0xE0042004: 3, 0xE00FF000: 1}
    block.read(0xE000E100, 4)
    assert block.untouched == {0xE0042004: 3, 0xE00FF000: 1}


@pytest.mark.parametrize(
    ("address", "value", "note"),
    [
        (0xE000E104, 1 << 7, "interrupts enabled in the NVIC, but exceptions are not delivered"),
        (ICSR, 1 << 28, "an exception was set pending (ICSR), but exceptions are not delivered"),
        (AIRCR, 0x05FA0004, "the firmware asked for a system reset (AIRCR), which is not carried out"),
    ],
)
def test_what_would_need_exceptions_is_noted(address: int, value: int, note: str) -> None:
    block, _ = system()
    block.write(address, 4, 0)
    assert block.notes == set()
    block.write(address, 4, value)
    assert block.notes == {note}


# The live clock as the firmware measures it. In firmware/tests/clock.c both counters are read, spin called, and the
# counter read again by the first instruction after the call.

BOARDS = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m7": "nucleo-f746zg", "m33": "nucleo-u575zi-q"}
# Of the instruction that reads SysTick (and the DWT) before the call of spin.
READS = {
    "m0plus": (0x10000322,),
    "m4f": (0x08000216, 0x0800021E),
    "m7": (0x0800022E, 0x0800023A),
    "m33": (0x08000218, 0x0800022C),
}


def measured(ran: Ran) -> dict[str, str]:
    return dict(line.split() for line in ran.record.console.splitlines())


def from_read_to_call(ran: Ran, read: int) -> int:
    """Cycles that the profile prices from before the instruction at ``read`` to the entry of spin."""
    blocks = [Block(int(a), c) for a, c in zip(ran.record.block_address, ran.record.block_code, strict=True)]
    (source,) = (b for b in blocks if read in b.addresses)
    spin = next(f.address for f in ran.record.functions if f.name == "spin")
    target = next(b for b in blocks if b.address == spin)
    return ran.pricer.edge(source, Exit.TAKEN, target).nominal - ran.pricer.prefix(source, source.addresses.index(read))


@pytest.mark.parametrize("core", BOARDS)
def test_firmware_measures_exactly_what_is_priced(core: str) -> None:
    ran = run_elf(PROGRAMS / f"clock-{core}.elf", BOARDS[core])
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    (spin,) = (k for k in ran.profile().kernels if k.name == "spin")
    counters = ["systick", "dwt"][: len(READS[core])]
    assert spin.calls == len(counters)
    assert spin.total_cycles % spin.calls == 0
    for counter, read in zip(counters, READS[core], strict=True):
        assert int(measured(ran)[counter]) == spin.total_cycles // spin.calls + from_read_to_call(ran, read), counter
    assert ran.record.clock_reads == 2 * len(counters)
    assert ran.record.not_modelled == ()


def test_measured_cycles_are_those_of_the_manuals() -> None:
    m0plus = measured(run_elf(PROGRAMS / "clock-m0plus.elf", BOARDS["m0plus"]))
    # DDI 0484 table 3-1. spin: 1000 subs of 1, 999 taken bne of 2, one not taken of 1, bx 2; around it ldr 2, bl 3.
    assert int(m0plus["systick"]) == 1000 + 999 * 2 + 1 + 2 + 2 + 3 == 3006
    assert m0plus["dwt"] == "0"
    m4f = measured(run_elf(PROGRAMS / "clock-m4f.elf", BOARDS["m4f"]))
    # DDI 0439 table 3-1, nominal refills: taken bne and bl 1 + 1, bx 1 + 3.
    spin = 1000 + 999 * 2 + 1 + 4
    # ldr 2, bl 2.
    assert int(m4f["systick"]) == spin + 2 + 2
    # In mid-block behind another load: ldr.w 1 (pipelined), subs mov.w bic str 1 each, bl 2.
    assert int(m4f["dwt"]) == spin + 1 + 4 + 2


@pytest.mark.parametrize("core", BOARDS)
def test_identification_reads_as_on_the_board(core: str) -> None:
    values = measured(run_elf(PROGRAMS / f"clock-{core}.elf", BOARDS[core]))
    cpuid = {"m0plus": "0x410cc601", "m4f": "0x410fc241", "m7": "0x411fc271", "m33": "0x410fd213"}
    assert values["cpuid"] == cpuid[core]
    assert values["vtor"] == ("0x10000100" if core == "m0plus" else "0x08000000")


def test_two_reads_of_one_block_differ_by_what_stands_between_them(tmp_path: Path) -> None:
    """Reads the cycle counter four times in one block: with nothing, three nops, and a divide between."""
    program = {
        "Reset_Handler": "4c05 ldr r4, [pc, #20]\n 4d06 ldr r5, [pc, #24]\n f04f 7180 mov.w r1, #0x1000000\n"
        "6021 str r1, [r4]\n 2001 movs r0, #1\n 6028 str r0, [r5]\n b main\n bf00 nop\n bf00 nop\n bf00 nop\n"
        ".word 0xe000edfc\n .word 0xe0001000",
        "main": "6868 ldr r0, [r5, #4]\n 6869 ldr r1, [r5, #4]\n"
        "bf00 nop\n bf00 nop\n bf00 nop\n 686a ldr r2, [r5, #4]\n"
        "2609 movs r6, #9\n 2703 movs r7, #3\n fbb6 f3f7 udiv r3, r6, r7\n 686c ldr r4, [r5, #4]\n e7fe b .",
    }
    elf = write_program(tmp_path / "p.elf", "nucleo-l4r5zi", program)
    ran = run_elf(elf, "nucleo-l4r5zi", limits=RunLimits(instructions=1000))
    assert ran.record.exit.reason is Reason.IDLE
    r0, r1, r2, _, r4 = ran.machine.engine.registers()[:5]
    # DDI 0439 3.3.1: LDR 2, 1 when it follows another; NOP 1; UDIV 2 to 12, 9 / 3 takes the least of them here.
    (site,) = {(int(n), int(i)) for n, i in zip(ran.record.site_node, ran.record.site_insn, strict=True)}
    node, index = site
    block = Block(int(ran.record.block_address[ran.record.node_block[node]]),
                  ran.record.block_code[ran.record.node_block[node]])  # fmt: skip
    (operands,) = ran.record.site_counts[0].nonzero()[0].tolist()
    divide = ran.pricer.site(block, index, operands).nominal
    assert (r1 - r0, r2 - r1) == (2, 1 + 3)
    assert r4 - r2 == 2 + 1 + 1 + divide
    assert 2 <= divide <= 12
