"""Instruction and data cache of the STM32U5 (RM0456 chapters 8 and 9): their registers. Variant ``dcache``.

What the caches do for time is in the board's file, which names their switches ``ICACHE.EN`` and ``DCACHE1.EN``. An
invalidation takes one HCLK cycle per set of lines: 256 (assumed; the manual gives no figure). The monitors count
nothing.
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice, report_switches

CR, SR, IER, FCR = 0x0, 0x4, 0x8, 0xC
EN, CACHEINV, WAYSEL, STARTCMD = 1 << 0, 1 << 1, 1 << 2, 1 << 11
BUSYF, BSYENDF, BUSYCMDF, CMDENDF = 1 << 0, 1 << 1, 1 << 3, 1 << 4
ICACHE_MONITORS, DCACHE_MONITORS = 3 << 16, 0x33 << 16
INVALIDATE_CYCLES = 256


class Stm32Cache(WordDevice):
    """BUSYF or BUSYCMDF while an operation runs, then the flag of its end, which can interrupt."""

    def __init__(self, ports: Ports, *, data: bool = False) -> None:
        super().__init__(ports)
        self._data = data
        self._monitors = DCACHE_MONITORS if data else ICACHE_MONITORS
        self.words[CR] = 0 if data else WAYSEL
        self._status = 0
        self._running: dict[int, Alarm] = {}  # by the flag that shows it

    def read_word(self, offset: int) -> int:
        """Status; the monitors and the clear register read as zero."""
        if offset == SR:
            return self._status
        return self.words.get(offset, 0) if offset in (CR, IER) or offset >= 0x20 else 0

    def write_word(self, offset: int, value: int) -> None:
        """CR starts operations, FCR clears flags."""
        if offset == CR:
            old, self.words[CR] = self.words[CR], value & ~(CACHEINV | (STARTCMD if self._data else 0))
            report_switches(self.ports, {f"{self.ports.name}.EN": EN}, old, value)
            if value & self._monitors:
                self.ports.note(f"{self.ports.name}: the hit and miss monitors are not modelled; they read as zero")
            if value & CACHEINV:
                self.ports.invalidate(f"{self.ports.name}.EN")
                self._start(BUSYF, BSYENDF)
            if self._data and value & STARTCMD:
                self._start(BUSYCMDF, CMDENDF)
        elif offset == FCR:
            self._status &= ~(value & (BSYENDF | 1 << 2 | CMDENDF))
        elif offset != SR:
            self.words[offset] = value
        self._drive_irq()

    def _start(self, busy: int, end: int) -> None:
        if busy in self._running:
            self._running[busy].cancel()
        self._status |= busy
        tick = self.ports.clock.ticks + INVALIDATE_CYCLES
        self._running[busy] = self.ports.clock.at(tick, partial(self._ended, busy, end))

    def _ended(self, busy: int, end: int) -> None:
        self._status = self._status & ~busy | end
        self._drive_irq()

    def _drive_irq(self) -> None:
        self.ports.set_irq(bool(self._status & self.words.get(IER, 0)))


MODELS = {"": Stm32Cache, "dcache": partial(Stm32Cache, data=True)}
