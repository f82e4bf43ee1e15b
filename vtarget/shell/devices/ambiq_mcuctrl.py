"""Ambiq MCU control: what the chip says of itself; the rest is memory. Variants ``apollo4`` (Plus) and ``apollo3``.

Apollo4 and Apollo3 register documentation, MCUCTRL; part numbers recalled where that doesn't give them. Options:
``chippn``, ``chipid0``, ``chipid1``, ``chiprev``, ``sku``, ``bootloader``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option

CHIPPN, CHIPID0, CHIPID1, CHIPREV, VENDORID, SKU = range(0x00, 0x18, 4)
FEATUREENABLE, BOOTLOADER, SHADOWVALID = 0x18, 0x1A0, 0x1A4  # of Apollo3
BOOTLOADER4, SHADOWVALID4 = 0x1B8, 0x1BC
AMBQ = 0x414D4251
# FEATUREENABLE: BLEREQ, BLEACK, BLEAVAIL; BURSTREQ, BURSTACK, BURSTAVAIL from bit 4.
FEATURES = (0, 4)

APOLLO4 = {
    CHIPPN: 0x08322000 | 2 << 6,  # Apollo4, 2 MiB MRAM, 384 KiB + 1 MiB + DSP SRAM, revision C, BGA
    CHIPID0: 0x12345678,
    CHIPID1: 0x9ABCDEF0,
    CHIPREV: 0x32,  # revision C, minor 1
    VENDORID: AMBQ,
    SKU: 0x7FF,  # everything is fitted
    0x028: 0x40,
    0x044: 0xF8000,
    0x088: 0x10000000,
    0x0E0: 0x40,
    0x120: 0x6A,
    0x124: 4,
    0x10C: 3,
    0x250: 0x400,
    0x280: 8,
    0x340: 0x800,
    0x380: 0x400,
    0x450: 8,
    BOOTLOADER4: 0,
    SHADOWVALID4: 7,
}
APOLLO3 = {
    CHIPPN: 0x06672198,  # Apollo3 Blue, revision B0, recalled
    CHIPID0: 0x12345678,
    CHIPID1: 0x9ABCDEF0,
    CHIPREV: 0x21,
    VENDORID: AMBQ,
    SKU: 7,
    BOOTLOADER: 0,
    SHADOWVALID: 7,
}
READ_ONLY = {CHIPPN, CHIPID0, CHIPID1, CHIPREV, VENDORID, SKU}


class AmbiqMcuctrl(WordDevice):
    """``words`` are the reset values; the registers that identify the chip can't be written."""

    def __init__(self, ports: Ports, words: Mapping[int, int], bootloader: int) -> None:
        super().__init__(ports)
        given = {"chippn": CHIPPN, "chipid0": CHIPID0, "chipid1": CHIPID1, "chiprev": CHIPREV, "sku": SKU}
        options = given | {"bootloader": bootloader}
        self.words = dict(words) | {offset: number_option(ports, key, words[offset]) for key, offset in options.items()}

    def write_word(self, offset: int, value: int) -> None:
        """Identification and SHADOWVALID stay."""
        if offset not in READ_ONLY and offset not in (SHADOWVALID, SHADOWVALID4):
            self.words[offset] = value


class Apollo3Mcuctrl(AmbiqMcuctrl):
    """FEATUREENABLE acknowledges BLE and burst mode at once; both are available."""

    def read_word(self, offset: int) -> int:
        """Requests are acknowledged."""
        if offset != FEATUREENABLE:
            return super().read_word(offset)
        requests = self.words.get(FEATUREENABLE, 0)
        return sum((requests >> bit & 1) * 3 << bit | 4 << bit for bit in FEATURES)


MODELS: dict[str, Callable[[Ports], Device]] = {
    "apollo4": partial(AmbiqMcuctrl, words=APOLLO4, bootloader=BOOTLOADER4),
    "apollo3": partial(Apollo3Mcuctrl, words=APOLLO3, bootloader=BOOTLOADER),
}
