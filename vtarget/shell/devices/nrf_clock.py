"""nRF52 CLOCK and POWER, which share one block: oscillators with their start-up times, calibration, reset reason.

nRF52840 PS 5.3 (POWER) and 5.4 (CLOCK). The core runs at 64 MHz from either high-frequency oscillator; the clock
``LFCLK`` stands still until the firmware has started it. Options, all in microseconds and recalled from the electrical
specifications: ``hfxo_us`` (360), ``lfrc_us`` (600), ``lfxo_us`` (250000), ``calibration_us`` (16000).
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option

HFCLKSTART, HFCLKSTOP, LFCLKSTART, LFCLKSTOP, CAL, CTSTART, CTSTOP = range(0x00, 0x1C, 4)
EVENTS, EVENTS_END = 0x100, 0x180
# Events by their bit, which is also that of INTEN: (offset - 0x100) / 4.
HFCLKSTARTED, LFCLKSTARTED, DONE, CTTO, CTSTARTED, CTSTOPPED = (1 << bit for bit in (0, 1, 3, 4, 10, 11))
INTENSET, INTENCLR = 0x304, 0x308
RESETREAS, HFCLKRUN, HFCLKSTAT, LFCLKRUN, LFCLKSTAT, LFCLKSRCCOPY = 0x400, 0x408, 0x40C, 0x414, 0x418, 0x41C
RAMSTATUS, USBREGSTATUS, SYSTEMOFF, LFCLKSRC, CTIV, MAINREGSTATUS = 0x428, 0x438, 0x500, 0x518, 0x538, 0x640
HFXODEBOUNCE, FORCEPROTECT = 0x528, 0x550
RAM_POWER, RAM_END = 0x900, 0x990  # POWER, POWERSET and POWERCLR of nine blocks, 16 bytes each
STATE, XTAL = 1 << 16, 1
RC, CRYSTAL = 0, 1
LFCLK_HZ = 32_768
READ_ONLY = {RAMSTATUS: 0xF, USBREGSTATUS: 0, MAINREGSTATUS: 0, SYSTEMOFF: 0}


class NrfClock(WordDevice):
    """While the low-frequency crystal starts, LFCLK already runs from the RC oscillator."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {HFXODEBOUNCE: 0x10, FORCEPROTECT: 0xFFFFFFFF} | dict.fromkeys(
            range(RAM_POWER, RAM_END, 16), 0xFFFF
        )
        self._micros = ports.fixed_clock(1_000_000)
        self._events = self._inten = 0
        self._hf_run = self._hf_xtal = self._lf_run = False
        self._lf_source: int | None = None  # what LFCLK runs from
        self._lf_copy = 0
        self._alarms: dict[str, Alarm] = {}

    def frequencies(self) -> dict[str, int]:
        """At reset: LFCLK is off."""
        return {"LFCLK": 0}

    def read_word(self, offset: int) -> int:
        """Events, enables and the state of the oscillators."""
        if offset < EVENTS:
            return 0
        if offset < EVENTS_END:
            return self._events >> (offset - EVENTS >> 2) & 1
        if offset in (INTENSET, INTENCLR):
            return self._inten
        if RAM_POWER <= offset < RAM_END:
            return self.words[offset & ~0xF]
        state = {
            HFCLKRUN: int(self._hf_run),
            HFCLKSTAT: STATE | self._hf_xtal,
            LFCLKRUN: int(self._lf_run),
            LFCLKSTAT: 0 if self._lf_source is None else STATE | self._lf_source,
            LFCLKSRCCOPY: self._lf_copy,
        }
        return state.get(offset, READ_ONLY.get(offset, self.words.get(offset, 0)))

    def write_word(self, offset: int, value: int) -> None:
        """Tasks, events, enables; RESETREAS clears where ones are written."""
        if offset < EVENTS:
            if value & 1:
                self._task(offset)
        elif offset < EVENTS_END:
            bit = 1 << (offset - EVENTS >> 2)
            self._events = self._events | bit if value & 1 else self._events & ~bit
        elif offset == INTENSET:
            self._inten |= value
        elif offset == INTENCLR:
            self._inten &= ~value
        elif offset == RESETREAS:
            self.words[RESETREAS] = self.words.get(RESETREAS, 0) & ~value
        elif RAM_POWER <= offset < RAM_END:
            self._power_ram(offset, value)
        elif offset == SYSTEMOFF and value & 1:
            self.ports.note(f"{self.ports.name}: System OFF is not modelled; the core goes on")
        else:
            self.words[offset] = value
        self._update()

    def _power_ram(self, offset: int, value: int) -> None:
        block, register = offset & ~0xF, offset & 0xF
        old = self.words[block]
        self.words[block] = {0: value, 4: old | value, 8: old & ~value}.get(register, old)

    def _task(self, task: int) -> None:
        if task == HFCLKSTART:
            self._hf_run = True
            self._after("HFXO", "hfxo_us", 360 * (not self._hf_xtal), self._hf_started)
        elif task == HFCLKSTOP:
            self._hf_run = self._hf_xtal = False
            self._cancel("HFXO")
        elif task == LFCLKSTART:
            self._start_lfclk()
        elif task == LFCLKSTOP:
            self._lf_run = False
            self._cancel("LFRC")
            self._cancel("LFXO")
            self._run_lfclk(None)
        elif task == CAL:
            self._after("CAL", "calibration_us", 16_000, lambda: self._raise(DONE))
        elif task == CTSTART:
            interval_us = 250_000 * (self.words.get(CTIV, 0) & 0x7F)
            self._after("CT", "", interval_us, lambda: self._raise(CTTO))
            self._raise(CTSTARTED)
        elif task == CTSTOP:
            self._cancel("CT")
            self._raise(CTSTOPPED)

    def _start_lfclk(self) -> None:
        if self._lf_run and self._lf_source is None:
            return
        source = self.words.get(LFCLKSRC, 0) & 3
        running = self._lf_source == source
        self._lf_run, self._lf_copy = True, source
        if source == CRYSTAL and not running:
            self._after("LFRC", "lfrc_us", 600 * (self._lf_source is None), lambda: self._run_lfclk(RC))
            self._after("LFXO", "lfxo_us", 250_000, lambda: self._lf_started(source))
        else:
            self._after("LFRC", "lfrc_us", 600 * (not running), lambda: self._lf_started(source))

    def _hf_started(self) -> None:
        self._hf_xtal = True
        self._raise(HFCLKSTARTED)

    def _lf_started(self, source: int) -> None:
        self._cancel("LFRC")
        self._run_lfclk(source)
        self._raise(LFCLKSTARTED)

    def _run_lfclk(self, source: int | None) -> None:
        if (source is None) != (self._lf_source is None):
            self.ports.set_clocks({"LFCLK": 0 if source is None else LFCLK_HZ})
        self._lf_source = source

    def _after(self, what: str, option: str, default_us: int, action: Callable[[], None]) -> None:
        """Default 0: it runs already, or has no time of its own."""
        self._cancel(what)
        delay_us = number_option(self.ports, option, default_us) if default_us else 0
        if delay_us:
            self._alarms[what] = self._micros.at(self._micros.ticks + delay_us, action)
        else:
            action()

    def _cancel(self, what: str) -> None:
        if what in self._alarms:
            self._alarms.pop(what).cancel()

    def _raise(self, event: int) -> None:
        self._events |= event
        self._update()

    def _update(self) -> None:
        self.ports.set_irq(bool(self._events & self._inten))


MODELS: dict[str, Callable[[Ports], Device]] = {"": NrfClock}
