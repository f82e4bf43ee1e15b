"""Arm CMSDK APB UART (DDI 0479D, 4.3), as on the MPS2 boards. Always 8N1; one byte of buffer each way.

A byte goes to the wire when it has been shifted out. QEMU's model sends at once and never overruns on reception; the
order of events and the flags are the same. Interrupt lines: ``TX``, ``RX``, ``OVF`` (either overrun), ``COMB`` (any).
"""

from __future__ import annotations

from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.uart import Shifter, baud_of

DATA, STATE, CTRL, INTSTATUS, BAUDDIV = 0x00, 0x04, 0x08, 0x0C, 0x10
TX_FULL, RX_FULL, TX_OVERRUN, RX_OVERRUN = 1, 2, 4, 8
OVERRUNS = TX_OVERRUN | RX_OVERRUN
TX_EN, RX_EN, TX_INTEN, RX_INTEN, HIGH_SPEED_TEST = 1, 2, 4, 8, 0x40
TX_INT, RX_INT = 1, 2
FRAME_BITS = 10
LEAST_DIVIDER = 16
IDS = (0x04, 0, 0, 0, 0x21, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1)  # PID4..7, PID0..3, CID0..3


class CmsdkUart(WordDevice):
    """The UART. With a divider below 16, which the manual forbids, it sends as with 16: QEMU sends too."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {0xFD0 + 4 * i: value for i, value in enumerate(IDS)}
        self._state = 0
        self._control = 0
        self._interrupts = 0
        self._received = 0
        self._buffer = 0
        self._lines = (False, False, False, False)
        self._shifter = Shifter(ports.clock, ports.wire.send, self._feed)
        ports.wire.receiver = self._receive

    def drain(self) -> None:
        """The core has stopped: send what the transmitter still holds."""
        self._shifter.drain()

    def peek_word(self, offset: int) -> int:
        """The register's content; a read of DATA takes the byte too."""
        if offset == STATE:
            return self._state
        if offset == DATA:
            return self._received
        if offset == CTRL:
            return self._control
        if offset == INTSTATUS:
            return self._interrupts
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register; DATA empties the receive buffer."""
        if offset == DATA:
            self._state &= ~RX_FULL
        return self.peek_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == DATA:
            self._transmit(value & 0xFF)
        elif offset == STATE:
            self._state &= ~(value & OVERRUNS)
        elif offset == CTRL:
            self._control = value & 0x7F
            self._feed()
        elif offset == INTSTATUS:
            self._state &= ~(value & OVERRUNS)
            self._interrupts &= ~value
        elif offset == BAUDDIV:
            self.words[BAUDDIV] = value & 0xFFFFF
            self.ports.wire.baud = baud_of(self.ports.clock, value & 0xFFFFF)
        self._update()

    def _transmit(self, byte: int) -> None:
        self._buffer = byte
        if self._state & TX_FULL:
            self._state |= TX_OVERRUN
            self.ports.note(f"{self.ports.name}: the firmware doesn't wait for room (STATE.TXBF), characters are lost")
        self._state |= TX_FULL
        self._feed()

    def _feed(self) -> None:
        if not self._state & TX_FULL or self._shifter.busy or not self._control & TX_EN:
            return
        self._shifter.load(self._buffer, FRAME_BITS * self._bit_ticks())
        self._state &= ~TX_FULL
        if self._control & TX_INTEN:
            self._interrupts |= TX_INT
        self._update()

    def _bit_ticks(self) -> int:
        if self._control & HIGH_SPEED_TEST:
            return 1
        divider = self.words.get(BAUDDIV, 0)
        if divider < LEAST_DIVIDER:
            self.ports.note(f"{self.ports.name}: transmits with BAUDDIV {divider}; the least is 16, which is used")
        return max(divider, LEAST_DIVIDER)

    def _receive(self, byte: int) -> None:
        if not self._control & RX_EN:
            return
        if self._state & RX_FULL:
            self._state |= RX_OVERRUN
        self._received = byte
        self._state |= RX_FULL
        if self._control & RX_INTEN:
            self._interrupts |= RX_INT
        self._update()

    def _update(self) -> None:
        # The overrun interrupts are the overrun flags, as far as they are enabled.
        self._interrupts = self._interrupts & ~OVERRUNS | self._state & self._control >> 2 & OVERRUNS
        status = self._interrupts
        lines = (bool(status & TX_INT), bool(status & RX_INT), bool(status & OVERRUNS), bool(status))
        if lines != self._lines:
            for name, before, level in zip(("TX", "RX", "OVF", "COMB"), self._lines, lines, strict=True):
                if level != before:
                    self.ports.set_irq(level, name)
            self._lines = lines


MODELS = {"": CmsdkUart}
