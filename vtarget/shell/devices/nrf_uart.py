"""nRF UART. Variant ``""`` is the legacy UART (nRF51 RM 29, nRF52840 PS 6.33). ``uarte`` is UART and UARTE (PS 6.34) at
one address, as on nRF52: ENABLE = 4 makes it the first, 8 the second, with EasyDMA.

A byte goes to the wire when it has been shifted out. Bit times are whole cycles of the 16 MHz clock: 2**32 // BAUDRATE,
which gives the actual rates of the PS's tables. Pins and flow control are not modelled.
"""

from __future__ import annotations

from collections import deque

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.nrf_ppi import pulse_event
from vtarget.shell.devices.uart import Shifter, baud_of

STARTRX, STOPRX, STARTTX, STOPTX, SUSPEND, FLUSHRX = 0x000, 0x004, 0x008, 0x00C, 0x01C, 0x02C
SHORTS, INTEN, INTENSET, INTENCLR, ERRORSRC = 0x200, 0x300, 0x304, 0x308, 0x480
ENABLE, RXD, TXD, BAUDRATE, CONFIG = 0x500, 0x518, 0x51C, 0x524, 0x56C
PSELS = (0x508, 0x50C, 0x510, 0x514)
RXD_PTR, RXD_MAXCNT, RXD_AMOUNT, TXD_PTR, TXD_MAXCNT, TXD_AMOUNT = 0x534, 0x538, 0x53C, 0x544, 0x548, 0x54C
EVENTS, EVENTS_END = 0x100, 0x180
# Events by their bit, which is also that of INTEN: (offset - 0x100) / 4.
RXDRDY, ENDRX, TXDRDY, ENDTX, ERROR, RXTO = 1 << 2, 1 << 4, 1 << 7, 1 << 8, 1 << 9, 1 << 17
RXSTARTED, TXSTARTED, TXSTOPPED = 1 << 19, 1 << 20, 1 << 22
ENDRX_STARTRX, ENDRX_STOPRX = 1 << 5, 1 << 6
UART, UARTE = 4, 8
OVERRUN = 1
FIFO_BYTES = 6
STOP_FRAMES = 4  # after STOPRX up to four bytes are still received (PS 6.34.3); RXTO comes after their time
CLOCK_HZ = 16_000_000
RAM = 0x2000_0000


class NrfUart(WordDevice):
    """The legacy UART: one byte at a time. Bytes written before STARTTX are lost."""

    MODES: tuple[int, ...] = (UART,)

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {BAUDRATE: 0x0400_0000} | dict.fromkeys(PSELS, 0xFFFF_FFFF)
        self._clock = ports.fixed_clock(CLOCK_HZ)
        self._mode = 0
        self._events = 0
        self._inten = 0
        self._irq = False
        self._sending = False
        self._receiving = False
        self._next: int | None = None
        self._fifo: deque[int] = deque()
        self._last = 0
        self._stopping: Alarm | None = None
        self._shifter = Shifter(self._clock, ports.wire.send, self._shifted)
        ports.wire.receiver = self._receive
        self._set_baud()

    def drain(self) -> None:
        """The core has stopped: send what the transmitter still holds."""
        self._shifter.drain()

    def peek_word(self, offset: int) -> int:
        """The register's content; a read of RXD takes the byte too."""
        if EVENTS <= offset < EVENTS_END:
            return self._events >> (offset - EVENTS >> 2) & 1
        if offset < EVENTS:
            return 0
        if offset in (INTEN, INTENSET, INTENCLR):
            return self._inten
        if offset == RXD:
            return self._fifo[0] if self._fifo else self._last
        return self.words.get(offset, 0)

    def read_word(self, offset: int) -> int:
        """Read a register; RXD takes a byte out of the FIFO."""
        value = self.peek_word(offset)
        if offset == RXD and self._fifo and self._mode == UART:
            self._last = self._fifo.popleft()
            if self._fifo:
                self._raise(RXDRDY)
        return value

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset < EVENTS:
            if value & 1 and self._mode:
                self._task(offset)
        elif offset < EVENTS_END:
            bit = 1 << (offset - EVENTS >> 2)
            self._events = self._events | bit if value & 1 else self._events & ~bit
        elif offset in (INTEN, INTENSET, INTENCLR):
            kept = {INTEN: 0, INTENSET: self._inten, INTENCLR: self._inten & ~value}[offset]
            self._inten = kept if offset == INTENCLR else kept | value
        elif offset == ERRORSRC:
            self.words[ERRORSRC] = self.words.get(ERRORSRC, 0) & ~value
        elif offset == TXD:
            self._transmit(value & 0xFF)
        elif offset not in (RXD, RXD_AMOUNT, TXD_AMOUNT):
            self.words[offset] = value
            self._configure(offset, value)
        self._update()

    def _configure(self, offset: int, value: int) -> None:
        if offset == ENABLE:
            self._enable(value & 0xF)
        elif offset == BAUDRATE:
            self._set_baud()
        elif offset == CONFIG and value & 1:
            self.ports.note(f"{self.ports.name}: RTS and CTS are not modelled: always clear to send")

    def _enable(self, mode: int) -> None:
        if mode not in (0, *self.MODES):
            self.ports.note(f"{self.ports.name}: ENABLE = {mode} is not modelled")
        self._mode = mode if mode in self.MODES else 0
        if not self._mode:
            self._shifter.stop()
            self._sending = self._receiving = False
            self._next = None
            self._fifo.clear()
            if self._stopping is not None:
                self._stopping.cancel()

    def _bit_ticks(self) -> int:
        rate = self.words[BAUDRATE]
        return (1 << 32) // rate if rate else 0

    def _set_baud(self) -> None:
        self.ports.wire.baud = baud_of(self._clock, self._bit_ticks())

    def _frame_ticks(self) -> int:
        config = self.words.get(CONFIG, 0)
        return self._bit_ticks() * (10 + (config >> 1 & 7 == 7) + (config >> 4 & 1))

    def _task(self, offset: int) -> None:
        if offset == STARTTX:
            self._sending = True
        elif offset in (STOPTX, SUSPEND):
            self._sending = False
            self._next = None
        if offset == STARTRX:
            self._start_receiver()
        elif offset in (STOPRX, SUSPEND):
            self._stop_receiver()

    def _start_receiver(self) -> None:
        self._receiving = True
        if self._stopping is not None:
            self._stopping.cancel()

    def _stop_receiver(self) -> None:
        if self._receiving and not (self._stopping is not None and self._stopping.pending):
            self._stopping = self._clock.at(self._clock.ticks + STOP_FRAMES * self._frame_ticks(), self._stopped)

    def _stopped(self) -> None:
        self._receiving = False
        self._raise(RXTO)

    def _transmit(self, byte: int) -> None:
        if self._mode != UART or not self._sending or not self._has_baud():
            return
        if self._shifter.busy:
            self._next = byte
        else:
            self._shifter.load(byte, self._frame_ticks())

    def _has_baud(self) -> bool:
        if not self.words[BAUDRATE]:
            self.ports.note(f"{self.ports.name}: BAUDRATE is 0: nothing is sent")
        return self.words[BAUDRATE] > 0

    def _shifted(self) -> None:
        byte, self._next = self._next, None
        if byte is not None:
            self._shifter.load(byte, self._frame_ticks())
        self._raise(TXDRDY)

    def _receive(self, byte: int) -> None:
        if self._mode and self._receiving:
            self._store(byte)
            self._update()

    def _store(self, byte: int) -> None:
        if self._queue(byte) and len(self._fifo) == 1:
            self._raise(RXDRDY)

    def _queue(self, byte: int) -> bool:
        if len(self._fifo) < FIFO_BYTES:
            self._fifo.append(byte)
            return True
        self.words[ERRORSRC] = self.words.get(ERRORSRC, 0) | OVERRUN
        self._raise(ERROR)
        return False

    def _raise(self, events: int) -> None:
        self._events |= events
        self._update()
        for number in range(events.bit_length()):
            if events >> number & 1:
                pulse_event(self.ports, EVENTS + 4 * number)

    def _update(self) -> None:
        irq = bool(self._events & self._inten)
        if irq != self._irq:
            self._irq = irq
            self.ports.set_irq(irq)


class NrfUarte(NrfUart):
    """UART and UARTE. The buffers' addresses and sizes are taken at STARTTX, STARTRX and FLUSHRX.

    EasyDMA reaches RAM only; a buffer in flash is read all the same, and a note tells.
    """

    MODES = (UART, UARTE)

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._tx_at = self._tx_left = self._tx_done = 0
        self._rx_at = self._rx_left = self._rx_done = 0
        self._filling = False  # a receive buffer is there

    def _enable(self, mode: int) -> None:
        super()._enable(mode)
        if not self._mode:
            self._tx_left = self._rx_left = 0
            self._filling = False

    def _task(self, offset: int) -> None:
        if self._mode == UART:
            super()._task(offset)
        elif offset == STARTTX:
            self._start_sending()
        elif offset == STOPTX:
            self._stop_sending()
        elif offset == STARTRX:
            self._start_receiver()
            self._fill_buffer(RXSTARTED)
        elif offset == STOPRX:
            self._stop_receiver()
        elif offset == FLUSHRX:
            self._flush()

    def _start_sending(self) -> None:
        self._tx_at, self._tx_left, self._tx_done = (
            self.words.get(TXD_PTR, 0),
            self.words.get(TXD_MAXCNT, 0) & 0xFFFF,
            0,
        )
        if self._tx_at < RAM and self._tx_left:
            self.ports.note(f"{self.ports.name}: TXD.PTR is outside RAM, where EasyDMA on the chip doesn't reach")
        self._sending = True
        self._raise(TXSTARTED)
        self._send_next()

    def _send_next(self) -> None:
        if self._shifter.busy:
            return
        byte = self.ports.read_memory(self._tx_at, 1) if self._tx_left and self._has_baud() else None
        if byte is not None:
            self._tx_at, self._tx_left = self._tx_at + 1, self._tx_left - 1
            self._shifter.load(byte[0], self._frame_ticks())
            return
        if self._tx_left:
            self.ports.note(f"{self.ports.name}: TXD.PTR is outside memory, or there is no baud rate")
        self._end_sending()

    def _end_sending(self) -> None:
        self._tx_left = 0
        self._sending = False
        self.words[TXD_AMOUNT] = self._tx_done
        self._raise(ENDTX)

    def _stop_sending(self) -> None:
        """After the byte that is being shifted."""
        self._tx_left = 0
        if self._shifter.busy:
            self._next = STOPTX
        else:
            self._raise(TXSTOPPED)

    def _shifted(self) -> None:
        if self._mode != UARTE:
            super()._shifted()
            return
        self._tx_done += 1
        self._raise(TXDRDY)
        stops, self._next = self._next is not None, None
        if self._sending:
            self._send_next()
        if stops:
            self._raise(TXSTOPPED)

    def _fill_buffer(self, events: int) -> None:
        self._rx_at, self._rx_left, self._rx_done = (
            self.words.get(RXD_PTR, 0),
            self.words.get(RXD_MAXCNT, 0) & 0xFFFF,
            0,
        )
        self._filling = True
        self._raise(events)
        if not self._rx_left:
            self._end_buffer()
        while self._fifo and self._filling:
            self._put(self._fifo.popleft())

    def _put(self, byte: int) -> None:
        if not self.ports.write_memory(self._rx_at, bytes([byte])):
            self.ports.note(f"{self.ports.name}: RXD.PTR is outside memory: bytes received are lost")
        self._rx_at, self._rx_left, self._rx_done = self._rx_at + 1, self._rx_left - 1, self._rx_done + 1
        if self._rx_left:
            return
        self._end_buffer()
        shorts = self.words.get(SHORTS, 0)
        if shorts & ENDRX_STARTRX:
            self._task(STARTRX)
        if shorts & ENDRX_STOPRX:
            self._task(STOPRX)

    def _end_buffer(self) -> None:
        self._filling = False
        self.words[RXD_AMOUNT] = self._rx_done
        self._raise(ENDRX)

    def _flush(self) -> None:
        """Move what the FIFO got after the receiver stopped."""
        self._fill_buffer(0)
        if self._filling:
            self._end_buffer()

    def _store(self, byte: int) -> None:
        if self._mode == UART:
            super()._store(byte)
            return
        self._raise(RXDRDY)
        if self._filling:
            self._put(byte)
        else:
            self._queue(byte)

    def _stopped(self) -> None:
        if self._filling and self._mode == UARTE:
            self._end_buffer()
        super()._stopped()


MODELS = {"": NrfUart, "uarte": NrfUarte}
