"""RP2040 TIMER: datasheet 4.6."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.rp2040_timer import (
    ALARM0,
    ARMED,
    INTE,
    INTF,
    INTR,
    INTS,
    PAUSE,
    TIMEHR,
    TIMEHW,
    TIMELR,
    TIMELW,
    TIMERAWH,
    TIMERAWL,
    Rp2040Timer,
)


def ticking(*, core_hz: int = 125_000_000) -> tuple[Rp2040Timer, FakePorts]:
    ports = FakePorts(core_hz=core_hz, clock_hz=1_000_000, name="TIMER")
    timer = Rp2040Timer(ports)
    ports.set_signal("WATCHDOG_TICK", True)
    return timer, ports


def test_counts_microseconds_while_the_watchdog_ticks() -> None:
    ports = FakePorts(core_hz=125_000_000, clock_hz=1_000_000)
    timer = Rp2040Timer(ports)
    ports.advance(125_000)
    assert timer.read(TIMERAWL, 4) == 0
    ports.set_signal("WATCHDOG_TICK", True)
    ports.advance(125 * 500)
    assert timer.read(TIMERAWL, 4) == 500
    ports.set_signal("WATCHDOG_TICK", False)
    ports.advance(125 * 500)
    assert timer.read(TIMERAWL, 4) == 500


def test_reading_the_low_word_latches_the_high_one() -> None:
    timer, ports = ticking(core_hz=1_000_000)
    timer.write(TIMELW, 4, 0xFFFFFFFE)
    timer.write(TIMEHW, 4, 7)
    assert timer.read(TIMELR, 4) == 0xFFFFFFFE
    ports.advance(3)
    assert timer.read(TIMEHR, 4) == 7
    assert (timer.read(TIMERAWH, 4), timer.read(TIMERAWL, 4)) == (8, 1)
    assert (timer.read(TIMELR, 4), timer.read(TIMEHR, 4)) == (1, 8)


def test_an_alarm_interrupts_once_and_disarms() -> None:
    timer, ports = ticking()
    timer.write(INTE, 4, 0b0100)
    timer.write(ALARM0 + 8, 4, 1000)
    assert timer.read(ARMED, 4) == 0b0100
    ports.advance(125_000)
    assert ports.irqs["ALARM2"] and not ports.irqs["ALARM0"]
    assert [timer.read(r, 4) for r in (ARMED, INTR, INTS)] == [0, 4, 4]
    timer.write(INTR, 4, 4)
    assert not ports.irqs["ALARM2"]
    assert [(cycle, level) for cycle, _, level in ports.irq_log] == [(125_000, True), (125_000, False)]


def test_an_alarm_that_is_disarmed_does_not_fire() -> None:
    timer, ports = ticking()
    timer.write(INTE, 4, 1)
    timer.write(ALARM0, 4, 50)
    timer.write(ARMED, 4, 1)
    ports.advance(125 * 100)
    assert timer.read(INTR, 4) == 0 and ports.schedule.take_due(1 << 60) is None


def test_an_alarm_compares_the_lower_word_only() -> None:
    timer, ports = ticking(core_hz=1_000_000)
    ports.advance(1000)
    timer.write(INTE, 4, 1)
    timer.write(ALARM0, 4, 900)
    ports.advance((1 << 32) - 101)
    assert not ports.irqs["ALARM0"]
    ports.advance(1)
    assert ports.irqs["ALARM0"]


def test_pause_and_forced_interrupts() -> None:
    timer, ports = ticking()
    timer.write(PAUSE, 4, 1)
    ports.advance(125_000)
    assert timer.read(TIMERAWL, 4) == 0
    timer.write(PAUSE, 4, 0)
    ports.advance(125)
    assert timer.read(TIMERAWL, 4) == 1
    timer.write(INTF, 4, 0b1000)
    assert ports.irqs["ALARM3"] and timer.read(INTS, 4) == 8


def test_a_reset_of_the_block_starts_again() -> None:
    timer, ports = ticking()
    timer.write(ALARM0, 4, 1000)
    ports.advance(125 * 10)
    ports.set_signal("RESET_TIMER", True)
    assert [timer.read(r, 4) for r in (TIMERAWL, ARMED, INTE)] == [0, 0, 0]
    ports.advance(250)
    assert timer.read(TIMERAWL, 4) == 2


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from(["alarm", "disarm", "clear", "pause", "go", "tick off", "tick on"]),
            st.integers(0, 3),
            st.integers(0, 100),
        ),
        max_size=14,
    ),
    inte=st.integers(0, 15),
)
def test_equals_the_timer_stepped_by_microseconds(steps: list[tuple[int, str, int, int]], inte: int) -> None:
    timer, ports = ticking(core_hz=1_000_000)
    timer.write(INTE, 4, inte)
    alarms: dict[int, int] = {}
    time, raised, paused, tick = 0, 0, False, True
    for cycles, what, alarm, value in steps:
        for _ in range(0 if paused or not tick else cycles):
            time += 1
            for index in [index for index, at in alarms.items() if at == time]:
                raised |= 1 << index
                del alarms[index]
        ports.advance(cycles)
        assert [ports.irqs[f"ALARM{n}"] for n in range(4)] == [bool(raised & inte & 1 << n) for n in range(4)]
        assert [timer.read(r, 4) for r in (TIMELR, INTR, ARMED)] == [time, raised, sum(1 << n for n in alarms)]
        if what == "alarm":
            timer.write(ALARM0 + 4 * alarm, 4, value)
            alarms[alarm] = value
            if value == time:
                raised |= 1 << alarm
                del alarms[alarm]
        elif what == "disarm":
            timer.write(ARMED, 4, 1 << alarm)
            alarms.pop(alarm, None)
        elif what == "clear":
            timer.write(INTR, 4, 1 << alarm)
            raised &= ~(1 << alarm)
        elif what in ("pause", "go"):
            paused = what == "pause"
            timer.write(PAUSE, 4, paused)
        else:
            tick = what == "tick on"
            ports.set_signal("WATCHDOG_TICK", tick)
