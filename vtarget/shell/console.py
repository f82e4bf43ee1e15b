"""The run's console text: what the firmware printed by whatever way, up to a limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

CONSOLE_LIMIT_BYTES = 1 << 20
LINE_LIMIT_BYTES = 1 << 12
INPUT_LIMIT_BYTES = 1 << 16


class Console:
    """What the firmware printed, up to a limit; the rest is counted and dropped."""

    def __init__(self, limit_bytes: int = CONSOLE_LIMIT_BYTES) -> None:
        self._data = bytearray()
        self._limit = limit_bytes
        self._sources: list[ConsoleSource] = []
        self.dropped_bytes = 0

    def write(self, data: bytes) -> None:
        """Append output."""
        room = self._limit - len(self._data)
        self._data += data[:room]
        self.dropped_bytes += max(0, len(data) - room)

    @property
    def total_bytes(self) -> int:
        """How much was printed, dropped bytes included."""
        return len(self._data) + self.dropped_bytes

    def source(self) -> ConsoleSource:
        """One of several ways of printing: its lines stay whole in the text."""
        self._sources.append(ConsoleSource(self))
        return self._sources[-1]

    @property
    def text(self) -> str:
        """The output as text; bytes that are not UTF-8 show as replacement characters."""
        started = b"".join(source.started for source in self._sources)
        return (bytes(self._data) + started[: self._limit - len(self._data)]).decode("utf-8", errors="replace")


class ConsoleSource:
    """Output that reaches the console a line at a time, so that two serial lines don't mix within a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = bytearray()

    @property
    def started(self) -> bytes:
        """The line that has not ended yet."""
        return bytes(self._line)

    def write(self, data: bytes) -> None:
        """Append output; an endless line is passed on in parts."""
        end = data.rfind(b"\n") + 1
        if end:
            self._console.write(bytes(self._line) + data[:end])
            self._line.clear()
        self._line += data[end:]
        if len(self._line) >= LINE_LIMIT_BYTES:
            self._console.write(bytes(self._line))
            self._line.clear()


class ConsoleInput:
    """What was typed at a console and not read yet, up to a limit. ``may_come`` tells whether there may be more."""

    def __init__(self) -> None:
        self._data: deque[int] = deque()
        self.dropped_bytes = 0
        self.may_come: Callable[[], bool] = lambda: True

    def receive(self, byte: int) -> None:
        """A byte arrives."""
        if len(self._data) < INPUT_LIMIT_BYTES:
            self._data.append(byte)
        else:
            self.dropped_bytes += 1

    @property
    def ready(self) -> bool:
        """Whether a read would return something, or find the end."""
        return bool(self._data) or self.ended

    @property
    def ended(self) -> bool:
        """Whether nothing is left to read, and nothing can come."""
        return not self._data and not self.may_come()

    def read(self, most_bytes: int) -> bytes:
        """Take what has arrived, at most so much."""
        return bytes(self._data.popleft() for _ in range(min(most_bytes, len(self._data))))
