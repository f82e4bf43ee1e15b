"""The peripheral bus: which device, rule or plain register answers at an address, in what view of it.

Views: bit-band aliases of Armv7-M (DDI 0403 B3.1), each word of which is one bit, and the RP2040's atomic aliases
(datasheet 2.1.2), which xor, set or clear the bits written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vtarget.shell.devices.device import Device
from vtarget.shell.timeline import Timeline

PERIPHERALS = (0x40000000, 0x20000000)  # base, size: the peripheral region of every M-profile memory map
BIT_BAND = (0x40000000, 0x100000)
BIT_BAND_ALIAS = (0x42000000, 0x2000000)
SRAM_ALIAS, SRAM_BASE = (0x22000000, 0x2000000), 0x20000000
BIT_BAND_CORES = frozenset({"cortex-m3", "cortex-m4"})
ATOMIC_BYTES = 0x1000  # one view of a device with atomic aliases


@dataclass(frozen=True)
class Mapping:
    """A device at its place. ``atomic``: three aliases follow, each ATOMIC_BYTES further."""

    name: str
    base: int
    size: int
    device: Device
    atomic: bool = False

    @property
    def end(self) -> int:
        """One past its last address, aliases included."""
        return self.base + (4 * ATOMIC_BYTES if self.atomic else self.size)


class Fallback:
    """What answers where no device does."""

    def read(self, address: int, size_bytes: int) -> int:
        """The value read."""
        raise NotImplementedError

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """A write."""
        raise NotImplementedError


class Bus:
    """Reads and writes of peripherals, by absolute address. ``watch`` sees every read that a device answered."""

    def __init__(
        self,
        mappings: Sequence[Mapping],
        fallback: Fallback,
        timeline: Timeline,
        *,
        bit_band: bool,
        watch: Callable[[int, int], None] = lambda _address, _value: None,
    ) -> None:
        self.mappings = sorted(mappings, key=lambda m: m.base)
        self._bases = [m.base for m in self.mappings]
        self._fallback = fallback
        self._timeline = timeline
        self._bit_band = bit_band
        self._watch = watch

    def mapping_at(self, address: int) -> Mapping | None:
        """The device at an address."""
        index = bisect_right(self._bases, address) - 1
        if index < 0 or address >= self.mappings[index].end:
            return None
        return self.mappings[index]

    def read(self, address: int, size_bytes: int) -> int:
        """The core reads."""
        self._timeline.access = (address, True)
        try:
            value = self.peek(address, size_bytes)
            self._watch(address, value)
            return value
        finally:
            self._timeline.access = None

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """The core writes."""
        self._timeline.access = (address, False)
        try:
            self.poke(address, size_bytes, value)
        finally:
            self._timeline.access = None

    def peek(self, address: int, size_bytes: int) -> int:
        """A read by whichever master, side effects included."""
        if self._bit_band and _inside(address, BIT_BAND_ALIAS):
            word, bit = _bit_of(address, BIT_BAND_ALIAS[0], BIT_BAND[0])
            return self.peek(word, 4) >> bit & 1
        found = self.mapping_at(address)
        if found is None:
            return self._fallback.read(address, size_bytes)
        offset = address - found.base
        return found.device.read(offset % ATOMIC_BYTES if found.atomic else offset, size_bytes)

    def poke(self, address: int, size_bytes: int, value: int) -> None:
        """A write by whichever master."""
        if self._bit_band and _inside(address, BIT_BAND_ALIAS):
            word, bit = _bit_of(address, BIT_BAND_ALIAS[0], BIT_BAND[0])
            self.poke(word, 4, self.peek(word, 4) & ~(1 << bit) | (value & 1) << bit)
            return
        found = self.mapping_at(address)
        if found is None:
            self._fallback.write(address, size_bytes, value)
        elif found.atomic:
            self._write_atomic(found.device, *divmod(address - found.base, ATOMIC_BYTES), size_bytes, value)
        else:
            found.device.write(address - found.base, size_bytes, value)

    def _write_atomic(self, device: Device, view: int, offset: int, size_bytes: int, value: int) -> None:
        if view:
            old = device.read(offset, size_bytes)
            value = old ^ value if view == 1 else old | value if view == 2 else old & ~value
        device.write(offset, size_bytes, value)


def _inside(address: int, place: tuple[int, int]) -> bool:
    return place[0] <= address < place[0] + place[1]


def _bit_of(address: int, alias: int, base: int) -> tuple[int, int]:
    """(word address, bit) that a word of a bit-band alias stands for."""
    bit = (address - alias) // 4
    return base + bit // 32 * 4, bit % 32


def sram_bit_band(
    read: Callable[[int, int], bytes], write: Callable[[int, bytes], None]
) -> tuple[Callable[[int, int], int], Callable[[int, int, int], None]]:
    """Handlers of the SRAM's bit-band alias, over memory accesses."""

    def read_bit(address: int, _size_bytes: int) -> int:
        word, bit = _bit_of(address, SRAM_ALIAS[0], SRAM_BASE)
        return int.from_bytes(read(word, 4), "little") >> bit & 1

    def write_bit(address: int, _size_bytes: int, value: int) -> None:
        word, bit = _bit_of(address, SRAM_ALIAS[0], SRAM_BASE)
        old = int.from_bytes(read(word, 4), "little")
        write(word, (old & ~(1 << bit) | (value & 1) << bit).to_bytes(4, "little"))

    return read_bit, write_bit
