"""nRF TIMER (nRF52840 PS 6.30): counts 16 MHz / 2^PRESCALER, or COUNT tasks, and compares with up to six CC registers.

A compare event comes when the counter arrives at CC, so neither writing CC nor CLEAR brings one. With the shortcut
COMPARE[n]_CLEAR the counter is back at zero in that same count: the period is CC. Option ``channels``: CC registers, 6
by default (TIMER0 to TIMER2 have 4). Tasks and events don't reach the PPI.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from vtarget.base.errors import InputError
from vtarget.shell.devices.counter import Counter, counts_until, earliest
from vtarget.shell.devices.device import Ports, WordDevice

START, STOP, COUNT, CLEAR, SHUTDOWN, CAPTURE = 0x000, 0x004, 0x008, 0x00C, 0x010, 0x040
EVENTS, COMPARE, EVENTS_END = 0x100, 0x140, 0x180
SHORTS, INTENSET, INTENCLR, MODE, BITMODE, PRESCALER, CC = 0x200, 0x304, 0x308, 0x504, 0x508, 0x510, 0x540
WIDTHS = (16, 8, 24, 32)  # by BITMODE
SHORT_STOP = 8  # COMPARE[n]_STOP is bit 8 + n of SHORTS, COMPARE[n]_CLEAR bit n
FIRST = 16  # COMPARE[0]'s bit of INTEN
CLOCK_HZ = 16_000_000


class NrfCounting(WordDevice, ABC):
    """What TIMER and RTC have in common: tasks, events with their interrupts, CC registers and a counter."""

    def __init__(self, ports: Ports, counter: Counter, channels: int, modulus: int) -> None:
        super().__init__(ports)
        self._counter = counter
        self._channels = range(channels)
        self._modulus = modulus
        self._count = 0
        self._events = 0  # by bit of INTEN: (offset - 0x100) / 4
        self._inten = 0

    def read_word(self, offset: int) -> int:
        """Tasks read as zero, events as one bit."""
        if EVENTS <= offset < EVENTS_END:
            self.catch_up()
            return self._events >> (offset - EVENTS >> 2) & 1
        if offset in (INTENSET, INTENCLR):
            return self._inten
        return 0 if offset < EVENTS else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects, and zeros don't set or clear bits."""
        return 0 if offset in (INTENSET, INTENCLR) else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._advance(self._counter.take())
        if offset < EVENTS:
            if value & 1:
                self.task(offset)
        elif offset < EVENTS_END:
            if not value & 1:
                self._events &= ~(1 << (offset - EVENTS >> 2))
        elif offset == INTENSET:
            self._inten |= value
        elif offset == INTENCLR:
            self._inten &= ~value
        else:
            self.words[offset] = value
            self.changed(offset)
        self._refresh()

    @abstractmethod
    def task(self, offset: int) -> None:
        """A task is triggered; what has passed is already taken."""

    def changed(self, offset: int) -> None:
        """A register was written that is neither task nor event."""

    def catch_up(self) -> None:
        """Bring the state up to now."""
        self._advance(self._counter.take())
        self._refresh()

    @abstractmethod
    def _advance(self, counts: int) -> None: ...

    @abstractmethod
    def _counts_to(self, bit: int) -> int | None:
        """Counts until an event, by its bit; None for never."""

    def _cc(self, channel: int) -> int:
        return self.words.get(CC + 4 * channel, 0) % self._modulus

    def _until(self, channel: int) -> int:
        """Counts until the counter arrives at a CC register, if nothing clears or stops it before."""
        return counts_until(self._count, self._cc(channel), self._modulus)

    def _mark(self, counts: int) -> None:
        """Raise the compare events of the next ``counts`` counts."""
        for channel in self._channels:
            if self._until(channel) <= counts:
                self._events |= 1 << FIRST + channel

    def _refresh(self) -> None:
        self.ports.set_irq(bool(self._events & self._inten))
        awaited = self._inten & ~self._events
        bits = (bit for bit in range(awaited.bit_length()) if awaited >> bit & 1)
        self._counter.call_after(earliest(map(self._counts_to, bits)))


class NrfTimer(NrfCounting):
    """One TIMER."""

    def __init__(self, ports: Ports) -> None:
        channels = ports.options.get("channels", 6)
        if channels not in range(1, 7):
            raise InputError(f"device {ports.name}: a TIMER has 1 to 6 channels")
        self._clock = ports.fixed_clock(CLOCK_HZ)
        super().__init__(ports, Counter(self._clock, self.catch_up, divider=16), int(channels), 1 << WIDTHS[0])
        self.words[PRESCALER] = 4
        self._started = False

    def task(self, offset: int) -> None:
        """START to SHUTDOWN, and CAPTURE[n]."""
        if offset in (START, STOP, SHUTDOWN):
            self._run(offset == START)
        elif offset == COUNT and self._started and self.words.get(MODE, 0):
            self._advance(1)
        elif offset == CLEAR:
            self._count = 0
            self._counter.restart()
        elif (offset - CAPTURE) // 4 in self._channels:
            self.words[CC + offset - CAPTURE] = self._count

    def changed(self, offset: int) -> None:
        """Width and prescaler; the manual allows to write them while the timer is stopped."""
        if offset == BITMODE:
            self._modulus = 1 << WIDTHS[self.words[BITMODE] & 3]
            self._count %= self._modulus
        elif offset == PRESCALER:
            self._counter.set_clock(self._clock, 1 << min(self.words[PRESCALER] & 0xF, 9))
        elif offset == MODE:
            self._run(self._started)

    def _run(self, started: bool) -> None:
        self._started = started
        self._counter.run(started and not self.words.get(MODE, 0))

    def _shorted(self, kind: int) -> list[int]:
        shorts = self.words.get(SHORTS, 0)
        return [channel for channel in self._channels if shorts >> kind + channel & 1]

    def _advance(self, counts: int) -> None:
        """From one shortcut to the next; equal periods are left out."""
        while counts:
            clears, stops = self._shorted(0), self._shorted(SHORT_STOP)
            step = min(map(self._until, clears + stops), default=counts + 1)
            if step > counts:
                self._mark(counts)
                self._count = (self._count + counts) % self._modulus
                return
            stop = any(self._until(channel) == step for channel in stops)
            clear = any(self._until(channel) == step for channel in clears)
            self._mark(step)
            self._count = 0 if clear else (self._count + step) % self._modulus
            counts -= step
            if stop:
                self._run(False)
                return
            period = min(map(self._until, clears + stops))
            if counts >= 2 * period and all(self._until(channel) > period for channel in stops):
                self._mark(period)
                counts %= period

    def _counts_to(self, bit: int) -> int | None:
        channel = bit - FIRST
        if channel not in self._channels:
            return None
        here = self._until(channel)
        stops = min(map(self._until, self._shorted(SHORT_STOP)), default=self._modulus)
        clears = min(map(self._until, self._shorted(0)), default=self._modulus)
        if here <= min(stops, clears):
            return here
        again = self._cc(channel) or self._modulus
        period = min(self._cc(n) or self._modulus for n in self._shorted(0) + self._shorted(SHORT_STOP))
        return clears + again if clears < stops and again <= period else None


MODELS = {"": NrfTimer}
