"""RP2040 TIMER (datasheet 4.6): 64 bits of microseconds and four alarms that compare the lower 32.

It counts its clock, 1 MHz in the chip's file, while the watchdog's tick generator runs (signal ``WATCHDOG_TICK``): the
rate of a tick generator that is set to something else is not followed. An alarm is on a line of its own, ``ALARM0`` to
``ALARM3``.
"""

from __future__ import annotations

from vtarget.shell.devices.counter import Counter, earliest
from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.rp2040_resets import on_reset

TIMEHW, TIMELW, TIMEHR, TIMELR, ALARM0, ARMED = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x20
TIMERAWH, TIMERAWL, DBGPAUSE, PAUSE, INTR, INTE, INTF, INTS = 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x40
ALARMS = range(4)
MASK = 0xFFFFFFFF


class Rp2040Timer(WordDevice):
    """The system timer. An alarm fires when the lower word of the time equals it, then disarms."""

    write_one_to_clear = frozenset({ARMED, INTR})

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._counter = Counter(ports.clock, self._catch_up)
        self._ticking = False
        self._reset()
        ports.watch_signal("WATCHDOG_TICK", self._tick)
        on_reset(ports, self._reset)

    def _reset(self) -> None:
        self._counter.take()
        self.words = {DBGPAUSE: 7}
        self._time = 0
        self._armed = self._raised = 0
        self._counter.restart()
        self._counter.run(self._ticking)
        self._refresh()

    def read_word(self, offset: int) -> int:
        """TIMELR latches TIMEHR; the raw registers don't."""
        if offset in (TIMELR, TIMERAWH, TIMERAWL, ARMED, INTR, INTS):
            self._catch_up()
        if offset == TIMELR:
            self.words[TIMEHR] = self._time >> 32
        return self.peek_word(offset)

    def peek_word(self, offset: int) -> int:
        """Without the latch."""
        if offset in (TIMELR, TIMERAWL):
            return self._time & MASK
        if offset == TIMERAWH:
            return self._time >> 32
        if offset == INTS:
            return self._interrupts
        return {ARMED: self._armed, INTR: self._raised, TIMEHW: 0, TIMELW: 0}.get(offset, self.words.get(offset, 0))

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == TIMEHW:
            self._time = value << 32 | self.words.get(TIMELW, 0)
        elif offset == ARMED:
            self._armed &= ~value
        elif offset == INTR:
            self._raised &= ~value
        else:
            self.words[offset] = value
        if offset == PAUSE:
            self._counter.run(self._ticking and not value & 1)
        if ALARM0 <= offset < ARMED:
            alarm = (offset - ALARM0) // 4
            self._armed |= 1 << alarm
            if self._distance(alarm) == 0:
                self._fire(alarm)
        self._refresh()

    def _tick(self, level: bool) -> None:
        self._catch_up()
        self._ticking = level
        self._counter.run(level and not self.words.get(PAUSE, 0) & 1)
        self._refresh()

    def _distance(self, alarm: int) -> int:
        """Microseconds until an alarm."""
        return (self.words.get(ALARM0 + 4 * alarm, 0) - self._time) & MASK

    def _fire(self, alarm: int) -> None:
        self._armed &= ~(1 << alarm)
        self._raised |= 1 << alarm

    def _catch_up(self) -> None:
        counts = self._counter.take()
        for alarm in ALARMS:
            if self._armed >> alarm & 1 and self._distance(alarm) <= counts:
                self._fire(alarm)
        self._time = (self._time + counts) % (1 << 64)
        self._refresh()

    @property
    def _interrupts(self) -> int:
        return (self._raised & self.words.get(INTE, 0) | self.words.get(INTF, 0)) & 0xF

    def _refresh(self) -> None:
        for alarm in ALARMS:
            self.ports.set_irq(bool(self._interrupts >> alarm & 1), f"ALARM{alarm}")
        awaited = self._armed & self.words.get(INTE, 0) & ~self._raised
        self._counter.call_after(earliest(self._distance(a) for a in ALARMS if awaited >> a & 1))


MODELS = {"": Rp2040Timer}
