"""SysTick: the system timer (Armv7-M ARM, DDI 0403, B3.3).

It counts down to 0, then takes the reload value; from 0 it takes it at once. A zero reload value lets it stay at 0.
Counting from 1 to 0 sets COUNTFLAG, which reading SYST_CSR or writing SYST_CVR clears, and pends the exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vtarget.shell.clocks import Alarm, Clock
from vtarget.shell.schedule import Event

SYST_CSR, SYST_RVR, SYST_CVR, SYST_CALIB = 0xE000E010, 0xE000E014, 0xE000E018, 0xE000E01C
ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1, 2, 4, 1 << 16
COUNTER_MASK = 0xFFFFFF


@dataclass(frozen=True)
class Beat:
    """Ticks that pend the exception: the next at ``tick`` of ``clock`` and by ``event``, then one each ``period``."""

    clock: Clock
    tick: int
    period: int
    event: Event


class SysTick:
    """The timer on the ``core`` clock or the chip's ``reference`` clock; ``pend`` makes its exception pending."""

    def __init__(self, core: Clock, reference: Clock, pend: Callable[[], None]) -> None:
        self._core = core
        self._reference = reference
        self._pend = pend
        self._control = 0
        self._reload = 0
        self._count = 0  # the counter's value at tick _since
        self._since = 0
        self._flag = False
        self._alarm: Alarm | None = None
        self.clock_reads = 0

    def read_word(self, address: int) -> int:
        """Value of a SYST register."""
        match address:
            case _ if address == SYST_RVR:
                return self._reload
            case _ if address == SYST_CVR:
                self.clock_reads += self._running
                self._settle()
                return self._count
            case _ if address == SYST_CSR:
                self.clock_reads += self._running
                self._settle()
                flag, self._flag = self._flag, False
                return self._control | (COUNTFLAG if flag else 0)
        return 0

    def write_word(self, address: int, value: int) -> None:
        """Write a SYST register."""
        self._settle()
        if address == SYST_RVR:
            self._reload = value & COUNTER_MASK
        elif address == SYST_CVR:
            self._count, self._flag = 0, False
        elif address == SYST_CSR:
            self._control = value & (ENABLE | TICKINT | CLKSOURCE)
            self._since = self._clock.ticks
        self._schedule()

    def hold(self) -> None:
        """The core's clock stops, and the counter with it."""
        self._settle()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def release(self) -> None:
        """The core's clock runs again."""
        self._since = self._clock.ticks
        self._schedule()

    @property
    def beat(self) -> Beat | None:
        """Its ticks to come; None if it makes none, or one more only."""
        alarm = self._alarm
        if alarm is None or alarm.event is None or not alarm.event.pending or not self._reload:
            return None
        return Beat(self._clock, alarm.tick, 1 + self._reload, alarm.event)

    def ticked(self, ticks: int) -> None:
        """So many ticks have come, each when it was due, and their exceptions have been taken."""
        assert self._alarm is not None
        self._since = self._alarm.tick + (ticks - 1) * (1 + self._reload)
        self._count, self._flag = 0, True
        self._schedule()

    @property
    def _clock(self) -> Clock:
        return self._core if self._control & CLKSOURCE else self._reference

    @property
    def _running(self) -> bool:
        return bool(self._control & ENABLE)

    def _settle(self) -> None:
        """Bring the counter's value and flag up to now; the exception pends here, even if its alarm has yet to run."""
        now = self._clock.ticks
        ticks, self._since = (now - self._since if self._running else 0), now
        if ticks < self._count or not ticks:
            self._count -= ticks
            return
        since_zero = ticks - self._count
        reached_zero = self._count > 0 or since_zero > self._reload > 0
        self._count = self._reload - (since_zero - 1) % (self._reload + 1) if since_zero else 0
        if reached_zero:
            self._flag = True
            if self._control & TICKINT:
                self._pend()
            self._schedule()

    def _schedule(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._running or not self._control & TICKINT:
            return
        if self._count:
            self._alarm = self._clock.at(self._since + self._count, self._settle)
        elif self._reload:
            self._alarm = self._clock.at(self._since + 1 + self._reload, self._settle)
