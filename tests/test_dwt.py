"""The cycle counter and its neighbours, with literal values (DDI 0403 C1.8; lock: DDI 0489)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from systemlib import Bench

DWT_CTRL, CYCCNT, LAR, LSR, DEMCR = 0xE0001000, 0xE0001004, 0xE0001FB0, 0xE0001FB4, 0xE000EDFC
CPICNT, EXCCNT, SLEEPCNT = 0xE0001008, 0xE000100C, 0xE0001010
TRCENA = 1 << 24
KEY = 0xC5ACCE55


def counting(core: str = "cortex-m4") -> Bench:
    bench = Bench(core)
    bench.write(DEMCR, TRCENA)
    bench.write(DWT_CTRL, 1)
    return bench


def test_cycle_counter_counts_from_being_enabled() -> None:
    bench = Bench()
    bench.cycles = 1000
    assert bench.read(CYCCNT) == 0
    bench.write(DEMCR, TRCENA)
    bench.write(DWT_CTRL, 1)
    bench.cycles = 1234
    assert bench.read(CYCCNT) == 234
    assert bench.read(CYCCNT) == 234
    assert bench.block.clock_reads == 3


@pytest.mark.parametrize(("register", "off", "on"), [(DWT_CTRL, 0, 1), (DEMCR, 0, TRCENA)])
def test_cycle_counter_freezes_while_it_is_off(register: int, off: int, on: int) -> None:
    bench = counting()
    bench.cycles = 50
    bench.write(register, off)
    bench.cycles = 80
    assert bench.read(CYCCNT) == 50
    bench.write(register, on)
    bench.cycles = 95
    assert bench.read(CYCCNT) == 65


@pytest.mark.parametrize("traced", [False, True])
def test_cycle_counter_keeps_a_value_written_while_it_is_off(traced: bool) -> None:
    bench = Bench()
    bench.write(DEMCR, TRCENA if traced else 0)
    bench.cycles = 30
    bench.write(CYCCNT, 77)
    bench.cycles = 90
    assert bench.read(CYCCNT) == 77
    bench.write(DEMCR, TRCENA)
    bench.write(DWT_CTRL, 1)
    bench.cycles = 93
    assert bench.read(CYCCNT) == 80


def test_cycle_counter_takes_a_value_and_wraps() -> None:
    bench = counting()
    bench.cycles = 10
    bench.write(CYCCNT, 0xFFFFFFF0)
    bench.cycles = 25
    assert bench.read(CYCCNT) == 0xFFFFFFFF
    bench.cycles = 26
    assert bench.read(CYCCNT) == 0
    bench.cycles = 10 + 16 + (1 << 32) + 7
    assert bench.read(CYCCNT) == 7


def test_parts_of_the_cycle_counter_can_be_read() -> None:
    bench = counting()
    bench.cycles = 0x11223344
    assert [bench.read(CYCCNT + i, 1) for i in range(4)] == [0x44, 0x33, 0x22, 0x11]
    assert (bench.read(CYCCNT, 2), bench.read(CYCCNT + 2, 2)) == (0x3344, 0x1122)


def test_one_access_asks_the_clock_once_at_most() -> None:
    bench = counting()
    for access, most in (
        (lambda: bench.read(CYCCNT), 1),
        (lambda: bench.write(CYCCNT, 0), 1),
        (lambda: bench.write(DWT_CTRL, 1), 1),
        (lambda: bench.write(DEMCR, TRCENA), 1),
        (lambda: bench.read(DWT_CTRL), 0),
        (lambda: bench.read(LSR), 0),
    ):
        bench.questions = 0
        access()
        assert bench.questions == most


def test_control_register_tells_of_comparators_and_keeps_its_enable_bit() -> None:
    bench = counting()
    assert bench.read(DWT_CTRL) == 0x40000001
    bench.write(DWT_CTRL, 0xFFFFFFFE)
    assert bench.read(DWT_CTRL) == 0x400C0000  # EXCEVTENA and SLEEPEVTENA stick too
    bench.write(DWT_CTRL, 0)
    assert bench.read(DWT_CTRL) == 0x40000000


def test_dwt_of_m7_is_locked_until_it_gets_the_key() -> None:
    bench = counting("cortex-m7")
    assert bench.read(LSR) == 3
    bench.cycles = 100
    assert bench.read(CYCCNT) == 0
    assert set(bench.notes) == {
        "writes to the DWT ignored: it is locked, and the firmware did not give its DWT_LAR the key"
    }
    bench.write(LAR, KEY)
    assert bench.read(LSR) == 1
    bench.write(DWT_CTRL, 1)
    bench.cycles = 130
    assert bench.read(CYCCNT) == 30
    bench.write(LAR, 0)
    bench.write(CYCCNT, 0)
    assert (bench.read(LSR), bench.read(CYCCNT)) == (3, 30)
    assert bench.read(LAR) == 0


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m33"])
def test_dwt_of_other_cores_has_no_lock(core: str) -> None:
    bench = counting(core)
    bench.cycles = 5
    assert (bench.read(LSR), bench.read(CYCCNT)) == (0, 5)
    assert bench.notes == [] and bench.block.untouched == {}


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m0plus"])
def test_baseline_cores_have_no_cycle_counter(core: str) -> None:
    bench = counting(core)
    bench.cycles = 100
    assert bench.read(CYCCNT) == 0
    assert bench.block.untouched == {DWT_CTRL: 1, CYCCNT: 1}
    assert bench.block.clock_reads == 0


def test_sleep_and_exception_overhead_are_counted_in_eight_bits() -> None:
    bench = counting()
    bench.asleep, bench.overhead = 300, 22
    assert (bench.read(SLEEPCNT), bench.read(EXCCNT)) == (300 - 256, 22)
    bench.write(SLEEPCNT, 0)
    bench.write(EXCCNT, 250)
    bench.asleep, bench.overhead = 305, 32
    assert (bench.read(SLEEPCNT), bench.read(EXCCNT)) == (5, 250 + 10 - 256)


def test_counters_that_do_not_count_say_so() -> None:
    bench = counting()
    assert bench.read(CPICNT) == 0
    assert bench.notes == ["DWT CPICNT does not count: it reads as 0"]


@given(st.lists(st.tuples(st.sampled_from(["pass", "on", "off", "set"]), st.integers(0, 1 << 33)), max_size=30))
def test_the_counter_is_the_sum_of_the_time_it_was_on(steps: list[tuple[str, int]]) -> None:
    bench, on, expected = Bench(), False, 0
    bench.write(DEMCR, TRCENA)
    for what, value in steps:
        if what == "pass":
            bench.cycles += value
            expected += value if on else 0
        elif what == "set":
            bench.write(CYCCNT, value & 0xFFFFFFFF)
            expected = value
        else:
            on = what == "on"
            bench.write(DWT_CTRL, int(on))
        assert bench.read(CYCCNT) == expected & 0xFFFFFFFF
