"""nRF RTC (nRF52840 PS 6.22): a 24-bit counter at 32.768 kHz with a 12-bit prescaler, TICK, OVRFLW and COMPARE.

It runs at the device's own clock, which stands still while the low-frequency clock doesn't run. An event is raised only
while EVTEN or INTEN enables it. The prescaler is taken over by START, CLEAR and TRIGOVRFLW. Tasks work at once; on the
chip they wait for up to two edges of the clock. Option ``channels``: CC registers, 4 by default (RTC0 has 3).
"""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.shell.devices.counter import Counter
from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.nrf_timer import CC, FIRST, NrfCounting

START, STOP, CLEAR, TRIGOVRFLW = 0x000, 0x004, 0x008, 0x00C
EVTEN, EVTENSET, EVTENCLR, COUNTER, PRESCALER = 0x340, 0x344, 0x348, 0x504, 0x508
TICK, OVRFLW = 1 << 0, 1 << 1
MODULUS = 1 << 24
BEFORE_OVERFLOW = 0xFFFFF0


class NrfRtc(NrfCounting):
    """One RTC."""

    def __init__(self, ports: Ports) -> None:
        channels = ports.options.get("channels", 4)
        if channels not in range(1, 5):
            raise InputError(f"device {ports.name}: an RTC has 1 to 4 channels")
        super().__init__(ports, Counter(ports.clock, self.catch_up), int(channels), MODULUS)

    def read_word(self, offset: int) -> int:
        """COUNTER, and the three views of EVTEN."""
        if offset == COUNTER:
            self.catch_up()
            return self._count
        return super().read_word(EVTEN if offset in (EVTENSET, EVTENCLR) else offset)

    def peek_word(self, offset: int) -> int:
        """For narrow writes."""
        return 0 if offset in (EVTENSET, EVTENCLR) else super().peek_word(offset)

    def task(self, offset: int) -> None:
        """START, STOP, CLEAR and TRIGOVRFLW."""
        if offset in (CLEAR, TRIGOVRFLW):
            self._count = 0 if offset == CLEAR else BEFORE_OVERFLOW
        if offset == STOP:
            self._counter.run(False)
        elif offset in (CLEAR, TRIGOVRFLW) or (offset == START and not self._counter.running):
            self._counter.set_clock(self.ports.clock, (self.words.get(PRESCALER, 0) & 0xFFF) + 1)
            self._counter.restart()
        if offset == START:
            self._counter.run(True)

    def changed(self, offset: int) -> None:
        """EVTENSET and EVTENCLR change EVTEN; CC has 24 bits."""
        if offset in (EVTENSET, EVTENCLR):
            value, enabled = self.words.pop(offset), self.words.get(EVTEN, 0)
            self.words[EVTEN] = enabled | value if offset == EVTENSET else enabled & ~value
        elif offset >= CC:
            self.words[offset] &= MODULUS - 1

    def _advance(self, counts: int) -> None:
        if not counts:
            return
        before = self._events
        self._mark(counts)
        self._events |= TICK | (OVRFLW if self._count + counts >= MODULUS else 0)
        self._events &= before | self._inten | self.words.get(EVTEN, 0)
        self._count = (self._count + counts) % MODULUS

    def _counts_to(self, bit: int) -> int | None:
        if bit < 2:
            return 1 if bit == 0 else MODULUS - self._count
        return self._until(bit - FIRST) if bit - FIRST in self._channels else None


MODELS = {"": NrfRtc}
