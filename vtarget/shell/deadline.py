"""A limit in wall time that holds whatever the emulator and its callbacks are busy with."""

from __future__ import annotations

from collections.abc import Callable
from threading import TIMEOUT_MAX, Event, Thread
from types import TracebackType
from typing import Self

REPEAT_SECONDS = 0.05


class Deadline:
    """Inside its ``with`` block, ``stop`` is called from a thread once ``seconds`` have passed; None: never.

    It is called again and again, because a run that is just being started may overwrite what ``stop`` asked for.
    """

    def __init__(self, seconds: float | None, stop: Callable[[], None]) -> None:
        self._seconds = seconds
        self._stop = stop
        self._ended = Event()
        self._thread = Thread(target=self._wait, daemon=True)
        self.passed = False

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._seconds is not None:
            self._thread.join()

    def _wait(self) -> None:
        assert self._seconds is not None
        if self._ended.wait(min(self._seconds, TIMEOUT_MAX)):
            return
        self.passed = True
        self._stop()
        while not self._ended.wait(REPEAT_SECONDS):
            self._stop()
