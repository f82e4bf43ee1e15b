"""STM32 timers: general-purpose (RM0090 17 and 18, RM0432 30 to 32) and basic ones (variant ``basic``: TIM6 and TIM7).

Modelled are up and down counting, prescaler and auto-reload with their preloads, one-pulse mode, update generation,
and compare channels as far as their flags go. Options: ``bits`` 16 or 32 (TIM2 and TIM5), ``channels`` 0 to 4, and
``lines`` "one" or "separate" for TIM1 and TIM8, whose updates interrupt on line ``UP`` and compares on line ``CC``.

A channel's flag is set when the counter arrives at CCRx, or with each overflow if CCRx is above ARR (RM0090 18.4.5). A
counter above ARR runs on to the end of its width and no update comes (recalled).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vtarget.base.errors import InputError
from vtarget.shell.devices.counter import Counter, earliest
from vtarget.shell.devices.device import Option, Ports, WordDevice

CR1, CR2, SMCR, DIER, SR, EGR, CCMR1, CCMR2 = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C
CCER, CNT, PSC, ARR, RCR, CCR1 = 0x20, 0x24, 0x28, 0x2C, 0x30, 0x34
CEN, UDIS, URS, OPM, DIR, CMS, ARPE, UIFREMAP = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 3 << 5, 1 << 7, 1 << 11
UIF, UG = 1 << 0, 1 << 0
DMA_REQUESTS = 0x7F00
# What firmware may turn on that this model lacks: register, bits, name.
LACKS = (
    (CR1, CMS, "centre-aligned counting"),
    (SMCR, 0x1_4007, "slave modes and external clocks"),
    (DIER, DMA_REQUESTS, "DMA requests"),
    (RCR, 0xFFFF, "the repetition counter"),
    (CR2, 0x70, "the trigger output"),
)


class Stm32Tim(WordDevice):
    """One timer. Its state is as of the last tick taken: the counter, the prescaler's count and the flags."""

    def __init__(self, ports: Ports, *, channels: Option = 4) -> None:
        super().__init__(ports)
        bits, lines = ports.options.get("bits", 16), ports.options.get("lines", "one")
        channels = ports.options.get("channels", channels)
        if bits not in (16, 32) or lines not in ("one", "separate") or channels not in range(5):
            raise InputError(f"device {ports.name}: a TIM has bits 16 or 32, channels 0 to 4, lines one or separate")
        self._channels = int(channels)
        self._separate = lines == "separate"
        self._mask = (1 << int(bits)) - 1
        self._ticks = Counter(ports.clock, self._catch_up)
        self._count = 0
        self._prescaled = 0  # ticks into the current count
        self._flags = 0
        self._prescaler = 0  # the values in use, behind the preload registers PSC, ARR and CCRx
        self._reload = self._mask
        self._compares = [0] * self._channels
        self.words[ARR] = self._mask

    def read_word(self, offset: int) -> int:
        """Registers; CNT, SR and CR1 depend on time."""
        if offset in (CNT, SR, CR1):
            self._catch_up()
        if offset == SR:
            return self._flags
        if offset == CNT:
            copy = self._cr1 & UIFREMAP
            return self._count & 0x7FFFFFFF | (self._flags & UIF) << 31 if copy else self._count
        return 0 if offset == EGR else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        for register, bits, what in LACKS:
            if offset == register and value & bits:
                self.ports.note(f"{self.ports.name}: {what} is not modelled")
        if offset == SR:
            self._flags &= value
        elif offset == EGR:
            self._generate(value)
        elif offset == CNT:
            self._count = value & self._mask
        else:
            self._store(offset, value)
        self._refresh()

    def _store(self, offset: int, value: int) -> None:
        channel = (offset - CCR1) // 4
        if offset == PSC:
            value &= 0xFFFF
        elif offset == ARR or 0 <= channel < 4:
            value &= self._mask
        self.words[offset] = value
        if offset == CR1:
            self._ticks.run(bool(value & CEN))
        if offset in (CR1, ARR) and not self._cr1 & ARPE:
            self._reload = self.words[ARR]
        if offset in (CCMR1, CCMR2):
            self._note_capture(offset, value)
        for index in range(self._channels):
            if offset in (_mode_register(index), CCR1 + 4 * index) and not self._mode(index) & 0x08:  # OCxPE
                self._compares[index] = self.words.get(CCR1 + 4 * index, 0)

    def _note_capture(self, offset: int, value: int) -> None:
        if value & 0x0303 and any(offset == _mode_register(index) for index in range(self._channels)):
            self.ports.note(f"{self.ports.name}: input capture is not modelled")

    def _mode(self, channel: int) -> int:
        """The channel's byte of CCMR1 or CCMR2."""
        return self.words.get(_mode_register(channel), 0) >> 8 * (channel & 1) & 0xFF

    @property
    def _cr1(self) -> int:
        return self.words.get(CR1, 0)

    def _generate(self, value: int) -> None:
        """Software's events (EGR): UG restarts the counter and updates the preloaded registers; CCxG set flags."""
        self._flags |= value & (2 << self._channels) - 2
        if value & UG:
            self._prescaled = 0
            if not self._cr1 & UDIS:
                self._update(flag=not self._cr1 & URS)
            self._count = self._reload if self._cr1 & DIR else 0

    def _update(self, *, flag: bool = True) -> None:
        """An update event: the preloaded values come into use."""
        self._prescaler = self.words.get(PSC, 0)
        self._reload = self.words[ARR]
        self._compares = [self.words.get(CCR1 + 4 * index, 0) for index in range(self._channels)]
        if flag:
            self._flags |= UIF

    def _catch_up(self) -> None:
        """Work out what the ticks since the last time did, from overflow to overflow while anything changes."""
        ticks = self._ticks.take()
        while ticks and self._reload:
            step = self._prescaler + 1
            counts = (self._prescaled + ticks) // step
            if counts < self._counts_to_wrap():
                self._match(counts)
                self._count += -counts if self._cr1 & DIR else counts
                self._prescaled = (self._prescaled + ticks) % step
                break
            ticks -= self._counts_to_wrap() * step - self._prescaled
            overflows = bool(self._cr1 & DIR) or self._count <= self._reload
            self._wrap(overflows)
            ticks = self._skip_periods(ticks) if overflows else ticks
        self._refresh()

    def _counts_to_wrap(self) -> int:
        """Counts until the counter passes its end."""
        if self._cr1 & DIR:
            return self._count + 1
        return (self._reload if self._count <= self._reload else self._mask) - self._count + 1

    def _wrap(self, overflows: bool) -> None:
        """The counter passes its end: an overflow or, counting down, an underflow, and what comes with that."""
        self._match(self._counts_to_wrap())
        self._prescaled = 0
        if overflows and not self._cr1 & UDIS:
            self._update()
            if self._cr1 & OPM:
                self.words[CR1] &= ~CEN
                self._ticks.run(False)
        self._count = self._reload if self._cr1 & DIR else 0

    def _skip_periods(self, ticks: int) -> int:
        """After an overflow: the ticks that remain without whole periods, which only repeat the next one's flags."""
        if not self._ticks.running:
            return 0
        period = (self._reload + 1) * (self._prescaler + 1)
        if self._reload and ticks >= 2 * period:
            self._match(self._reload + 1)
            ticks %= period
        return ticks

    def _match(self, counts: int) -> None:
        """Set the flags of the channels that the next ``counts`` counts arrive at."""
        for index in range(self._channels):
            distance = self._counts_to_match(index)
            if distance is not None and distance <= counts:
                self._flags |= 2 << index

    def _counts_to_match(self, index: int) -> int | None:
        """Counts until a channel's flag is set; None if not before or with the next wrap."""
        if self._mode(index) & 3:
            return None
        down, wrap, compare = self._cr1 & DIR, self._counts_to_wrap(), self._compares[index]
        distance = self._count - compare if down else compare - self._count
        if 0 < distance < wrap:
            return distance
        at_wrap = compare == (self._reload if down else 0) or compare > self._reload >= self._count
        return wrap if at_wrap else None

    def _refresh(self) -> None:
        active = self._flags & self.words.get(DIER, 0)
        if self._separate:
            self.ports.set_irq(bool(active & UIF), "UP")
            self.ports.set_irq(bool(active & 0x1E), "CC")
        else:
            self.ports.set_irq(bool(active & 0x1F))
        self._ticks.call_after(self._ticks_to_interrupt())

    def _ticks_to_interrupt(self) -> int | None:
        """Ticks until an enabled flag may be set that isn't yet."""
        awaited = self.words.get(DIER, 0) & ~self._flags & ((2 << self._channels) - 1)
        if not awaited or not self._reload:
            return None
        # Behind the next wrap lie preloaded values: look again then.
        matches = (self._counts_to_match(index) for index in range(self._channels) if awaited & 2 << index)
        counts = earliest([self._counts_to_wrap(), *matches])
        return None if counts is None else counts * (self._prescaler + 1) - self._prescaled


def _mode_register(channel: int) -> int:
    return CCMR1 if channel < 2 else CCMR2


MODELS: dict[str, Callable[[Ports], Stm32Tim]] = {"": Stm32Tim, "basic": partial(Stm32Tim, channels=0)}
