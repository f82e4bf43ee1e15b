"""The pins of one GPIO port: which ones it drives, to what level, and what their inputs see."""

from __future__ import annotations

from collections.abc import Sequence

from vtarget.shell.devices.device import Ports


def bits(mask: int) -> list[int]:
    """The numbers of the bits that are set, ascending."""
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def spread(mask: int, width: int) -> int:
    """Each bit n of ``mask`` as ``width`` bits from bit n * width: the fields of the pins in ``mask``."""
    field = (1 << width) - 1
    return sum(field << bit * width for bit in bits(mask))


def fields_equal(register: int, width: int, value: int, count: int = 16) -> int:
    """The mask of the pins whose field of ``width`` bits is ``value``."""
    field = (1 << width) - 1
    return sum((register >> pin * width & field == value) << pin for pin in range(count))


def number_option(ports: Ports, name: str, default: int) -> int:
    """A device's option that is a number; anything else counts as ``default``."""
    value = ports.options.get(name, default)
    return value if isinstance(value, int) else default


class Pins:
    """Pins by bit. The outside holds some at a level (options ``inputs_high`` and ``inputs_low``, masks of pins)."""

    def __init__(self, ports: Ports, names: Sequence[str]) -> None:
        self._ports = ports
        self._names = names
        self._told = 0  # pins whose level has been told
        self._told_levels = 0
        self._high = number_option(ports, "inputs_high", 0)
        self._held = self._high | number_option(ports, "inputs_low", 0)
        self._driven = 0
        self._levels = 0

    def drive(self, driven: int, levels: int) -> None:
        """The port drives the pins of ``driven`` to the bits of ``levels``; changes are told to the board."""
        self._driven, self._levels = driven, levels
        news = driven & (~self._told | (levels ^ self._told_levels))
        if news:
            self._told |= news
            self._told_levels = self._told_levels & ~news | levels & news
            for bit in bits(news):
                self._ports.set_pin(self._names[bit], bool(levels >> bit & 1))

    def seen(self, pull_ups: int = 0) -> int:
        """The level at each pin: what the port drives, else what the outside holds, else high with a pull-up."""
        outside = self._high | pull_ups & ~self._held
        return self._levels & self._driven | outside & ~self._driven

    def set_input(self, bit: int, level: bool) -> None:
        """The outside holds a pin at a level."""
        self._held |= 1 << bit
        self._high = self._high & ~(1 << bit) | level << bit
