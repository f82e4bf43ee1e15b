"""The parts that UARTs share."""

from __future__ import annotations

import pytest

from devices.fakeports import FakePorts
from vtarget.shell.devices.uart import DmaRequests, Shifter, baud_of, parity_bit


@pytest.mark.parametrize(
    ("value", "odd", "bit"), [(0, False, 0), (0, True, 1), (7, False, 1), (7, True, 0), (0xFF, True, 1)]
)
def test_parity(value: int, odd: bool, bit: int) -> None:
    assert parity_bit(value, odd) == bit


def test_baud() -> None:
    clock = FakePorts(core_hz=16_000_000).clock
    assert (baud_of(clock, 139), baud_of(clock, 0)) == (115108, 0)


def test_chained_bytes_lose_no_time_to_late_events() -> None:
    ports = FakePorts()
    ends: list[int] = []
    queue = list(b"bc")

    def done() -> None:
        ends.append(ports.cycle)
        ports.cycle += 3  # the block in which the event fell due ends later
        if queue:
            shifter.load(queue.pop(0), 100)

    shifter = Shifter(ports.clock, ports.wire.send, done)
    shifter.load(ord("a"), 100)
    ports.advance(1000)
    assert (bytes(ports.wire.sent), ends) == (b"abc", [100, 200, 300])


def test_a_stopped_frame_and_an_idle_frame_send_nothing() -> None:
    ports = FakePorts()
    shifter = Shifter(ports.clock, ports.wire.send, lambda: None)
    shifter.load(1, 100)
    shifter.stop()
    shifter.load(None, 50)
    assert shifter.busy
    ports.advance(200)
    assert (bytes(ports.wire.sent), shifter.busy) == (b"", False)


def test_a_frame_keeps_its_clock_and_the_next_takes_the_new_one() -> None:
    ports = FakePorts()
    queue = [2]
    shifter = Shifter(ports.clock, ports.wire.send, lambda: shifter.load(queue.pop(), 10) if queue else None)
    shifter.load(1, 10)
    shifter.clock = ports.fixed_clock(100_000)
    ports.advance(10)
    assert ports.wire.sent == b"\1"
    ports.advance(89)
    assert ports.wire.sent == b"\1"
    ports.advance(11)
    assert ports.wire.sent == b"\1\2"


def test_a_request_that_is_answered_at_once_ends_low() -> None:
    ports = FakePorts(name="U")
    requests = DmaRequests(ports)
    seen: list[bool] = []

    def answer(level: bool) -> None:
        seen.append(level)
        if level:
            requests.set(False, False)

    ports.watch_signal("U_TX", answer)
    requests.set(True, True)
    assert seen == [True, False]
    assert ports.signals == {"U_TX": False}
