"""Ambiq cache control: always ready, invalidated at once. Variants ``apollo4`` (block CPU) and ``apollo3`` (CACHECTRL).

Apollo4 register documentation, CPU; Apollo3's, CACHECTRL. What the cache costs is the memory model's matter;
CACHECFG.ENABLE is its switch ``CACHECTRL.ENABLE``.
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.devices.device import Device, Ports, WordDevice, report_switches

CACHECFG, FLASHCFG, CTRL = 0x00, 0x04, 0x08
DAXICFG, DAXICTRL = 0x50, 0x54
MONITORS = {"apollo4": range(0x100, 0x120, 4), "apollo3": range(0x40, 0x60, 4)}
READY = 1 << 2  # of CTRL and of DAXICTRL
ENABLE, INVALIDATE, MONITOR = 1 << 0, 1 << 0, 1 << 24
FAULTSTATUS, INTSTAT, INTCLR, INTSET = 0x8C, 0xC4, 0xC8, 0xCC
CACHECFG_RESET, DAXICFG_RESET = {"apollo4": 0x103C50, "apollo3": 0x100C50}, 0x2CC
# CTRL of Apollo3: status, disable and enable of the sleep mode of two flash banks, from bit 4 and bit 8.
SLEEP_MODES = (4, 8)


class AmbiqCache(WordDevice):
    """The monitors count nothing."""

    def __init__(self, ports: Ports, variant: str) -> None:
        super().__init__(ports)
        self.words = {CACHECFG: CACHECFG_RESET[variant], DAXICFG: DAXICFG_RESET}
        self._monitors = MONITORS[variant]
        self._asleep = 0

    def read_word(self, offset: int) -> int:
        """CACHEREADY while the cache is enabled; counters read zero."""
        if offset == CTRL:
            return (READY if self.words[CACHECFG] & ENABLE else 0) | self._asleep
        if offset in self._monitors:
            if self.words[CACHECFG] & MONITOR:
                self.ports.note(f"{self.ports.name}: the cache monitors count nothing")
            return 0
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """CTRL invalidates at once."""
        if offset not in (CTRL, *self._monitors):
            old, self.words[offset] = self.words.get(offset, 0), value
            if offset == CACHECFG:
                report_switches(self.ports, {"CACHECTRL.ENABLE": ENABLE}, old, value)
        elif offset == CTRL and value & INVALIDATE:
            self.ports.invalidate("CACHECTRL.ENABLE")


class Apollo4Cache(AmbiqCache):
    """The DAXI's write buffers are always flushed."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "apollo4")

    def read_word(self, offset: int) -> int:
        """DAXIREADY is set."""
        if offset == DAXICTRL:
            return READY
        return 0 if offset in (FAULTSTATUS, INTCLR, INTSET) else super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Interrupt flags of the bus: only software sets them."""
        if offset in (INTSET, INTCLR):
            old = self.words.get(INTSTAT, 0)
            self.words[INTSTAT] = old | value if offset == INTSET else old & ~value
        elif offset not in (DAXICTRL, INTSTAT):
            super().write_word(offset, value)


class Apollo3Cache(AmbiqCache):
    """Flash banks sleep and wake at once."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "apollo3")

    def write_word(self, offset: int, value: int) -> None:
        """CTRL also puts flash banks to sleep."""
        super().write_word(offset, value)
        for bit in SLEEP_MODES if offset == CTRL else ():
            if value >> bit & 2:
                self._asleep &= ~(1 << bit)
            elif value >> bit & 4:
                self._asleep |= 1 << bit


MODELS: dict[str, Callable[[Ports], Device]] = {"apollo4": Apollo4Cache, "apollo3": Apollo3Cache}
