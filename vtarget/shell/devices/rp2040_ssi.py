"""RP2040 serial interface to the flash: transfers are done at once and the flash answers zeros.

RP2040 datasheet 4.10. That ends the loops of the second-stage boot loader and of the SDK's flash commands; commands
have no effect on the flash.
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.devices.device import Device, Ports, WordDevice

CTRLR0, SSIENR, TXFLR, RXFLR, SR, IMR, IDR, VERSION = 0x00, 0x08, 0x20, 0x24, 0x28, 0x2C, 0x58, 0x5C
DR0, DR_END, SPI_CTRLR0 = 0x60, 0xF0, 0xF4
TFNF, TFE, RFNE, RFF = 2, 4, 8, 16
FIFO_WORDS = 16
TMOD_TX_ONLY = 1  # CTRLR0.TMOD, bits 9:8


class Rp2040Ssi(WordDevice):
    """Each word sent brings a word back, unless the transfer is transmit only."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {IDR: 0x51535049, VERSION: 0x3430312A, SPI_CTRLR0: 0x03000000, SSIENR: 1}
        self._received = 0

    def read_word(self, offset: int) -> int:
        """SR is never busy; DR0 takes a word out of the receive FIFO."""
        if offset == SR:
            return TFE | TFNF | (RFNE if self._received else 0) | (RFF if self._received == FIFO_WORDS else 0)
        if DR0 <= offset < DR_END:
            self._received = max(0, self._received - 1)
            return 0
        return {TXFLR: 0, RXFLR: self._received}.get(offset, super().read_word(offset))

    def write_word(self, offset: int, value: int) -> None:
        """Disabling empties the FIFOs."""
        if DR0 <= offset < DR_END:
            if self.words[SSIENR] & 1:
                self.ports.note(f"{self.ports.name}: flash commands have no effect, the flash answers zeros")
                if self.words.get(CTRLR0, 0) >> 8 & 3 != TMOD_TX_ONLY:
                    self._received = min(FIFO_WORDS, self._received + 1)
        elif offset not in (TXFLR, RXFLR, SR, IDR, VERSION):
            self.words[offset] = value
            if offset == SSIENR and not value & 1:
                self._received = 0


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Ssi}
