"""What the timer models share: how many counts of a prescaled clock have passed, and a call when the next one matters.

A timer keeps its state as of the last ``take``. Before it reads or changes anything it takes the counts that have
passed and works out, by arithmetic, what they did; then it says with ``call_after`` when that will matter next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vtarget.shell.clocks import Alarm, Clock


class Counter:
    """Counts every ``divider``-th tick of a clock while it runs. ``action`` is what ``call_after`` calls."""

    def __init__(self, clock: Clock, action: Callable[[], None], *, divider: int = 1) -> None:
        self._clock = clock
        self._action = action
        self._divider = divider
        self._running = False
        self._origin = 0  # running: the tick of the last count taken; else: ticks into the count that was interrupted
        self._alarm: Alarm | None = None

    @property
    def running(self) -> bool:
        """Whether it counts."""
        return self._running

    def take(self) -> int:
        """Counts since the last ``take``."""
        if not self._running:
            return 0
        counts = (self._clock.ticks - self._origin) // self._divider
        self._origin += counts * self._divider
        return counts

    def run(self, running: bool) -> None:
        """Start or stop; the prescaler keeps its phase. Take first: a stop drops counts that were not taken."""
        if running != self._running:
            self._running = running
            self._origin = self._clock.ticks - self._origin
        if not running:
            self.call_after(None)

    def restart(self) -> None:
        """Reset the prescaler's phase: a whole count lies ahead."""
        self._origin = self._clock.ticks if self._running else 0

    def set_clock(self, clock: Clock, divider: int) -> None:
        """Count another clock, or with another divider. Take first. The phase carries over within a clock."""
        if clock is self._clock and divider == self._divider:
            return
        running = self._running
        self.run(False)
        self._origin = self._origin % divider if clock is self._clock else 0
        self._clock, self._divider = clock, divider
        self.run(running)

    def call_after(self, counts: int | None) -> None:
        """Call the action once when that many counts from the last ``take`` have passed; None: don't."""
        tick = None if counts is None or not self._running else self._origin + counts * self._divider
        if self._alarm is not None:
            if self._alarm.tick == tick and self._alarm.pending:
                return
            self._alarm.cancel()
        self._alarm = None if tick is None else self._clock.at(tick, self._action)


def earliest(counts: Iterable[int | None]) -> int | None:
    """The smallest of some numbers of counts; None stands for never."""
    return min((count for count in counts if count is not None), default=None)


def counts_until(value: int, target: int, modulus: int) -> int:
    """Counts from ``value`` until a counter that wraps at ``modulus`` next arrives at ``target``: 1 to ``modulus``."""
    return (target - value - 1) % modulus + 1
