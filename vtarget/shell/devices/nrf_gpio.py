"""nRF GPIO port (nRF52840 PS 6.9). Its entry's base is the registers' first page: the port's base + 0x500, so
0x50000500 for P0 and 0x50000800 for P1, with size 0x300; from the ports' own bases the two would overlap.

Pins are named after the device: ``P0.13``. A pin whose input buffer is disconnected reads 0. A level that an input
buffer sees is a signal of the pin's name (for GPIOTE), DETECT is ``P0_DETECT``. Levels that GPIOTE or another
peripheral drives are not seen.
"""

from __future__ import annotations

from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.pins import Pins, bits

OUT, OUTSET, OUTCLR, IN, DIR, DIRSET, DIRCLR = 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C
LATCH, DETECTMODE, PIN_CNF, PIN_CNF_END = 0x20, 0x24, 0x200, 0x280
PINS = 32
CNF_RESET = 0x2  # the input buffer is disconnected
CNF_DIR, CNF_DISCONNECT = 1 << 0, 1 << 1
PULL_UP, SENSE_HIGH, SENSE_LOW = 3, 2, 3


class NrfGpio(WordDevice):
    """One port of up to 32 pins."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._cnf = [CNF_RESET] * PINS
        self._names = [f"{ports.name}.{pin}" for pin in range(PINS)]
        self._pins = Pins(ports, self._names)
        self._out = self._dir = self._latch = 0
        self._connected = self._pull_ups = self._sense_high = self._sense_low = 0
        self._before = 0
        self._detect = False

    def set_input(self, pin: int, level: bool) -> None:
        """The outside holds a pin at a level."""
        self._pins.set_input(pin, level)
        self._update()

    def read_word(self, offset: int) -> int:
        """A register; set and clear registers read as what they change."""
        if offset in (OUT, OUTSET, OUTCLR):
            return self._out
        if offset in (DIR, DIRSET, DIRCLR):
            return self._dir
        if offset == IN:
            return self._seen()
        if offset == LATCH:
            return self._latch
        if PIN_CNF <= offset < PIN_CNF_END:
            return self._cnf[(offset - PIN_CNF) // 4]
        return self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """Bits that a narrow write leaves out neither set nor clear."""
        return 0 if offset in (OUTSET, OUTCLR, DIRSET, DIRCLR, LATCH) else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register; DIR and the direction bits of PIN_CNF are the same."""
        if offset in (OUT, OUTSET, OUTCLR):
            self._out = _changed(self._out, value, offset - OUT)
        elif offset in (DIR, DIRSET, DIRCLR):
            self._set_direction(_changed(self._dir, value, offset - DIR))
        elif offset == LATCH:
            self._latch &= ~value
        elif PIN_CNF <= offset < PIN_CNF_END:
            self._configure((offset - PIN_CNF) // 4, value)
        elif offset != IN:
            self.words[offset] = value
        self._update()

    def _set_direction(self, direction: int) -> None:
        for pin in bits(direction ^ self._dir):
            self._cnf[pin] ^= CNF_DIR
        self._dir = direction

    def _configure(self, pin: int, value: int) -> None:
        self._cnf[pin] = value
        one = 1 << pin
        sense = value >> 16 & 3
        self._dir = self._dir & ~one | (one if value & CNF_DIR else 0)
        self._connected = self._connected & ~one | (0 if value & CNF_DISCONNECT else one)
        self._pull_ups = self._pull_ups & ~one | (one if value >> 2 & 3 == PULL_UP else 0)
        self._sense_high = self._sense_high & ~one | (one if sense == SENSE_HIGH else 0)
        self._sense_low = self._sense_low & ~one | (one if sense == SENSE_LOW else 0)

    def _seen(self) -> int:
        return self._pins.seen(self._pull_ups) & self._connected

    def _update(self) -> None:
        self._pins.drive(self._dir, self._out)
        seen = self._seen()
        for pin in bits(seen ^ self._before):
            self.ports.set_signal(self._names[pin], bool(seen >> pin & 1))
        self._before = seen
        sensed = seen & self._sense_high | ~seen & self._sense_low
        self._latch |= sensed
        detect = bool(self._latch if self.words.get(DETECTMODE, 0) & 1 else sensed)
        if detect != self._detect:
            self._detect = detect
            self.ports.set_signal(f"{self.ports.name}_DETECT", detect)


def _changed(old: int, value: int, register: int) -> int:
    """After a write to a register (0), its set register (4) or its clear register (8)."""
    return value if register == 0 else old | value if register == 4 else old & ~value


MODELS = {"": NrfGpio}
