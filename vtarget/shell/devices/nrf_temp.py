"""nRF temperature sensor (nRF52840 PS 6.28): DATARDY comes 36 us after START (recalled).

Option ``celsius``: the die's temperature in whole degrees, 25 by default; TEMP counts quarters of a degree. The
calibration registers A0 to T4 behave as memory.
"""

from __future__ import annotations

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.nrf_events import NrfEvents
from vtarget.shell.devices.pins import number_option

START, STOP, TEMP = 0x000, 0x004, 0x508
DATARDY = 0
MEASURE_US = 36


class NrfTemp(NrfEvents):
    """The sensor."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._quarters = 4 * number_option(ports, "celsius", 25)
        self._clock = ports.fixed_clock(1_000_000)
        self._alarm: Alarm | None = None

    def task(self, offset: int) -> None:
        """START and STOP; a new START begins anew."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if offset == START:
            self._alarm = self._clock.at(self._clock.ticks + MEASURE_US, self._ready)

    def changed(self, offset: int, value: int) -> None:
        """TEMP is read only."""
        if offset != TEMP:
            self.words[offset] = value

    def _ready(self) -> None:
        self.words[TEMP] = self._quarters & 0xFFFFFFFF
        self._alarm = None
        self.set_event(DATARDY)


MODELS = {"": NrfTemp}
