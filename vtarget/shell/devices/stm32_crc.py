"""STM32 CRC unit: ``v1`` of the F1 and F4 (RM0090 4), ``v2`` of the F7, L4, G0 and U5 (RM0432 17).

``v1`` takes words and the Ethernet polynomial 0x04C11DB7 only. ``v2`` takes bytes, half-words and words, with any
polynomial of 7, 8, 16 or 32 bits, initial value, and reversal of the bits in and out. Data goes in from the most
significant bit. The cycles that a further access waits for the calculation are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vtarget.shell.devices.device import Device, Ports

DR, IDR, CR, INIT, POL = 0x00, 0x04, 0x08, 0x10, 0x14
RESET, REV_OUT = 1 << 0, 1 << 7
WIDTHS = (32, 16, 8, 7)  # by POLYSIZE, CR bits 4 and 3
ETHERNET = 0x04C11DB7
ONES = 0xFFFFFFFF


def reversed_bits(value: int, width: int) -> int:
    """The low ``width`` bits in the other order."""
    return int(f"{value & ((1 << width) - 1):0{width}b}"[::-1], 2)


def reversed_units(value: int, width: int, unit: int) -> int:
    """``value`` of ``width`` bits, with the bits of each unit of ``unit`` bits in the other order."""
    return sum(reversed_bits(value >> low, unit) << low for low in range(0, width, unit))


def crc_step(crc: int, data: int, data_bits: int, polynomial: int, width: int) -> int:
    """The remainder after ``data_bits`` more bits, most significant first."""
    top = 1 << (width - 1)
    for bit in range(data_bits - 1, -1, -1):
        feedback = bool(crc & top) ^ (data >> bit & 1)
        crc = (crc << 1 ^ (polynomial if feedback else 0)) & ((1 << width) - 1)
    return crc


class Stm32Crc:
    """The unit; ``flexible`` is ``v2``, ``idr_bits`` the width of its scratch register."""

    def __init__(self, ports: Ports, *, flexible: bool, idr_bits: int) -> None:
        self.ports = ports
        self._flexible = flexible
        self._idr_mask = (1 << idr_bits) - 1
        self._crc = self._init = ONES
        self._control = 0
        self._idr = 0
        self._polynomial = ETHERNET

    def read(self, offset: int, size_bytes: int) -> int:
        """Bytes of a register."""
        return self._word(offset & ~3) >> 8 * (offset & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, offset: int, size_bytes: int, value: int) -> None:
        """Into DR goes as much data as the access is wide."""
        if offset & ~3 == DR:
            self._feed(value, 8 * size_bytes)
        elif offset == IDR:
            self._idr = value & self._idr_mask
        elif offset == CR:
            self._control = value & 0xF8 if self._flexible else 0
            if value & RESET:
                self._crc = self._init & self._width_mask
        elif offset == INIT and self._flexible:
            self._init = value
            self._crc = value & self._width_mask  # a write of INIT begins anew (RM0432 17.3.3, recalled)
        elif offset == POL and self._flexible:
            self._polynomial = value

    @property
    def _width(self) -> int:
        return WIDTHS[self._control >> 3 & 3]

    @property
    def _width_mask(self) -> int:
        return (1 << self._width) - 1

    def _word(self, offset: int) -> int:
        if offset == DR:
            return self._result()
        registers = {IDR: self._idr, CR: self._control}
        if self._flexible:
            registers |= {INIT: self._init, POL: self._polynomial}
        return registers.get(offset, 0)

    def _result(self) -> int:
        crc = self._crc & self._width_mask
        return reversed_bits(crc, self._width) if self._control & REV_OUT else crc

    def _feed(self, data: int, data_bits: int) -> None:
        if not self._flexible and data_bits != 32:
            self.ports.note(f"{self.ports.name}: {data_bits} bits written to DR, which takes words only")
            data_bits = 32
        unit = 4 << (self._control >> 5 & 3)  # REV_IN: 1 bytes, 2 half-words, 3 words
        if unit > 4:
            data = reversed_units(data, data_bits, min(unit, data_bits))
        self._crc = crc_step(self._crc & self._width_mask, data, data_bits, self._polynomial, self._width)


MODELS: dict[str, Callable[[Ports], Device]] = {
    "v1": partial(Stm32Crc, flexible=False, idr_bits=8),
    "v2": partial(Stm32Crc, flexible=True, idr_bits=32),
}
