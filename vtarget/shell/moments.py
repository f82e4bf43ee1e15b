"""Moments of a run: when exceptions were active, when the core slept and when its clock changed.

Of each exception and sleep state the first MOST_STRETCHES are kept. Of the others it is known how many there were, how
long together, and from when to when. So a run of any length has a timeline of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vtarget.data.exceptions import Vector
from vtarget.data.timeline import ClockChange, Lane, LaneKind, LeftOut, Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_STRETCHES = 1000  # of a lane
MOST_EXCEPTIONS = 16  # that keep stretches; others only count theirs
MOST_CLOCKS = 2000  # changes of the clock: what comes later has no time in seconds, and is left out
# DDI 0403 B1.5.1, Table B1-4; DDI 0553 B3.9.
NAMES = {
    Vector.RESET: "Reset", Vector.NMI: "NMI", Vector.HARD_FAULT: "HardFault", Vector.MEM_MANAGE: "MemManage",
    Vector.BUS_FAULT: "BusFault", Vector.USAGE_FAULT: "UsageFault", Vector.SVCALL: "SVCall",
    Vector.DEBUG_MONITOR: "DebugMonitor", Vector.PENDSV: "PendSV", Vector.SYSTICK: "SysTick",
}  # fmt: skip


def exception_name(number: int) -> str:
    """An exception as the manuals call it; external interrupts are ``IRQ 0`` and so on."""
    if number >= Vector.EXTERNAL:
        return f"IRQ {number - Vector.EXTERNAL}"
    return NAMES[Vector(number)] if number in NAMES else f"exception {number}"


class _Stretches:
    """The stretches of one lane, in order of time; only the first ``most`` are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.begins: list[int] = []
        self.ends: list[int] = []
        self.left_out = LeftOut()

    def add(self, begin: int, end: int) -> None:
        if len(self.begins) < self._most:
            self.begins.append(begin)
            self.ends.append(end)
        else:
            self._leave_out(1, end - begin, begin, end)

    def add_all(self, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        room = self._most - len(self.begins)
        self.begins += begins[:room].tolist()
        self.ends += ends[:room].tolist()
        begins, ends = begins[room:], ends[room:]
        if len(begins):
            self._leave_out(len(begins), int((ends - begins).sum()), int(begins[0]), int(ends[-1]))

    @property
    def last(self) -> int:
        """When the last one ended."""
        return self.left_out.last_cycle if self.left_out.count else self.ends[-1] if self.ends else 0

    def stop(self) -> None:
        """Keep no more."""
        self._most = len(self.begins)

    def _leave_out(self, count: int, cycles: int, begin: int, end: int) -> None:
        before = self.left_out
        first = before.first_cycle if before.count else begin
        self.left_out = LeftOut(before.count + count, before.cycles + cycles, first, end)


class Moments:
    """Collects them. ``awake`` tells the core cycles up to the start of the current block; ``asleep`` are those that
    have passed in sleep so far."""

    def __init__(self, clock_hz: int, awake: Callable[[], int] = lambda: 0) -> None:
        self.asleep = 0
        self._awake = awake
        self._clocks = [ClockChange(0, clock_hz)]
        self._known: int | None = None  # the change of the clock that there was no room for
        self._sleeps: dict[str, _Stretches] = {}
        self._exceptions: dict[int, _Stretches] = {}
        self._open: dict[int, int] = {}  # when the active exceptions began
        self.handlers: dict[int, str] = {}  # the first handler of each exception

    @property
    def now(self) -> int:
        """Core cycles since reset up to the start of the current block."""
        return self._awake() + self.asleep

    def clock(self, clock_hz: int, cycle: int) -> None:
        """The core's clock is ``clock_hz`` from ``cycle`` on."""
        if self._clocks[-1].clock_hz == clock_hz or self._known is not None:
            return
        if self._clocks[-1].cycle == cycle:
            self._clocks.pop()
        if len(self._clocks) <= MOST_CLOCKS:
            self._clocks.append(ClockChange(cycle, clock_hz))
            return
        self._known = cycle
        for lane in (*self._sleeps.values(), *self._exceptions.values()):
            lane.stop()

    def entered(self, number: int, cycle: int) -> None:
        """The entry sequence of an exception has begun."""
        self._open[number] = cycle

    def left(self, number: int, cycle: int) -> None:
        """The exception has returned; nothing if it wasn't active."""
        begin = self._open.pop(number, None)
        if begin is not None:
            self._exception(number).add(begin, cycle)

    def slept(self, state: str, begin: int, end: int) -> None:
        """The core was asleep, if only for a cycle."""
        if end > begin:
            self._sleep(state).add(begin, end)

    def ticked(self, number: int, rounds: NDArray[np.int64], returns: int) -> None:
        """Rounds of an exception that native code has served, a row each: when the sleep before it began (-1: it
        wasn't asleep), when the exception began, and when it had returned. The last one may not have."""
        waking = rounds[:, 0] >= 0
        if waking.any():
            self._sleep("sleep").add_all(rounds[waking, 0], rounds[waking, 1])
        if returns:
            self._exception(number).add_all(rounds[:returns, 1], rounds[:returns, 2])
        if returns < len(rounds):
            self.entered(number, int(rounds[-1, 1]))

    def result(self, board: str, end_cycle: int) -> Timeline:
        """The timeline of a run that has ended; what is still active ends with it."""
        ends = (lane.last for lane in (*self._sleeps.values(), *self._exceptions.values()))
        end_cycle = max(end_cycle, self._clocks[-1].cycle, *ends, *self._open.values())
        unfinished = tuple(self._open)
        for number in unfinished:
            self.left(number, end_cycle)
        lanes = [
            Lane(LaneKind.EXCEPTION, exception_name(number), tuple(lane.begins), tuple(lane.ends), number,
                 self.handlers.get(number, ""), lane.left_out, number in unfinished)
            for number, lane in sorted(self._exceptions.items())
        ]  # fmt: skip
        lanes += [
            Lane(LaneKind.SLEEP, state, tuple(lane.begins), tuple(lane.ends), left_out=lane.left_out)
            for state, lane in sorted(self._sleeps.items())
        ]
        known = end_cycle if self._known is None else self._known
        return Timeline(board, end_cycle, known, tuple(self._clocks), tuple(lanes))

    def _sleep(self, state: str) -> _Stretches:
        return self._sleeps.get(state) or self._sleeps.setdefault(state, self._new(room=True))

    def _exception(self, number: int) -> _Stretches:
        return self._exceptions.get(number) or self._exceptions.setdefault(
            number, self._new(room=len(self._exceptions) < MOST_EXCEPTIONS)
        )

    def _new(self, *, room: bool) -> _Stretches:
        return _Stretches(MOST_STRETCHES if room and self._known is None else 0)
