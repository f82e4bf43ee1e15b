"""What will happen when: actions at points of virtual time, in core cycles since reset."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

NEVER = 1 << 62


@dataclass(eq=False)
class Event:
    """An action to come; ``cancel`` takes it back."""

    cycle: int
    action: Callable[[], None] | None

    def cancel(self) -> None:
        """The action will not be called."""
        self.action = None

    @property
    def pending(self) -> bool:
        """Whether the action is still to be called."""
        return self.action is not None


class Schedule:
    """Events in order of time, and of arrival where times are equal. ``sooner`` is told when the next one moves up."""

    def __init__(self, sooner: Callable[[], None] = lambda: None) -> None:
        self._heap: list[tuple[int, int, Event]] = []
        self._count = 0
        self._sooner = sooner

    def at(self, cycle: int, action: Callable[[], None]) -> Event:
        """Call ``action`` once virtual time has reached ``cycle``."""
        event = Event(cycle, action)
        earlier = cycle < self.next_cycle
        self._count += 1
        heapq.heappush(self._heap, (cycle, self._count, event))
        if earlier:
            self._sooner()
        return event

    @property
    def next_cycle(self) -> int:
        """When the next event is due; NEVER if there is none."""
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else NEVER

    def next_but(self, event: Event) -> int:
        """When the next of all others is due; NEVER if there is none."""
        return min((cycle for cycle, _, other in self._heap if other is not event and other.pending), default=NEVER)

    def take_due(self, now: int) -> Event | None:
        """The next event that is due at ``now``, taken out; None if none is."""
        return heapq.heappop(self._heap)[2] if self.next_cycle <= now else None
