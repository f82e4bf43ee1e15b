"""RP2040 crystal oscillator: STATUS.STABLE comes after the start-up delay, and with it the clock ``XOSC``.

RP2040 datasheet 2.16. Options: ``xosc_hz`` (12 MHz).
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option

CTRL, STATUS, DORMANT, STARTUP, COUNT = 0x00, 0x04, 0x08, 0x0C, 0x1C
DISABLE, ENABLE = 0xD1E, 0xFAB
FREQ_RANGES = range(0xAA0, 0xAA4)
COMA, WAKE = 0x636F6D61, 0x77616B65
STABLE, BADWRITE, ENABLED = 1 << 31, 1 << 24, 1 << 12


def publish_source(ports: Ports, name: str, hz: int) -> None:
    """A new frequency of an oscillator or PLL; those that ``watch_source`` it are told."""
    ports.set_clocks({name: hz})
    ports.set_signal(f"{name}_CHANGED", True)
    ports.set_signal(f"{name}_CHANGED", False)


def watch_source(ports: Ports, name: str, action: Callable[[int], None]) -> None:
    """Call ``action(hz)`` after an oscillator or PLL has published a new frequency."""
    ports.watch_signal(f"{name}_CHANGED", lambda level: action(ports.named_clock(name).hz) if level else None)


class Rp2040Xosc(WordDevice):
    """The delay is STARTUP.DELAY (times 4 with X4) times 256 periods of the crystal."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.hz = number_option(ports, "xosc_hz", 12_000_000)
        self.words = {CTRL: DISABLE << 12 | 0xAA0, DORMANT: WAKE, STARTUP: 0xC4}
        self._crystal = ports.fixed_clock(self.hz)
        self._enabled = self._stable = self._badwrite = False
        self._starting: Alarm | None = None
        self._count_end = 0

    def frequencies(self) -> dict[str, int]:
        """At reset: the crystal is off."""
        return {"XOSC": 0}

    def read_word(self, offset: int) -> int:
        """STATUS, and COUNT on its way to zero."""
        if offset == STATUS:
            return self._stable * STABLE | self._badwrite * BADWRITE | self._enabled * ENABLED
        if offset == COUNT:
            return max(0, self._count_end - self._crystal.ticks) if self._count_end else 0
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """CTRL enables with 0xfab and disables with 0xd1e; any other value there changes nothing."""
        if offset == STATUS:
            self._badwrite &= not value & BADWRITE
        elif offset == COUNT:
            self._count_end = self._crystal.ticks + (value & 0xFF) if value & 0xFF and self._stable else 0
        else:
            self.words[offset] = value
        if offset == CTRL:
            self._control(value >> 12 & 0xFFF, value & 0xFFF)
        elif offset == DORMANT and value == COMA:
            self.ports.note(f"{self.ports.name}: dormant mode is not modelled")
        elif offset == DORMANT and value != WAKE:
            self._badwrite = True

    def _control(self, enable: int, freq_range: int) -> None:
        if enable not in (ENABLE, DISABLE) or freq_range not in FREQ_RANGES:
            self._badwrite = True
        if enable == ENABLE and not self._enabled:
            self._enabled = True
            startup = self.words[STARTUP]
            delay = (startup & 0x3FFF) * 256 * (4 if startup >> 20 & 1 else 1)
            self._starting = self._crystal.at(self._crystal.ticks + delay, self._started)
        elif enable == DISABLE and self._enabled:
            self._enabled = False
            if self._starting is not None:
                self._starting.cancel()
            if self._stable:
                self._stable = False
                publish_source(self.ports, "XOSC", 0)

    def _started(self) -> None:
        self._stable = True
        publish_source(self.ports, "XOSC", self.hz)


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Xosc}
