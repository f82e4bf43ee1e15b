"""RP2040 XIP cache control: flushes are done at once, streaming reads the flash; hits and accesses aren't counted.

RP2040 datasheet 2.6.3. CTRL.EN is the switch ``XIP.EN``.
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.devices.device import Device, Ports, WordDevice, report_switches

CTRL, FLUSH, STAT, CTR_HIT, CTR_ACC, STREAM_ADDR, STREAM_CTR, STREAM_FIFO = range(0x00, 0x20, 4)
ENABLED = 1 << 0  # of CTRL; set after reset
FLUSH_READY, FIFO_EMPTY, FIFO_FULL = 1, 2, 4


class Rp2040Xip(WordDevice):
    """The stream is always as far ahead as its reader wants."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {CTRL: 3}

    def read_word(self, offset: int) -> int:
        """STAT, counters that stay zero, the next word of the stream."""
        if offset == STAT:
            return FLUSH_READY | (FIFO_FULL if self.words.get(STREAM_CTR) else FIFO_EMPTY)
        if offset in (CTR_HIT, CTR_ACC):
            self.ports.note(f"{self.ports.name}: cache hits and accesses are not counted")
            return 0
        if offset == STREAM_FIFO:
            return self._next_word()
        return 0 if offset == FLUSH else super().read_word(offset)

    def peek_word(self, offset: int) -> int:
        """Without taking a word of the stream."""
        return self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """STREAM_CTR starts or, with zero, stops a stream."""
        if offset in (CTRL, STREAM_ADDR, STREAM_CTR):
            masks = {CTRL: 0xB, STREAM_ADDR: 0xFFFFFFFC, STREAM_CTR: 0x3FFFFF}
            old, self.words[offset] = self.words.get(offset, 0), value & masks[offset]
            if offset == CTRL:
                report_switches(self.ports, {"XIP.EN": ENABLED}, old, value)
        elif offset == FLUSH and value & 1:
            self.ports.invalidate("XIP.EN")

    def _next_word(self) -> int:
        left = self.words.get(STREAM_CTR, 0)
        if not left:
            return 0
        address = self.words.get(STREAM_ADDR, 0)
        self.words[STREAM_CTR], self.words[STREAM_ADDR] = left - 1, address + 4 & 0xFFFFFFFF
        return int.from_bytes(self.ports.read_memory(address, 4) or b"", "little")


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Xip}
