"""nRF GPIO tasks and events (nRF52840 PS 6.10): eight channels, each a task or an event of one pin, and PORT.

In event mode a channel follows the pin's level as the GPIO port's input buffer sees it; in task mode it drives the pin,
whatever the port drives. PORT comes with DETECT of P0 or P1. Tasks and events don't reach the PPI.
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.nrf_events import NrfEvents

OUT, SET, CLR, CONFIG, CONFIG_END = 0x000, 0x030, 0x060, 0x510, 0x530
CHANNELS, PORT_EVENT = 8, 31
EVENT_MODE, TASK_MODE = 1, 3
LOW_TO_HIGH, HIGH_TO_LOW, TOGGLE = 1, 2, 3


class NrfGpiote(NrfEvents):
    """The channels."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._config = [0] * CHANNELS
        self._level = [False] * CHANNELS  # of channels in task mode
        self._pins: dict[str, bool] = {}  # pins that are watched, and the level last heard of
        for port in ("P0", "P1"):
            ports.watch_signal(f"{port}_DETECT", self._on_detect)

    def task(self, offset: int) -> None:
        """OUT, SET and CLR of the channels in task mode."""
        group, channel = offset // SET * SET, offset % SET // 4
        if channel >= CHANNELS or group > CLR or self._config[channel] & 3 != TASK_MODE:
            return
        polarity = self._config[channel] >> 16 & 3
        if group == SET or (group == OUT and polarity == LOW_TO_HIGH):
            self._drive(channel, True)
        elif group == CLR or polarity == HIGH_TO_LOW:
            self._drive(channel, False)
        elif polarity == TOGGLE:
            self._drive(channel, not self._level[channel])

    def read_word(self, offset: int) -> int:
        """A register."""
        if CONFIG <= offset < CONFIG_END:
            return self._config[(offset - CONFIG) // 4]
        return super().read_word(offset)

    def changed(self, offset: int, value: int) -> None:
        """CONFIG: entering task mode drives OUTINIT, entering event mode watches the pin."""
        if not CONFIG <= offset < CONFIG_END:
            self.words[offset] = value
            return
        channel = (offset - CONFIG) // 4
        was_task = self._config[channel] & 3 == TASK_MODE
        self._config[channel] = value
        if value & 3 == TASK_MODE and not was_task:
            self._drive(channel, bool(value >> 20 & 1))
        elif value & 3 == EVENT_MODE:
            self._watch(self._pin(channel))

    def _pin(self, channel: int) -> str:
        config = self._config[channel]
        return f"P{config >> 13 & 1}.{config >> 8 & 31}"

    def _drive(self, channel: int, level: bool) -> None:
        self._level[channel] = level
        self.ports.set_pin(self._pin(channel), level)

    def _watch(self, pin: str) -> None:
        if pin not in self._pins:
            self._pins[pin] = False
            quiet, self._config = self._config, [0] * CHANNELS  # what the pin is at now is no edge
            self.ports.watch_signal(pin, partial(self._on_level, pin))
            self._config = quiet

    def _on_level(self, pin: str, level: bool) -> None:
        self._pins[pin] = level
        for channel, config in enumerate(self._config):
            edge = LOW_TO_HIGH if level else HIGH_TO_LOW
            if config & 3 == EVENT_MODE and self._pin(channel) == pin and config >> 16 & edge:
                self.set_event(channel)

    def _on_detect(self, level: bool) -> None:
        if level:
            self.set_event(PORT_EVENT)


MODELS = {"": NrfGpiote}
