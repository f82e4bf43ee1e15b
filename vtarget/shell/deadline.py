"""A limit in wall time, and Ctrl-C, that hold whatever the emulator and its callbacks are busy with."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import TIMEOUT_MAX, Event, Thread, current_thread, main_thread
from types import FrameType, TracebackType
from typing import Self

from vtarget.shell.engine import Engine
from vtarget.shell.ticking import Ticking

REPEAT_SECONDS = 0.05
_IN_NATIVE_CODE = frozenset(function.__code__ for function in (Engine.run, Ticking.repeat))


class Deadline:
    """Inside its ``with`` block, ``stop`` is called from a thread once ``seconds`` have passed; None: never.

    It is called again and again, because a run that is just being started may overwrite what ``stop`` asked for.

    An interrupt that comes while native code runs, or a callback of it, which can't raise, counts as time that is up,
    and is raised as KeyboardInterrupt when the block is left.
    """

    def __init__(self, seconds: float | None, stop: Callable[[], None]) -> None:
        self._seconds = seconds
        self._interrupted = False
        self._held = False
        self._stop = stop
        self._ended = Event()
        self._thread = Thread(target=self._wait, daemon=True)
        self.passed = False

    def __enter__(self) -> Self:
        if self._seconds is not None:
            self._thread.start()
        if current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._held = True
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._ended.set()
        if self._seconds is not None:
            self._thread.join()
        if self._interrupted and error is None:
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code not in _IN_NATIVE_CODE:
            frame = frame.f_back
        if frame is None:
            raise KeyboardInterrupt
        self._interrupted = self.passed = True
        self._stop()

    def _wait(self) -> None:
        assert self._seconds is not None
        if self._ended.wait(min(self._seconds, TIMEOUT_MAX)):
            return
        self.passed = True
        self._stop()
        while not self._ended.wait(REPEAT_SECONDS):
            self._stop()
