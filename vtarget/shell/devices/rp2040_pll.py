"""RP2040 PLL: CS.LOCK comes after a lock time; the output is a clock with the device's name (PLL_SYS, PLL_USB).

RP2040 datasheet 2.18. Options: ``lock_us`` (the lock time; nobody publishes it, 50 is assumed).
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option
from vtarget.shell.devices.rp2040_resets import on_reset
from vtarget.shell.devices.rp2040_xosc import publish_source, watch_source

CS, PWR, FBDIV_INT, PRIM = 0x0, 0x4, 0x8, 0xC
LOCK, BYPASS, REFDIV = 1 << 31, 1 << 8, 0x3F
VCOPD, POSTDIVPD, PD = 1 << 5, 1 << 3, 1 << 0
RESET_WORDS = {CS: 1, PWR: 0x2D, FBDIV_INT: 0, PRIM: 0x77000}
VCO_RANGE_HZ = range(750_000_000, 1_600_000_001)  # register CS; older editions allowed 400 MHz
FBDIVS = range(16, 321)


class Rp2040Pll(WordDevice):
    """output = XOSC / REFDIV * FBDIV / (POSTDIV1 * POSTDIV2), once the VCO is powered and locked."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = dict(RESET_WORDS)
        self._locked = False
        self._locking: Alarm | None = None
        self._time = ports.fixed_clock(1_000_000)
        self._lock_us = number_option(ports, "lock_us", 50)
        self._hz = self._crystal_hz = 0
        self._vco = (0, 0, 0)  # reference, FBDIV and power that the VCO is locked to, or locking
        on_reset(ports, self._reset)
        watch_source(ports, "XOSC", self._on_crystal)

    def frequencies(self) -> dict[str, int]:
        """At reset: powered down."""
        return {self.ports.name: 0}

    def read_word(self, offset: int) -> int:
        """CS with LOCK."""
        return super().read_word(offset) | (LOCK if offset == CS and self._locked else 0)

    def write_word(self, offset: int, value: int) -> None:
        """A change of the reference, the feedback divisor or the power loses the lock."""
        masks = {CS: BYPASS | REFDIV, PWR: 0x2D, FBDIV_INT: 0xFFF, PRIM: 0x77000}
        self.words[offset] = value & masks.get(offset, 0xFFFFFFFF)
        self._update()

    def _reset(self) -> None:
        self.words = dict(RESET_WORDS)
        self._update()

    def _on_crystal(self, hz: int) -> None:
        self._crystal_hz = hz
        self._update()

    def _update(self) -> None:
        divider, fbdiv = self.words[CS] & REFDIV, self.words[FBDIV_INT]
        powered = not self.words[PWR] & (PD | VCOPD)
        vco = (self._crystal_hz // divider if divider else 0, fbdiv, int(powered))
        if vco != self._vco:
            self._vco = vco
            self._locked = False
            if self._locking is not None:
                self._locking.cancel()
            if all(vco):
                self._check(vco[0] * fbdiv, fbdiv)
                self._locking = self._time.at(self._time.ticks + self._lock_us, self._lock)
        self._publish()

    def _check(self, vco_hz: int, fbdiv: int) -> None:
        if vco_hz not in VCO_RANGE_HZ or fbdiv not in FBDIVS:
            self.ports.note(f"{self.ports.name}: a VCO at {vco_hz} Hz, x {fbdiv}, is outside what the chip allows")

    def _lock(self) -> None:
        self._locked = True
        self._publish()

    def _publish(self) -> None:
        reference_hz, fbdiv, _ = self._vco
        divider = (self.words[PRIM] >> 16 & 7) * (self.words[PRIM] >> 12 & 7)
        hz = 0
        if self.words[CS] & BYPASS:
            hz = reference_hz
        elif self._locked and divider and not self.words[PWR] & POSTDIVPD:
            hz = reference_hz * fbdiv // divider
        if hz != self._hz:
            self._hz = hz
            publish_source(self.ports, self.ports.name, hz)


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Pll}
