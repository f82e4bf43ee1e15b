"""The pins of one GPIO port: which ones it drives, to what level, and what their inputs see."""

from __future__ import annotations

from collections.abc import Sequence

from vtarget.shell.devices.device import Ports


def bits(mask: int) -> list[int]:
    """The numbers of the bits that are set, ascending."""
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def number_option(ports: Ports, name: str, default: int) -> int:
    """A device's option that is a number; anything else counts as ``default``."""
    value = ports.options.get(name, default)
    return value if isinstance(value, int) else default


class Pins:
    """Pins by bit. ``inputs`` are the levels from outside; ``driven`` pins read back what the port drives."""

    def __init__(self, ports: Ports, names: Sequence[str]) -> None:
        self._ports = ports
        self._names = names
        self._told = 0  # pins whose level has been told
        self._told_levels = 0
        self.inputs = number_option(ports, "inputs", 0)
        self.driven = 0
        self.levels = 0

    def drive(self, driven: int, levels: int) -> None:
        """The port drives the pins of ``driven`` to the bits of ``levels``; changes are told to the board."""
        self.driven, self.levels = driven, levels
        news = driven & (~self._told | (levels ^ self._told_levels))
        if news:
            self._told |= news
            self._told_levels = self._told_levels & ~news | levels & news
            for bit in bits(news):
                self._ports.set_pin(self._names[bit], bool(levels >> bit & 1))

    def seen(self, floating: int = 0) -> int:
        """The level at each pin: what the port drives, the outside elsewhere. Bits of ``floating`` are added where
        the port doesn't drive, as pull-ups do."""
        return self.levels & self.driven | (self.inputs | floating) & ~self.driven

    def set_input(self, bit: int, level: bool) -> None:
        """The outside puts a level on a pin."""
        self.inputs = self.inputs & ~(1 << bit) | level << bit
