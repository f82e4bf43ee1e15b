"""STM32 USART: ``v1`` (RM0090 30: F1, F2, F4), ``v2`` (RM0351 40, RM0385 31: F0, F3, F7, L4), ``v3`` with FIFOs and
prescaler (RM0432 48, RM0456 66: G0, L4+, U5, H7), and ``lpuart``, which is v3 with BRR in 1/256 of a clock.

A byte goes to the wire when it has been shifted out. Setting TE (or UE with TE) sends an idle frame first, as on the
chip. DMA requests are the signals ``<name>_TX`` and ``<name>_RX``. Option ``fifo_depth`` (8; 16 on H7).
The manuals' section numbers are recalled.
"""

from __future__ import annotations

from typing import ClassVar

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_usart_core import (
    DMAR,
    EIE,
    FE,
    IDLE,
    NE,
    ORE,
    PE,
    PEIE,
    RE,
    RXNE,
    RXNEIE,
    TC,
    TE,
    TXE,
    Usart,
)
from vtarget.shell.devices.uart import baud_of

RTOF, CMF, TEACK, REACK, TXFE, RXFF, RXFT, TXFT = (1 << bit for bit in (11, 17, 21, 22, 23, 24, 26, 27))
M1 = 1 << 28
PRESCALERS = (1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256)  # PRESC; larger values are reserved
THRESHOLD_EIGHTHS = (1, 2, 4, 6, 7, 8)  # RXFTCFG, TXFTCFG


class UsartV1(Usart):
    """SR, DR, BRR, CR1..3. Flags are cleared by reading SR and then accessing DR, or by writing 0."""

    SR, DR, BRR, CR1, CR2, CR3 = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
    UE = 1 << 13
    CLEARED_BY_ZERO = TC | RXNE | 3 << 8
    CLEARED_BY_READS = PE | FE | NE | ORE | IDLE

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._seen = 0  # flags that were set at the last read of SR

    def peek_word(self, offset: int) -> int:
        """The register's content; reads of SR and DR also prepare or do the clearing of flags."""
        if offset == self.SR:
            return self._status
        if offset == self.DR:
            return self._rx[0] if self._rx else self._last
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register."""
        if offset == self.SR:
            self._seen = self._status
            return self._status
        if offset == self.DR:
            if cleared := self._seen & self.CLEARED_BY_READS & self._status:
                self._status &= ~cleared
                self._update()
            self._seen &= ~self.CLEARED_BY_READS
            return self._take()
        return self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == self.DR:
            if self._transmits() and self._bit_ticks_256:
                self._status &= ~(self._seen & TC)
            self._transmit(value)
        elif offset == self.SR:
            zeros = ~value & self.CLEARED_BY_ZERO
            if zeros & RXNE:
                self._rx.clear()
            self._status &= ~zeros
            self._update()
        else:
            super().write_word(offset, value)

    def _interrupt(self) -> int:
        # EIE counts only with DMA reception (RM0090 30.4).
        status = self._status
        errors = status & (ORE | FE | NE) if self._cr3 & EIE and self._cr3 & DMAR else 0
        overrun = status & ORE if self._cr1 & RXNEIE else 0
        return status & self._cr1 & 0xF0 | errors | overrun | (status & PE if self._cr1 & PEIE else 0)


class UsartV2(Usart):
    """CR1..3, BRR, RQR, ISR, ICR, RDR, TDR; character match and receiver timeout."""

    CR1, CR2, CR3, BRR, RTOR, RQR, ISR, ICR, RDR, TDR = 0x00, 0x04, 0x08, 0x0C, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28
    UE = 1 << 0
    CLEARABLE = PE | FE | NE | ORE | IDLE | TC | RTOF | CMF | 1 << 8 | 1 << 9 | 1 << 12 | 1 << 20
    RXFRQ, TXFRQ = 1 << 3, 1 << 4
    RTOEN, CMIE, RTOIE = 1 << 23, 1 << 14, 1 << 26
    LEVELS: ClassVar[int] = TXE | RXNE | TEACK | REACK
    NOT_MODELLED = (
        *Usart.NOT_MODELLED,
        ("CR1", 1 << 13, "mute mode"),
        ("CR2", 1 << 20, "automatic baud rate detection"),
    )

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._timeout: Alarm | None = None

    def peek_word(self, offset: int) -> int:
        """The register's content; a read of RDR takes the byte too."""
        if offset == self.ISR:
            return self._status
        if offset == self.RDR:
            return self._rx[0] if self._rx else self._last
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register."""
        if offset == self.ISR:
            return self._status
        if offset == self.RDR:
            return self._take()
        return self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset == self.TDR:
            self.words[offset] = value & 0x1FF
            self._transmit(value)
        elif offset == self.ICR:
            self._status &= ~(value & self.CLEARABLE)
            self._update()
        elif offset == self.RQR:
            if value & self.RXFRQ:
                self._rx.clear()
            if value & self.TXFRQ:
                self._tx.clear()
            self._update()
        elif offset not in (self.ISR, self.RDR):
            super().write_word(offset, value)

    def _word_bits(self) -> int:
        return 7 if self._cr1 & M1 else super()._word_bits()

    def _change_modes(self, before: int, after: int) -> None:
        # Clearing UE ends everything at once and resets the flags (RM0432 48.8.1).
        if before & self.UE and not after & self.UE:
            self._shifter.stop()
            self._tx.clear()
            self._rx.clear()
            for alarm in (self._idle, self._timeout):
                if alarm is not None:
                    alarm.cancel()
            self._status = TXE | TC

    def _transmit(self, value: int) -> None:
        if self._transmits() and self._bit_ticks_256:
            self._status &= ~TC
        super()._transmit(value)

    def _arrived(self, value: int) -> None:
        if value == self._cr2 >> 24:
            self._status |= CMF
        if self._cr2 & self.RTOEN:
            if self._timeout is not None:
                self._timeout.cancel()
            bits = self.words.get(self.RTOR, 0) & 0xFFFFFF
            clock = self.ports.clock
            self._timeout = clock.at(clock.ticks + bits * self._bit_ticks_256 // 256, self._time_out)

    def _time_out(self) -> None:
        self._status |= RTOF
        self._update()

    def _levels(self) -> int:
        enabled = self._cr1 if self._cr1 & self.UE else 0
        return super()._levels() | TEACK * bool(enabled & TE) | REACK * bool(enabled & RE)

    def _interrupt(self) -> int:
        matched = CMF if self._cr1 & self.CMIE else 0
        timed_out = RTOF if self._cr1 & self.RTOIE else 0
        return super()._interrupt() | self._status & (matched | timed_out)


class UsartV3(UsartV2):
    """v2 with FIFOs (TXE and RXNE become TXFNF and RXFNE) and a clock prescaler."""

    PRESC = 0x2C
    FIFOEN, TXFEIE, RXFFIE, TXFTIE, RXFTIE = 1 << 29, 1 << 30, 1 << 31, 1 << 23, 1 << 28
    LEVELS = UsartV2.LEVELS | TXFE | RXFF | RXFT | TXFT

    def _depth(self) -> int:
        return int(self.ports.options.get("fifo_depth", 8)) if self._cr1 & self.FIFOEN else 1

    def _change_modes(self, before: int, after: int) -> None:
        super()._change_modes(before, after)
        if (before ^ after) & self.FIFOEN:
            self._tx.clear()
            self._rx.clear()

    def _divider(self) -> int:
        return super()._divider() * self._prescaler()

    def _prescaler(self) -> int:
        return PRESCALERS[min(self.words.get(self.PRESC, 0) & 0xF, len(PRESCALERS) - 1)]

    def _levels(self) -> int:
        flags = super()._levels()
        if not self._cr1 & self.FIFOEN:
            return flags
        depth, sending, waiting = self._depth(), len(self._tx), len(self._rx)
        room, full = self._threshold(self._cr3 >> 29), self._threshold(self._cr3 >> 25)
        return (
            flags
            | TXFE * (not sending)
            | RXFF * (waiting >= depth)
            | RXFT * (waiting >= full)
            | TXFT * (depth - sending >= room)
        )

    def _threshold(self, field: int) -> int:
        return self._depth() * THRESHOLD_EIGHTHS[min(field & 7, 5)] // 8

    def _interrupt(self) -> int:
        status, cr1, cr3 = self._status, self._cr1, self._cr3
        empty, full = TXFE if cr1 & self.TXFEIE else 0, RXFF if cr1 & self.RXFFIE else 0
        send, receive = TXFT if cr3 & self.TXFTIE else 0, RXFT if cr3 & self.RXFTIE else 0
        return super()._interrupt() | status & (empty | full | send | receive)


class Lpuart(UsartV3):
    """The low-power UART: a bit takes BRR / 256 clocks (RM0432 49.4.7)."""

    def _set_baud(self) -> None:
        self._bit_ticks_256 = (self.words.get(self.BRR, 0) & 0xFFFFF) * self._prescaler()
        self.ports.wire.baud = baud_of(self.ports.clock, self._bit_ticks_256 / 256)


MODELS = {"v1": UsartV1, "v2": UsartV2, "v3": UsartV3, "lpuart": Lpuart}
