"""The peripheral bus: which device, rule or plain register answers at an address, in what view of it.

Views: bit-band aliases of Armv7-M (DDI 0403 B3.1), each word of which is one bit, and the RP2040's atomic aliases
(datasheet 2.1.2), which xor, set or clear the bits written. Registers that a device lists in ``write_one_to_clear``
take the written bits through every alias.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vtarget.data.board import Board
from vtarget.shell.devices.device import Device
from vtarget.shell.timeline import Timeline

PERIPHERALS = (0x40000000, 0x20000000)  # base, size: the peripheral region of every M-profile memory map
BIT_BAND = (0x40000000, 0x100000)
BIT_BAND_ALIAS = (0x42000000, 0x2000000)
SRAM_ALIAS, SRAM_BASE = (0x22000000, 0x2000000), 0x20000000
BIT_BAND_CORES = frozenset({"cortex-m3", "cortex-m4"})
MOST_READERS = 1 << 16
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


class Registers(Protocol):
    """Registers by absolute address."""

    def read(self, address: int, size_bytes: int) -> int:
        """The value read."""

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """A write."""


class Rules(Registers, Protocol):
    """Registers of which it can be told whether they are there."""

    def holds(self, address: int) -> bool:
        """Whether there is one at ``address``."""


class Bus:
    """Reads and writes of peripherals, by absolute address: a rule answers first, then a device, else a plain register.

    ``watch`` sees the core's reads, but for those whose value is made of the time.
    """

    def __init__(
        self,
        mappings: Sequence[Mapping],
        rules: Rules | None,
        plain: Registers,
        timeline: Timeline,
        *,
        bit_band: bool,
    ) -> None:
        self.mappings = sorted(mappings, key=lambda m: m.base)
        self._bases = [m.base for m in self.mappings]
        self._rules = rules
        self._plain = plain
        self._timeline = timeline
        self._bit_band = bit_band
        self._readers: dict[int, tuple[Callable[[int, int], int], int]] = {}
        self.watch: Callable[[int, int], None] = lambda _address, _value: None

    def mapping_at(self, address: int) -> Mapping | None:
        """The device at an address."""
        index = bisect_right(self._bases, address) - 1
        if index < 0 or address >= self.mappings[index].end:
            return None
        return self.mappings[index]

    def read(self, address: int, size_bytes: int) -> int:
        """The core reads."""
        timeline = self._timeline
        timeline.access, timeline.asked = (address, True), False
        try:
            value = self.peek(address, size_bytes)
            if not timeline.asked:
                self.watch(address, value)
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
        reader = self._readers.get(address)
        if reader is None:
            if len(self._readers) >= MOST_READERS:
                self._readers.clear()
            reader = self._readers[address] = self._reader(address)
        read, place = reader
        return read(place, size_bytes)

    def _reader(self, address: int) -> tuple[Callable[[int, int], int], int]:
        """Who answers a read of an address, and which address or offset it is asked for."""
        if self._bit_band and _inside(address, BIT_BAND_ALIAS):
            return self._read_bit, address
        if self._rules is not None and self._rules.holds(address):
            return self._rules.read, address
        found = self.mapping_at(address)
        if found is None:
            return self._plain.read, address
        offset = address - found.base
        return found.device.read, offset % ATOMIC_BYTES if found.atomic else offset

    def _read_bit(self, address: int, _size_bytes: int) -> int:
        word, bit = _bit_of(address, BIT_BAND_ALIAS[0], BIT_BAND[0])
        return self.peek(word, 4) >> bit & 1

    def poke(self, address: int, size_bytes: int, value: int) -> None:
        """A write by whichever master."""
        if self._bit_band and _inside(address, BIT_BAND_ALIAS):
            word, bit = _bit_of(address, BIT_BAND_ALIAS[0], BIT_BAND[0])
            self.poke(word, 4, self.peek(word, 4) & ~(1 << bit) | (value & 1) << bit)
            return
        if self._rules is not None and self._rules.holds(address):
            self._rules.write(address, size_bytes, value)
            return
        found = self.mapping_at(address)
        if found is None:
            self._plain.write(address, size_bytes, value)
        elif found.atomic:
            self._write_atomic(found.device, *divmod(address - found.base, ATOMIC_BYTES), size_bytes, value)
        else:
            found.device.write(address - found.base, size_bytes, value)

    def _write_atomic(self, device: Device, view: int, offset: int, size_bytes: int, value: int) -> None:
        if view and offset & ~3 not in getattr(device, "write_one_to_clear", ()):
            old = device.read(offset, size_bytes)
            value = old ^ value if view == 1 else old | value if view == 2 else old & ~value
        device.write(offset, size_bytes, value)


def _inside(address: int, place: tuple[int, int]) -> bool:
    return place[0] <= address < place[0] + place[1]


def _bit_of(address: int, alias: int, base: int) -> tuple[int, int]:
    """(word address, bit) that a word of a bit-band alias stands for."""
    bit = (address - alias) // 4
    return base + bit // 32 * 4, bit % 32


def sram_aliases(board: Board, page: int = 4096) -> list[tuple[int, int]]:
    """Stretches of the SRAM's bit-band alias behind which the board has memory to write, in whole pages."""
    band_end = SRAM_BASE + SRAM_ALIAS[1] // 32
    memory = [(max(r.base, SRAM_BASE), min(r.end, band_end)) for r in board.regions if r.writable]
    aliases = [[SRAM_ALIAS[0] + 32 * (at - SRAM_BASE) for at in place] for place in memory if place[0] < place[1]]
    return [(-(-start // page) * page, end // page * page) for start, end in aliases]


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
