"""Ambiq clock generator. Variants ``apollo4`` and ``apollo3``.

Apollo4 and Apollo3 register documentation, CLKGEN. The Apollo4's core clock is set in PWRCTRL; the Apollo3's comes
from here: HFRC at 48 MHz, halved by CCTRL, doubled in burst mode (FREQCTRL).
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.clocks import CORE
from vtarget.shell.devices.device import Device, Ports, WordDevice

OCTRL, CLKKEY, CCTRL, STATUS, HFADJ, FREQCTRL = 0x0C, 0x14, 0x18, 0x1C, 0x20, 0x34
STATUS_WORDS = {0x30, 0x34, 0x38}  # CLOCKENSTAT of Apollo4
HFADJ_RESET = 0x25B800
HF2VAL = 0x54
INTEN, INTSTAT, INTCLR, INTSET = 0x100, 0x104, 0x108, 0x10C
OSEL = 1 << 7
KEY = 0x47
BURSTREQ, BURSTACK, BURSTSTATUS = 1, 2, 4
HFRC_HZ = 48_000_000


class AmbiqClkgen(WordDevice):
    """Registers with the interrupt flags of the module."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {HFADJ: HFADJ_RESET}
        self._status = 0

    def read_word(self, offset: int) -> int:
        """Interrupt flags and registers."""
        if offset == INTSTAT:
            return self._status
        return 0 if offset in (INTCLR, INTSET) else super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """INTSET and INTCLR change the flags."""
        if offset == INTSET:
            self._status |= value
        elif offset == INTCLR:
            self._status &= ~value
        elif offset != INTSTAT:
            self.words[offset] = value
        self.ports.set_irq(bool(self._status & self.words.get(INTEN, 0)))


class Apollo4Clkgen(AmbiqClkgen):
    """All oscillators run; which clocks are in use isn't reported."""

    def write_word(self, offset: int, value: int) -> None:
        """What reports something can't be written."""
        if offset not in STATUS_WORDS and offset != HF2VAL:
            super().write_word(offset, value)


class Apollo3Clkgen(AmbiqClkgen):
    """The core's clock with its divider and burst mode, both at once."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._key = False

    def frequencies(self) -> dict[str, int]:
        """At reset: HFRC undivided."""
        return {CORE: HFRC_HZ}

    def read_word(self, offset: int) -> int:
        """STATUS and FREQCTRL follow what was asked for."""
        if offset == STATUS:
            return int(bool(self.words.get(OCTRL, 0) & OSEL))
        if offset == CLKKEY:
            return int(self._key)
        if offset == FREQCTRL:
            return BURSTREQ | BURSTACK | BURSTSTATUS if self.words.get(FREQCTRL, 0) & BURSTREQ else 0
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """CCTRL needs the key 0x47 in CLKKEY before."""
        if offset == CLKKEY:
            self._key = value == KEY
        elif offset == CCTRL and not self._key:
            return
        elif offset != STATUS:
            super().write_word(offset, value)
        if offset in (CCTRL, FREQCTRL):
            burst, half = self.words.get(FREQCTRL, 0) & BURSTREQ, self.words.get(CCTRL, 0) & 1
            hz = 2 * HFRC_HZ if burst else HFRC_HZ // 2 if half else HFRC_HZ
            if hz != self.ports.named_clock(CORE).hz:
                self.ports.set_clocks({CORE: hz})


MODELS: dict[str, Callable[[Ports], Device]] = {"apollo4": Apollo4Clkgen, "apollo3": Apollo3Clkgen}
