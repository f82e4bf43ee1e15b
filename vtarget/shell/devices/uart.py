"""What UARTs have in common: the transmit shift register, the parity bit, the baud rate and the DMA requests."""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.clocks import Alarm, Clock
from vtarget.shell.devices.device import Ports

MOST_DRAINED = 4096  # bytes: more than any FIFO, less than a DMA without end


def parity_bit(value: int, odd: bool) -> int:
    """The bit that makes the number of ones even, or odd."""
    return (value.bit_count() & 1) ^ odd


def baud_of(clock: Clock, bit_ticks: float) -> int:
    """Bits per second when a bit takes that many ticks; 0 where it never ends."""
    return round(clock.hz / bit_ticks) if bit_ticks else 0


class Shifter:
    """A transmit shift register. A byte is handed to ``send`` when its last stop bit is over; ``done`` follows.

    A byte loaded by ``done`` starts at the tick at which the last one ended, however late the event was handled.
    ``clock`` may be replaced; a frame on its way keeps the clock it began with.
    """

    def __init__(self, clock: Clock, send: Callable[[int], None], done: Callable[[], None]) -> None:
        self.clock = clock
        self.busy = False
        self._send = send
        self._done = done
        self._byte: int | None = None
        self._end = 0
        self._chained: Clock | None = None
        self._alarm: Alarm | None = None

    def load(self, byte: int | None, frame_ticks: int) -> None:
        """Shift a byte out; its frame takes ``frame_ticks``. None is an idle frame, which sends nothing."""
        clock = self.clock
        self._end = (self._end if self._chained is clock else clock.ticks) + max(1, frame_ticks)
        self._byte = byte
        self.busy = True
        self._alarm = clock.at(self._end, lambda: self._finish(clock))

    def drain(self) -> None:
        """Send at once what is on its way and what follows it, as the line would after the core has stopped."""
        for _ in range(MOST_DRAINED):
            if not self.busy or self._alarm is None:
                return
            self._alarm.cancel()
            self._finish(self.clock)

    def stop(self) -> None:
        """Lose the frame that is being shifted."""
        if self._alarm is not None:
            self._alarm.cancel()
        self.busy = False

    def _finish(self, clock: Clock) -> None:
        self.busy = False
        if self._byte is not None:
            self._send(self._byte)
        self._chained = clock
        self._done()
        self._chained = None


class DmaRequests:
    """The request signals ``<name>_TX`` and ``<name>_RX``. A DMA answers within ``set``, and may change them."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._wanted = (False, False)
        self._driven = [False, False]

    def set(self, transmit: bool, receive: bool) -> None:
        """Drive both signals."""
        if (transmit, receive) == self._wanted:
            return
        self._wanted = (transmit, receive)
        for index, suffix in enumerate(("TX", "RX")):
            if self._driven[index] != self._wanted[index]:
                self._driven[index] = self._wanted[index]
                self._ports.set_signal(f"{self._ports.name}_{suffix}", self._driven[index])
