"""STM32U5 GPDMA (RM0456 17, section numbers recalled): 16 channels with linked lists. Lines ``CH0`` to ``CH15``.

Options ``request_27: USART2_TX`` name the signal of a request number (CTR2.REQSEL). Triggers, two-dimensional
addressing and bursts are not modelled.
"""

from __future__ import annotations

from functools import partial

from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.stm32_dma_channel import Channel, Progress, Requests, Setting

CHANNELS = 16
FIRST, STRIDE = 0x50, 0x80
CLBAR, CFCR, CSR, CCR, CTR1, CTR2, CBR1, CSAR, CDAR = 0x00, 0x0C, 0x10, 0x14, 0x40, 0x44, 0x48, 0x4C, 0x50
CTR3, CBR2, CLLR = 0x54, 0x58, 0x7C
MISR = 0x0C
EN, RESET, SUSP = 1, 2, 4
# Flags of CSR; CCR has their enables and CFCR clears them in the same places.
IDLEF, TCF, HTF, DTEF, ULEF, USEF, SUSPF, FLAGS = 1, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 0x7F00
EVENTS = {Progress.COMPLETE: TCF, Progress.HALF: HTF, Progress.ERROR: DTEF}
SINC, DINC, PACK, SWREQ, TRIGPOL = 1 << 3, 1 << 19, 1 << 12, 1 << 9, 3 << 24
# What a linked-list item holds, in its order: the bit of CLLR that says so, and the register.
ITEM = ((31, CTR1), (30, CTR2), (29, CBR1), (28, CSAR), (27, CDAR), (26, CTR3), (25, CBR2), (16, CLLR))
CHANNEL_END = 3  # CTR2.TCEM; the other settings count as each block here


class Gpdma(WordDevice):
    """The controller. A channel ends when its block is done and CLLR is 0, else it loads the next item of its list."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._flags = [0] * CHANNELS
        self._irqs = [False] * CHANNELS
        self._channels = [Channel(ports, partial(self._progress, index)) for index in range(CHANNELS)]
        numbers = {key.removeprefix("request_"): str(signal) for key, signal in ports.options.items()}
        self._names = {int(number): signal for number, signal in numbers.items() if number.isdecimal()}
        self._requests = Requests(ports, set(self._names.values()), self._requested)

    def peek_word(self, offset: int) -> int:
        """A register's content."""
        if offset == MISR:
            return sum(level << index for index, level in enumerate(self._irqs))
        index, register = divmod(offset - FIRST, STRIDE)
        if not 0 <= index < CHANNELS:
            return self.words.get(offset, 0)
        if register == CSR:
            return self._flags[index] | (IDLEF if not self._get(index, CCR) & EN or self._flags[index] & SUSPF else 0)
        if register == CBR1 and self._get(index, CCR) & EN:
            return self._get(index, CBR1) & ~0xFFFF | self._channels[index].remaining * self._source_bytes(index)
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register."""
        return self.peek_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        index, register = divmod(offset - FIRST, STRIDE)
        if not 0 <= index < CHANNELS:
            self.words[offset] = value
        elif register == CFCR:
            self._flags[index] &= ~value
            self._update(index)
        elif register == CCR:
            self._control(index, value)
        elif register != CSR:
            self.words[offset] = value

    def _get(self, index: int, register: int) -> int:
        return self.words.get(FIRST + index * STRIDE + register, 0)

    def _set(self, index: int, register: int, value: int) -> None:
        self.words[FIRST + index * STRIDE + register] = value

    def _source_bytes(self, index: int) -> int:
        return 1 << min(self._get(index, CTR1) & 3, 2)

    def _control(self, index: int, value: int) -> None:
        """EN can't be cleared by writing 0: a channel is suspended, and then reset."""
        before, channel = self._get(index, CCR), self._channels[index]
        value |= before & EN
        if value & RESET:
            channel.stop()
            value &= ~(EN | RESET | SUSP)
            self._flags[index] &= ~SUSPF
        self._set(index, CCR, value)
        if value & EN and value & SUSP and not before & SUSP:
            channel.stop()
            self._flags[index] |= SUSPF
        elif value & EN and not before & EN:
            self._begin(index)
        elif value & EN and before & SUSP and not value & SUSP:
            channel.resume()
        self._update(index)

    def _begin(self, index: int) -> None:
        setting = self._setting(index)
        if self._get(index, CTR2) & TRIGPOL:
            self.ports.note(f"{self.ports.name}: triggers are not modelled")
        if not setting.items and not self._get(index, CLLR):
            self._fail(index, USEF)
        elif not setting.items:
            self._link(index)
        else:
            self._channels[index].start(setting, lambda: self._requests.any(self._signals(index)))

    def _setting(self, index: int) -> Setting:
        control, source_bytes = self._get(index, CTR1), self._source_bytes(index)
        # Packing puts the same bytes at the destination as items of the source's size do.
        destination_bytes = source_bytes if control & PACK else 1 << min(control >> 16 & 3, 2)
        return Setting(
            source=self._get(index, CSAR),
            source_bytes=source_bytes,
            source_step=source_bytes * bool(control & SINC),
            destination=self._get(index, CDAR),
            destination_bytes=destination_bytes,
            destination_step=destination_bytes * bool(control & DINC),
            items=(self._get(index, CBR1) & 0xFFFF) // source_bytes,
            memory_to_memory=bool(self._get(index, CTR2) & SWREQ),
        )

    def _link(self, index: int) -> None:
        """Load the next item of the list and go on; an item without data, or without an answer, is an error."""
        link = self._get(index, CLLR)
        address = self._get(index, CLBAR) & 0xFFFF0000 | link & 0xFFFC
        for bit, register in ITEM:
            if not link >> bit & 1:
                continue
            word = self.ports.read_memory(address, 4)
            if word is None:
                self._fail(index, ULEF)
                return
            self._set(index, register, int.from_bytes(word, "little"))
            address += 4
        if not self._setting(index).items:
            self._fail(index, USEF)
            return
        self._begin(index)

    def _fail(self, index: int, flag: int) -> None:
        self._channels[index].stop()
        self._flags[index] |= flag
        self._set(index, CCR, self._get(index, CCR) & ~EN)
        self._update(index)

    def _progress(self, index: int, progress: Progress) -> None:
        if progress is Progress.ERROR:
            self._fail(index, DTEF)
            return
        linked = progress is Progress.COMPLETE and self._get(index, CLLR) != 0
        if not linked or self._get(index, CTR2) >> 30 != CHANNEL_END:
            self._flags[index] |= EVENTS[progress]
        if linked:
            self._link(index)
        elif progress is Progress.COMPLETE:
            self._set(index, CCR, self._get(index, CCR) & ~EN)
            self._set(index, CBR1, self._get(index, CBR1) & ~0xFFFF)
        self._update(index)

    def _signals(self, index: int) -> tuple[str, ...]:
        return (self._names.get(self._get(index, CTR2) & 0x7F, ""),)

    def _requested(self, signal: str) -> None:
        for index, channel in enumerate(self._channels):
            if channel.active and signal in self._signals(index):
                channel.serve()

    def _update(self, index: int) -> None:
        level = bool(self._flags[index] & self._get(index, CCR) & FLAGS)
        if level != self._irqs[index]:
            self._irqs[index] = level
            self.ports.set_irq(level, f"CH{index}")


MODELS = {"": Gpdma}
