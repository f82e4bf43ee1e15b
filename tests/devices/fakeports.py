"""A board for one device: time that a test moves by hand, and everything the device did, to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vtarget.shell.clocks import Clock, Clocks
from vtarget.shell.devices.device import Option
from vtarget.shell.schedule import Schedule


class FakeWire:
    """A serial line: what was sent, and ``receiver`` to feed."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.receiver: Callable[[int], None] | None = None
        self.baud = 0

    def send(self, byte: int) -> None:
        self.sent.append(byte)


class FakePorts:
    """Implements ``Ports``. ``advance`` moves time and runs what is due."""

    def __init__(
        self,
        *,
        core_hz: int = 1_000_000,
        clock_hz: int | None = None,
        clock: str = "HCLK",
        name: str = "DEV",
        options: Mapping[str, Option] | None = None,
    ) -> None:
        self.name = name
        self.options: Mapping[str, Option] = options or {}
        self.cycle = 0
        self.schedule = Schedule()
        self.clocks = Clocks(self.schedule, lambda: self.cycle, core_hz)
        self.clock: Clock = self.clocks.clock(clock) if clock_hz is None else self.clocks.fixed(clock_hz)
        self.wire = FakeWire()
        self.irqs: dict[str, bool] = {}
        self.irq_log: list[tuple[int, str, bool]] = []
        self.signals: dict[str, bool] = {}
        self.watchers: dict[str, list[Callable[[bool], None]]] = {}
        self.pins: list[tuple[int, str, bool]] = []
        self.memory: dict[int, int] = {}  # byte by address
        self.wait_states: dict[str, int] = {}
        self.switches: list[tuple[str, bool]] = []
        self.invalidated: list[str] = []
        self.resets = 0
        self.notes: list[str] = []

    def advance(self, cycles: int) -> None:
        """Let core cycles pass."""
        end = self.cycle + cycles
        while (event := self.schedule.take_due(end)) is not None:
            self.cycle = max(self.cycle, event.cycle)
            assert event.action is not None
            action, event.action = event.action, None
            action()
        self.cycle = end

    @property
    def irq(self) -> bool:
        """The level of the only interrupt line."""
        return self.irqs.get("", False)

    def now(self) -> int:
        return self.cycle

    def named_clock(self, name: str) -> Clock:
        return self.clocks.clock(name)

    def fixed_clock(self, hz: int) -> Clock:
        return self.clocks.fixed(hz)

    def set_clocks(self, frequencies: Mapping[str, int]) -> None:
        self.clocks.set(frequencies)

    def set_wait_states(self, region: str, wait_states: int) -> None:
        self.wait_states[region] = wait_states

    def switch(self, name: str, on: bool) -> None:
        self.switches.append((name, on))

    def invalidate(self, name: str) -> None:
        self.invalidated.append(name)

    def set_irq(self, level: bool, line: str = "") -> None:
        if self.irqs.get(line, False) != level:
            self.irq_log.append((self.cycle, line, level))
        self.irqs[line] = level

    def read_memory(self, address: int, size_bytes: int) -> bytes | None:
        if any(a not in self.memory for a in range(address, address + size_bytes)):
            return None
        return bytes(self.memory[a] for a in range(address, address + size_bytes))

    def write_memory(self, address: int, data: bytes) -> bool:
        if any(a not in self.memory for a in range(address, address + len(data))):
            return False
        self.memory.update({address + i: byte for i, byte in enumerate(data)})
        return True

    def set_signal(self, signal: str, level: bool) -> None:
        if self.signals.get(signal, False) != level:
            self.signals[signal] = level
            for action in self.watchers.get(signal, []):
                action(level)

    def watch_signal(self, signal: str, action: Callable[[bool], None]) -> None:
        self.watchers.setdefault(signal, []).append(action)
        if self.signals.get(signal, False):
            action(True)

    def set_pin(self, pin: str, level: bool) -> None:
        self.pins.append((self.cycle, pin, level))

    def reset_core(self) -> None:
        self.resets += 1

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
