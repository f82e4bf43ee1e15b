"""Plays a script against one serial line, in virtual time alone, so that two runs of it are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vtarget.base.units import TIME, exact
from vtarget.data.consoles import End, Expect, Send, Step, Wait
from vtarget.logic.bytepattern import Matcher

UNREAD_LIMIT_BYTES = 1 << 16


class Cancellable(Protocol):
    """An event to come."""

    def cancel(self) -> None:
        """It won't happen."""


AfterSeconds = Callable[[float, Callable[[], None]], Cancellable]
# What a script's end means for the run: a detail in words, and whether all went as the script says.
Finish = Callable[[str, bool], None]


class ScriptPlayer:
    """Steps through a script. ``feed(data, done)`` sends to the firmware; ``output`` is told what it transmitted."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        feed: Callable[[bytes, Callable[[], None]], None],
        after_seconds: AfterSeconds,
        finish: Finish,
    ) -> None:
        self._steps = steps
        self._feed = feed
        self._after_seconds = after_seconds
        self._finish = finish
        self._index = -1
        self._unread = bytearray()
        self._matcher: Matcher | None = None
        self._timer: Cancellable | None = None
        self.failed = False

    def start(self) -> None:
        """Begin with the first step."""
        self._go_on()

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return self.failed or self._index >= len(self._steps)

    @property
    def unmet(self) -> str | None:
        """What the script still waits for, in words; None where nothing is left to expect."""
        rest = () if self.failed else self._steps[max(0, self._index) :]
        waiting = next((step for step in rest if isinstance(step, Expect)), None)
        return None if waiting is None else f"{_place(waiting)}: {waiting.text} did not come before the run ended"

    def output(self, byte: int) -> None:
        """The firmware transmitted a byte."""
        if self.ended:
            return
        if self._matcher is None:
            self._unread.append(byte)
            if len(self._unread) > UNREAD_LIMIT_BYTES:
                del self._unread[: UNREAD_LIMIT_BYTES // 2]
        elif self._matcher.feed(byte):
            self._go_on()

    def _go_on(self) -> None:
        """Do steps until one has to wait."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._matcher = None
        self._index += 1
        while self._index < len(self._steps) and self._done_at_once(self._steps[self._index]):
            self._index += 1

    def _done_at_once(self, step: Step) -> bool:
        match step:
            case Expect():
                matcher = Matcher(step.pattern)
                for count, byte in enumerate(self._unread, 1):
                    if matcher.feed(byte):
                        del self._unread[:count]
                        return True
                self._unread.clear()
                self._matcher = matcher
                self._timer = self._after_seconds(step.seconds, lambda: self._late(step))
            case Send():
                self._feed(step.data, self._go_on)
            case Wait():
                self._timer = self._after_seconds(step.seconds, self._go_on)
            case End():
                self._index = len(self._steps)
                self._finish(f"{_place(step)}: end", True)
        return False

    def _late(self, step: Expect) -> None:
        self.failed = True
        limit = exact(step.seconds, TIME)
        self._finish(f"{_place(step)}: {step.text} did not come within {limit} of virtual time", False)


def _place(step: Step) -> str:
    return f"uart script line {step.line}"
