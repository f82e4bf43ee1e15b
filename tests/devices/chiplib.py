"""Several devices of one chip on one fake board: they share time, clocks, signals and notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device, Option
from vtarget.shell.devices.registry import make_device


class View:
    """The board as one device sees it: its own name, options and clock, all else shared."""

    def __init__(self, board: FakePorts, name: str, options: Mapping[str, Option], clock: str) -> None:
        self.board, self.name, self.options = board, name, options
        self.clock = board.clocks.clock(clock)
        self.irq_levels: dict[str, bool] = {}

    def set_irq(self, level: bool, line: str = "") -> None:
        self.irq_levels[line] = level

    def __getattr__(self, name: str) -> Any:
        return getattr(self.board, name)


class FakeChip:
    """Devices by name, published at their reset frequencies as a board does it; registers by device and offset."""

    def __init__(self, core_hz: int) -> None:
        self.board = FakePorts(core_hz=core_hz)
        self.devices: dict[str, Device] = {}
        self.views: dict[str, View] = {}

    def add(self, name: str, model: str, options: Mapping[str, Option] | None = None, clock: str = "HCLK") -> Device:
        view = View(self.board, name, options or {}, clock)
        device = make_device(model, view)
        self.devices[name], self.views[name] = device, view
        if hasattr(device, "frequencies"):
            self.board.set_clocks(device.frequencies())
        return device

    def read(self, name: str, offset: int) -> int:
        return self.devices[name].read(offset, 4)

    def write(self, name: str, offset: int, value: int) -> None:
        self.devices[name].write(offset, 4, value)

    def set_bits(self, name: str, offset: int, bits: int) -> None:
        self.write(name, offset, self.read(name, offset) | bits)

    def clear_bits(self, name: str, offset: int, bits: int) -> None:
        self.write(name, offset, self.read(name, offset) & ~bits)

    def wait(self, done: Callable[[], bool], *, cycles: int = 10, at_most: int = 100_000) -> int:
        """Poll as firmware does, ``cycles`` a turn; how often it polled."""
        for turn in range(at_most):
            if done():
                return turn
            self.board.advance(cycles)
        raise AssertionError("the loop doesn't end")

    def hz(self, clock: str) -> int:
        return self.board.clocks.hz(clock)
