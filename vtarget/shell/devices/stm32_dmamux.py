"""STM32 DMAMUX (RM0444 12, RM0432 14): which request reaches which DMA channel.

Options ``request_27: USART2_TX`` name the signal of a request number; ``dma1_channels`` (7) is how many channels belong
to DMA1, the others to DMA2. Channel n drives ``DMA1_CH<n+1>``, which ``stm32_dma.channel_mux`` listens to.
The manuals' section numbers are recalled.
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.device import Ports, WordDevice

CHANNELS = 16
CHANNELS_END = 4 * CHANNELS
REQUEST_ID = 0x7F
SYNCHRONISED = 1 << 16
GENERATORS, GENERATORS_END, GENERATOR_ENABLE = 0x100, 0x140, 1 << 16


class DmaMux(WordDevice):
    """Forwards the level of the selected request. Synchronisation and request generators are not modelled."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._levels: dict[int, bool] = {}
        self._driven = [False] * CHANNELS
        first = int(ports.options.get("dma1_channels", 7))
        self._outputs = [f"DMA1_CH{n + 1}" if n < first else f"DMA2_CH{n - first + 1}" for n in range(CHANNELS)]
        for key, signal in ports.options.items():
            number = key.removeprefix("request_")
            if number != key and number.isdecimal():
                ports.watch_signal(str(signal), partial(self._set, int(number)))

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        self.words[offset] = value
        if offset < CHANNELS_END:
            if value & SYNCHRONISED:
                self.ports.note(f"{self.ports.name}: synchronised requests are not modelled")
            self._drive(offset // 4)
        elif GENERATORS <= offset < GENERATORS_END and value & GENERATOR_ENABLE:
            self.ports.note(f"{self.ports.name}: request generators are not modelled")

    def _set(self, request: int, level: bool) -> None:
        self._levels[request] = level
        for channel in range(CHANNELS):
            if self.words.get(4 * channel, 0) & REQUEST_ID == request:
                self._drive(channel)

    def _drive(self, channel: int) -> None:
        level = self._levels.get(self.words.get(4 * channel, 0) & REQUEST_ID, False)
        if level != self._driven[channel]:
            self._driven[channel] = level
            self.ports.set_signal(self._outputs[channel], level)


MODELS = {"": DmaMux}
