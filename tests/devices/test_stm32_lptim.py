"""STM32 LPTIM: RM0432 33 and RM0456 57, and a timer stepped count by count."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_lptim import (
    ARR,
    ARRM,
    ARROK,
    CFGR,
    CMP,
    CMPM,
    CMPOK,
    CNT,
    CNTSTRT,
    COUNTRST,
    CR,
    DIEROK,
    ENABLE,
    ICR,
    IER,
    ISR,
    PRELOAD,
    RCR,
    SNGSTRT,
    Stm32Lptim,
)

LSE = 32_768


def started(ports: FakePorts, *, arr: int, cmp: int = 0xFFFF, cfgr: int = 0, start: int = CNTSTRT) -> Stm32Lptim:
    timer = Stm32Lptim(ports)
    timer.write(CFGR, 4, cfgr)
    timer.write(CR, 4, ENABLE)
    timer.write(ARR, 4, arr)
    timer.write(CMP, 4, cmp)
    timer.write(CR, 4, ENABLE | start)
    return timer


def test_reset_values() -> None:
    timer = Stm32Lptim(FakePorts())
    assert [timer.read(r, 4) for r in (ISR, IER, CFGR, CR, CMP, ARR, CNT)] == [0, 0, 0, 0, 0, 1, 0]


def test_a_periodic_interrupt_from_the_crystal() -> None:
    ports = FakePorts(core_hz=4_000_000, clock_hz=LSE)
    timer = Stm32Lptim(ports)
    timer.write(IER, 4, ARRM)
    timer.write(CR, 4, ENABLE)
    timer.write(ARR, 4, LSE - 1)
    timer.write(CR, 4, ENABLE | CNTSTRT)
    ports.advance(3_999_800)
    assert not ports.irq
    for _ in range(3):
        ports.advance(4_000_000)
        assert ports.irq
        timer.write(ICR, 4, ARRM)
        assert not ports.irq
    assert timer.read(CNT, 4) == LSE - 2


@pytest.mark.parametrize("code", range(8))
def test_prescaler(code: int) -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = started(ports, arr=0xFFFF, cfgr=code << 9)
    ports.advance(100 * 2**code - 1)
    assert timer.read(CNT, 4) == 99
    ports.advance(1)
    assert timer.read(CNT, 4) == 100


def test_compare_match_comes_before_the_reload() -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = started(ports, arr=99, cmp=40)
    ports.advance(39)
    assert timer.read(ISR, 4) & (CMPM | ARRM) == 0
    ports.advance(1)
    assert timer.read(ISR, 4) & (CMPM | ARRM) == CMPM
    ports.advance(59)
    assert timer.read(ISR, 4) & (CMPM | ARRM) == CMPM | ARRM
    ports.advance(1)
    assert timer.read(CNT, 4) == 0


def test_single_mode_counts_one_period() -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = started(ports, arr=99, start=SNGSTRT)
    ports.advance(1000)
    assert (timer.read(CNT, 4), timer.read(ISR, 4) & ARRM) == (0, ARRM)
    timer.write(CR, 4, ENABLE | SNGSTRT)
    ports.advance(7)
    assert timer.read(CNT, 4) == 7


def test_writes_are_confirmed_after_kernel_clocks_and_need_the_timer_enabled() -> None:
    ports = FakePorts(core_hz=LSE * 10, clock_hz=LSE)
    timer = Stm32Lptim(ports)
    timer.write(ARR, 4, 50)
    assert timer.read(ARR, 4) == 1
    timer.write(IER, 4, CMPOK)
    timer.write(CR, 4, ENABLE)
    timer.write(ARR, 4, 50)
    timer.write(CMP, 4, 5)
    ports.advance(19)
    assert timer.read(ISR, 4) == 0
    ports.advance(1)
    assert timer.read(ISR, 4) == ARROK | CMPOK and ports.irq
    timer.write(ICR, 4, ARROK | CMPOK)
    assert timer.read(ISR, 4) == 0


def test_preloaded_values_wait_for_the_end_of_the_period() -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = started(ports, arr=99, cfgr=PRELOAD)
    timer.write(ARR, 4, 49)
    ports.advance(99)
    assert timer.read(CNT, 4) == 99
    ports.advance(51)
    assert timer.read(CNT, 4) == 0


def test_disabling_and_countrst_zero_the_counter() -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = started(ports, arr=99)
    ports.advance(30)
    timer.write(CR, 4, ENABLE | COUNTRST)
    ports.advance(10)
    assert timer.read(CNT, 4) == 10
    timer.write(CR, 4, 0)
    ports.advance(10)
    assert timer.read(CNT, 4) == 0


def test_u5_confirms_interrupt_enables() -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = make_device("stm32_lptim.u5", ports)
    timer.write(CR, 4, ENABLE)
    timer.write(IER, 4, ARRM)
    assert timer.read(ISR, 4) == 0
    ports.advance(2)
    assert timer.read(ISR, 4) == DIEROK


def test_notes_what_is_not_modelled() -> None:
    ports = FakePorts(name="LPTIM1")
    timer = Stm32Lptim(ports)
    timer.write(CFGR, 4, 1 | 1 << 17 | 1 << 24)
    timer.write(RCR, 4, 3)
    assert len(ports.notes) == 4
    assert ports.notes[0] == "LPTIM1: the external clock is not modelled"


WRITES = st.one_of(
    st.tuples(st.just(ARR), st.integers(1, 12)),
    st.tuples(st.just(CMP), st.integers(0, 12)),
    st.tuples(st.just(ICR), st.integers(0, 3)),
    st.tuples(st.just(CR), st.sampled_from([ENABLE | CNTSTRT, ENABLE | SNGSTRT, ENABLE | CNTSTRT | COUNTRST])),
)


@settings(max_examples=200)
@given(
    preload=st.sampled_from([0, PRELOAD]),
    steps=st.lists(st.tuples(st.integers(0, 60), WRITES, st.booleans()), max_size=12),
)
def test_equals_the_timer_stepped_count_by_count(preload: int, steps: list[tuple[int, tuple[int, int], bool]]) -> None:
    ports = FakePorts(core_hz=LSE, clock_hz=LSE)
    timer = Stm32Lptim(ports)
    timer.write(IER, 4, 3)
    timer.write(CFGR, 4, preload)
    timer.write(CR, 4, ENABLE)
    timer.write(ARR, 4, 9)
    timer.write(CMP, 4, 4)
    timer.write(CR, 4, ENABLE | CNTSTRT)
    words, used = {ARR: 9, CMP: 4}, {ARR: 9, CMP: 4}
    count, flags, running, single = 0, 0, True, False
    for cycles, (offset, value), look in steps:
        for _ in range(cycles if running else 0):
            wraps = count in (used[ARR], 0xFFFF)
            count = 0 if wraps else count + 1
            flags |= CMPM if count == used[CMP] else 0
            flags |= ARRM if count == used[ARR] else 0
            if wraps:
                used = dict(words)
                if single:
                    running = False
                    break
        ports.advance(cycles)
        assert ports.irq == bool(flags)
        if look:
            assert (timer.read(CNT, 4), timer.read(ISR, 4) & 3) == (count, flags)
        timer.write(offset, 4, value)
        if offset == ICR:
            flags &= ~value
        elif offset == CR:
            count = 0 if value & COUNTRST else count
            running, single = True, not value & CNTSTRT
        else:
            words[offset] = value
            used = dict(words) if not running or not preload else used
