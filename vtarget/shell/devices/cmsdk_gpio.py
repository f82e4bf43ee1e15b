"""Arm CMSDK AHB GPIO (DDI 0479D, 4.1): 16 pins with set and clear registers, masked access, and interrupts.

Interrupt lines: ``""`` (any pin) and ``PIN0`` to ``PIN15``. Pins are named after the device: ``GPIO0.3``. Option
``inputs_high``: pins held high from outside, others read 0; a pin that the port drives reads back. The two clocks
that the input synchroniser takes are not modelled.
"""

from __future__ import annotations

from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.pins import Pins, bits

DATA, DATAOUT, INTSTATUS = 0x000, 0x004, 0x038
OUTEN, ALTFUNC, INTEN, INTTYPE, INTPOL = 0x010, 0x018, 0x020, 0x028, 0x030  # each followed by its clear register
PAIRS = (OUTEN, ALTFUNC, INTEN, INTTYPE, INTPOL)
CLEARS = frozenset(offset + 4 for offset in PAIRS)
MASK_LOW_BYTE, MASK_HIGH_BYTE, MASK_END = 0x400, 0x800, 0xC00
IDS = (0x04, 0, 0, 0, 0x20, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1)  # PID4..7, PID0..3, CID0..3
PINS = 16


class CmsdkGpio(WordDevice):
    """One port. Pins of an alternate function are not driven by it."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {0xFD0 + 4 * i: value for i, value in enumerate(IDS)} | dict.fromkeys(PAIRS, 0)
        self._out = 0
        self._status = 0
        self._lines = 0
        self._pins = Pins(ports, [f"{ports.name}.{pin}" for pin in range(PINS)])
        self._before = self._pins.seen()

    def set_input(self, pin: int, level: bool) -> None:
        """The outside puts a level on a pin."""
        self._pins.set_input(pin, level)
        self._update()

    def read_word(self, offset: int) -> int:
        """A register; set and clear registers both show what is set."""
        if offset == DATA:
            return self._pins.seen()
        if offset == DATAOUT:
            return self._out
        if offset == INTSTATUS:
            return self._status
        if MASK_LOW_BYTE <= offset < MASK_END:
            return self._pins.seen() & _access_mask(offset)
        return self.words.get(offset - 4 if offset in CLEARS else offset, 0)

    def peek_word(self, offset: int) -> int:
        """What a narrow write leaves of the rest: nothing where ones clear."""
        if offset == DATA or MASK_LOW_BYTE <= offset < MASK_END:
            return self._out
        return 0 if offset in CLEARS or offset == INTSTATUS else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        value &= 0xFFFF
        if offset in (DATA, DATAOUT):
            self._out = value
        elif MASK_LOW_BYTE <= offset < MASK_END:
            mask = _access_mask(offset)
            self._out = self._out & ~mask | value & mask
        elif offset in PAIRS:
            self.words[offset] |= value
        elif offset in CLEARS:
            self.words[offset - 4] &= ~value
        elif offset == INTSTATUS:
            self._status &= ~value
        self._update()

    def _update(self) -> None:
        """Pins, then the interrupts: edges since the last look, and levels as long as they last."""
        words = self.words
        self._pins.drive(words[OUTEN] & ~words[ALTFUNC], self._out)
        level, before = self._pins.seen(), self._before
        self._before = level
        high, edge = words[INTPOL], words[INTTYPE]
        active = ~(level ^ high)
        self._status |= words[INTEN] & active & (~edge | (level ^ before)) & 0xFFFF
        changes = self._status ^ self._lines
        if changes:
            if bool(self._status) != bool(self._lines):
                self.ports.set_irq(bool(self._status))
            for bit in bits(changes):
                self.ports.set_irq(bool(self._status >> bit & 1), f"PIN{bit}")
            self._lines = self._status


def _access_mask(offset: int) -> int:
    """Address bits 9 to 2 select the bits of the low or the high byte (DDI 0479D, 4.1.3)."""
    mask = offset >> 2 & 0xFF
    return mask if offset < MASK_HIGH_BYTE else mask << 8


MODELS = {"": CmsdkGpio}
