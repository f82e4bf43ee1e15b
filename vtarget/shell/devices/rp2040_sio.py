"""RP2040 single-cycle I/O of core 0: GPIO, spinlocks, the mailbox to core 1, the divider and two interpolators.

RP2040 datasheet 2.3.1. Core 1 is absent: its boot ROM's side of the launch protocol (2.8.2) answers, so that firmware
which starts core 1 goes on, and the result says that core 1 never ran. An output pin is also the signal ``GPIO<n>``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.rp2040_interp import WORD, Interpolator, signed
from vtarget.shell.devices.rp2040_system import CORE1_SIGNAL

PINS = 30
GPIO_IN, GPIO_HI_IN = 0x04, 0x08
OUT, OE, HI_OUT, HI_OE = 0x10, 0x20, 0x30, 0x40  # each with SET, CLR and XOR behind it
MASKS = {OUT: (1 << PINS) - 1, OE: (1 << PINS) - 1, HI_OUT: 0x3F, HI_OE: 0x3F}
QSPI_PULLED_UP = 0x02  # SSn: the BOOTSEL button is not pressed
FIFO_ST, FIFO_WR, FIFO_RD, SPINLOCK_ST = 0x50, 0x54, 0x58, 0x5C
VLD, RDY, WOF, ROE = 1, 2, 4, 8
FIFO_WORDS = 8
UDIVIDEND, UDIVISOR, SDIVIDEND, SDIVISOR, QUOTIENT, REMAINDER, DIV_CSR = range(0x60, 0x7C, 4)
READY, DIRTY = 1, 2
INTERP0, INTERP_SIZE, SPINLOCK0, SPINLOCKS_END = 0x80, 0x40, 0x100, 0x180


def divide(dividend: int, divisor: int, *, as_signed: bool) -> tuple[int, int]:
    """Quotient and remainder as 32-bit words. It divides magnitudes and sets signs; a division by zero gives a
    magnitude of all ones and the dividend (2.3.1.5)."""
    p, q = (signed(dividend), signed(divisor)) if as_signed else (dividend, divisor)
    quotient, remainder = divmod(abs(p), abs(q)) if q else (WORD, abs(p))
    if (p < 0) != (q < 0):
        quotient = -quotient
    return quotient & WORD, (-remainder if p < 0 else remainder) & WORD


class Rp2040Sio(WordDevice):
    """What core 0 sees. Divisions are done at once: software waits for eight cycles or READY."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = dict.fromkeys(MASKS, 0) | {QUOTIENT: 0, REMAINDER: 0}
        self._locks = 0
        self._dividend = self._divisor = 0
        self._dirty = False
        self._interps = (Interpolator(blends=True), Interpolator(blends=False))
        self._received: deque[int] = deque()  # core 1 to core 0
        self._unread = 0  # words that core 1 would have to read
        self._sticky = 0
        self._launch: list[int] | None = []  # words of the launch sequence so far; None: core 1 would be running
        self._core1_off = False
        ports.watch_signal(CORE1_SIGNAL, self._on_core1)

    def read_word(self, offset: int) -> int:
        """Read a register; FIFO_RD, QUOTIENT, POP and spinlocks change state."""
        if INTERP0 <= offset < SPINLOCK0:
            return self._read_interp(self._interps[(offset - INTERP0) // INTERP_SIZE], offset % INTERP_SIZE)
        if SPINLOCK0 <= offset < SPINLOCKS_END:
            return self._claim(1 << (offset - SPINLOCK0) // 4)
        if offset == GPIO_IN:
            return self.words[OUT] & self.words[OE]
        if offset == GPIO_HI_IN:
            return self.words[HI_OUT] & self.words[HI_OE] | QSPI_PULLED_UP & ~self.words[HI_OE]
        if offset == FIFO_RD:
            return self._pop()
        if offset == QUOTIENT:
            self._dirty = False
        elif UDIVIDEND <= offset <= SDIVISOR:
            return self._dividend if offset in (UDIVIDEND, SDIVIDEND) else self._divisor
        return self.peek_word(offset)

    def peek_word(self, offset: int) -> int:
        """Content without side effects."""
        if offset == FIFO_ST:
            ready = RDY if self._unread < FIFO_WORDS else 0
            return (VLD if self._received else 0) | ready | self._sticky
        if offset == DIV_CSR:
            return READY | (DIRTY if self._dirty else 0)
        return self._locks if offset == SPINLOCK_ST else self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        if OUT <= offset < FIFO_ST:
            self._write_pins(offset & ~0xF, offset >> 2 & 3, value)
        elif UDIVIDEND <= offset <= REMAINDER:
            self._write_divider(offset, value)
        elif INTERP0 <= offset < SPINLOCK0:
            _write_interp(self._interps[(offset - INTERP0) // INTERP_SIZE], offset % INTERP_SIZE, value)
        elif SPINLOCK0 <= offset < SPINLOCKS_END:
            self._locks &= ~(1 << (offset - SPINLOCK0) // 4)
        elif offset == FIFO_WR:
            self._push(value)
        elif offset == FIFO_ST:
            self._sticky = 0  # any write clears WOF and ROE
            self._drive_irq()

    def _write_pins(self, register: int, operation: int, value: int) -> None:
        out, enabled = self.words[OUT], self.words[OE]
        old = self.words[register]
        new = (value, old | value, old & ~value, old ^ value)[operation]
        self.words[register] = new & MASKS[register]
        driven = self.words[OE] & (self.words[OUT] ^ out | ~enabled)
        pads = self.words[OUT] & self.words[OE]
        changed = pads ^ out & enabled
        for pin in range((driven | changed).bit_length()):
            if driven >> pin & 1:
                self.ports.set_pin(f"GPIO{pin}", bool(pads >> pin & 1))
            if changed >> pin & 1:
                self.ports.set_signal(f"GPIO{pin}", bool(pads >> pin & 1))

    def _write_divider(self, offset: int, value: int) -> None:
        self._dirty = True
        if offset in (QUOTIENT, REMAINDER):
            self.words[offset] = value
            return
        if offset in (UDIVIDEND, SDIVIDEND):
            self._dividend = value
        else:
            self._divisor = value
        results = divide(self._dividend, self._divisor, as_signed=offset in (SDIVIDEND, SDIVISOR))
        self.words[QUOTIENT], self.words[REMAINDER] = results

    def _claim(self, lock: int) -> int:
        if self._locks & lock:
            return 0
        self._locks |= lock
        return lock

    def _read_interp(self, interp: Interpolator, offset: int) -> int:
        index = offset // 4
        if index < 2:
            return interp.accum[index]
        if index < 5:
            return interp.base[index - 2]
        if index < 8:
            return interp.pop(index - 5)
        if index < 11:
            return interp.peek(index - 8)
        if index < 13:
            return interp.get_ctrl(index - 11)
        return interp.raw(index - 13) if index < 15 else 0

    def _pop(self) -> int:
        if self._received:
            value = self._received.popleft()
        else:
            value, self._sticky = 0, self._sticky | ROE
        self._drive_irq()
        return value

    def _push(self, value: int) -> None:
        if self._core1_off:
            return
        if self._launch is not None:
            self._handshake(self._launch, value)
        elif self._unread < FIFO_WORDS:
            self._unread += 1
        else:
            self._sticky |= WOF
        self._drive_irq()

    def _handshake(self, sequence: list[int], value: int) -> None:
        """0, 0, 1, vector table, stack pointer, entry: each is echoed, a wrong one starts again."""
        expected = (0, 0, 1)
        if len(sequence) < 3 and value != expected[len(sequence)]:
            sequence.clear()
        else:
            sequence.append(value)
        self._received.append(value)
        if len(self._received) > FIFO_WORDS:
            self._received.popleft()
        if len(sequence) == 6:
            self._launch = None
            self.ports.note(
                f"{self.ports.name}: core 1 was started at 0x{value:08x}; there is only core 0, it never ran"
            )

    def _on_core1(self, off: bool) -> None:
        """Out of reset its boot ROM drains its mailbox and sends a zero."""
        if self._core1_off and not off:
            self._received.append(0)
        self._core1_off = off
        self._launch, self._unread = [], 0
        self._drive_irq()

    def _drive_irq(self) -> None:
        self.ports.set_irq(bool(self._received or self._sticky))


def _write_interp(interp: Interpolator, offset: int, value: int) -> None:
    index = offset // 4
    if index < 2:
        interp.accum[index] = value
    elif index < 5:
        interp.base[index - 2] = value
    elif index in (11, 12):
        interp.set_ctrl(index - 11, value)
    elif index in (13, 14):
        interp.accum[index - 13] = interp.accum[index - 13] + (value & 0xFFFFFF) & WORD
    elif index == 15:
        interp.set_bases(value)


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Sio}
