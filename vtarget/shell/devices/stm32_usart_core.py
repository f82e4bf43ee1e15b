"""The part of an STM32 USART that all variants share; ``stm32_usart`` has their registers."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.uart import DmaRequests, Shifter, baud_of, parity_bit

# SR and the low half of ISR; CR1 has the interrupt enables of IDLE to TXE in the same places.
PE, FE, NE, ORE, IDLE, RXNE, TC, TXE = (1 << bit for bit in range(8))
RE, TE, PCE, PS, M0, OVER8 = 1 << 2, 1 << 3, 1 << 10, 1 << 9, 1 << 12, 1 << 15
RXNEIE, PEIE = 1 << 5, 1 << 8
EIE, DMAR, DMAT, OVRDIS = 1 << 0, 1 << 6, 1 << 7, 1 << 12
STOP_HALF_BITS = (2, 1, 4, 3)  # CR2.STOP


class Usart(WordDevice):
    """What the variants share: transmitter, receiver, idle line, parity. They differ in registers and flags.

    Bytes written while UE or TE is clear, or while BRR is 0 (a note tells), are lost, and TXE and TC stay.
    """

    CR1: ClassVar[int]
    CR2: ClassVar[int]
    CR3: ClassVar[int]
    BRR: ClassVar[int]
    UE: ClassVar[int]
    NOT_MODELLED: ClassVar[tuple[tuple[str, int, str], ...]] = (
        ("CR3", 1 << 1, "IrDA"),
        ("CR3", 1 << 5, "smartcard mode"),
        ("CR3", 3 << 8, "RTS and CTS (it is always clear to send)"),
        ("CR2", 1 << 11, "synchronous mode"),
        ("CR2", 1 << 14, "LIN"),
    )

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._status = TXE | TC
        self._cr1 = self._cr2 = self._cr3 = 0
        self._bit_ticks_256 = 0  # length of a bit in 1/256 of a tick; 0: no baud rate
        self._tx: deque[int] = deque()
        self._rx: deque[int] = deque()
        self._last = 0
        self._irq = False
        self._idle: Alarm | None = None
        self._requests = DmaRequests(ports)
        self._shifter = Shifter(ports.clock, ports.wire.send, self._shifted)
        ports.wire.receiver = self._receive

    def drain(self) -> None:
        """The core has stopped: send what the transmitter still holds."""
        self._shifter.drain()

    def write_word(self, offset: int, value: int) -> None:
        """Write a control register."""
        before = self._cr1
        self.words[offset] = value
        if offset == self.CR1:
            self._cr1 = value
        elif offset == self.CR2:
            self._cr2 = value
        elif offset == self.CR3:
            self._cr3 = value
        self._set_baud()
        self._switch(before, self._cr1)
        for register, mask, what in self.NOT_MODELLED:
            if offset == getattr(self, register) and value & mask:
                self.ports.note(f"{self.ports.name}: {what} is not modelled")
        self._update()

    def _set_baud(self) -> None:
        self._bit_ticks_256 = 256 * self._divider()
        self.ports.wire.baud = baud_of(self.ports.clock, self._bit_ticks_256 / 256)

    def _divider(self) -> int:
        """Clocks per bit (RM0090 30.3.4, RM0432 48.5.7: OVER8 leaves out bit 3 of BRR)."""
        brr = self.words.get(self.BRR, 0) & 0xFFFF
        return (brr >> 4) * 8 + (brr & 7) if self._cr1 & OVER8 else brr

    def _switch(self, before: int, after: int) -> None:
        self._change_modes(before, after)
        sending = self.UE | TE
        if self._transmits() and before & sending != sending and self._bit_ticks_256:
            self._shifter.load(None, self._frame_ticks())
        elif before & sending == sending and not self._transmits():
            self._tx.clear()
            if not after & TE:
                self._shifter.stop()
                self._status |= TC

    def _change_modes(self, before: int, after: int) -> None:
        """What CR1 does beyond the transmitter."""

    def _transmits(self) -> bool:
        return self._cr1 & (self.UE | TE) == self.UE | TE

    def _word_bits(self) -> int:
        """Data bits, parity included."""
        return 9 if self._cr1 & M0 else 8

    def _data_bits(self) -> int:
        return self._word_bits() - bool(self._cr1 & PCE)

    def _frame_ticks(self) -> int:
        half_bits = 2 + 2 * self._word_bits() + STOP_HALF_BITS[self._cr2 >> 12 & 3]
        return half_bits * self._bit_ticks_256 // 512

    def _depth(self) -> int:
        return 1

    def _transmit(self, value: int) -> None:
        if not self._transmits():
            return
        if not self._bit_ticks_256:
            self.ports.note(f"{self.ports.name}: BRR is 0: bytes written are lost")
            return
        byte = value & (1 << self._data_bits()) - 1 & 0xFF
        if len(self._tx) < self._depth():
            self._tx.append(byte)
        elif self._depth() == 1:
            self._tx[0] = byte
        self._feed()

    def _feed(self) -> None:
        if self._tx and not self._shifter.busy:
            self._shifter.load(self._tx.popleft(), self._frame_ticks())
        self._update()

    def _shifted(self) -> None:
        if not self._tx:
            self._status |= TC
        self._feed()

    def _receive(self, byte: int) -> None:
        if self._cr1 & (self.UE | RE) != self.UE | RE:
            return
        bits = self._data_bits()
        value = byte & (1 << bits) - 1
        if self._cr1 & PCE:
            value |= parity_bit(value, bool(self._cr1 & PS)) << bits
        if len(self._rx) < self._depth():
            self._rx.append(value)
        elif self._cr3 & OVRDIS:
            self._rx[-1] = value
        else:
            self._status |= ORE
        self._arrived(value)
        if self._idle is not None:
            self._idle.cancel()
        clock = self.ports.clock
        self._idle = clock.at(clock.ticks + self._frame_ticks(), self._line_idle)
        self._update()

    def _arrived(self, value: int) -> None:
        """More that happens at a received word."""

    def _line_idle(self) -> None:
        self._status |= IDLE
        self._update()

    def _take(self) -> int:
        if self._rx:
            self._last = self._rx.popleft()
            self._update()
        return self._last

    def _levels(self) -> int:
        """The flags that follow from the buffers."""
        return TXE * (len(self._tx) < self._depth()) | RXNE * bool(self._rx)

    def _interrupt(self) -> int:
        """Non-zero while the interrupt line is high."""
        status = self._status
        errors = status & (ORE | FE | NE) if self._cr3 & EIE else 0
        overrun = status & ORE if self._cr1 & RXNEIE else 0
        parity = status & PE if self._cr1 & PEIE else 0
        return status & self._cr1 & 0xF0 | errors | overrun | parity

    LEVELS: ClassVar[int] = TXE | RXNE

    def _update(self) -> None:
        self._status = self._status & ~self.LEVELS | self._levels()
        irq = bool(self._interrupt())
        if irq != self._irq:
            self._irq = irq
            self.ports.set_irq(irq)
        control = self._cr3 if self._cr1 & self.UE else 0
        sends = bool(control & DMAT and self._status & TXE and self._bit_ticks_256 and self._transmits())
        self._requests.set(sends, bool(control & DMAR and self._rx))
