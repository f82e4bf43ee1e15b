"""nRF52 non-volatile memory controller: always ready; pages are erased, the cache's counters stay at zero.

nRF52840 PS 4.3. ICACHECNF.CACHEEN is the switch ``NVMC.ICACHE``. Options: ``flash_size`` in bytes
(0x100000), ``page_size`` (4096).
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.devices.device import Device, Ports, WordDevice, report_switches
from vtarget.shell.devices.pins import number_option

READY, READYNEXT, CONFIG, ERASEPAGE, ERASEALL, ERASEUICR = 0x400, 0x408, 0x504, 0x508, 0x50C, 0x514
ERASEPAGEPARTIAL, ERASEPAGEPARTIALCFG, ICACHECNF, IHIT, IMISS = 0x518, 0x51C, 0x540, 0x548, 0x54C
WRITE_ENABLED, ERASE_ENABLED = 1, 2
CACHE_ENABLED, PROFILING = 1 << 0, 1 << 8
UICR, UICR_BYTES = 0x10001000, 0x308
PAGE_ERASE_MS = 85  # tERASEPAGE, recalled; the core halts meanwhile


class NrfNvmc(WordDevice):
    """Erasing takes no time. Whether a store reaches the flash is the memory's matter, not this block's."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {ERASEPAGEPARTIALCFG: 0x0A}

    def read_word(self, offset: int) -> int:
        """READY and READYNEXT are set, counters zero."""
        if offset in (READY, READYNEXT):
            return 1
        if offset in (IHIT, IMISS) and self.words.get(ICACHECNF, 0) & PROFILING:
            self.ports.note(f"{self.ports.name}: cache hits and misses are not counted")
        return 0 if offset in (IHIT, IMISS) else super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Erase commands act where CONFIG enables them."""
        if offset in (ERASEPAGE, ERASEPAGEPARTIAL, ERASEALL, ERASEUICR):
            if self.words.get(CONFIG, 0) & 3 == ERASE_ENABLED:
                self._erase(offset, value)
            return
        old, self.words[offset] = self.words.get(offset, 0), value
        if offset == ICACHECNF:
            report_switches(self.ports, {"NVMC.ICACHE": CACHE_ENABLED}, old, value)
        if offset == CONFIG and value & 3 == WRITE_ENABLED:
            self.ports.note(f"{self.ports.name}: programming the flash by stores is not modelled")

    def _erase(self, command: int, value: int) -> None:
        flash_bytes = number_option(self.ports, "flash_size", 0x100000)
        page_bytes = number_option(self.ports, "page_size", 4096)
        stretches = {
            ERASEPAGE: [(value & ~(page_bytes - 1), page_bytes)],
            ERASEPAGEPARTIAL: [(value & ~(page_bytes - 1), page_bytes)],
            ERASEUICR: [(UICR, UICR_BYTES)] if value & 1 else [],
            ERASEALL: [(0, flash_bytes), (UICR, UICR_BYTES)] if value & 1 else [],
        }
        for address, size in stretches[command]:
            inside = address == UICR or address + size <= flash_bytes
            if not (inside and self.ports.write_memory(address, b"\xff" * size)):
                self.ports.note(f"{self.ports.name}: nothing to erase at 0x{address:08x}")
        self.ports.note(f"{self.ports.name}: erasing takes no time (up to {PAGE_ERASE_MS} ms a page on silicon)")


MODELS: dict[str, Callable[[Ports], Device]] = {"": NrfNvmc}
