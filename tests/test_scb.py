"""Registers of the system control block, with literal values (DDI 0403 B3.2, DDI 0419 B3.2, DDI 0553 D1.2)."""

from __future__ import annotations

import pytest
from systemlib import Bench

from vtarget.data.exceptions import Vector
from vtarget.shell.nvic import Masks

CPUID, ICSR, VTOR, AIRCR, SCR, CCR = (0xE000ED00 + 4 * i for i in range(6))
SHPR1, SHPR2, SHPR3, SHCSR, CFSR, HFSR, DFSR, MMFAR, BFAR = (0xE000ED18 + 4 * i for i in range(9))
CPACR, MPU_TYPE, MPU_CTRL, STIR, FPCCR, MVFR0 = 0xE000ED88, 0xE000ED90, 0xE000ED94, 0xE000EF00, 0xE000EF34, 0xE000EF40
ICTR, CCSIDR, CSSELR = 0xE000E004, 0xE000ED80, 0xE000ED84
FPU_ON = 0xF << 20


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
    bench = Bench(core)
    bench.write(CPUID, 0)
    assert bench.read(CPUID) == value
    assert bench.read(CPUID + 3, 1) == 0x41
    assert bench.block.untouched == {}


def test_vtor_starts_at_the_vector_table_and_can_be_moved() -> None:
    bench = Bench()
    assert bench.read(VTOR) == 0x08000000
    bench.write(VTOR, 0x200000FF)
    assert bench.read(VTOR) == 0x20000080


def test_cpacr_switches_the_fpu_on_where_there_is_one() -> None:
    bench = Bench()
    assert not bench.control.fpu_enabled
    bench.write(CPACR, 0x3 << 20)  # CP10 alone
    assert not bench.control.fpu_enabled
    bench.write(CPACR, FPU_ON)
    assert bench.control.fpu_enabled and bench.read(CPACR) == FPU_ON
    bench.write(CPACR, 0)
    assert not bench.control.fpu_enabled


def test_cpacr_bits_do_not_stick_without_an_fpu() -> None:
    bench = Bench("cortex-m3")
    bench.write(CPACR, FPU_ON | 0x3)
    assert bench.read(CPACR) == 0x3
    assert not bench.control.fpu_enabled


def test_writing_a_part_of_a_register_leaves_the_rest() -> None:
    bench = Bench()
    bench.write(VTOR, 0x11223380)
    bench.write(VTOR + 1, 0xAA, 1)
    assert bench.read(VTOR) == 0x1122AA80
    bench.write(VTOR + 2, 0xBBCC, 2)
    assert bench.read(VTOR) == 0xBBCCAA80
    bench.write(CPACR + 2, 0xF0, 1)
    assert bench.control.fpu_enabled


def test_vector_key_guards_aircr() -> None:
    bench = Bench()
    assert bench.read(AIRCR) == 0xFA050000
    bench.write(AIRCR, 0x00000704)
    assert bench.read(AIRCR) == 0xFA050000 and not bench.control.reset_requested
    bench.write(AIRCR, 0x05FA0500)
    assert bench.read(AIRCR) == 0xFA050500 and not bench.control.reset_requested
    bench.write(AIRCR, 0x05FA0504)
    assert bench.control.reset_requested and bench.read(AIRCR) == 0xFA050500


def test_a_baseline_core_has_no_priority_groups() -> None:
    bench = Bench("cortex-m0plus")
    bench.write(AIRCR, 0x05FA0700)
    assert bench.read(AIRCR) == 0xFA050000


def test_configuration_and_control() -> None:
    bench = Bench()
    assert bench.read(CCR) == 0x200  # STKALIGN
    bench.write(CCR, 0x210)
    assert bench.read(CCR) == 0x210
    baseline = Bench("cortex-m0")
    baseline.write(CCR, 0)
    assert baseline.read(CCR) == 0x208  # STKALIGN and UNALIGN_TRP, fixed


def test_what_is_not_modelled_is_noted() -> None:
    bench = Bench()
    bench.write(CCR, 0x210)
    bench.write(MPU_CTRL, 6)
    assert bench.control.notes == set()
    bench.write(CCR, 0x208)
    bench.write(MPU_CTRL, 5)
    assert bench.control.notes == {
        "CCR.UNALIGN_TRP is set, but unaligned accesses are not trapped",
        "the MPU is enabled, but its regions are not enforced",
    }


def test_fault_status_bits_are_cleared_by_writing_ones() -> None:
    bench = Bench()
    for register in (CFSR, HFSR, DFSR):
        bench.control.set_word(register, 0x02018282)
        bench.write(register, 0x00010080)
        assert bench.read(register) == 0x02008202
    bench.write(CFSR + 1, 0x82, 1)  # BFSR, as a byte: the others stay
    assert bench.read(CFSR) == 0x02000002
    assert (bench.read(CFSR, 1), bench.read(CFSR + 2, 2)) == (0x02, 0x0200)
    bench.write(CFSR + 2, 0x0200, 2)
    assert bench.read(CFSR) == 0x02


def test_shcsr_enables_faults_and_shows_what_is_active_and_pending() -> None:
    bench = Bench()
    bench.write(SHCSR, 0x00070000)
    assert bench.read(SHCSR) == 0x00070000
    for vector in (Vector.MEM_MANAGE, Vector.BUS_FAULT, Vector.USAGE_FAULT):
        assert bench.nvic.enabled >> vector & 1
    for vector, bit in (
        (Vector.MEM_MANAGE, 0), (Vector.BUS_FAULT, 1), (Vector.USAGE_FAULT, 3), (Vector.SVCALL, 7),
        (Vector.DEBUG_MONITOR, 8), (Vector.PENDSV, 10), (Vector.SYSTICK, 11),
    ):  # fmt: skip
        bench.nvic.active = 1 << vector
        assert bench.read(SHCSR) == 0x00070000 | 1 << bit
    bench.nvic.active = 0
    for vector, bit in ((Vector.USAGE_FAULT, 12), (Vector.MEM_MANAGE, 13), (Vector.BUS_FAULT, 14), (Vector.SVCALL, 15)):
        bench.nvic.pending = 1 << vector
        assert bench.read(SHCSR) == 0x00070000 | 1 << bit
    bench.write(SHCSR, 0)
    assert bench.read(SHCSR) == 0
    assert bench.nvic.pending == 0
    bench.write(SHCSR, 1 << 15 | 1 << 7)
    assert (bench.nvic.pending, bench.nvic.active) == (1 << Vector.SVCALL, 1 << Vector.SVCALL)


def test_shcsr_leaves_other_exceptions_alone() -> None:
    bench = Bench()
    others = 1 << 3 | 1 << 2 | 1 << 20 | 1 << Vector.PENDSV
    bench.nvic.active = bench.nvic.pending = others
    bench.write(SHCSR, 0)
    assert bench.nvic.pending == others
    assert bench.nvic.active == others & ~(1 << Vector.PENDSV)


def test_a_byte_of_shcsr_leaves_its_other_bits() -> None:
    bench = Bench()
    bench.write(SHCSR, 0x00070000)
    bench.nvic.active = 1 << Vector.SVCALL
    bench.write(SHCSR + 2, 0x2, 1)
    assert bench.read(SHCSR) == 0x00020080


def test_shcsr_of_a_baseline_core_has_svcallpended_alone() -> None:
    bench = Bench("cortex-m0")
    bench.write(SHCSR, 0xFFFFFFFF)
    assert bench.read(SHCSR) == 1 << 15
    assert bench.nvic.active == 0
    assert bench.nvic.preempting(Masks()) == Vector.SVCALL


def test_icsr_tells_what_runs_and_what_comes_next() -> None:
    bench = Bench()
    assert bench.read(ICSR) == 0x800  # RETTOBASE in Thread mode
    bench.write(ICSR, 1 << 28 | 1 << 26)
    assert bench.read(ICSR) == 0x800 | 1 << 28 | 1 << 26 | 14 << 12
    bench.running, bench.nvic.active = 0x23, 1 << 0x23
    assert bench.read(ICSR) == 0x14000800 | 14 << 12 | 0x23
    bench.nvic.active |= 1 << 15
    assert bench.read(ICSR) == 0x14000000 | 14 << 12 | 0x23
    bench.nvic.pend(16 + 5)  # not enabled: pending, but not next
    assert bench.read(ICSR) == 0x14400000 | 14 << 12 | 0x23
    bench.write(ICSR, 1 << 27 | 1 << 25)
    assert bench.read(ICSR) == 0x00400000 | 0x23
    bench.write(ICSR, 1 << 31)
    assert bench.read(ICSR) == 0x80400000 | 2 << 12 | 0x23


def test_narrow_writes_of_icsr_pend_what_they_say_and_nothing_else() -> None:
    bench = Bench()
    bench.write(ICSR + 3, 0x10, 1)
    assert bench.nvic.pending == 1 << Vector.PENDSV
    bench.write(ICSR + 2, 0x0400, 2)
    assert bench.nvic.pending == 1 << Vector.PENDSV | 1 << Vector.SYSTICK
    bench.write(ICSR, 0xFF, 1)
    assert bench.nvic.pending == 1 << Vector.PENDSV | 1 << Vector.SYSTICK
    bench.write(ICSR + 3, 0x08, 1)
    assert bench.nvic.pending == 1 << Vector.SYSTICK


def test_system_handler_priorities_by_words_and_bytes() -> None:
    bench = Bench()
    bench.write(SHPR3, 0xFFFFFFFF)
    assert bench.read(SHPR3) == 0xF0F000F0  # 12 is DebugMonitor, 13 is reserved
    bench.write(SHPR2 + 3, 0x5F, 1)
    assert bench.read(SHPR2) == 0x50000000
    assert bench.nvic.priority(Vector.SVCALL) == 0x50
    bench.write(SHPR1, 0x40302010)
    assert bench.read(SHPR1) == 0x00302010
    assert bench.read(SHPR1 + 1, 1) == 0x20
    bench.write(SHPR3 + 2, 0x3040, 2)
    assert (bench.nvic.priority(Vector.PENDSV), bench.nvic.priority(Vector.SYSTICK)) == (0x40, 0x30)


def test_a_baseline_core_has_priorities_of_three_system_handlers() -> None:
    bench = Bench("cortex-m0", bits=2)
    for register in (SHPR1, SHPR2, SHPR3):
        bench.write(register, 0xFFFFFFFF)
    assert [bench.read(r) for r in (SHPR1, SHPR2, SHPR3)] == [0, 0xC0000000, 0xC0C00000]


def test_software_triggered_interrupts() -> None:
    bench = Bench(lines=40)
    bench.write(STIR, 39)
    bench.write(STIR, 40)
    bench.write(STIR, 0x1FF)
    assert bench.nvic.pending == 1 << 16 + 39


@pytest.mark.parametrize(("lines", "value"), [(1, 0), (32, 0), (33, 1), (240, 7)])
def test_ictr_counts_interrupts_in_thirty_twos(lines: int, value: int) -> None:
    assert Bench(lines=lines).read(ICTR) == value


def test_identity_registers_are_read_only() -> None:
    bench = Bench("cortex-m7")
    values = [bench.read(r) for r in (MPU_TYPE, MVFR0, MVFR0 + 4, MVFR0 + 8, CCSIDR)]
    assert values == [0x800, 0x10110221, 0x12000011, 0x40, 0]
    for register in (MPU_TYPE, MVFR0, MVFR0 + 4, MVFR0 + 8, CCSIDR):
        bench.write(register, 0)
    assert [bench.read(r) for r in (MPU_TYPE, MVFR0, MVFR0 + 4, MVFR0 + 8, CCSIDR)] == values


def test_floating_point_context_control_begins_with_lazy_stacking() -> None:
    assert Bench().read(FPCCR) == 0xC0000000
    assert Bench("cortex-m3").read(FPCCR) == 0


def test_registers_that_are_only_kept() -> None:
    bench = Bench()
    for register, value in ((SCR, 0x14), (MMFAR, 0x1234), (BFAR, 0x5678), (FPCCR, 0)):
        bench.write(register, value)
        assert bench.read(register) == value
    assert bench.block.untouched == {}


def test_unknown_registers_are_memory_and_listed_with_their_accesses() -> None:
    bench = Bench()
    bench.write(0xE0042004, 7)
    bench.write(0xE0042005, 1, 1)
    assert bench.read(0xE0042004) == 0x107
    assert bench.read(0xE00FF000) == 0
    assert bench.block.untouched == {0xE0042004: 3, 0xE00FF000: 1}
    bench.read(0xE000E100)
    assert bench.block.untouched == {0xE0042004: 3, 0xE00FF000: 1}


def test_cache_geometry_of_the_stm32f746() -> None:
    """DDI 0489 4.3.4: 4 KiB each; the data cache of 32 sets and 4 ways, the instruction cache of 64 sets and 2."""
    bench = Bench("cortex-m7")
    bench.control.set_caches(4096, 4096)
    data = bench.read(CCSIDR)
    bench.write(CSSELR, 1)
    assert (data, bench.read(CCSIDR)) == (0xF003E019, 0xF007E009)


def test_privileged_access_to_the_fpu_is_access() -> None:
    """Zephyr gives itself no more (DDI 0403 B3.2.20: 0b01 is privileged access)."""
    bench = Bench("cortex-m4")
    bench.write(CPACR, 0x5 << 20)
    assert bench.control.fpu_enabled
    bench.write(CPACR, 0x1 << 20)
    assert not bench.control.fpu_enabled


def test_the_m7_s_cache_bits_are_switches() -> None:
    """CCR.IC is bit 17, CCR.DC bit 16 (core_cm7.h); only changes are reported."""
    bench = Bench("cortex-m7")
    switched: list[tuple[str, bool]] = []
    bench.control.on_switch = lambda name, on: switched.append((name, on))
    for value in (0x200, 0x2_0200, 0x2_0210, 0x3_0200, 0x1_0200, 0x200):
        bench.write(CCR, value)
    assert switched == [("SCB.IC", True), ("SCB.DC", True), ("SCB.IC", False), ("SCB.DC", False)]


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m33"])
def test_other_cores_have_no_caches_to_switch(core: str) -> None:
    bench = Bench(core)
    bench.control.on_switch = lambda name, on: pytest.fail(f"{name} {on}")
    bench.write(CCR, 0x3_0200)


def test_the_m7_s_cache_maintenance() -> None:
    """Addresses and fields of DDI 0403 B2.2.7 and core_cm7.h: ICIALLU, ICIMVAU, DCIMVAC, DCISW, DCCIMVAC, DCCISW; what
    only cleans empties nothing. The M7's data cache has its way in bits 31:30, its set in 13:5."""
    bench = Bench("cortex-m7")
    emptied: list[tuple[str, int | None, int | None]] = []
    bench.control.on_invalidate = lambda *what: emptied.append(what)
    for address, value in (
        (0xE000EF50, 0),
        (0xE000EF58, 0x0800_1234),
        (0xE000EF5C, 0x2000_0040),
        (0xE000EF60, 2 << 30 | 5 << 5),
        (0xE000EF64, 0x2000_0040),  # DCCMVAU
        (0xE000EF68, 0x2000_0040),  # DCCMVAC
        (0xE000EF6C, 0x20),  # DCCSW
        (0xE000EF70, 0x2000_0060),
        (0xE000EF74, 3 << 30 | 127 << 5),
    ):
        bench.write(address, value)
    assert emptied == [
        ("SCB.IC", None, None),
        ("SCB.IC", 0x0800_1234, None),
        ("SCB.DC", 0x2000_0040, None),
        ("SCB.DC", 0xA0, 2),
        ("SCB.DC", 0x2000_0060, None),
        ("SCB.DC", 0xFE0, 3),
    ]
    other = Bench("cortex-m4")
    other.control.on_invalidate = lambda *what: pytest.fail(f"{what}")
    other.write(0xE000EF50, 0)
