"""Clocks: ticks of frequencies that change, exactly, and alarms at their tick. Also the schedule they stand on."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.shell.clocks import Clock, Clocks
from vtarget.shell.schedule import NEVER, Event, Schedule


class Time:
    """Core cycles that a test moves; events run at their own cycle."""

    def __init__(self, core_hz: int = 1_000_000, *, pinned: bool = False) -> None:
        self.cycle = 0
        self.schedule = Schedule()
        self.clocks = Clocks(self.schedule, lambda: self.cycle, core_hz, pinned=pinned)

    def advance(self, cycles: int) -> None:
        end = self.cycle + cycles
        while (event := self.schedule.take_due(end)) is not None:
            self.cycle = max(event.cycle, self.cycle)
            assert event.action is not None
            action, event.action = event.action, None
            action()
        self.cycle = end


# Schedule.


def test_events_come_in_order_of_time_and_then_of_arrival() -> None:
    schedule, ran = Schedule(), []
    for name, cycle in (("b", 20), ("a", 10), ("c", 20), ("d", 5)):
        schedule.at(cycle, lambda name=name: ran.append(name))  # type: ignore[misc]
    while (event := schedule.take_due(20)) is not None:
        assert event.action is not None
        event.action()
    assert ran == ["d", "a", "b", "c"]


def test_nothing_is_due_before_its_time() -> None:
    schedule = Schedule()
    assert (schedule.next_cycle, schedule.take_due(NEVER - 1)) == (NEVER, None)
    schedule.at(10, lambda: None)
    assert schedule.take_due(9) is None
    assert schedule.next_cycle == 10
    assert schedule.take_due(10) is not None
    assert schedule.next_cycle == NEVER


def test_a_cancelled_event_is_gone() -> None:
    schedule = Schedule()
    first, second = schedule.at(10, lambda: None), schedule.at(20, lambda: None)
    first.cancel()
    assert (first.pending, second.pending, schedule.next_cycle) == (False, True, 20)
    assert schedule.take_due(15) is None
    assert schedule.take_due(25) is second


def test_the_schedule_tells_when_the_next_event_moves_up_and_only_then() -> None:
    told: list[int] = []
    schedule = Schedule(lambda: told.append(schedule.next_cycle))
    for cycle in (50, 60, 40, 40, 45, 10):
        schedule.at(cycle, lambda: None)
    assert told == [50, 40, 10]


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=40), st.integers(0, 110))
def test_what_is_due_is_what_was_asked_for_and_not_cancelled(asked: list[tuple[int, bool]], now: int) -> None:
    schedule = Schedule()
    events = [schedule.at(cycle, lambda: None) for cycle, _ in asked]
    for event, (_, cancelled) in zip(events, asked, strict=True):
        if cancelled:
            event.cancel()
    due: list[Event] = []
    while (event_due := schedule.take_due(now)) is not None:
        due.append(event_due)
    expected = [e for e, (cycle, cancelled) in zip(events, asked, strict=True) if cycle <= now and not cancelled]
    assert due == sorted(expected, key=lambda e: e.cycle)
    assert schedule.next_cycle == min((c for c, cancelled in asked if c > now and not cancelled), default=NEVER)


# Clocks.


def test_names_and_dividers() -> None:
    clocks = Time(8_000_000).clocks
    assert (clocks.hz("HCLK"), clocks.hz("HCLK/8"), clocks.hz("PCLK1")) == (8_000_000, 1_000_000, 8_000_000)
    clocks.set({"PCLK1": 2_000_000})
    assert (clocks.hz("PCLK1"), clocks.hz("PCLK1/2"), clocks.hz("HCLK")) == (2_000_000, 1_000_000, 8_000_000)
    clocks.set({"HCLK": 16_000_000})
    assert (clocks.hz("HCLK/8"), clocks.hz("PCLK1"), clocks.core_hz) == (2_000_000, 2_000_000, 16_000_000)
    assert clocks.clock("HCLK") is clocks.clock("HCLK")
    assert clocks.fixed(5) is clocks.fixed(5)


def test_ticks_of_a_slow_clock_and_of_a_fast_one() -> None:
    time = Time(1_000_000)
    slow, fast = time.clocks.fixed(32_768), time.clocks.fixed(2_500_000)
    time.cycle = 1_000_000
    assert (slow.ticks, fast.ticks) == (32_768, 2_500_000)
    time.cycle = 30
    assert (slow.ticks, fast.ticks) == (0, 75)
    time.cycle = 31
    assert slow.ticks == 1  # 30.5 cycles each


def test_alarms_come_at_the_first_cycle_of_their_tick() -> None:
    time, seen = Time(1_000_000), []
    slow = time.clocks.fixed(32_768)
    for tick in (1, 2, 100, 32_768):
        slow.at(tick, lambda tick=tick: seen.append((tick, time.cycle)))  # type: ignore[misc]
    time.advance(1_000_000)
    assert seen == [(1, 31), (2, 62), (100, 3052), (32_768, 1_000_000)]


def test_an_alarm_in_the_past_comes_at_once() -> None:
    time, seen = Time(), []
    time.advance(100)
    time.clocks.clock("HCLK").at(50, lambda: seen.append(time.cycle))
    time.advance(0)
    assert seen == [100]


def test_a_clock_that_stands_still_keeps_its_ticks_and_its_alarms() -> None:
    time, seen = Time(1_000_000), []
    time.clocks.set({"LSE": 1000})
    clock = time.clocks.clock("LSE")
    alarm = clock.at(10, lambda: seen.append((time.cycle, clock.ticks)))
    time.advance(5500)
    time.clocks.set({"LSE": 0})
    time.advance(1_000_000)
    assert (clock.ticks, seen, alarm.pending) == (5, [], True)
    assert time.schedule.next_cycle == NEVER
    time.clocks.set({"LSE": 1000})
    time.advance(5000)
    assert seen == [(1_010_500, 10)]
    assert not alarm.pending


def test_an_alarm_can_be_cancelled_while_its_clock_stands_still() -> None:
    time, seen = Time(), []
    time.clocks.set({"LSE": 0})
    clock = time.clocks.clock("LSE")
    alarm = clock.at(3, lambda: seen.append(1))
    alarm.cancel()
    assert not alarm.pending
    time.clocks.set({"LSE": 1000})
    time.advance(1_000_000)
    assert seen == []


def test_the_core_s_clock_changes_how_many_cycles_a_tick_is() -> None:
    time, told = Time(1_000_000), []
    time.clocks.on_core_change = told.append
    clock = time.clocks.fixed(1000)
    seen: list[int] = []
    clock.at(4, lambda: seen.append(time.cycle))
    time.advance(2000)
    time.clocks.set({"HCLK": 4_000_000})
    time.clocks.set({"HCLK": 4_000_000})
    time.advance(20_000)
    assert (told, seen) == ([4_000_000], [2000 + 2 * 4000])


def test_a_pinned_core_keeps_its_clock_and_lets_the_others_change() -> None:
    time = Time(1_000_000, pinned=True)
    told: list[int] = []
    time.clocks.on_core_change = told.append
    time.clocks.set({"HCLK": 4_000_000, "PCLK": 2_000_000})
    assert (time.clocks.core_hz, time.clocks.hz("HCLK"), time.clocks.hz("PCLK")) == (1_000_000, 1_000_000, 2_000_000)
    assert told == []


HERTZ = st.sampled_from([0, 1, 32_768, 1_000_000, 4_000_000, 7_999_999, 48_000_000])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 200_000)),
        st.tuples(st.just("device"), HERTZ),
        st.tuples(st.just("core"), HERTZ.filter(bool)),
        st.tuples(st.just("alarm"), st.integers(0, 50_000)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    max_size=25,
)


@given(STEPS)
def test_ticks_and_alarms_through_any_changes(steps: list[tuple[str, int]]) -> None:
    """Ticks never go back, keep to exact arithmetic within one per change, and each alarm comes once, at its tick."""
    time = Time(1_000_000)
    clock = time.clocks.clock("TIM")
    exact, changes, device_hz, last = Fraction(0), 0, 1_000_000, 0
    time.clocks.set({"TIM": device_hz})
    fired: list[tuple[int, int]] = []
    alarms = []

    def ring(tick: int) -> None:
        assert clock.ticks >= tick
        assert time.cycle == 0 or clock._ticks_at(time.cycle - 1) < tick or tick <= asked_at[tick]
        fired.append((tick, clock.ticks))

    asked_at: dict[int, int] = {}
    cancelled = set()
    for what, value in steps:
        if what == "pass":
            exact += Fraction(value * device_hz, time.clocks.core_hz)
            time.advance(value)
        elif what in ("device", "core"):
            changes += 1
            device_hz = value if what == "device" else device_hz
            time.clocks.set({"TIM": value} if what == "device" else {"HCLK": value, "TIM": device_hz})
        elif what == "alarm":
            tick = clock.ticks + value
            if tick not in asked_at:
                asked_at[tick] = max(asked_at.get(tick, 0), clock.ticks, clock._base_tick)
                alarms.append((tick, clock.at(tick, lambda tick=tick: ring(tick))))  # type: ignore[misc]
        elif value < len(alarms):
            tick, alarm = alarms[value]
            if alarm.pending:
                alarm.cancel()
                cancelled.add(tick)
        assert clock.ticks >= last
        last = clock.ticks
        assert 0 <= exact - last < changes + 2
    for tick, alarm in alarms:
        rung = [at for t, at in fired if t == tick]
        assert len(rung) == (0 if tick in cancelled or tick > last else 1) or (tick == last and not rung)
        assert alarm.pending == (not rung and tick not in cancelled)


@pytest.mark.parametrize(("hz", "core_hz"), [(32_768, 120_000_000), (48_000_000, 4_000_000), (3, 7)])
def test_a_tick_s_first_cycle_is_what_it_says(hz: int, core_hz: int) -> None:
    clock: Clock = Time(core_hz).clocks.fixed(hz)
    for tick in range(1, 200):
        first = clock.cycle_of(tick)
        assert clock._ticks_at(first) >= tick > clock._ticks_at(first - 1)
