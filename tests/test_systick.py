"""SysTick with literal values (DDI 0403 B3.3), and against a model that counts tick by tick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from systemlib import Bench

from vtarget.data.exceptions import Vector

CSR, RVR, CVR, CALIB, ICSR = 0xE000E010, 0xE000E014, 0xE000E018, 0xE000E01C, 0xE000ED04
ENABLE, TICKINT, CORE_CLOCK, FLAG = 1, 2, 4, 1 << 16


def ticking(reload: int, control: int = ENABLE | CORE_CLOCK) -> Bench:
    bench = Bench()
    bench.advance(500)
    bench.write(RVR, reload)
    bench.write(CVR, 1)
    bench.write(CSR, control)
    return bench


def read_at(bench: Bench, register: int, times: tuple[int, ...]) -> list[int]:
    """The register at these cycles after it was started."""
    seen = []
    for after in times:
        bench.advance(500 + after - bench.cycles)
        seen.append(bench.read(register))
    return seen


def test_systick_counts_down_from_its_reload_value() -> None:
    assert read_at(ticking(9), CVR, (0, 1, 2, 9, 10, 11, 20, 21, 1_000_001)) == [0, 9, 8, 1, 0, 9, 0, 9, 9]


def test_systick_flags_each_time_it_counts_to_zero_until_that_is_read() -> None:
    seen = read_at(ticking(9), CSR, (0, 9, 10, 10, 19, 20, 45, 46))
    assert seen == [5, 5, 0x10005, 5, 5, 0x10005, 0x10005, 5]


def test_reading_the_counter_does_not_clear_the_flag() -> None:
    bench = ticking(9)
    bench.advance(12)
    assert (bench.read(CVR), bench.read(CSR), bench.read(CSR)) == (8, 0x10005, 5)


def test_writing_the_systick_counter_clears_it_and_its_flag() -> None:
    bench = ticking(9)
    bench.advance(15)
    bench.write(CVR, 0x1234)
    assert (bench.read(CVR), bench.read(CSR)) == (0, 5)
    bench.advance(3)
    assert bench.read(CVR) == 7


def test_systick_holds_its_value_while_it_is_off() -> None:
    bench = ticking(100)
    bench.advance(31)
    bench.write(CSR, CORE_CLOCK)
    bench.advance(900 - 531)
    assert bench.read(CVR) == 70
    bench.write(CSR, ENABLE | CORE_CLOCK)
    bench.advance(10)
    assert bench.read(CVR) == 60
    bench.advance(60)
    assert (bench.read(CVR), bench.read(CSR)) == (0, 0x10005)
    bench.advance(1)
    assert bench.read(CVR) == 100


def test_a_new_reload_value_counts_from_the_next_wrap() -> None:
    bench = ticking(9)
    bench.advance(3)
    bench.write(RVR, 99)
    bench.advance(7)
    assert bench.read(CVR) == 0
    bench.advance(1)
    assert bench.read(CVR) == 99


@pytest.mark.parametrize("control", [ENABLE | CORE_CLOCK, ENABLE | CORE_CLOCK | TICKINT])
def test_a_reload_value_of_zero_stops_systick_at_zero(control: int) -> None:
    bench = ticking(9, control)
    bench.advance(5)
    bench.write(RVR, 0)
    bench.advance(10_000 - 505)
    assert (bench.read(CVR), bench.read(CSR)) == (0, FLAG | control)
    bench.advance(10_000)
    assert (bench.read(CVR), bench.read(CSR)) == (0, control)
    assert bench.ticks_pended == ([510] if control & TICKINT else [])


def test_systick_is_24_bits_wide() -> None:
    bench = ticking(0xFF123456)
    assert bench.read(RVR) == 0x123456
    bench.advance(1)
    assert bench.read(CVR) == 0x123456


def test_systick_runs_on_the_reference_clock_unless_told_otherwise() -> None:
    """A microsecond is eight cycles of the bench's core; the first ends 4 cycles after the start."""
    bench = ticking(9, ENABLE)
    assert read_at(bench, CVR, (0, 3, 4, 11, 12, 75, 76, 84)) == [0, 0, 9, 9, 8, 1, 0, 9]


def test_its_interrupt_comes_when_it_reaches_zero() -> None:
    """From 0 it takes the reload value one tick later, so the first period has one tick more (B3.3.1)."""
    bench = ticking(9, ENABLE | CORE_CLOCK | TICKINT)
    bench.advance(9)
    assert not bench.nvic.pending >> Vector.SYSTICK & 1
    bench.advance(1)
    assert bench.nvic.pending >> Vector.SYSTICK & 1
    bench.advance(25)
    assert bench.ticks_pended == [510, 520, 530]


def test_its_interrupt_follows_the_reference_clock() -> None:
    bench = ticking(4, ENABLE | TICKINT)
    bench.advance(100)
    assert bench.ticks_pended == [504 + 4 * 8, 504 + 9 * 8] == [536, 576]


def test_no_interrupt_without_tickint() -> None:
    bench = ticking(9)
    bench.advance(100)
    assert bench.ticks_pended == [] and bench.nvic.pending == 0


def test_a_tick_late_in_its_block_is_not_lost_when_the_block_writes_systick() -> None:
    """The counter passed zero before the write; the event that tells of it would only run after the block."""
    for register, value in ((CSR, 0), (CVR, 0), (RVR, 99), (CSR, ENABLE | CORE_CLOCK)):
        bench = ticking(9, ENABLE | CORE_CLOCK | TICKINT)
        bench.cycles = 513
        bench.write(register, value)
        bench.run_due()
        assert len(bench.ticks_pended) == 1
        assert bench.nvic.pending >> Vector.SYSTICK & 1


def test_a_tick_read_before_its_event_ran_pends_once() -> None:
    bench = ticking(9, ENABLE | CORE_CLOCK | TICKINT)
    bench.cycles = 513
    assert bench.read(CVR) == 7
    bench.run_due()
    assert len(bench.ticks_pended) == 1
    assert bench.read(CSR) == FLAG | 7
    bench.advance(7)
    assert (bench.ticks_pended[-1], len(bench.ticks_pended)) == (520, 2)


def test_a_pended_tick_can_be_set_and_cleared_by_hand() -> None:
    bench = Bench()
    bench.write(ICSR, 1 << 26)
    assert bench.nvic.pending == 1 << Vector.SYSTICK
    bench.write(ICSR, 1 << 25)
    assert bench.nvic.pending == 0


def test_calibration_reads_as_unknown() -> None:
    assert Bench().read(CALIB) == 0


class CountingModel:
    """SysTick, one tick at a time."""

    def __init__(self) -> None:
        self.control = self.reload = self.count = 0
        self.flag = False
        self.pended = 0

    def tick(self) -> None:
        if not self.control & ENABLE:
            return
        if self.count == 0:
            self.count = self.reload
            return
        self.count -= 1
        if self.count == 0:
            self.flag = True
            self.pended += bool(self.control & TICKINT)


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 40)),
    st.tuples(st.just("late"), st.integers(0, 8)),
    st.tuples(st.just("reload"), st.integers(0, 12)),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("control"), st.sampled_from([4, 5, 6, 7])),
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("flag"), st.just(0)),
)


@given(st.lists(STEPS, max_size=30))
def test_systick_is_what_counting_tick_by_tick_gives(steps: list[tuple[str, int]]) -> None:
    """Time passes with its events on time, or (late) with what follows before them, as inside a block of code."""
    bench, model = Bench(), CountingModel()
    bench.write(CSR, CORE_CLOCK)
    model.control = CORE_CLOCK
    for what, value in steps:
        if what in ("pass", "late"):
            bench.cycles += value
            if what == "pass":
                bench.run_due()
            for _ in range(value):
                model.tick()
        elif what == "reload":
            bench.write(RVR, value)
            model.reload = value
        elif what == "clear":
            bench.write(CVR, 7)
            model.count, model.flag = 0, False
        elif what == "control":
            bench.write(CSR, value)
            model.control = value
        elif what == "read":
            assert bench.read(CVR) == model.count
        else:
            assert bench.read(CSR) == model.control | (FLAG if model.flag else 0)
            model.flag = False
    bench.run_due()
    assert bench.read(CVR) == model.count
    assert bool(bench.nvic.pending >> Vector.SYSTICK & 1) == (model.pended > 0)
