"""Ambiq STIMER (Apollo4 register documentation, STIMER): a 32-bit counter with eight compare registers.

Writing SCMPRn sets it that many counts ahead: the hardware adds the counter, and it reads back the sum. The write takes
two counts to take effect and the interrupt comes one count late, so it is due value + 3 counts after the write: the HAL
subtracts three (AmbiqSuite, am_hal_stimer_compare_delta_set). Lines: ``CMPR0`` to ``CMPR7``, and
``""`` for overflow and captures. Option ``hfrc_hz``: 96 MHz. CLKSEL as for the Apollo4; Apollo3's has the same codes.
"""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.shell.devices.counter import Counter, counts_until, earliest
from vtarget.shell.devices.device import Option, Ports, WordDevice

STCFG, STTMR, SCAPCTRL0, SCMPR0, SCAPT0 = 0x00, 0x04, 0x10, 0x20, 0x40
INTEN, INTSTAT, INTCLR, INTSET = 0x100, 0x104, 0x108, 0x10C
FREEZE, CLEAR, CAPTURE_PIN = 1 << 31, 1 << 30, 0x7F
COMPARES = range(8)  # COMPAREAEN is bit 8 of STCFG; interrupts are bits 0 to 7
OVERFLOW = 1 << 8
MODULUS = 1 << 32
WRITE_COUNTS, INTERRUPT_COUNTS = 2, 1  # until a write of SCMPR takes effect; until a match is an interrupt
HFRC_HZ, XTAL_HZ, LFRC_HZ = 96_000_000, 32_768, 1_024
# CLKSEL: source and divider. 7 and 8, TIMER0 and TIMER1, are not modelled.
CLOCKS = {1: ("HFRC", 16), 2: ("HFRC", 256), 3: ("XTAL", 1), 4: ("XTAL", 2), 5: ("XTAL", 32), 6: ("LFRC", 1)}


class AmbiqStimer(WordDevice):
    """The system timer. ``line`` is the one for overflow and captures."""

    def __init__(self, ports: Ports, *, hfrc_hz: Option = HFRC_HZ, line: str = "") -> None:
        super().__init__(ports)
        self._line = line
        hfrc_hz = ports.options.get("hfrc_hz", hfrc_hz)
        if not isinstance(hfrc_hz, int) or hfrc_hz <= 0:
            raise InputError(f"device {ports.name}: hfrc_hz is a frequency in Hz")
        self._sources = {
            "HFRC": ports.fixed_clock(hfrc_hz),
            "XTAL": ports.fixed_clock(XTAL_HZ),
            "LFRC": ports.fixed_clock(LFRC_HZ),
        }
        self._counter = Counter(self._sources["HFRC"], self._catch_up)
        self._count = 0
        self._status = 0
        self.words = {STCFG: FREEZE} | dict.fromkeys(range(SCAPCTRL0, SCAPCTRL0 + 16, 4), CAPTURE_PIN)

    def read_word(self, offset: int) -> int:
        """STTMR and the status depend on time."""
        if offset == STTMR:
            self._catch_up()
            return self._count
        if offset == INTSTAT:
            self._catch_up()
            return self._status
        return 0 if offset in (INTCLR, INTSET) else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == STCFG:
            self._configure(value)
        elif SCMPR0 <= offset < SCAPT0:
            self.words[offset] = (self._count + WRITE_COUNTS + value) % MODULUS
        elif offset in (INTCLR, INTSET):
            self._status = self._status & ~value if offset == INTCLR else self._status | value & 0x1FFF
        elif offset == INTSTAT:
            self._status = value & 0x1FFF
        elif offset != STTMR:
            self.words[offset] = value
            if SCAPCTRL0 <= offset < SCMPR0 and value & 1 << 9:
                self.ports.note(f"{self.ports.name}: capture is not modelled")
        self._refresh()

    def _configure(self, value: int) -> None:
        self.words[STCFG] = value
        source, divider = CLOCKS.get(value & 0xF, ("", 1))
        if source:
            self._counter.set_clock(self._sources[source], divider)
        elif value & 0xF:
            self.ports.note(f"{self.ports.name}: clock source {value & 0xF} is not modelled; the timer stands still")
        if value & CLEAR:
            self._count = 0
            self._counter.restart()
        self._counter.run(bool(source) and not value & (FREEZE | CLEAR))

    def _catch_up(self) -> None:
        counts = self._counter.take()
        for bit in (*COMPARES, 8):
            until = self._counts_to(bit)
            if until is not None and until <= counts:
                self._status |= 1 << bit
        self._count = (self._count + counts) % MODULUS
        self._refresh()

    def _counts_to(self, bit: int) -> int | None:
        """Counts until an interrupt of that bit would come."""
        if bit == 8:
            return MODULUS - self._count
        if not self.words[STCFG] >> 8 + bit & 1:
            return None
        return counts_until(self._count, self.words.get(SCMPR0 + 4 * bit, 0) + INTERRUPT_COUNTS, MODULUS)

    def _refresh(self) -> None:
        enabled = self.words.get(INTEN, 0)
        for bit in COMPARES:
            self.ports.set_irq(bool(self._status & enabled & 1 << bit), f"CMPR{bit}")
        self.ports.set_irq(self._status & enabled >= OVERFLOW, self._line)
        awaited = enabled & ~self._status
        self._counter.call_after(earliest(self._counts_to(bit) for bit in (*COMPARES, 8) if awaited >> bit & 1))


MODELS = {"": AmbiqStimer}
