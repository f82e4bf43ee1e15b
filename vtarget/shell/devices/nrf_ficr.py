"""nRF52840 factory information (FICR) and, as variant ``uicr``, user information registers (UICR).

nRF52840 PS 4.4 and 4.5. What a chip has of its own is an option: ``device_id`` (64 bits), ``variant`` (four letters),
``revision`` (what the errata checks of Nordic's MDK read at 0x134; 3 for build D0, recalled), ``package``,
``ram_kib``, ``flash_kib``; of UICR ``pselreset`` (18: P0.18 is the reset pin, as start-up code leaves it), ``regout0``,
``approtect``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option

ERASED = 0xFFFFFFFF
CODEPAGESIZE, CODESIZE, DEVICEID, DEVICEADDRTYPE, DEVICEADDR = 0x010, 0x014, 0x060, 0x0A0, 0x0A4
PART, VARIANT, PACKAGE, RAM, FLASH, PRODTEST = 0x100, 0x104, 0x108, 0x10C, 0x110, 0x350
FAMILY, REVISION = 0x130, 0x134  # not in the PS; nrf52_erratas.h tells chips apart by them
TEMP, TAGHEADER0 = 0x404, 0x450
PAGE_BYTES = 4096
# Slopes A0..A5, intercepts B0..B5 and segment ends T0..T4 of the temperature sensor: the reset values of TEMP's own
# registers (nrf52840.svd).
TEMPERATURE = (
    *(0x326, 0x348, 0x3AA, 0x40E, 0x4BD, 0x5A3),
    *(0x3FEF, 0x3FBE, 0x3FBE, 0x12, 0x124, 0x27C),
    *(0xE2, 0, 0x19, 0x3C, 0x50),
)
PSELRESET, APPROTECT, REGOUT0 = 0x200, 0x208, 0x304


def ficr_words(ports: Ports) -> dict[int, int]:
    """FICR by offset; all else reads as erased flash."""
    device_id = number_option(ports, "device_id", 0x0123456789ABCDEF)
    letters = str(ports.options.get("variant", "AAD0"))
    flash_kib = number_option(ports, "flash_kib", 1024)
    words = {
        CODEPAGESIZE: PAGE_BYTES,
        CODESIZE: flash_kib * 1024 // PAGE_BYTES,
        DEVICEID: device_id & ERASED,
        DEVICEID + 4: device_id >> 32 & ERASED,
        DEVICEADDRTYPE: 1,
        DEVICEADDR: device_id & ERASED,
        DEVICEADDR + 4: device_id >> 32 & 0xFFFF,
        PART: 0x52840,
        VARIANT: int.from_bytes(letters.encode("ascii", "replace")[:4], "big"),
        PACKAGE: number_option(ports, "package", 0x2004),
        RAM: number_option(ports, "ram_kib", 256),
        FLASH: flash_kib,
        FAMILY: 8,
        REVISION: number_option(ports, "revision", 3),
        TAGHEADER0: 0xFFFFFF5F,
    }
    words |= dict.fromkeys(range(PRODTEST, PRODTEST + 12, 4), 0xBB42319F)
    return words | {TEMP + 4 * n: value for n, value in enumerate(TEMPERATURE)}


def uicr_words(ports: Ports) -> dict[int, int]:
    """UICR by offset."""
    pin = number_option(ports, "pselreset", 18)
    return {
        PSELRESET: pin,
        PSELRESET + 4: pin,
        APPROTECT: number_option(ports, "approtect", ERASED),
        REGOUT0: number_option(ports, "regout0", ERASED),
    }


class InformationRegisters(WordDevice):
    """Flash words: what isn't given is erased; a write clears bits (UICR) or does nothing (FICR)."""

    def __init__(self, ports: Ports, words: Callable[[Ports], dict[int, int]], *, writable: bool) -> None:
        super().__init__(ports)
        self.words = words(ports)
        self._writable = writable

    def peek_word(self, offset: int) -> int:
        """The register's content."""
        return self.words.get(offset, ERASED)

    def read_word(self, offset: int) -> int:
        """Read a register."""
        return self.peek_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Programming flash clears bits."""
        if self._writable:
            self.words[offset] = self.peek_word(offset) & value


MODELS: dict[str, Callable[[Ports], Device]] = {
    "": partial(InformationRegisters, words=ficr_words, writable=False),
    "uicr": partial(InformationRegisters, words=uicr_words, writable=True),
}
