"""The CMSDK APB dual timer: DDI 0479, 4.4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.cmsdk_dualtimer import BGLOAD, CONTROL, INTCLR, LOAD, MIS, RIS, VALUE, CmsdkDualTimer

EN, PERIODIC, IE, WIDE, ONCE = 0x80, 0x40, 0x20, 0x02, 0x01
SECOND = 0x20


def test_reset_values() -> None:
    timer = CmsdkDualTimer(FakePorts())
    assert [timer.read(offset, 4) for offset in (LOAD, CONTROL, RIS, MIS)] == [0, 0x20, 0, 0]
    timer.write(CONTROL, 4, WIDE)
    assert timer.read(VALUE, 4) == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("mode", "after"), [(PERIODIC | WIDE, 10), (WIDE, 0xFFFFFFFF), (0, 0xFFFF), (ONCE | WIDE, 0), (ONCE | PERIODIC, 0)]
)
def test_what_follows_zero_depends_on_the_mode(mode: int, after: int) -> None:
    ports = FakePorts()
    timer = CmsdkDualTimer(ports)
    timer.write(LOAD, 4, 10)
    timer.write(CONTROL, 4, EN | mode)
    ports.advance(10)
    assert (timer.read(VALUE, 4), timer.read(RIS, 4), timer.read(MIS, 4)) == (0, 1, 0)
    ports.advance(1)
    assert timer.read(VALUE, 4) == after


@pytest.mark.parametrize(("prescale", "divider"), [(0, 1), (1, 16), (2, 256)])
def test_prescaler(prescale: int, divider: int) -> None:
    ports = FakePorts()
    timer = CmsdkDualTimer(ports)
    timer.write(LOAD, 4, 100)
    timer.write(CONTROL, 4, EN | PERIODIC | WIDE | prescale << 2)
    ports.advance(40 * divider - 1)
    assert timer.read(VALUE, 4) == 61
    ports.advance(1)
    assert timer.read(VALUE, 4) == 60


def test_each_counter_has_a_line_and_both_share_one() -> None:
    ports = FakePorts()
    timer = CmsdkDualTimer(ports)
    timer.write(LOAD, 4, 99)
    timer.write(SECOND + LOAD, 4, 149)
    for half in (0, SECOND):
        timer.write(half + CONTROL, 4, EN | PERIODIC | IE | WIDE)
    ports.advance(120)
    assert (ports.irqs["TIMINT1"], ports.irqs["TIMINT2"], ports.irq) == (True, False, True)
    ports.advance(40)
    timer.write(INTCLR, 4, 0)
    assert (ports.irqs["TIMINT1"], ports.irqs["TIMINT2"], ports.irq) == (False, True, True)
    timer.write(SECOND + INTCLR, 4, 0)
    assert not ports.irq
    assert ports.irq_log[0] == (99, "TIMINT1", True)
    ports.advance(1000)
    assert [cycle for cycle, line, level in ports.irq_log if line == "TIMINT1" and level] == [99, 199]


def test_background_load_takes_effect_after_zero() -> None:
    ports = FakePorts()
    timer = CmsdkDualTimer(ports)
    timer.write(LOAD, 4, 5)
    timer.write(CONTROL, 4, EN | PERIODIC | WIDE)
    timer.write(BGLOAD, 4, 50)
    assert (timer.read(LOAD, 4), timer.read(VALUE, 4)) == (50, 5)
    ports.advance(6)
    assert timer.read(VALUE, 4) == 50


def test_a_load_of_zero_interrupts_at_once() -> None:
    ports = FakePorts()
    timer = CmsdkDualTimer(ports)
    timer.write(LOAD, 4, 0)
    timer.write(CONTROL, 4, EN | PERIODIC | IE | WIDE)
    ports.advance(1)
    assert ports.irq


@given(
    load=st.integers(0, 9),
    mode=st.sampled_from([PERIODIC, PERIODIC | ONCE, ONCE]),
    prescale=st.integers(0, 1),
    steps=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=10),
)
def test_equals_the_counter_stepped_tick_by_tick(
    load: int, mode: int, prescale: int, steps: list[tuple[int, bool]]
) -> None:
    ports = FakePorts()
    timer = CmsdkDualTimer(ports)
    timer.write(LOAD, 4, load)
    timer.write(CONTROL, 4, EN | IE | WIDE | mode | prescale << 2)
    value, pending, phase = load, False, 0
    for cycles, clear in steps:
        for _ in range(cycles):
            phase = (phase + 1) % 16**prescale
            if phase == 0:
                was, value = value, value - 1 if value else 0 if mode & ONCE else load
                pending = pending or was == 1 or (was == load == 0 and not mode & ONCE)
        ports.advance(cycles)
        assert ports.irq == pending
        assert timer.read(VALUE, 4) == value
        if clear:
            timer.write(INTCLR, 4, 1)
            pending = False
