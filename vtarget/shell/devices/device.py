"""What a device model is, and what the board lends it: time, interrupts, memory, signals and wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from vtarget.shell.clocks import Clock

Option = int | str | bool


class Wire(Protocol):
    """The outside end of a serial port. ``send`` takes a byte that the firmware transmitted; bytes for the firmware
    go to ``receiver``, at the times they arrive. A device sets ``receiver`` and may tell its bit rate."""

    receiver: Callable[[int], None] | None
    baud: int

    def send(self, byte: int) -> None:
        """A byte has left the transmitter."""


class Ports(Protocol):
    """What one device gets from its board. Line, signal and pin names are upper case, like the manuals'."""

    name: str
    options: Mapping[str, Option]
    clock: Clock  # the clock that this device runs at: its ticks, alarms and frequency
    wire: Wire

    def now(self) -> int:
        """Core cycles since reset, at the access or event that is being handled."""

    def named_clock(self, name: str) -> Clock:
        """Another clock of the board by name (``LSE``, ``PCLK2``, ``HCLK``)."""

    def fixed_clock(self, hz: int) -> Clock:
        """A clock with a frequency of its own."""

    def set_clocks(self, frequencies: Mapping[str, int]) -> None:
        """For clock trees: new frequencies in Hz by name. ``HCLK`` is the core's clock."""

    def set_wait_states(self, region: str, wait_states: int) -> None:
        """For flash controllers: the wait states that the firmware programmed for a region of the board."""

    def switch(self, name: str, on: bool) -> None:
        """For cache and flash controllers: the firmware switched a cache or a prefetch buffer (``switch`` of the
        board's file: ``FLASH.ICEN``). Only changes of the bit are reported."""

    def invalidate(self, name: str) -> None:
        """For cache and flash controllers: the firmware emptied the caches that have this ``switch``."""

    def set_irq(self, level: bool, line: str = "") -> None:
        """Drive an interrupt line of this device (``interrupts`` of its entry; the only one by default)."""

    def read_memory(self, address: int, size_bytes: int) -> bytes | None:
        """As a bus master: memory or another device's registers; None where nothing answers."""

    def write_memory(self, address: int, data: bytes) -> bool:
        """As a bus master; False where nothing answers."""

    def set_signal(self, signal: str, level: bool) -> None:
        """Drive a signal to other devices, such as a DMA request (``USART2_TX``)."""

    def watch_signal(self, signal: str, action: Callable[[bool], None]) -> None:
        """Call ``action(level)`` at each change of a signal, and now if it is high."""

    def set_pin(self, pin: str, level: bool) -> None:
        """An output pin (``PA5``, ``P0.13``, ``GPIO25``) is driven; changes go to the edge log."""

    def reset_core(self) -> None:
        """For watchdogs and reset controllers: the chip restarts."""

    def note(self, text: str) -> None:
        """Something that the firmware relies on and this model doesn't do: listed in the result, once."""


def report_switches(ports: Ports, bits: Mapping[str, int], old: int, new: int) -> None:
    """Tell the board which of the ``bits`` (masks of a register by switch) a write has changed."""
    for name, mask in bits.items():
        if (old ^ new) & mask:
            ports.switch(name, bool(new & mask))


class Device(Protocol):
    """A block of registers. Offsets are from its base; sizes are 1, 2 or 4 bytes; an access never crosses a word."""

    def read(self, offset: int, size_bytes: int) -> int:
        """The value read; side effects included."""

    def write(self, offset: int, size_bytes: int, value: int) -> None:
        """A write."""


class WordDevice:
    """A device whose registers are 32-bit words: narrower accesses become part of a word.

    ``words`` keeps what was written; override ``read_word`` and ``write_word`` for registers that do more, and
    ``peek_word`` where a narrow write must not trigger the side effects of a read.
    """

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.words: dict[int, int] = {}

    def read(self, offset: int, size_bytes: int) -> int:
        """Bytes of the word at ``offset``."""
        return self.read_word(offset & ~3) >> 8 * (offset & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, offset: int, size_bytes: int, value: int) -> None:
        """A narrow write replaces part of the word."""
        word = offset & ~3
        if size_bytes < 4:
            shift = 8 * (offset & 3)
            mask = ((1 << 8 * size_bytes) - 1) << shift
            value = self.peek_word(word) & ~mask | value << shift & mask
        self.write_word(word, value & 0xFFFFFFFF)

    def peek_word(self, offset: int) -> int:
        """The register's content without the side effects of a read."""
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register."""
        return self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        self.words[offset] = value
