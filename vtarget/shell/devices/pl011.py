"""Arm PrimeCell UART PL011 r1p5 (DDI 0183G), as in RP2040; variant ``ambiq`` for Apollo3 and Apollo4.

A byte goes to the wire when it has been shifted out. DMA requests are the signals ``<name>_TX`` and ``<name>_RX``
(single requests). The ambiq UART is a PL011 whose CR selects a fixed clock; the names of its interrupt registers
differ (IER, IES, MIS, IEC), their offsets don't (Apollo3 and Apollo4 register headers).
"""

from __future__ import annotations

from collections import deque

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.uart import DmaRequests, Shifter, baud_of

DR, RSR, FR, IBRD, FBRD, LCR_H, CR, IFLS = 0x00, 0x04, 0x18, 0x24, 0x28, 0x2C, 0x30, 0x34
IMSC, RIS, MIS, ICR, DMACR = 0x38, 0x3C, 0x40, 0x44, 0x48
FR_BUSY, FR_RXFE, FR_TXFF, FR_RXFF, FR_TXFE = 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
PEN, STP2, FEN = 1 << 1, 1 << 3, 1 << 4
UARTEN, LBE, TXE, RXE, FLOW_CONTROL = 1, 1 << 7, 1 << 8, 1 << 9, 3 << 14
INT_RX, INT_TX, INT_RT, INT_OE = 1 << 4, 1 << 5, 1 << 6, 1 << 10
RXDMAE, TXDMAE = 1, 2
DR_OVERRUN, RSR_OVERRUN = 1 << 11, 1 << 3
FIFO_DEPTH = 32
EIGHTHS = (1, 2, 4, 6, 7)  # IFLS: trigger levels in eighths of the FIFO; 5 to 7 are reserved
TIMEOUT_BITS = 32
IDS = (0x11, 0x10, 0x34, 0x00, 0x0D, 0xF0, 0x05, 0xB1)  # UARTPeriphID0..3, UARTPCellID0..3
AMBIQ_CLKEN = 1 << 3
AMBIQ_CLOCKS_HZ = (0, 24_000_000, 12_000_000, 6_000_000, 3_000_000, 48_000_000)  # CR.CLKSEL; 48 MHz from Apollo4 on


class Pl011(WordDevice):
    """The UART. Bytes written while it is off wait in the FIFO; with divider 0 they are dropped, and a note tells."""

    write_one_to_clear = frozenset({ICR})

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {CR: 0x300, IFLS: 0x12} | {0xFE0 + 4 * i: value for i, value in enumerate(IDS)}
        self._flags = FR_TXFE | FR_RXFE
        self._tx: deque[int] = deque()
        self._rx: deque[int] = deque()
        self._raw = 0
        self._receive_status = 0
        self._overrun = False
        self._divisor = 0  # 64 * bit ticks / 16, latched from IBRD and FBRD by a write to LCR_H
        self._irq = False
        self._requests = DmaRequests(ports)
        self._timeout: Alarm | None = None
        self._shifter = Shifter(ports.clock, self._send, self._feed)
        ports.wire.receiver = self._receive

    def drain(self) -> None:
        """The core has stopped: send what the transmitter still holds."""
        self._shifter.drain()

    def peek_word(self, offset: int) -> int:
        """The register's content; a read of DR takes a byte too."""
        if offset == FR:
            return self._flags
        if offset == DR:
            return (self._rx[0] if self._rx else 0) | DR_OVERRUN * self._overrun
        if offset == RSR:
            return self._receive_status
        if offset == RIS:
            return self._raw
        if offset == MIS:
            return self._raw & self.words.get(IMSC, 0)
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register; DR takes a byte out of the receive FIFO."""
        value = self.peek_word(offset)
        if offset == DR and self._rx:
            self._rx.popleft()
            self._overrun = False
            if len(self._rx) < self._rx_level():
                self._raw &= ~INT_RX
            if not self._rx:
                self._raw &= ~INT_RT
            self._update()
        return value

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == DR:
            self._transmit(value & 0xFF)
        elif offset == RSR:
            self._receive_status = 0
        elif offset == ICR:
            self._raw &= ~value
        elif offset == LCR_H:
            self._set_line_control(value)
        elif offset == CR:
            self._set_control(value)
        elif offset not in (FR, RIS, MIS) and offset < 0xFE0:
            self.words[offset] = value
        self._update()

    def _set_line_control(self, value: int) -> None:
        if (self.words.get(LCR_H, 0) ^ value) & FEN:
            self._tx.clear()
            self._rx.clear()
        self.words[LCR_H] = value
        integer, fraction = self.words.get(IBRD, 0) & 0xFFFF, self.words.get(FBRD, 0) & 0x3F
        self._divisor = 64 * integer + fraction if integer else 0
        self._set_baud()

    def _set_control(self, value: int) -> None:
        self.words[CR] = value
        if value & FLOW_CONTROL:
            self.ports.note(f"{self.ports.name}: RTS and CTS are not modelled: always clear to send")
        self._feed()

    def _set_baud(self) -> None:
        self.ports.wire.baud = baud_of(self._shifter.clock, self._divisor / 4) if self._clocked() else 0

    def _clocked(self) -> bool:
        return self._divisor > 0

    def _frame_ticks(self) -> int:
        control = self.words.get(LCR_H, 0)
        bits = 2 + 5 + (control >> 5 & 3) + bool(control & PEN) + bool(control & STP2)
        return bits * self._divisor // 4

    def _depth(self) -> int:
        return FIFO_DEPTH if self.words.get(LCR_H, 0) & FEN else 1

    def _rx_level(self) -> int:
        return self._level(self.words[IFLS] >> 3) if self._depth() > 1 else 1

    def _tx_level(self) -> int:
        return self._level(self.words[IFLS]) if self._depth() > 1 else 0

    def _level(self, field: int) -> int:
        return FIFO_DEPTH * EIGHTHS[min(field & 7, 4)] // 8

    def _transmit(self, byte: int) -> None:
        if not self._clocked():
            self.ports.note(f"{self.ports.name}: no baud rate is set: bytes written are lost")
            return
        if len(self._tx) < self._depth():
            self._tx.append(byte & 0xFF >> 3 - (self.words.get(LCR_H, 0) >> 5 & 3))
        if len(self._tx) > self._tx_level():
            self._raw &= ~INT_TX
        self._feed()

    def _feed(self) -> None:
        enabled = self.words[CR] & (UARTEN | TXE) == UARTEN | TXE
        if enabled and self._tx and not self._shifter.busy and self._clocked():
            self._shifter.load(self._tx.popleft(), self._frame_ticks())
            # The interrupt tells of the passage through the level, not of the level (DDI 0183G 2.8.2).
            if len(self._tx) == self._tx_level():
                self._raw |= INT_TX
        self._update()

    def _send(self, byte: int) -> None:
        if self.words[CR] & LBE:
            self._receive(byte)
        else:
            self.ports.wire.send(byte)

    def _receive(self, byte: int) -> None:
        if self.words[CR] & (UARTEN | RXE) != UARTEN | RXE:
            return
        if len(self._rx) >= self._depth():
            self._overrun = True
            self._receive_status |= RSR_OVERRUN
            self._raw |= INT_OE
        else:
            self._rx.append(byte)
        if len(self._rx) >= self._rx_level():
            self._raw |= INT_RX
        if self._timeout is not None:
            self._timeout.cancel()
        clock = self._shifter.clock
        self._timeout = clock.at(clock.ticks + TIMEOUT_BITS * self._divisor // 4, self._time_out)
        self._update()

    def _time_out(self) -> None:
        if self._rx:
            self._raw |= INT_RT
            self._update()

    def _update(self) -> None:
        depth, sending, waiting = self._depth(), len(self._tx), len(self._rx)
        self._flags = (
            FR_TXFE * (not sending)
            | FR_TXFF * (sending >= depth)
            | FR_RXFE * (not waiting)
            | FR_RXFF * (waiting >= depth)
            | FR_BUSY * (self._shifter.busy or sending > 0)
        )
        irq = bool(self._raw & self.words.get(IMSC, 0))
        if irq != self._irq:
            self._irq = irq
            self.ports.set_irq(irq)
        self._request_dma(depth)

    def _request_dma(self, depth: int) -> None:
        control = self.words.get(DMACR, 0) if self.words[CR] & UARTEN and self._clocked() else 0
        self._requests.set(bool(control & TXDMAE) and len(self._tx) < depth, bool(control & RXDMAE and self._rx))


class AmbiqUart(Pl011):
    """The Apollo's PL011: CR enables (CLKEN) and selects (CLKSEL) a clock of its own."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._shifter.clock = ports.fixed_clock(0)

    def _set_control(self, value: int) -> None:
        select = value >> 4 & 7
        hz = AMBIQ_CLOCKS_HZ[select] if value & AMBIQ_CLKEN and select < len(AMBIQ_CLOCKS_HZ) else 0
        self._shifter.clock = self.ports.fixed_clock(hz)
        self._set_baud()
        super()._set_control(value)

    def _clocked(self) -> bool:
        return self._divisor > 0 and self._shifter.clock.hz > 0


MODELS = {"": Pl011, "ambiq": AmbiqUart}
