"""Virtual time: core cycles since reset, awake and asleep."""

from __future__ import annotations

from vtarget.shell.clock import LiveClock
from vtarget.shell.recorder import Recorder
from vtarget.shell.spans import Mark


class Timeline:
    """What ``now`` is depends on who asks: a register access means its instruction, an event its own time."""

    def __init__(self, recorder: Recorder, clock: LiveClock) -> None:
        self._recorder = recorder
        self._clock = clock
        self.access: tuple[int, bool] | None = None  # address, reading
        self.moment: int | None = None  # of the event being handled
        self.halted: int | None = None  # cycles awake, while a debugger holds the core
        self.asked = False  # whether the access being made looked at the time
        self.questions = 0  # how often accesses did
        self._located: tuple[tuple[int, bool] | None, int] = (None, 0)  # the access last asked about, and its time

    @property
    def asleep(self) -> int:
        """Core cycles that have passed in sleep."""
        return self._recorder.moments.asleep

    @asleep.setter
    def asleep(self, cycles: int) -> None:
        """Say how many."""
        self._recorder.moments.asleep = cycles

    def now(self) -> int:
        """Core cycles since reset, sleep included."""
        return self.moment if self.moment is not None else self.awake() + self.asleep

    def now_at(self, pc: int) -> int:
        """Core cycles since reset, sleep included, before the instruction at ``pc``, which is executing."""
        return self._clock.before_instruction(pc) + self.asleep

    def mark(self) -> Mark:
        """How far into the current block the access being made is."""
        into = self.awake() - self._recorder.cycles
        return Mark(into, self._clock.position if self.access is not None else 0)

    def awake(self) -> int:
        """Core cycles since reset in which the core was not asleep."""
        if self.halted is not None:
            return self.halted
        if self.access is None:
            return self._recorder.cycles
        self.asked = True
        self.questions += 1
        if self._located[0] is not self.access:
            self._located = (self.access, self._clock.before_access(*self.access))
        return self._located[1]
