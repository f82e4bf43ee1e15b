"""STM32 GPIO: ``v1`` of the F1 (RM0008 9.2: CRL, CRH), ``v2`` of the others (RM0090 8.4, RM0432 8.5: MODER).

Pins are named after the port: device ``GPIOA`` drives ``PA5``. IDR shows driven outputs, pull-ups, and what the outside
holds (see ``pins.Pins``); a pin of an alternate function is taken as an input. An open-drain output that is released
reads as 1, as it has a pull-up somewhere. Options of ``v2``: ``moder_reset``, ``ospeedr_reset``, ``pupdr_reset``.
The level that a pin's input sees is a signal of its name (for EXTI). The port works without its clock of the RCC too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import Pins, bits, fields_equal, number_option, spread

PINS = 16
ALL = 0xFFFF
LCKK = 1 << 16


@dataclass(frozen=True)
class Registers:
    """Offsets of one variant; ``fields``: configuration registers with bits per pin and first pin (for the lock)."""

    idr: int
    odr: int
    bsrr: int
    brr: int
    lckr: int
    fields: dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Modes:
    """What the configuration says of the pins, as masks; ``follow``: inputs whose pull is the bit of ODR (v1)."""

    outputs: int
    analog: int
    pull_ups: int
    follow: int = 0


CRL, CRH = 0x00, 0x04
V1 = Registers(idr=0x08, odr=0x0C, bsrr=0x10, brr=0x14, lckr=0x18, fields={CRL: (4, 0), CRH: (4, 8)})
MODER, OTYPER, OSPEEDR, PUPDR, AFRL, AFRH = 0x00, 0x04, 0x08, 0x0C, 0x20, 0x24
V2_FIELDS = {MODER: (2, 0), OTYPER: (1, 0), OSPEEDR: (2, 0), PUPDR: (2, 0), AFRL: (4, 0), AFRH: (4, 8)}
V2 = Registers(idr=0x10, odr=0x14, bsrr=0x18, brr=0x28, lckr=0x1C, fields=V2_FIELDS)


class Stm32Gpio(WordDevice):
    """One port. ``modes`` reads the configuration registers."""

    def __init__(
        self, ports: Ports, registers: Registers, modes: Callable[[dict[int, int]], Modes], reset: dict[int, int]
    ) -> None:
        super().__init__(ports)
        self.words = dict.fromkeys(registers.fields, 0) | reset
        self._at = registers
        self._read_modes = modes
        self._modes = modes(self.words)
        letter = ports.name.removeprefix("GPIO")
        self._names = [f"P{letter}{pin}" for pin in range(PINS)]
        self._pins = Pins(ports, self._names)
        self._before = 0
        self._out = 0
        self._lock = 0  # LCKR
        self._lock_writes: list[int] = []

    def set_input(self, pin: int, level: bool) -> None:
        """The outside holds a pin at a level."""
        self._pins.set_input(pin, level)
        self._tell_levels()

    def read_word(self, offset: int) -> int:
        """A register; the write-only ones read as 0."""
        at = self._at
        if offset == at.idr:
            return self._seen()
        if offset == at.odr:
            return self._out
        if offset == at.lckr:
            return self._lock
        return 0 if offset in (at.bsrr, at.brr) else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """Reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register; in BSRR, setting wins over resetting (RM0090 8.4.7)."""
        at = self._at
        if offset == at.bsrr:
            self._drive(self._out & ~(value >> 16) | value & ALL)
        elif offset == at.brr:
            self._drive(self._out & ~value)
        elif offset == at.odr:
            self._drive(value & ALL)
        elif offset == at.lckr:
            self._write_lock(value & (LCKK | ALL))
        elif offset in at.fields:
            width, first = at.fields[offset]
            kept = spread((self._lock & ALL) >> first, width) if self._lock & LCKK else 0
            self.words[offset] = self.words[offset] & kept | value & ~kept & 0xFFFFFFFF
            self._modes = self._read_modes(self.words)
            self._drive(self._out)
        elif offset != at.idr:
            self.words[offset] = value

    def _drive(self, out: int) -> None:
        self._out = out
        self._pins.drive(self._modes.outputs, out)
        self._tell_levels()

    def _seen(self) -> int:
        modes = self._modes
        return self._pins.seen(modes.pull_ups | modes.follow & self._out) & ~modes.analog & ALL

    def _tell_levels(self) -> None:
        """Each pin's level is a signal of its name, for EXTI."""
        seen = self._seen()
        for pin in bits(seen ^ self._before):
            self.ports.set_signal(self._names[pin], bool(seen >> pin & 1))
        self._before = seen

    def _write_lock(self, value: int) -> None:
        """Three writes with LCKK 1, 0, 1 and the same pins lock those until reset (RM0090 8.4.8)."""
        if self._lock & LCKK:
            return
        self._lock = value & ALL
        writes = [*self._lock_writes, value][-3:]
        self._lock_writes = writes
        if writes == [LCKK | value & ALL, value & ALL, LCKK | value & ALL]:
            self._lock |= LCKK


def _modes_v1(words: dict[int, int]) -> Modes:
    """CNF and MODE of a pin (RM0008, table 20): MODE 0 is input; CNF 0 analog, 1 floating, 2 pulled as ODR says."""
    config = words[CRL] | words[CRH] << 32
    outputs = sum(
        1 << pin for pin in range(PINS) if config >> 4 * pin & 3 and not config >> 4 * pin & 8
    )  # CNF bit 1: alternate function
    return Modes(outputs, fields_equal(config, 4, 0b0000), 0, fields_equal(config, 4, 0b1000))


def _modes_v2(words: dict[int, int]) -> Modes:
    moder = words[MODER]
    return Modes(fields_equal(moder, 2, 1), fields_equal(moder, 2, 3), fields_equal(words[PUPDR], 2, 1))


def _make_v1(ports: Ports) -> Device:
    return Stm32Gpio(ports, V1, _modes_v1, {CRL: 0x44444444, CRH: 0x44444444})


def _make_v2(ports: Ports) -> Device:
    option = partial(number_option, ports, default=0)
    reset = {MODER: option("moder_reset"), OSPEEDR: option("ospeedr_reset"), PUPDR: option("pupdr_reset")}
    return Stm32Gpio(ports, V2, _modes_v2, reset)


MODELS: dict[str, Callable[[Ports], Device]] = {"v1": _make_v1, "v2": _make_v2}
