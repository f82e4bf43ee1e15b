"""STM32 DMA controllers. Variants:

- ``stream`` (RM0090 10, RM0385 8: F2, F4, F7): lines ``S0`` to ``S7``; options ``stream6_channel4: USART2_TX``.
- ``channel`` (RM0351 11; also F0, F1, F3, where the request number is 0): lines ``CH1`` to ``CH8``; options
  ``channel7_request2: USART2_TX``, several signals with spaces between.
- ``channel_mux`` (RM0444 11, RM0432 13: G0, L4+): the same without CSELR; a channel's request is the signal
  ``<name>_CH<n>``, which ``stm32_dmamux`` drives.

Data move at the instant of the request; bursts and FIFO thresholds don't change the result and are not modelled.
The manuals' section numbers are recalled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial

from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.stm32_dma_channel import Channel, Progress, Requests, Setting, request_map

# Streams: bits of SxCR, and of a stream's six flags. The enables are one place below their flags.
S_EN, S_ENABLES, S_PFCTRL, S_CIRC, S_PINC, S_MINC, S_DBM, S_CT = (
    1,
    0x1E,
    1 << 5,
    1 << 8,
    1 << 9,
    1 << 10,
    1 << 18,
    1 << 19,
)
S_FLAG_SHIFTS = (0, 6, 16, 22)
S_FLAGS = {Progress.ERROR: 1 << 3, Progress.HALF: 1 << 4, Progress.COMPLETE: 1 << 5}
S_FIRST, S_STRIDE = 0x10, 0x18
S_CR, S_NDTR, S_PAR, S_M0AR, S_M1AR, S_FCR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
LIFCR, HIFCR = 0x08, 0x0C
# Channels: bits of CCR, and of a channel's four flags. The enables are in the places of the flags.
C_EN, C_ENABLES, C_DIR, C_CIRC, C_PINC, C_MINC, C_MEM2MEM = 1, 0xE, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 14
C_FLAGS = {Progress.COMPLETE: 1 << 1, Progress.HALF: 1 << 2, Progress.ERROR: 1 << 3}
C_ISR, C_IFCR, C_FIRST, C_STRIDE = 0x00, 0x04, 0x08, 0x14
C_CCR, C_NDTR, C_PAR, C_MAR = 0x00, 0x04, 0x08, 0x0C
CSELR = 0xA8
CHANNELS = 8
SIZES = (1, 2, 4, 4)  # PSIZE, MSIZE; 3 is reserved


class _Dma(WordDevice, ABC):
    """Eight channels with flags and a line each. Subclasses know the registers."""

    LINE = ""
    FIRST, STRIDE, NDTR = 0, 0, 0

    def __init__(self, ports: Ports, signals: set[str]) -> None:
        super().__init__(ports)
        self._channels = [Channel(ports, partial(self._progress, index)) for index in range(CHANNELS)]
        self._flags = [0] * CHANNELS
        self._irqs = [False] * CHANNELS
        self._requests = Requests(ports, signals, self._requested)

    def peek_word(self, offset: int) -> int:
        """A register's content."""
        index, register = divmod(offset - self.FIRST, self.STRIDE)
        if 0 <= index < CHANNELS and register == self.NDTR:
            return self._channels[index].remaining
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register."""
        return self.peek_word(offset)

    def _register(self, index: int, register: int) -> int:
        return self.words.get(self.FIRST + index * self.STRIDE + register, 0)

    def _set_register(self, index: int, register: int, value: int) -> None:
        self.words[self.FIRST + index * self.STRIDE + register] = value

    @abstractmethod
    def _signals(self, index: int) -> tuple[str, ...]:
        """The request signals that the channel listens to."""

    @abstractmethod
    def _pending(self, index: int) -> bool:
        """Whether the channel's interrupt line is high."""

    @abstractmethod
    def _progress(self, index: int, progress: Progress) -> None: ...

    def _requested(self, signal: str) -> None:
        for index, channel in enumerate(self._channels):
            if channel.active and signal in self._signals(index):
                channel.serve()

    def _begin(self, index: int, setting: Setting) -> None:
        self._channels[index].start(setting, lambda: self._requests.any(self._signals(index)))

    def _update(self, index: int) -> None:
        level = self._pending(index)
        if level != self._irqs[index]:
            self._irqs[index] = level
            self.ports.set_irq(level, f"{self.LINE}{self._number(index)}")

    def _number(self, index: int) -> int:
        return index


class StreamDma(_Dma):
    """LISR, HISR, LIFCR, HIFCR and eight streams. EN goes low by itself at the end.

    Items have the size PSIZE on both sides: packing in the FIFO moves the same bytes.
    """

    LINE = "S"
    FIRST, STRIDE, NDTR = S_FIRST, S_STRIDE, S_NDTR

    def __init__(self, ports: Ports) -> None:
        self._map = request_map(ports.options, "stream", "channel")
        super().__init__(ports, {signal for signals in self._map.values() for signal in signals})
        self.words = {S_FIRST + S_STRIDE * index + S_FCR: 0x21 for index in range(CHANNELS)}

    def peek_word(self, offset: int) -> int:
        """A register's content."""
        if offset in (0x00, 0x04):
            first = offset  # LISR: streams 0 to 3, HISR: 4 to 7
            return sum(self._flags[first + i] << shift for i, shift in enumerate(S_FLAG_SHIFTS))
        return super().peek_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset in (LIFCR, HIFCR):
            first = offset - LIFCR
            for i, shift in enumerate(S_FLAG_SHIFTS):
                self._flags[first + i] &= ~(value >> shift)
                self._update(first + i)
            return
        index, register = divmod(offset - S_FIRST, S_STRIDE)
        if not 0 <= index < CHANNELS:
            return
        if register == S_CR:
            self._control(index, value)
        elif register == S_NDTR:
            if not self._channels[index].active:
                self._channels[index].remaining = value & 0xFFFF
        else:
            self.words[offset] = value

    def _control(self, index: int, value: int) -> None:
        before = self._register(index, S_CR)
        self._set_register(index, S_CR, value)
        if value & S_EN and not before & S_EN:
            if value & S_PFCTRL:
                self.ports.note(f"{self.ports.name}: flow control by the peripheral is not modelled")
            self._begin(index, self._setting(index, value))
        elif before & S_EN and not value & S_EN:
            # A stream that software stops sets its complete flag (RM0090 10.3.14).
            if self._channels[index].active:
                self._flags[index] |= S_FLAGS[Progress.COMPLETE]
            self._channels[index].stop()
        self._update(index)

    def _setting(self, index: int, control: int) -> Setting:
        direction, size = control >> 6 & 3, SIZES[control >> 11 & 3]
        peripheral = (self._register(index, S_PAR), size, size * bool(control & S_PINC))
        memory = (self._memory(index, control), size, size * bool(control & S_MINC))
        source, destination = (memory, peripheral) if direction == 1 else (peripheral, memory)
        endless = bool(control & (S_CIRC | S_DBM))
        return Setting(*source, *destination, self._channels[index].remaining, endless, memory_to_memory=direction == 2)

    def _memory(self, index: int, control: int) -> int:
        return self._register(index, S_M1AR if control & S_DBM and control & S_CT else S_M0AR)

    def _progress(self, index: int, progress: Progress) -> None:
        self._flags[index] |= S_FLAGS[progress]
        control = self._register(index, S_CR)
        if progress is Progress.COMPLETE and control & S_DBM:
            control ^= S_CT
            memory = self._memory(index, control)
            self._channels[index].redirect(*((memory, None) if control >> 6 & 3 == 1 else (None, memory)))
        if not self._channels[index].active:
            control &= ~S_EN
        self._set_register(index, S_CR, control)
        self._update(index)

    def _signals(self, index: int) -> tuple[str, ...]:
        return self._map.get((index, self._register(index, S_CR) >> 25 & 7), ())

    def _pending(self, index: int) -> bool:
        return bool(self._flags[index] >> 1 & self._register(index, S_CR) & S_ENABLES)


class ChannelDma(_Dma):
    """ISR, IFCR and channels, which count from 1; CSELR selects their requests. EN stays high at the end."""

    LINE = "CH"
    FIRST, STRIDE, NDTR = C_FIRST, C_STRIDE, C_NDTR

    def __init__(self, ports: Ports) -> None:
        self._map = request_map(ports.options, "channel", "request")
        super().__init__(ports, {signal for signals in self._map.values() for signal in signals})

    def peek_word(self, offset: int) -> int:
        """A register's content."""
        if offset == C_ISR:
            return sum((flags | bool(flags)) << 4 * index for index, flags in enumerate(self._flags))
        return super().peek_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == C_IFCR:
            for index in range(CHANNELS):
                clear = value >> 4 * index & 0xF
                self._flags[index] &= ~(0xE if clear & 1 else clear)
                self._update(index)
            return
        index, register = divmod(offset - C_FIRST, C_STRIDE)
        if offset == CSELR or not 0 <= index < CHANNELS:
            self.words[offset] = value
        elif register == C_CCR:
            self._control(index, value)
        elif register == C_NDTR:
            if not self._register(index, C_CCR) & C_EN:
                self._channels[index].remaining = value & 0xFFFF
        else:
            self.words[offset] = value

    def _control(self, index: int, value: int) -> None:
        before = self._register(index, C_CCR)
        self._set_register(index, C_CCR, value)
        if value & C_EN and not before & C_EN:
            self._begin(index, self._setting(index, value))
        elif before & C_EN and not value & C_EN:
            self._channels[index].stop()
        self._update(index)

    def _setting(self, index: int, control: int) -> Setting:
        peripheral_size, memory_size = SIZES[control >> 8 & 3], SIZES[control >> 10 & 3]
        peripheral = (self._register(index, C_PAR), peripheral_size, peripheral_size * bool(control & C_PINC))
        memory = (self._register(index, C_MAR), memory_size, memory_size * bool(control & C_MINC))
        source, destination = (memory, peripheral) if control & C_DIR else (peripheral, memory)
        items = self._channels[index].remaining
        return Setting(*source, *destination, items, bool(control & C_CIRC), bool(control & C_MEM2MEM))

    def _progress(self, index: int, progress: Progress) -> None:
        self._flags[index] |= C_FLAGS[progress]
        if progress is Progress.ERROR:
            self._set_register(index, C_CCR, self._register(index, C_CCR) & ~C_EN)
        self._update(index)

    def _signals(self, index: int) -> tuple[str, ...]:
        return self._map.get((index + 1, self.words.get(CSELR, 0) >> 4 * index & 0xF), ())

    def _pending(self, index: int) -> bool:
        return bool(self._flags[index] & self._register(index, C_CCR) & C_ENABLES)

    def _number(self, index: int) -> int:
        return index + 1


class MuxedChannelDma(ChannelDma):
    """Channels whose requests come from a DMAMUX."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._inputs = [(f"{ports.name}_CH{index + 1}",) for index in range(CHANNELS)]
        self._requests = Requests(ports, {signal for (signal,) in self._inputs}, self._requested)

    def _signals(self, index: int) -> tuple[str, ...]:
        return self._inputs[index]


MODELS = {"stream": StreamDma, "channel": ChannelDma, "channel_mux": MuxedChannelDma}
