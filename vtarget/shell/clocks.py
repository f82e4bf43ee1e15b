"""Clocks: how fast the core and each device tick, and how many ticks of each have passed.

Virtual time is counted in core cycles, sleep included. A ``Clock`` turns them into its own ticks, exactly, and keeps
its count and its alarms when a clock tree changes the frequencies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import gcd

from vtarget.shell.schedule import Event, Schedule

CORE = "HCLK"  # the name of the core's clock


class Alarm:
    """An action at a tick of a clock; ``cancel`` takes it back."""

    def __init__(self, tick: int, action: Callable[[], None]) -> None:
        self.tick = tick
        self.action = action
        self.event: Event | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """The action will not be called."""
        self._cancelled = True
        self.disarm()

    def disarm(self) -> None:
        """Take it off the schedule, to be armed again."""
        if self.event is not None:
            self.event.cancel()

    @property
    def pending(self) -> bool:
        """Whether the action is still to be called, some time."""
        return not self._cancelled and (self.event is None or self.event.pending)


class Clock:
    """One clock: ``hz`` ticks per second, counted from reset. ``hz`` 0 stands still."""

    def __init__(self, clocks: Clocks, hz: int) -> None:
        self._clocks = clocks
        self.hz = hz
        self._core_hz = clocks.core_hz
        self._base_tick = 0
        self._base_cycle = 0
        self._alarms: list[Alarm] = []

    @property
    def ticks(self) -> int:
        """Ticks since reset, now."""
        return self._ticks_at(self._clocks.now())

    def at(self, tick: int, action: Callable[[], None]) -> Alarm:
        """Call ``action`` when ``ticks`` reaches ``tick``."""
        alarm = Alarm(tick, action)
        self._arm(alarm)
        self._alarms = [a for a in self._alarms if a.pending]
        self._alarms.append(alarm)
        return alarm

    def cycle_of(self, tick: int) -> int:
        """The core cycle at which ``ticks`` reaches ``tick`` as the clocks run now."""
        return self._base_cycle - (-max(0, tick - self._base_tick) * self._core_hz // self.hz)

    @property
    def line(self) -> tuple[int, int, int, int]:
        """A tick, the cycle it came at, and the cycles per tick since then, as a fraction."""
        common = gcd(self._core_hz, self.hz)
        return self._base_tick, self._base_cycle, self._core_hz // common, self.hz // common

    def rebase(self, now: int, hz: int, core_hz: int) -> None:
        """From cycle ``now`` on the clock runs at ``hz`` and the core at ``core_hz``. Less than one tick is lost."""
        self._base_tick, self._base_cycle = self._ticks_at(now), now
        self.hz, self._core_hz = hz, core_hz
        self._alarms = [a for a in self._alarms if a.pending]
        for alarm in self._alarms:
            alarm.disarm()
            self._arm(alarm)

    def _ticks_at(self, cycle: int) -> int:
        return self._base_tick + (cycle - self._base_cycle) * self.hz // self._core_hz

    def _arm(self, alarm: Alarm) -> None:
        alarm.event = None
        if self.hz:
            alarm.event = self._clocks.schedule.at(self.cycle_of(alarm.tick), alarm.action)


class Clocks:
    """All clocks of a board by name. ``now`` tells core cycles since reset; unknown names run with the core.

    ``on_core_change(hz)`` is told when the core's own clock changes, before any clock is rebased. A ``pinned`` core
    keeps its clock whatever the tree says.
    """

    def __init__(self, schedule: Schedule, now: Callable[[], int], core_hz: int, *, pinned: bool = False) -> None:
        self._pinned = pinned
        self.schedule = schedule
        self.now = now
        self.core_hz = core_hz
        self.on_core_change: Callable[[int], None] = lambda _hz: None
        self._named: dict[str, int] = {}
        self._clocks: dict[str, Clock] = {}
        self._fixed: dict[int, Clock] = {}

    def clock(self, name: str) -> Clock:
        """The clock of that name."""
        if name not in self._clocks:
            self._clocks[name] = Clock(self, self.hz(name))
        return self._clocks[name]

    def fixed(self, hz: int) -> Clock:
        """A clock that keeps its frequency whatever the tree does."""
        if hz not in self._fixed:
            self._fixed[hz] = Clock(self, hz)
        return self._fixed[hz]

    def hz(self, name: str) -> int:
        """The frequency of the clock of that name, now; ``HCLK/8`` is an eighth of ``HCLK``."""
        base, _, divider = name.partition("/")
        hz = self._named.get(base, self.core_hz)
        return hz // int(divider) if divider else hz

    def set(self, frequencies: Mapping[str, int]) -> None:
        """New frequencies by name, ``HCLK`` being the core's."""
        now = self.now()
        core_hz = self.core_hz if self._pinned else max(1, frequencies.get(CORE, self.core_hz))
        frequencies = {**frequencies, CORE: core_hz}
        if core_hz != self.core_hz:
            self.on_core_change(core_hz)
            self.core_hz = core_hz
        self._named.update(frequencies)
        for name, clock in self._clocks.items():
            clock.rebase(now, self.hz(name), core_hz)
        for hz, clock in self._fixed.items():
            clock.rebase(now, hz, core_hz)
