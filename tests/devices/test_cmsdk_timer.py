"""The CMSDK APB timer: DDI 0479, 4.3, and the steps of its counter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.cmsdk_timer import CTRL, INTSTATUS, RELOAD, VALUE, CmsdkTimer


def started(ports: FakePorts, *, value: int = 0, reload: int = 0, ctrl: int = 0b1001) -> CmsdkTimer:
    timer = CmsdkTimer(ports)
    timer.write(RELOAD, 4, reload)
    timer.write(VALUE, 4, value)
    timer.write(CTRL, 4, ctrl)
    return timer


def test_counts_down_and_reloads_after_zero() -> None:
    ports = FakePorts()
    timer = started(ports, value=3, reload=2)
    seen = []
    for _ in range(8):
        seen.append(timer.read(VALUE, 4))
        ports.advance(1)
    assert seen == [3, 2, 1, 0, 2, 1, 0, 2]


def test_interrupts_with_the_step_to_zero_and_once_a_period() -> None:
    ports = FakePorts()
    timer = started(ports, value=9, reload=9)
    ports.advance(8)
    assert (ports.irq, timer.read(INTSTATUS, 4)) == (False, 0)
    ports.advance(1)
    assert (ports.irq, timer.read(INTSTATUS, 4)) == (True, 1)
    timer.write(INTSTATUS, 4, 1)
    assert not ports.irq
    ports.advance(1000)
    assert [cycle for cycle, _, level in ports.irq_log if level] == [9, 19]


def test_a_pending_interrupt_needs_no_more_events() -> None:
    ports = FakePorts()
    started(ports, value=9, reload=9)
    ports.advance(9)
    assert ports.irq and ports.schedule.take_due(1 << 60) is None


def test_without_interrupt_enable_nothing_becomes_pending_or_is_scheduled() -> None:
    ports = FakePorts()
    timer = started(ports, value=3, reload=3, ctrl=0b0001)
    assert ports.schedule.take_due(1 << 60) is None
    ports.advance(100)
    assert timer.read(INTSTATUS, 4) == 0
    assert timer.read(VALUE, 4) == 3


def test_reload_zero_stops_at_zero() -> None:
    ports = FakePorts()
    timer = started(ports, value=5, reload=0)
    ports.advance(50)
    assert (timer.read(VALUE, 4), ports.irq) == (0, True)


def test_disabled_it_holds_its_value() -> None:
    ports = FakePorts()
    timer = started(ports, value=100, reload=100)
    ports.advance(10)
    timer.write(CTRL, 1, 0)
    ports.advance(500)
    assert timer.read(VALUE, 4) == 90


def test_external_input_is_noted() -> None:
    ports = FakePorts(name="TIMER0")
    started(ports, value=1, ctrl=0b0011)
    assert ports.notes == ["TIMER0: the timer's external input is not modelled; it counts its clock"]


def test_identifies_itself_as_the_timer_of_the_design_kit() -> None:
    timer = CmsdkTimer(FakePorts())
    assert [timer.read(0xFE0 + 4 * i, 4) for i in range(8)] == [0x22, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1]


ACTIONS = st.one_of(
    st.tuples(st.just(VALUE), st.integers(0, 12)),
    st.tuples(st.just(RELOAD), st.integers(0, 12)),
    st.tuples(st.just(CTRL), st.sampled_from([0, 1, 8, 9])),
    st.tuples(st.just(INTSTATUS), st.integers(0, 1)),
)


@given(steps=st.lists(st.tuples(st.integers(0, 40), ACTIONS), max_size=12))
def test_equals_the_timer_stepped_tick_by_tick(steps: list[tuple[int, tuple[int, int]]]) -> None:
    ports = FakePorts()
    timer = CmsdkTimer(ports)
    model = {CTRL: 0, VALUE: 0, RELOAD: 0, INTSTATUS: 0}
    for cycles, (offset, value) in steps:
        for _ in range(cycles):
            if model[CTRL] & 1:
                if model[CTRL] & 8 and model[VALUE] == 1:
                    model[INTSTATUS] = 1
                model[VALUE] = model[VALUE] - 1 if model[VALUE] else model[RELOAD]
        ports.advance(cycles)
        assert ports.irq == bool(model[INTSTATUS])
        assert {register: timer.read(register, 4) for register in model} == model
        timer.write(offset, 4, value)
        model[offset] = model[offset] & ~value & 1 if offset == INTSTATUS else value
