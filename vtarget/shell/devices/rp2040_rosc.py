"""RP2040 ring oscillator: the clock ``ROSC``, by its divider and range, and a seeded random bit.

RP2040 datasheet 2.17. Options: ``rosc_hz`` (6.5 MHz, nominal after reset), ``seed``.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option
from vtarget.shell.devices.rp2040_xosc import BADWRITE, COMA, DISABLE, ENABLE, ENABLED, STABLE, WAKE, publish_source

ROSC_HZ = 6_500_000
CTRL, FREQA, FREQB, DORMANT, DIV, PHASE, STATUS, RANDOMBIT, COUNT = range(0x00, 0x24, 4)
STAGES = {0xFA4: 8, 0xFA5: 6, 0xFA7: 4, 0xFA6: 2}  # delay stages of the ring by FREQ_RANGE
PASSWORD = 0x9696
DIV_PASS, RESET_DIVIDER = 0xAA0, 16
DIV_RUNNING = 1 << 16


class Rp2040Rosc(WordDevice):
    """Frequency follows the number of stages and DIV; what the drive strengths do to it isn't published."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {CTRL: 0xAA0, DORMANT: WAKE, DIV: DIV_PASS + RESET_DIVIDER, PHASE: 8}
        self._reset_hz = number_option(ports, "rosc_hz", ROSC_HZ)
        self._hz = self._reset_hz
        self._random = Random(number_option(ports, "seed", 1))
        self._enabled, self._stages, self._divider = True, 8, RESET_DIVIDER
        self._badwrite = False
        self._count_from, self._count = 0, 0

    def frequencies(self) -> dict[str, int]:
        """At reset: running, divided by 16."""
        return {"ROSC": self._reset_hz}

    def read_word(self, offset: int) -> int:
        """STATUS, the random bit, and COUNT on its way to zero."""
        if offset == STATUS:
            return self._enabled * (STABLE | ENABLED | DIV_RUNNING) | self._badwrite * BADWRITE
        if offset == RANDOMBIT:
            return self._random.getrandbits(1) if self._enabled else 1
        if offset == COUNT:
            return max(0, self._count - (self._oscillations() - self._count_from)) if self._count else 0
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """CTRL and DIV change the frequency."""
        if offset == STATUS:
            self._badwrite &= not value & BADWRITE
        elif offset == COUNT:
            self._count, self._count_from = value & 0xFF, self._oscillations()
        elif offset != RANDOMBIT:
            self.words[offset] = value
        if offset == CTRL:
            self._control(value >> 12 & 0xFFF, value & 0xFFF)
        elif offset == DIV:
            divider = value - DIV_PASS
            self._badwrite |= not 0 <= divider < 32
            self._divider = (divider or 32) if 0 <= divider < 32 else 31
        elif offset in (FREQA, FREQB):
            if value & 0x7777 and value >> 16 == PASSWORD:
                self.ports.note(f"{self.ports.name}: drive strengths (FREQA, FREQB) don't change the frequency")
            self._badwrite |= value >> 16 != PASSWORD
        elif offset == DORMANT and value == COMA:
            self.ports.note(f"{self.ports.name}: dormant mode is not modelled")
        elif offset == DORMANT and value != WAKE:
            self._badwrite = True
        self._publish()

    def _control(self, enable: int, freq_range: int) -> None:
        self._badwrite |= enable not in (ENABLE, DISABLE) or freq_range not in STAGES
        self._stages = STAGES.get(freq_range, self._stages)
        if enable in (ENABLE, DISABLE):
            self._enabled = enable == ENABLE

    def _publish(self) -> None:
        hz = self._reset_hz * 8 * RESET_DIVIDER // (self._stages * self._divider) if self._enabled else 0
        if hz != self._hz:
            self._hz = hz
            publish_source(self.ports, "ROSC", hz)

    def _oscillations(self) -> int:
        return self.ports.named_clock("ROSC").ticks


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Rosc}
