"""What the board lends each device (``devices.device.Ports``): time, interrupt lines, memory, signals, pins, wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vtarget.base.errors import InputError
from vtarget.data.chip import DeviceEntry
from vtarget.shell.bus import PERIPHERALS, Bus
from vtarget.shell.clocks import Clock, Clocks
from vtarget.shell.devices.device import Option, Wire
from vtarget.shell.engine import Engine
from vtarget.shell.nvic import Nvic

MOST_EDGES = 100_000
ONLY_LINE = "IRQ"  # what chip files call the only interrupt line of a device


@dataclass(frozen=True)
class PinEdge:
    """An output pin changed: ``cycle`` since reset, sleep included."""

    cycle: int
    pin: str
    level: bool


@dataclass
class Backplane:
    """What all devices of one board share. ``edge`` is told of each change of a pin."""

    engine: Engine
    nvic: Nvic
    clocks: Clocks
    wait_states: Callable[[str, int], None]
    reset: Callable[[], None]
    edge: Callable[[PinEdge], None] = lambda _edge: None
    switch: Callable[[str, bool], None] = lambda _name, _on: None
    invalidate: Callable[[str], None] = lambda _name: None
    bus: Bus | None = None
    notes: set[str] = field(default_factory=set)
    signals: dict[str, bool] = field(default_factory=dict)
    watchers: dict[str, list[Callable[[bool], None]]] = field(default_factory=dict)
    drivers: dict[int, set[tuple[str, str]]] = field(default_factory=dict)  # who drives an interrupt high
    pins: dict[str, bool] = field(default_factory=dict)
    edges: list[PinEdge] = field(default_factory=list)
    dropped_edges: int = 0


class DevicePorts:
    """``Ports`` of one device."""

    def __init__(self, backplane: Backplane, entry: DeviceEntry, options: Mapping[str, Option], wire: Wire) -> None:
        self.name = entry.name
        self.options = options
        self.wire = wire
        self._interrupts = entry.interrupts
        self._board = backplane
        clocks = backplane.clocks
        self.clock: Clock = clocks.clock(entry.clock) if entry.clock_hz is None else clocks.fixed(entry.clock_hz)

    def now(self) -> int:
        """Core cycles since reset."""
        return self._board.clocks.now()

    def named_clock(self, name: str) -> Clock:
        """A clock by name."""
        return self._board.clocks.clock(name)

    def fixed_clock(self, hz: int) -> Clock:
        """A clock with a frequency of its own."""
        return self._board.clocks.fixed(hz)

    def set_clocks(self, frequencies: Mapping[str, int]) -> None:
        """New frequencies by name."""
        self._board.clocks.set(frequencies)

    def set_wait_states(self, region: str, wait_states: int) -> None:
        """Wait states that the firmware programmed."""
        self._board.wait_states(region, wait_states)

    def switch(self, name: str, on: bool) -> None:
        """A cache or prefetch buffer that the firmware switched."""
        self._board.switch(name, on)

    def invalidate(self, name: str) -> None:
        """A cache that the firmware emptied."""
        self._board.invalidate(name)

    def set_irq(self, level: bool, line: str = "") -> None:
        """Drive an interrupt line; one that the chip's file doesn't connect goes nowhere."""
        number = self._interrupts.get(line or ONLY_LINE)
        if number is None:
            return
        drivers = self._board.drivers.setdefault(number, set())
        if level:
            drivers.add((self.name, line))
        else:
            drivers.discard((self.name, line))
        self._board.nvic.set_line(number, bool(drivers))

    def read_memory(self, address: int, size_bytes: int) -> bytes | None:
        """As a bus master."""
        bus = self._board.bus
        if bus is not None and PERIPHERALS[0] <= address < sum(PERIPHERALS) and size_bytes in (1, 2, 4):
            return bus.peek(address, size_bytes).to_bytes(size_bytes, "little")
        try:
            return self._board.engine.read(address, size_bytes)
        except InputError:
            return None

    def write_memory(self, address: int, data: bytes) -> bool:
        """As a bus master."""
        bus = self._board.bus
        if bus is not None and PERIPHERALS[0] <= address < sum(PERIPHERALS) and len(data) in (1, 2, 4):
            bus.poke(address, len(data), int.from_bytes(data, "little"))
            return True
        try:
            self._board.engine.store(address, data)
        except InputError:
            return False
        return True

    def set_signal(self, signal: str, level: bool) -> None:
        """Drive a signal."""
        board = self._board
        if board.signals.get(signal, False) != level:
            board.signals[signal] = level
            for action in board.watchers.get(signal, ()):
                action(level)

    def watch_signal(self, signal: str, action: Callable[[bool], None]) -> None:
        """Follow a signal."""
        self._board.watchers.setdefault(signal, []).append(action)
        if self._board.signals.get(signal, False):
            action(True)

    def set_pin(self, pin: str, level: bool) -> None:
        """Drive a pin; changes are logged, the first MOST_EDGES of them."""
        board = self._board
        known = board.pins.get(pin)
        board.pins[pin] = level
        if known is None or known == level:
            return  # what a pin is when it becomes an output is no edge
        edge = PinEdge(board.clocks.now(), pin, level)
        if len(board.edges) < MOST_EDGES:
            board.edges.append(edge)
        else:
            board.dropped_edges += 1
        board.edge(edge)

    def reset_core(self) -> None:
        """The chip restarts."""
        self._board.reset()

    def note(self, text: str) -> None:
        """Not modelled."""
        self._board.notes.add(text)
