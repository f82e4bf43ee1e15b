"""nRF random number generator (nRF52840 PS 6.19): one byte after the other, each with VALRDY.

The first byte takes 128 us more; a byte takes 30 us, 120 us with bias correction (PS 6.19.3, recalled). Bytes come from
``prng.Pcg32`` (option ``seed``, 1 by default), so every run sees the same ones; correction changes their time only.
"""

from __future__ import annotations

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.nrf_events import NrfEvents
from vtarget.shell.devices.pins import number_option
from vtarget.shell.devices.prng import Pcg32

START, STOP, SHORTS, CONFIG, VALUE = 0x000, 0x004, 0x200, 0x504, 0x508
VALRDY = 0
VALRDY_STOP, DERCEN = 1, 1
START_US, RAW_US, CORRECTED_US = 128, 30, 120


class NrfRng(NrfEvents):
    """The generator."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._bytes = Pcg32(number_option(ports, "seed", 1))
        self._clock = ports.fixed_clock(1_000_000)
        self._alarm: Alarm | None = None

    def task(self, offset: int) -> None:
        """START and STOP."""
        if offset == START and self._alarm is None:
            self._schedule(START_US)
        elif offset == STOP and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def changed(self, offset: int, value: int) -> None:
        """VALUE is read only."""
        if offset != VALUE:
            self.words[offset] = value

    def _schedule(self, start_us: int) -> None:
        corrected = self.words.get(CONFIG, 0) & DERCEN
        byte_us = CORRECTED_US if corrected else RAW_US
        self._alarm = self._clock.at(self._clock.ticks + start_us + byte_us, self._ready)

    def _ready(self) -> None:
        self.words[VALUE] = self._bytes.next() & 0xFF
        self._alarm = None
        if not self.words.get(SHORTS, 0) & VALRDY_STOP:
            self._schedule(0)
        self.set_event(VALRDY)


MODELS = {"": NrfRng}
