"""The APB timer of Arm's Cortex-M System Design Kit (DDI 0479, 4.3): a 32-bit down counter with a reload value.

VALUE goes n, n-1 .. 0 and then takes RELOAD, so a period is RELOAD + 1 ticks. The interrupt comes with the step from 1
to 0, and only while it is enabled. Writing RELOAD leaves VALUE alone, as in the design kit's timer logic.
"""

from __future__ import annotations

from vtarget.shell.devices.counter import Counter
from vtarget.shell.devices.device import Ports, WordDevice

CTRL, VALUE, RELOAD, INTSTATUS = 0x0, 0x4, 0x8, 0xC
ENABLE, EXTERNAL, INTERRUPT_ENABLE = 1 << 0, 3 << 1, 1 << 3
# Peripheral and component identification, 0xFD0 to 0xFFC (DDI 0479, table 4-8).
IDENTIFICATION = (0x04, 0, 0, 0, 0x22, 0xB8, 0x1B, 0x00, 0x0D, 0xF0, 0x05, 0xB1)


def count_down(value: int, reload: int, counts: int) -> tuple[int, bool]:
    """(value after that many counts, whether it stepped from 1 to 0) of a counter that takes ``reload`` after 0."""
    if counts <= value:
        return value - counts, 0 < counts == value
    after = (counts - value - 1) % (reload + 1)
    return reload - after, value > 0 or (reload > 0 and counts - value - 1 >= reload)


def counts_to_zero(value: int, reload: int) -> int | None:
    """Counts until the next step from 1 to 0; None if there is none."""
    return value or (reload + 1 if reload else None)


class CmsdkTimer(WordDevice):
    """The timer; its external input (CTRL bits 1 and 2) is not modelled."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._counter = Counter(ports.clock, self._catch_up)
        self._value = 0
        self._pending = False

    def read_word(self, offset: int) -> int:
        """Registers, and the identification at the end of the block."""
        if offset == VALUE:
            self._catch_up()
            return self._value
        if offset == INTSTATUS:
            self._catch_up()
            return int(self._pending)
        return IDENTIFICATION[(offset - 0xFD0) // 4] if offset >= 0xFD0 else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return 0 if offset == INTSTATUS else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == CTRL:
            self._control(value & 0xF)
        elif offset == VALUE:
            self._value = value
        elif offset == RELOAD:
            self.words[RELOAD] = value
        elif offset == INTSTATUS:
            self._pending = self._pending and not value & 1
        self._refresh()

    def _control(self, value: int) -> None:
        self.words[CTRL] = value
        if value & ENABLE and value & EXTERNAL:
            self.ports.note(f"{self.ports.name}: the timer's external input is not modelled; it counts its clock")
        self._counter.run(bool(value & ENABLE))

    def _catch_up(self) -> None:
        counts = self._counter.take()
        self._value, zero = count_down(self._value, self.words.get(RELOAD, 0), counts)
        if zero and self._interrupts:
            self._pending = True
        self._refresh()

    @property
    def _interrupts(self) -> bool:
        return bool(self.words.get(CTRL, 0) & INTERRUPT_ENABLE)

    def _refresh(self) -> None:
        self.ports.set_irq(self._pending)
        waiting = self._interrupts and not self._pending
        self._counter.call_after(counts_to_zero(self._value, self.words.get(RELOAD, 0)) if waiting else None)


MODELS = {"": CmsdkTimer}
