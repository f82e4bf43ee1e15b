"""nRF RTC: nRF52840 PS 6.22, and an RTC stepped count by count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.shell.devices.nrf_rtc import (
    CLEAR,
    COUNTER,
    EVTEN,
    EVTENCLR,
    EVTENSET,
    PRESCALER,
    START,
    STOP,
    TRIGOVRFLW,
    NrfRtc,
)
from vtarget.shell.devices.nrf_timer import CC, COMPARE, INTENCLR, INTENSET

EVENTS_TICK, EVENTS_OVRFLW = 0x100, 0x104
HZ = 32_768


def started(ports: FakePorts, *, prescaler: int = 0) -> NrfRtc:
    rtc = NrfRtc(ports)
    rtc.write(PRESCALER, 4, prescaler)
    rtc.write(START, 4, 1)
    return rtc


def test_counts_the_low_frequency_clock() -> None:
    """64 MHz / 32.768 kHz is 1953.125 cycles: after a second the count is exact."""
    ports = FakePorts(core_hz=64_000_000, clock_hz=HZ)
    rtc = started(ports)
    ports.advance(64_000_000 - 1)
    assert rtc.read(COUNTER, 4) == HZ - 1
    ports.advance(1)
    assert rtc.read(COUNTER, 4) == HZ


def test_the_prescaler_divides_by_one_more_and_waits_for_a_start() -> None:
    ports = FakePorts(core_hz=HZ, clock_hz=HZ)
    rtc = started(ports, prescaler=327)
    rtc.write(PRESCALER, 4, 0)
    ports.advance(328 * 5)
    assert rtc.read(COUNTER, 4) == 5
    rtc.write(CLEAR, 4, 1)
    ports.advance(5)
    assert rtc.read(COUNTER, 4) == 5


def test_compare_interrupts() -> None:
    ports = FakePorts(core_hz=HZ, clock_hz=HZ)
    rtc = started(ports)
    rtc.write(CC + 4, 4, 100)
    rtc.write(INTENSET, 4, 1 << 17)
    ports.advance(99)
    assert not ports.irq
    ports.advance(1)
    assert ports.irq and rtc.read(COMPARE + 4, 4) == 1
    rtc.write(COMPARE + 4, 4, 0)
    assert not ports.irq
    ports.advance(1 << 24)
    assert [cycle for cycle, _, level in ports.irq_log if level] == [100, 100 + (1 << 24)]


def test_events_that_nothing_enables_are_not_raised() -> None:
    ports = FakePorts(core_hz=HZ, clock_hz=HZ)
    rtc = started(ports)
    rtc.write(CC, 4, 10)
    rtc.write(CC + 4, 4, 20)
    rtc.write(EVTENSET, 4, 1 << 17)
    ports.advance(100)
    assert [rtc.read(offset, 4) for offset in (EVENTS_TICK, COMPARE, COMPARE + 4)] == [0, 0, 1]
    assert not ports.irq


def test_evten_is_set_and_cleared_by_bits() -> None:
    rtc = NrfRtc(FakePorts())
    rtc.write(EVTENSET, 4, 0b11)
    rtc.write(EVTENCLR, 4, 0b01)
    assert [rtc.read(offset, 4) for offset in (EVTEN, EVTENSET, EVTENCLR)] == [2, 2, 2]
    rtc.write(INTENSET, 4, 0x30000)
    rtc.write(INTENCLR, 4, 0x10000)
    assert rtc.read(INTENSET, 4) == 0x20000


def test_overflow_soon_after_its_trigger() -> None:
    ports = FakePorts(core_hz=HZ, clock_hz=HZ)
    rtc = started(ports)
    rtc.write(INTENSET, 4, 2)
    rtc.write(TRIGOVRFLW, 4, 1)
    assert rtc.read(COUNTER, 4) == 0xFFFFF0
    ports.advance(15)
    assert not ports.irq
    ports.advance(1)
    assert ports.irq and rtc.read(EVENTS_OVRFLW, 4) == 1 and rtc.read(COUNTER, 4) == 0


def test_tick_interrupts_with_every_count() -> None:
    ports = FakePorts(core_hz=HZ, clock_hz=HZ)
    rtc = started(ports, prescaler=9)
    rtc.write(INTENSET, 4, 1)
    for _ in range(3):
        ports.advance(10)
        assert ports.irq
        rtc.write(EVENTS_TICK, 4, 0)
    assert [cycle for cycle, _, level in ports.irq_log if level] == [10, 20, 30]


def test_stands_still_while_its_clock_does() -> None:
    ports = FakePorts(core_hz=HZ, clock="LFCLK")
    ports.set_clocks({"LFCLK": 0})
    rtc = started(ports)
    rtc.write(CC, 4, 5)
    rtc.write(INTENSET, 4, 1 << 16)
    ports.advance(1000)
    assert rtc.read(COUNTER, 4) == 0 and not ports.irq
    ports.set_clocks({"LFCLK": HZ})
    ports.advance(5)
    assert rtc.read(COUNTER, 4) == 5 and ports.irq


def test_refuses_other_channels() -> None:
    with pytest.raises(InputError, match="device RTC0: an RTC has 1 to 4 channels"):
        NrfRtc(FakePorts(name="RTC0", options={"channels": 0}))


WRITES = st.one_of(
    st.tuples(st.sampled_from([START, STOP, CLEAR, TRIGOVRFLW]), st.just(1)),
    st.tuples(st.sampled_from([CC, CC + 4]), st.sampled_from([0, 1, 5, 20, 0xFFFFF8])),
    st.tuples(st.just(PRESCALER), st.integers(0, 3)),
    st.tuples(st.sampled_from([EVENTS_TICK, EVENTS_OVRFLW, COMPARE, COMPARE + 4]), st.just(0)),
)


@given(
    inten=st.sampled_from([0, 1, 2, 1 << 16, 3 << 16, 2 | 1 << 17]),
    steps=st.lists(st.tuples(st.integers(0, 90), WRITES), max_size=14),
)
def test_equals_the_rtc_stepped_tick_by_tick(inten: int, steps: list[tuple[int, tuple[int, int]]]) -> None:
    ports = FakePorts(core_hz=HZ, clock_hz=HZ)
    rtc = NrfRtc(ports)
    rtc.write(INTENSET, 4, inten)
    words = {CC: 0, CC + 4: 0, PRESCALER: 0}
    running, count, phase, divider, events = False, 0, 0, 1, 0
    for cycles, (offset, value) in steps:
        for _ in range(cycles if running else 0):
            phase += 1
            if phase == divider:
                phase, count = 0, (count + 1) % (1 << 24)
                raised = 1 | (count == 0) << 1
                raised |= sum((words[CC + 4 * n] == count) << 16 + n for n in range(2))
                events |= raised & inten
        ports.advance(cycles)
        assert ports.irq == bool(events & inten)
        assert rtc.read(COUNTER, 4) == count
        rtc.write(offset, 4, value)
        if offset in words:
            words[offset] = value
        elif offset >= EVENTS_TICK:
            events &= ~(1 << (offset - EVENTS_TICK) // 4)
        else:
            if offset in (CLEAR, TRIGOVRFLW) or (offset == START and not running):
                phase, divider = 0, words[PRESCALER] + 1
            count = {CLEAR: 0, TRIGOVRFLW: 0xFFFFF0}.get(offset, count)
            running = {START: True, STOP: False}.get(offset, running)
