"""nRF watchdog (nRF52840 PS 6.36): counts down from CRV at 32.768 kHz and resets the chip unless all requests are fed.

Time from the last feed to TIMEOUT: (CRV + 1) / 32768 s. The reset comes with it or, if TIMEOUT may interrupt, two
clocks later, inevitably. Pausing in sleep (CONFIG) is not modelled.
"""

from __future__ import annotations

from vtarget.shell.devices.counter import Counter
from vtarget.shell.devices.device import Ports, WordDevice

START, TIMEOUT, INTENSET, INTENCLR = 0x000, 0x100, 0x304, 0x308
RUNSTATUS, REQSTATUS, CRV, RREN, CONFIG, RR = 0x400, 0x404, 0x504, 0x508, 0x50C, 0x600
RELOAD = 0x6E524635
MIN_CRV = 0xF
RESET_TICKS = 2  # from TIMEOUT to the reset (PS 6.36.2)
LF_HZ = 32_768


class NrfWdt(WordDevice):
    """Once started, its configuration is fixed and it can't be stopped."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._counter = Counter(ports.fixed_clock(LF_HZ), self._catch_up)
        self.words = {CRV: 0xFFFFFFFF, RREN: 1, CONFIG: 1}
        self._left = 0
        self._inten = self._timeout = 0
        self._requests = 0
        self._counting_down = False  # TIMEOUT has come, the reset is near

    def read_word(self, offset: int) -> int:
        """The status registers, and what is memory."""
        if offset in (TIMEOUT, RUNSTATUS, REQSTATUS):
            self._catch_up()
        return {
            TIMEOUT: self._timeout,
            INTENSET: self._inten,
            INTENCLR: self._inten,
            RUNSTATUS: int(self._counter.running),
            REQSTATUS: self._requests if self._counter.running else 1,
        }.get(offset, 0 if offset < TIMEOUT or offset >= RR else self.words.get(offset, 0))

    def peek_word(self, offset: int) -> int:
        """For narrow writes: zeros don't set or clear bits."""
        return 0 if offset in (INTENSET, INTENCLR) else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == START and value & 1 and not self._counter.running:
            self._feed()
            self._counter.run(True)
            if not self.words[CONFIG] & 1:
                self.ports.note(f"{self.ports.name}: the pause in sleep is not modelled; it counts on")
        elif offset == TIMEOUT and not value & 1:
            self._timeout = 0
        elif offset in (INTENSET, INTENCLR):
            self._inten = self._inten | value & 1 if offset == INTENSET else self._inten & ~value
        elif RR <= offset < RR + 32 and value == RELOAD:
            self._requests &= ~(1 << (offset - RR) // 4)
            if not self._requests and self._counter.running:
                self._feed()
        elif offset in (CRV, RREN, CONFIG) and not self._counter.running:
            self.words[offset] = value
        self._refresh()

    def _feed(self) -> None:
        if not self._counting_down:
            self._left = max(self.words[CRV], MIN_CRV) + 1
            self._requests = self.words[RREN] & 0xFF
            self._counter.restart()

    def _catch_up(self) -> None:
        counts = self._counter.take()
        while counts and self._counter.running:
            step = min(counts, self._left)
            counts, self._left = counts - step, self._left - step
            if not self._left and self._counting_down:
                self._reset()
            elif not self._left:
                self._timeout, self._counting_down, self._left = 1, True, RESET_TICKS
                if not self._inten:
                    self._reset()
        self._refresh()

    def _reset(self) -> None:
        self._counter.run(False)
        self.ports.reset_core()

    def _refresh(self) -> None:
        self.ports.set_irq(bool(self._timeout & self._inten))
        self._counter.call_after(self._left)


MODELS = {"": NrfWdt}
