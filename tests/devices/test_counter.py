"""The counting that the timer models share, against a clock that a tree changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.counter import Counter, counts_until, earliest


def counter(ports: FakePorts, *, divider: int = 1) -> tuple[Counter, list[int]]:
    calls: list[int] = []
    made = Counter(ports.clock, lambda: calls.append(ports.cycle), divider=divider)
    return made, calls


def test_counts_every_fourth_tick_and_keeps_its_phase_while_stopped() -> None:
    ports = FakePorts()
    made, _ = counter(ports, divider=4)
    ports.advance(3)
    assert made.take() == 0
    made.run(True)
    ports.advance(6)
    assert made.take() == 1
    made.run(False)
    ports.advance(100)
    assert made.take() == 0
    made.run(True)
    ports.advance(1)
    assert made.take() == 0
    ports.advance(1)
    assert made.take() == 1


def test_a_restart_makes_a_whole_count_lie_ahead() -> None:
    ports = FakePorts()
    made, _ = counter(ports, divider=10)
    made.run(True)
    ports.advance(9)
    assert made.take() == 0
    made.restart()
    ports.advance(9)
    assert made.take() == 0
    ports.advance(1)
    assert made.take() == 1


def test_another_divider_keeps_the_ticks_into_the_count() -> None:
    ports = FakePorts()
    made, _ = counter(ports, divider=16)
    made.run(True)
    ports.advance(6)
    assert made.take() == 0
    made.set_clock(ports.clock, 4)
    ports.advance(2)
    assert made.take() == 1


def test_calls_once_when_the_counts_have_passed_and_not_after_a_stop() -> None:
    ports = FakePorts()
    made, calls = counter(ports, divider=5)
    made.run(True)
    made.call_after(3)
    made.call_after(3)
    ports.advance(100)
    assert calls == [15]
    made.take()
    made.call_after(1)
    made.run(False)
    ports.advance(100)
    assert calls == [15]


def test_the_call_moves_with_the_clock() -> None:
    ports = FakePorts(clock="PCLK1")
    made, calls = counter(ports)
    made.run(True)
    made.call_after(100)
    ports.advance(50)
    ports.set_clocks({"PCLK1": 500_000})
    ports.advance(99)
    assert (made.take(), calls) == (99, [])
    ports.advance(1)
    assert (made.take(), calls) == (1, [150])


def test_earliest_takes_none_for_never() -> None:
    assert earliest([None, 5, 3]) == 3
    assert earliest([None]) is None


@given(value=st.integers(0, 15), target=st.integers(0, 15))
def test_counts_until_is_what_stepping_finds(value: int, target: int) -> None:
    steps = counts_until(value, target, 16)
    assert 1 <= steps <= 16 and (value + steps) % 16 == target


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from(["take", "stop", "start", "slow", "fast"])), max_size=12
    )
)
def test_no_tick_is_lost_between_takes(steps: list[tuple[int, str]]) -> None:
    ports = FakePorts(clock="PCLK1")
    made, _ = counter(ports, divider=3)
    counted = ticks = 0
    before = ports.clock.ticks
    for cycles, what in steps:
        ports.advance(cycles)
        ticks += (ports.clock.ticks - before) if made.running else 0
        before = ports.clock.ticks
        counted += made.take()
        if what in ("stop", "start"):
            made.run(what == "start")
        elif what in ("slow", "fast"):
            ports.set_clocks({"PCLK1": 250_000 if what == "slow" else 1_000_000})
        assert counted == ticks // 3
