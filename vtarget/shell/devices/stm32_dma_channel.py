"""One channel of an STM32 DMA controller: moves items while its request is high; ``stm32_dma`` has the registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Option, Ports

# An item takes 4 clocks here: a read and a write of two cycles each (recalled; the manuals give no figure for all).
TICKS_PER_ITEM = 4
BURST_ITEMS = 16  # so many at one instant, then the channel lets time pass: a request that stays high can't hang it
MEMORY_BURST_ITEMS = 256


class Progress(Enum):
    """What a channel tells its controller."""

    HALF = "half"
    COMPLETE = "complete"
    ERROR = "error"


@dataclass(frozen=True)
class Setting:
    """A transfer as programmed. Steps are the bytes that an address moves on with an item; ``endless``: circular."""

    source: int
    source_bytes: int
    source_step: int
    destination: int
    destination_bytes: int
    destination_step: int
    items: int
    endless: bool = False
    memory_to_memory: bool = False


class Channel:
    """A transfer in progress. ``tell`` hears of half, complete and error; after ``stop`` nothing moves."""

    def __init__(self, ports: Ports, tell: Callable[[Progress], None]) -> None:
        self.remaining = 0
        self.active = False
        self._ports = ports
        self._tell = tell
        self._setting: Setting | None = None
        self._source = self._destination = 0
        self._requested: Callable[[], bool] = lambda: False
        self._serving = False
        self._pause: Alarm | None = None

    def start(self, setting: Setting, requested: Callable[[], bool]) -> None:
        """Begin; without items nothing happens. ``requested`` tells whether the request is high."""
        self._setting, self._requested = setting, requested
        self._load(setting)
        self.active = setting.items > 0
        if setting.memory_to_memory and self.active:
            self._wait(self._burst(setting))
        else:
            self.serve()

    def stop(self) -> None:
        """Suspend: ``remaining`` stays."""
        self.active = False
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def redirect(self, source: int | None, destination: int | None) -> None:
        """From now on with another address (double buffer)."""
        self._source = self._source if source is None else source
        self._destination = self._destination if destination is None else destination

    def serve(self) -> None:
        """Answer the request, if it is high."""
        if self._serving or self._pause is not None:
            return
        setting = self._setting
        if setting is None:
            return
        self._serving = True
        left = self._burst(setting)
        while left and self._wanted():  # what hears of the end may start another transfer at once
            self._move(self._setting or setting)
            left -= 1
        self._serving = False
        if self._wanted():
            self._wait(self._burst(self._setting or setting))

    def resume(self) -> None:
        """Go on after ``stop``."""
        self.active = self.remaining > 0
        self.serve()

    def _wanted(self) -> bool:
        if not self.active or self._setting is None or self._pause is not None:
            return False
        return self._setting.memory_to_memory or self._requested()

    def _burst(self, setting: Setting) -> int:
        return min(self.remaining, MEMORY_BURST_ITEMS if setting.memory_to_memory else BURST_ITEMS)

    def _wait(self, items: int) -> None:
        clock = self._ports.clock
        self._pause = clock.at(clock.ticks + TICKS_PER_ITEM * items, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self.serve()

    def _load(self, setting: Setting) -> None:
        self._source, self._destination, self.remaining = setting.source, setting.destination, setting.items

    def _move(self, setting: Setting) -> None:
        data = self._ports.read_memory(self._source, setting.source_bytes)
        size = setting.destination_bytes
        if data is None or not self._ports.write_memory(self._destination, data[:size].ljust(size, b"\0")):
            self.stop()
            self._tell(Progress.ERROR)
            return
        self._source += setting.source_step
        self._destination += setting.destination_step
        self.remaining -= 1
        if self.remaining == setting.items - setting.items // 2 and setting.items > 1:
            self._tell(Progress.HALF)
        if not self.remaining:
            if setting.endless:
                self._load(setting)
            else:
                self.stop()
            self._tell(Progress.COMPLETE)


class Requests:
    """The levels of request signals; ``changed(signal)`` is called when one goes high."""

    def __init__(self, ports: Ports, signals: set[str], changed: Callable[[str], None]) -> None:
        self._levels: dict[str, bool] = {}
        self._changed = changed
        for signal in sorted(signals):
            ports.watch_signal(signal, lambda level, signal=signal: self._set(signal, level))  # type: ignore[misc]

    def any(self, signals: tuple[str, ...]) -> bool:
        """Whether one of these is high."""
        return any(self._levels.get(signal, False) for signal in signals)

    def _set(self, signal: str, level: bool) -> None:
        self._levels[signal] = level
        if level:
            self._changed(signal)


def request_map(options: Mapping[str, Option], unit: str, select: str) -> dict[tuple[int, int], tuple[str, ...]]:
    """``{unit}3_{select}4: "USART1_RX SPI2_TX"`` in a device's options as (3, 4) -> signals; other options are left."""
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for key, value in options.items():
        first, _, second = key.partition("_")
        number, request = first.removeprefix(unit), second.removeprefix(select)
        if key == f"{unit}{number}_{select}{request}" and number.isdecimal() and request.isdecimal():
            found[int(number), int(request)] = tuple(str(value).upper().split())
    return found
