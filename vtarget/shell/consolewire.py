"""A serial line that nobody is at the other end of: what the firmware sends is console text."""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.semihosting import Console


class ConsoleWire:
    """Implements ``devices.device.Wire``."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.receiver: Callable[[int], None] | None = None
        self.baud = 0

    def send(self, byte: int) -> None:
        """A byte for the console."""
        self._console.write(bytes((byte,)))
