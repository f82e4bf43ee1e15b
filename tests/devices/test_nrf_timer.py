"""nRF TIMER: nRF52840 PS 6.30, and a timer stepped count by count."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.base.errors import InputError
from vtarget.shell.devices.nrf_timer import (
    BITMODE,
    CAPTURE,
    CC,
    CLEAR,
    COMPARE,
    COUNT,
    INTENCLR,
    INTENSET,
    MODE,
    PRESCALER,
    SHORTS,
    START,
    STOP,
    NrfTimer,
)

MHZ_16 = 16_000_000


def timer(ports: FakePorts, *, prescaler: int = 0, bitmode: int = 3) -> NrfTimer:
    made = NrfTimer(ports)
    made.write(BITMODE, 4, bitmode)
    made.write(PRESCALER, 4, prescaler)
    return made


def count(device: NrfTimer) -> int:
    device.write(CAPTURE + 20, 4, 1)
    return device.read(CC + 20, 4)


def test_reset_values() -> None:
    device = NrfTimer(FakePorts())
    assert [device.read(r, 4) for r in (PRESCALER, BITMODE, MODE, SHORTS, INTENSET, COMPARE)] == [4, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("prescaler", [0, 4, 9])
def test_counts_sixteen_megahertz_divided(prescaler: int) -> None:
    ports = FakePorts(core_hz=64_000_000)
    device = timer(ports, prescaler=prescaler)
    device.write(START, 4, 1)
    ports.advance(4 * 1000 * 2**prescaler - 1)
    assert count(device) == 999
    ports.advance(1)
    assert count(device) == 1000


def test_a_periodic_interrupt_by_the_clear_shortcut() -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports, prescaler=4)
    device.write(CC, 4, 1000)
    device.write(SHORTS, 4, 1)
    device.write(INTENSET, 4, 1 << 16)
    device.write(START, 4, 1)
    for _ in range(3):
        ports.advance(16_000)
        assert ports.irq and device.read(COMPARE, 4) == 1
        device.write(COMPARE, 4, 0)
    assert [cycle for cycle, _, level in ports.irq_log if level] == [16_000, 32_000, 48_000]


def test_the_stop_shortcut_holds_the_counter_at_the_compare_value() -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports)
    device.write(CC + 4, 4, 50)
    device.write(SHORTS, 4, 1 << 9)
    device.write(START, 4, 1)
    ports.advance(500)
    assert (count(device), device.read(COMPARE + 4, 4)) == (50, 1)
    device.write(START, 4, 1)
    ports.advance(5)
    assert count(device) == 55


def test_counter_mode_counts_tasks() -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports)
    device.write(MODE, 4, 1)
    device.write(CC, 4, 3)
    device.write(INTENSET, 4, 1 << 16)
    device.write(COUNT, 4, 1)
    device.write(START, 4, 1)
    ports.advance(1000)
    for n in range(3):
        assert count(device) == n and not ports.irq
        device.write(COUNT, 4, 1)
    assert ports.irq


@pytest.mark.parametrize(("bitmode", "width"), [(0, 16), (1, 8), (2, 24), (3, 32)])
def test_widths(bitmode: int, width: int) -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports, bitmode=bitmode)
    device.write(START, 4, 1)
    ports.advance((1 << width) + 7)
    assert count(device) == 7


def test_stop_holds_and_clear_zeroes() -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports)
    device.write(START, 4, 1)
    ports.advance(40)
    device.write(STOP, 4, 1)
    ports.advance(100)
    assert count(device) == 40
    device.write(CLEAR, 4, 1)
    assert count(device) == 0


def test_writing_the_present_count_brings_no_event() -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports)
    device.write(START, 4, 1)
    ports.advance(40)
    device.write(CC, 4, 40)
    ports.advance(1000)
    assert device.read(COMPARE, 4) == 0


def test_events_drive_the_line_only_while_enabled() -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports)
    device.write(CC, 4, 10)
    device.write(START, 4, 1)
    assert ports.schedule.take_due(1 << 60) is None
    ports.advance(20)
    device.write(INTENSET, 4, 1 << 16)
    assert ports.irq and device.read(INTENCLR, 4) == 1 << 16
    device.write(INTENCLR, 4, 1 << 16)
    assert not ports.irq


def test_refuses_other_channels() -> None:
    with pytest.raises(InputError, match="device TIMER0: a TIMER has 1 to 6 channels"):
        NrfTimer(FakePorts(name="TIMER0", options={"channels": 7}))


WRITES = st.one_of(
    st.tuples(st.sampled_from([START, STOP, CLEAR]), st.just(1)),
    st.tuples(st.sampled_from([CC, CC + 4]), st.integers(0, 20)),
    st.tuples(st.just(SHORTS), st.sampled_from([0, 1, 2, 3, 1 << 8, 1 << 9, 1 | 1 << 9, 1 | 1 << 8])),
    st.tuples(st.sampled_from([COMPARE, COMPARE + 4]), st.just(0)),
)


@settings(max_examples=300)
@given(
    inten=st.integers(0, 3),
    steps=st.lists(st.tuples(st.integers(0, 700), WRITES, st.booleans()), max_size=12),
)
def test_equals_the_timer_stepped_count_by_count(inten: int, steps: list[tuple[int, tuple[int, int], bool]]) -> None:
    ports = FakePorts(core_hz=MHZ_16)
    device = timer(ports, bitmode=1)
    device.write(INTENSET, 4, inten << 16)
    device.write(START, 4, 1)
    running, counted, events = True, 0, [0, 0]
    words = {CC: 0, CC + 4: 0, SHORTS: 0}
    for cycles, (offset, value), look in steps:
        before = any(event and inten >> n & 1 for n, event in enumerate(events))
        rise = None
        for cycle in range(cycles if running else 0):
            counted = (counted + 1) % 256
            hits = [n for n in range(2) if words[CC + 4 * n] == counted]
            for n in hits:
                events[n] = 1
            if any(words[SHORTS] >> n & 1 for n in hits):
                counted = 0
            if rise is None and any(inten >> n & 1 for n in hits):
                rise = cycle + 1
            if any(words[SHORTS] >> 8 + n & 1 for n in hits):
                running = False
                break
        begin = ports.cycle
        ports.advance(cycles)
        rises = [cycle - begin for cycle, _, level in ports.irq_log if level and cycle > begin]
        assert rises == ([] if before or rise is None else [rise])
        if look:
            assert count(device) == counted
            assert [device.read(COMPARE + 4 * n, 4) for n in range(2)] == events
        device.write(offset, 4, value)
        if offset in words:
            words[offset] = value
        elif offset >= COMPARE:
            events[(offset - COMPARE) // 4] = 0
        else:
            running = {START: True, STOP: False, CLEAR: running}[offset]
            counted = 0 if offset == CLEAR else counted
