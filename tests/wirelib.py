"""Virtual time for tests of consoles: a schedule that a test moves by hand, in microseconds."""

from __future__ import annotations

from collections.abc import Callable

from vtarget.data.consoles import ConsoleOptions
from vtarget.shell.console import Console
from vtarget.shell.schedule import Event, Schedule
from vtarget.shell.wires import DEFAULT_BAUD, Wires

HZ = 1_000_000


class Bench:
    """Time, and what scripts said about the end of the run."""

    def __init__(self) -> None:
        self.schedule = Schedule()
        self.now = 0
        self.ends: list[tuple[str, bool]] = []
        self.announced: list[str] = []
        self.console = Console()

    def after_seconds(self, seconds: float, action: Callable[[], None]) -> Event:
        return self.schedule.at(self.now + round(seconds * HZ), action)

    def finish(self, detail: str, good: bool) -> None:
        self.ends.append((detail, good))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + round(seconds * HZ)
        while (event := self.schedule.take_due(end)) is not None:
            self.now = event.cycle
            action, event.action = event.action, None
            if action is not None:
                action()
        self.now = end

    def wires(self, options: ConsoleOptions, *devices: str, **more: object) -> Wires:
        """Wires with these serial devices, which take bytes and ignore them until a test says otherwise."""
        wires = Wires(
            options,
            self.console,
            self.after_seconds,
            self.finish,
            announce=self.announced.append,
            **more,  # type: ignore[arg-type]
        )
        for name in devices:
            wires.line(name).receiver = lambda _byte: None
            wires.line(name).baud = DEFAULT_BAUD
        return wires
