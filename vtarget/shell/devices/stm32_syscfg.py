"""STM32 SYSCFG of the F4, F7 and L4 (RM0090 9.2, RM0432 9.2): EXTICR1 to EXTICR4 choose whose pin is an EXTI line.

The F1's AFIO has them at the same place (RM0008 9.4). It passes the pin's level on as the signal ``EXTI0`` to
``EXTI15``. The other registers behave as memory; options ``ready_offset`` and ``ready_mask``: bits that read as set,
such as READY of the F4's compensation cell (0x20, bit 8).
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.pins import number_option

EXTICR, EXTICR_END = 0x08, 0x18
LETTERS = "ABCDEFGHIJKLMNOP"
LINES = 16


class PortSelection:
    """Four registers with a field of ``width`` bits for each of 16 lines, and what they select."""

    def __init__(self, ports: Ports, width: int) -> None:
        self._ports = ports
        self._width = width
        self._selected = ["A"] * LINES
        self._levels: dict[str, bool] = {}  # of the pins that are watched
        for line in range(LINES):
            self._watch(line)

    def select(self, register: int, value: int) -> None:
        """One of the four registers was written."""
        for field in range(4):
            line = 4 * register + field
            self._selected[line] = LETTERS[value >> self._width * field & 0xF]
            self._watch(line)
            self._ports.set_signal(f"EXTI{line}", self._levels[f"P{self._selected[line]}{line}"])

    def _watch(self, line: int) -> None:
        pin = f"P{self._selected[line]}{line}"
        if pin not in self._levels:
            self._levels[pin] = False
            self._ports.watch_signal(pin, partial(self._on_level, pin, line))

    def _on_level(self, pin: str, line: int, level: bool) -> None:
        self._levels[pin] = level
        if pin == f"P{self._selected[line]}{line}":
            self._ports.set_signal(f"EXTI{line}", level)


class Stm32Syscfg(WordDevice):
    """The controller."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._selection = PortSelection(ports, 4)
        self._ready = (number_option(ports, "ready_offset", -1), number_option(ports, "ready_mask", 0))

    def read_word(self, offset: int) -> int:
        """A register, with the bits that read as set."""
        return self.words.get(offset, 0) | (self._ready[1] if offset == self._ready[0] else 0)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        self.words[offset] = value
        if EXTICR <= offset < EXTICR_END:
            self._selection.select((offset - EXTICR) // 4, value)


MODELS = {"": Stm32Syscfg}
