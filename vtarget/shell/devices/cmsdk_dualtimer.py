"""The APB dual timer of Arm's Cortex-M System Design Kit (DDI 0479, 4.4), compatible with the SP804 (DDI 0271).

Two down counters of 16 or 32 bits with a prescaler of 1, 16 or 256. A counter that has reached zero takes LOAD
(periodic) or all ones (free running) with its next tick, or stays there (one-shot). Lines: ``TIMINT1``, ``TIMINT2``,
and ``""`` for both together.
"""

from __future__ import annotations

from vtarget.shell.devices.cmsdk_timer import count_down, counts_to_zero
from vtarget.shell.devices.counter import Counter
from vtarget.shell.devices.device import Ports, WordDevice

LOAD, VALUE, CONTROL, INTCLR, RIS, MIS, BGLOAD = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18
ONE_SHOT, SIZE_32, INTERRUPT_ENABLE, PERIODIC, ENABLE = 1 << 0, 1 << 1, 1 << 5, 1 << 6, 1 << 7
PRESCALE = (1, 16, 256, 256)  # 3 is undefined in the manual
ITCR, ITOP = 0xF00, 0xF04
# Peripheral and component identification, 0xFD0 to 0xFFC (DDI 0479, table 4-10).
IDENTIFICATION = (0x04, 0, 0, 0, 0x23, 0xB8, 0x1B, 0x00, 0x0D, 0xF0, 0x05, 0xB1)


class _Half:
    """One of the two counters."""

    def __init__(self, timer: CmsdkDualTimer, ports: Ports) -> None:
        self._timer = timer
        self._counter = Counter(ports.clock, timer.catch_up)
        self._control = INTERRUPT_ENABLE
        self._load = 0
        self._value = 0xFFFFFFFF
        self.pending = False

    @property
    def masked(self) -> bool:
        return self.pending and bool(self._control & INTERRUPT_ENABLE)

    @property
    def _top(self) -> int:
        return 0xFFFFFFFF if self._control & SIZE_32 else 0xFFFF

    @property
    def _reload(self) -> int:
        if self._control & ONE_SHOT:
            return 0
        return self._load & self._top if self._control & PERIODIC else self._top

    def read(self, offset: int) -> int:
        return {
            LOAD: self._load,
            VALUE: self._value & self._top,
            CONTROL: self._control,
            RIS: int(self.pending),
            MIS: int(self.masked),
            BGLOAD: self._load,
        }.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset in (LOAD, BGLOAD):
            self._load = value
            if offset == LOAD:
                self._value = value
                self._counter.restart()
        elif offset == CONTROL:
            self._control = value & 0xFF
            self._counter.set_clock(self._timer.ports.clock, PRESCALE[value >> 2 & 3])
            self._counter.run(bool(value & ENABLE))
        elif offset == INTCLR:
            self.pending = False

    def catch_up(self) -> None:
        counts = self._counter.take()
        if counts:
            value = self._value & self._top
            self._value, zero = count_down(value, self._reload, counts)
            self.pending = self.pending or zero or self._zero_period(value)

    def refresh(self) -> None:
        counts = None
        if self._control & INTERRUPT_ENABLE and not self.pending:
            value = self._value & self._top
            counts = 1 if self._zero_period(value) else counts_to_zero(value, self._reload)
        self._counter.call_after(counts)

    def _zero_period(self, value: int) -> bool:
        """A period of zero interrupts at once (DDI 0271, 3.3.1)."""
        return value == self._reload == 0 and not self._control & ONE_SHOT


class CmsdkDualTimer(WordDevice):
    """Both counters and their interrupt lines."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._halves = (_Half(self, ports), _Half(self, ports))

    def read_word(self, offset: int) -> int:
        """Registers of a half, integration test control, identification."""
        if offset < 0x40:
            if offset & 0x1F in (VALUE, RIS, MIS):
                self.catch_up()
            return self._halves[offset >> 5].read(offset & 0x1F)
        return IDENTIFICATION[(offset - 0xFD0) // 4] if offset >= 0xFD0 else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        if offset >= 0x40:
            self.words[offset] = value
            if offset == ITCR and value & 1:
                self.ports.note(f"{self.ports.name}: integration test mode is not modelled")
            return
        self.catch_up()
        self._halves[offset >> 5].write(offset & 0x1F, value)
        self._refresh()

    def catch_up(self) -> None:
        """Bring both counters up to now."""
        for half in self._halves:
            half.catch_up()
        self._refresh()

    def _refresh(self) -> None:
        first, second = (half.masked for half in self._halves)
        self.ports.set_irq(first, "TIMINT1")
        self.ports.set_irq(second, "TIMINT2")
        self.ports.set_irq(first or second)
        for half in self._halves:
            half.refresh()


MODELS = {"": CmsdkDualTimer}
