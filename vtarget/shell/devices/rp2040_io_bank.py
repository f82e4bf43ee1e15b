"""RP2040 GPIO bank: functions of pins, and interrupts of core 0 at levels and edges of the pins that the SIO drives.

RP2040 datasheet 2.19.6.1. Nothing outside drives a pin: one that isn't an output reads low.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.rp2040_resets import on_reset

PINS = 30
PINS_END = 8 * PINS
INTR, INTE, INTF, INTS = 0xF0, 0x100, 0x110, 0x120  # four registers each, eight pins a register, four bits a pin
LEVEL_LOW, LEVEL_HIGH, EDGE_LOW, EDGE_HIGH = 1, 2, 4, 8
EDGES = 0xCCCCCCCC
OVERRIDES = 0x30033300
STATUS_BITS = 1 << 8 | 1 << 9 | 1 << 17 | 1 << 19  # OUTFROMPERI, OUTTOPAD, INFROMPAD, INTOPERI of a high pin


class Rp2040IoBank(WordDevice):
    """STATUS, CTRL and the interrupt registers of processor 0."""

    write_one_to_clear = frozenset(range(INTR, INTE, 4))

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._levels = 0
        self._raw = [0x11111111, 0x11111111, 0x11111111, 0x00111111]
        self._reset()
        on_reset(ports, self._reset)
        for pin in range(PINS):
            ports.watch_signal(f"GPIO{pin}", partial(self._on_pin, pin))

    def read_word(self, offset: int) -> int:
        """STATUS of a pin, raw interrupts and their state behind INTE and INTF."""
        if offset < PINS_END and not offset & 4:
            return STATUS_BITS if self._levels >> offset // 8 & 1 else 0
        if INTR <= offset < INTE:
            return self._raw[(offset - INTR) // 4]
        if INTS <= offset < INTS + 16:
            return self._status((offset - INTS) // 4)
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """CTRL, INTE, INTF; a one to an edge in INTR clears it."""
        if INTR <= offset < INTE:
            self._raw[(offset - INTR) // 4] &= ~(value & EDGES)
        elif not (INTS <= offset < INTS + 16 or (offset < PINS_END and not offset & 4)):
            self.words[offset] = value
            if offset < PINS_END and value & OVERRIDES:
                self.ports.note(f"{self.ports.name}: overrides in GPIO CTRL (INOVER, OUTOVER, ...) have no effect")
        self._drive_irq()

    def _reset(self) -> None:
        self.words = {8 * pin + 4: 0x1F for pin in range(PINS)}
        self._drive_irq()

    def _on_pin(self, pin: int, level: bool) -> None:
        if level != bool(self._levels >> pin & 1):
            self._levels ^= 1 << pin
            shift, index = 4 * (pin % 8), pin // 8
            sticky = self._raw[index] & EDGES | (EDGE_HIGH if level else EDGE_LOW) << shift
            levels = self._raw[index] & ~EDGES & ~(3 << shift) | (LEVEL_HIGH if level else LEVEL_LOW) << shift
            self._raw[index] = sticky | levels
            self._drive_irq()

    def _status(self, index: int) -> int:
        enabled, forced = self.words.get(INTE + 4 * index, 0), self.words.get(INTF + 4 * index, 0)
        return self._raw[index] & enabled | forced

    def _drive_irq(self) -> None:
        self.ports.set_irq(any(self._status(index) for index in range(4)))


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040IoBank}
