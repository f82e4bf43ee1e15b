"""What Nordic's peripherals have in common (nRF52840 PS 6.1): tasks, events, and INTENSET/INTENCLR by event."""

from __future__ import annotations

from abc import ABC, abstractmethod

from vtarget.shell.devices.device import WordDevice
from vtarget.shell.devices.nrf_ppi import pulse_event

EVENTS, EVENTS_END = 0x100, 0x180
INTEN, INTENSET, INTENCLR = 0x300, 0x304, 0x308


class NrfEvents(WordDevice, ABC):
    """Event n stands at 0x100 + 4 n and is bit n of INTEN. A task is called by its offset when 1 is written."""

    @abstractmethod
    def task(self, offset: int) -> None:
        """A task is triggered."""

    def changed(self, offset: int, value: int) -> None:
        """A register that is neither task nor event was written; by default it is kept."""
        self.words[offset] = value

    def set_event(self, number: int) -> None:
        """An event happens."""
        self.words[EVENTS + 4 * number] = 1
        self._update()
        pulse_event(self.ports, EVENTS + 4 * number)

    def read_word(self, offset: int) -> int:
        """Tasks read as 0; INTENSET and INTENCLR read what is enabled."""
        if offset < EVENTS:
            return 0
        return self.words.get(INTEN if offset in (INTENSET, INTENCLR) else offset, 0)

    def peek_word(self, offset: int) -> int:
        """Bits that a narrow write leaves out neither set nor clear."""
        return 0 if offset in (INTENSET, INTENCLR) else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset < EVENTS:
            if value & 1:
                self.task(offset)
        elif offset < EVENTS_END:
            self.words[offset] = value & 1
        elif offset == INTENSET:
            self.words[INTEN] = self.words.get(INTEN, 0) | value
        elif offset == INTENCLR:
            self.words[INTEN] = self.words.get(INTEN, 0) & ~value
        else:
            self.changed(offset, value)
        self._update()

    def _update(self) -> None:
        enabled = self.words.get(INTEN, 0)
        events = range(EVENTS, EVENTS_END, 4)
        self.ports.set_irq(any(enabled >> (o - EVENTS >> 2) & 1 and self.words.get(o, 0) for o in events))
