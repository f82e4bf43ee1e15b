"""Ambiq GPIO, ``apollo3`` (50 pins) and ``apollo4`` (128 pins); layouts as AmbiqSuite's register pages give them.

Pins are ``GPIO22``. PADREG, CFG and PINCFG take writes only while PADKEY holds 0x73. A pin drives in push-pull and in
open drain, where a release reads as 1 (it has a pull-up somewhere), and in tri-state mode while its EN bit is set. It
reads 0 without its input buffer (INPEN) or with read-zero. Interrupt lines: ``""`` of Apollo3; ``N0_0`` to ``N0_3`` and
``N1_0`` to ``N1_3`` of Apollo4, of 32 pins each. An edge sets its status whether its interrupt is enabled or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import Pins

KEY = 0x73
GPIO_FUNCTION = 3  # FNCSEL of every pin
DISABLED, PUSH_PULL, OPEN_DRAIN, TRI_STATE = range(4)  # OUTCFG
ONES = 0xFFFFFFFF


@dataclass(frozen=True)
class Pad:
    """The configuration of one pin."""

    outcfg: int
    gpio: bool
    readable: bool
    pull_up: bool
    rising: bool
    falling: bool


@dataclass(frozen=True)
class Layout:
    """Offsets of a variant. ``rd`` .. ``enc``: the first word of each register's banks."""

    pins: int
    config_end: int
    reset: dict[int, int]
    padkey: int
    rd: int
    wt: int
    wts: int
    wtc: int
    en: int
    ens: int
    enc: int
    interrupts: tuple[tuple[str, int, int], ...]  # line, offset of its EN, bank of 32 pins
    pad: Callable[[dict[int, int], int], Pad]
    pins_of: Callable[[int], range]


class AmbiqGpio(WordDevice):
    """All pins of a chip."""

    def __init__(self, ports: Ports, layout: Layout) -> None:
        super().__init__(ports)
        self.words = dict(layout.reset)
        self._at = layout
        self._banks = (layout.pins + 31) // 32
        self._pins = Pins(ports, [f"GPIO{pin}" for pin in range(layout.pins)])
        self._all = (1 << layout.pins) - 1
        self._pads = [layout.pad(self.words, pin) for pin in range(layout.pins)]
        self._masks()
        self._out = self._enabled = 0
        self._before = 0
        self._lines: set[str] = set()  # those that are high

    def set_input(self, pin: int, level: bool) -> None:
        """The outside holds a pin at a level."""
        self._pins.set_input(pin, level)
        self._update()

    def read_word(self, offset: int) -> int:
        """A register; WTS, WTC, ENS and ENC read as what they change, the interrupts' CLR and SET as their status."""
        at = self._at
        if (bank := self._bank(offset, at.rd)) is not None:
            return self._seen() >> 32 * bank & ONES
        for base in (at.wt, at.wts, at.wtc):
            if (bank := self._bank(offset, base)) is not None:
                return self._out >> 32 * bank & ONES
        for base in (at.en, at.ens, at.enc):
            if (bank := self._bank(offset, base)) is not None:
                return self._enabled >> 32 * bank & ONES
        enable = self._enable_of(offset)
        return self.words.get(offset if enable in (None, offset) else enable + 4, 0)

    def peek_word(self, offset: int) -> int:
        """Bits that a narrow write leaves out neither set nor clear."""
        at = self._at
        acting = any(self._bank(offset, base) is not None for base in (at.wts, at.wtc, at.ens, at.enc))
        enable = self._enable_of(offset)
        return 0 if acting or (enable is not None and offset > enable) else self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        at = self._at
        for index, base in enumerate((at.wt, at.wts, at.wtc)):
            if (bank := self._bank(offset, base)) is not None:
                self._out = _changed(self._out, value, bank, index) & self._all
        for index, base in enumerate((at.en, at.ens, at.enc)):
            if (bank := self._bank(offset, base)) is not None:
                self._enabled = _changed(self._enabled, value, bank, index) & self._all
        enable = self._enable_of(offset)
        if enable is not None:
            self._write_interrupt(enable, offset - enable, value)
        elif offset == at.padkey:
            self.words[offset] = value
        elif offset < at.config_end:
            self._configure(offset, value)
        else:
            self.words[offset] = value
        self._update()

    def _bank(self, offset: int, base: int) -> int | None:
        return (offset - base) // 4 if base <= offset < base + 4 * self._banks else None

    def _enable_of(self, offset: int) -> int | None:
        """The offset of EN of the interrupt registers (EN, STAT, CLR, SET) that ``offset`` belongs to."""
        return next((en for _, en, _ in self._at.interrupts if en <= offset < en + 16), None)

    def _write_interrupt(self, enable: int, register: int, value: int) -> None:
        status = self.words.get(enable + 4, 0)
        if register == 0:
            self.words[enable] = value
        else:
            self.words[enable + 4] = value if register == 4 else status & ~value if register == 8 else status | value
        self._interrupts()

    def _configure(self, offset: int, value: int) -> None:
        at = self._at
        if self.words.get(at.padkey, 0) != KEY:
            return
        self.words[offset] = value
        for pin in at.pins_of(offset):
            self._pads[pin] = at.pad(self.words, pin)
        self._masks()

    def _masks(self) -> None:
        """What the pads' configurations say, as masks of pins."""
        pads = [(1 << pin, pad) for pin, pad in enumerate(self._pads)]
        self._always = sum(bit for bit, pad in pads if pad.gpio and pad.outcfg in (PUSH_PULL, OPEN_DRAIN))
        self._tri_state = sum(bit for bit, pad in pads if pad.gpio and pad.outcfg == TRI_STATE)
        self._readable = sum(bit for bit, pad in pads if pad.readable)
        self._pull_ups = sum(bit for bit, pad in pads if pad.pull_up)
        self._rising = sum(bit for bit, pad in pads if pad.rising)
        self._falling = sum(bit for bit, pad in pads if pad.falling)

    def _seen(self) -> int:
        return self._pins.seen(self._pull_ups) & self._readable

    def _update(self) -> None:
        self._pins.drive(self._always | self._tri_state & self._enabled, self._out)
        seen, before = self._seen(), self._before
        self._before = seen
        edges = seen & ~before & self._rising | ~seen & before & self._falling
        if edges:
            for _, enable, bank in self._at.interrupts:
                self.words[enable + 4] = self.words.get(enable + 4, 0) | edges >> 32 * bank & ONES
            self._interrupts()

    def _interrupts(self) -> None:
        active = {line for line, en, _ in self._at.interrupts if self.words.get(en, 0) & self.words.get(en + 4, 0)}
        for line in sorted(active ^ self._lines):
            self.ports.set_irq(line in active, line)
        self._lines = active


def _changed(old: int, value: int, bank: int, register: int) -> int:
    """After a write of ``value`` to a bank: 0 replaces it, 1 sets its bits, 2 clears them."""
    shift = 32 * bank
    if register == 0:
        return old & ~(ONES << shift) | value << shift
    return old | value << shift if register == 1 else old & ~(value << shift)


def _apollo3_pad(words: dict[int, int], pin: int) -> Pad:
    """PADREGA.. has a byte per pin, CFGA.. four bits: INCFG, OUTCFG, INTD. INCFG and INTD choose the edges."""
    pad = words.get(pin // 4 * 4, 0) >> 8 * (pin % 4) & 0xFF
    config = words.get(0x40 + pin // 8 * 4, 0) >> 4 * (pin % 8) & 0xF
    gpio = pad >> 3 & 7 == GPIO_FUNCTION
    zero, falling = bool(config & 1), bool(config & 8)
    return Pad(
        outcfg=config >> 1 & 3,
        gpio=gpio,
        readable=bool(pad & 2) and not (zero and not falling),
        pull_up=bool(pad & 1) and pin != 20,  # pad 20 pulls down
        rising=zero == falling,
        falling=falling,
    )


def _apollo4_pad(words: dict[int, int], pin: int) -> Pad:
    """PINCFG: FNCSEL, INPEN (bit 4), RDZERO (5), IRPTEN (7:6), OUTCFG (9:8), PULLCFG (15:13, 2 and up pull up)."""
    config = words.get(4 * pin, 0)
    return Pad(
        outcfg=config >> 8 & 3,
        gpio=config & 0xF == GPIO_FUNCTION,
        readable=bool(config & 0x10) and not config & 0x20,
        pull_up=config >> 13 & 7 >= 2,
        rising=bool(config & 0x80),
        falling=bool(config & 0x40),
    )


def _apollo3_pins(offset: int) -> range:
    first, count = (offset // 4 * 4, 4) if offset < 0x40 else ((offset - 0x40) // 4 * 8, 8)
    return range(min(first, 50), min(first + count, 50))


APOLLO3 = Layout(
    pins=50,
    config_end=0x5C,
    reset=dict.fromkeys(range(0, 0x30, 4), 0x18181818) | {0x14: 0x18180202, 0x30: 0x1818},
    padkey=0x60,
    rd=0x80,
    wt=0x88,
    wts=0x90,
    wtc=0x98,
    en=0xA0,
    ens=0xA8,
    enc=0xB4,
    interrupts=(("", 0x200, 0), ("", 0x210, 1)),
    pad=_apollo3_pad,
    pins_of=_apollo3_pins,
)
APOLLO4 = Layout(
    pins=128,
    config_end=0x200,
    reset=dict.fromkeys(range(0, 0x200, 4), GPIO_FUNCTION) | {4 * 20: 0, 4 * 21: 0},  # pins 20 and 21 are SWD's
    padkey=0x200,
    rd=0x204,
    wt=0x214,
    wts=0x224,
    wtc=0x234,
    en=0x244,
    ens=0x254,
    enc=0x264,
    interrupts=tuple((f"N{n}_{bank}", 0x2C0 + 0x40 * n + 0x10 * bank, bank) for n in range(2) for bank in range(4)),
    pad=_apollo4_pad,
    pins_of=lambda offset: range(offset // 4, offset // 4 + 1),
)
MODELS: dict[str, Callable[[Ports], Device]] = {
    "apollo3": partial(AmbiqGpio, layout=APOLLO3),
    "apollo4": partial(AmbiqGpio, layout=APOLLO4),
}
