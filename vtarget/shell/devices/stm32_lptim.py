"""STM32 low-power timer (RM0432 33; variant ``u5``: RM0456 57). The device's clock is its kernel clock (LSE, LSI).

Modelled: the prescaler, continuous and single mode, ARR and CMP with their match flags and preload, and the OK flags,
which come two kernel clocks after a write (recalled: the manual says "a few"). Counting starts with the write of
CNTSTRT; the chip takes two more clocks. Not modelled: external clock and triggers, encoder, waveforms, repetition.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vtarget.shell.devices.counter import Counter, counts_until, earliest
from vtarget.shell.devices.device import Ports, WordDevice

ISR, ICR, IER, CFGR, CR, CMP, ARR, CNT, RCR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x28
CMPM, ARRM, CMPOK, ARROK, REPOK, DIEROK = 1 << 0, 1 << 1, 1 << 3, 1 << 4, 1 << 8, 1 << 24
ENABLE, SNGSTRT, CNTSTRT, COUNTRST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
PRELOAD = 1 << 22
SYNCHRONISING_TICKS = 2
# What firmware may turn on that this model lacks: bits of CFGR, name.
LACKS = ((1 << 0 | 1 << 23, "the external clock"), (3 << 17, "external triggers"), (1 << 24, "encoder mode"))


class Stm32Lptim(WordDevice):
    """One LPTIM. ``u5``: interrupts may be enabled while it runs, which DIEROK confirms."""

    def __init__(self, ports: Ports, *, u5: bool = False) -> None:
        super().__init__(ports)
        self._u5 = u5
        self._counter = Counter(ports.clock, self._catch_up)
        self._confirming = Counter(ports.clock, self._catch_up)
        self._confirmed: list[tuple[int, int]] = []  # (ticks from now, flag)
        self._count = 0
        self._flags = 0
        self._single = False
        self._reload, self._compare = 1, 0  # in use, behind the preload
        self.words[ARR] = 1
        self._confirming.run(True)

    def read_word(self, offset: int) -> int:
        """ISR, CNT and CR depend on time."""
        if offset in (ISR, CNT, CR):
            self._catch_up()
        if offset in (ISR, CNT):
            return self._flags if offset == ISR else self._count
        return 0 if offset == ICR else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == ICR:
            self._flags &= ~value
        elif offset == CR:
            self._control(value)
        elif offset in (CMP, ARR):
            self._load(offset, value & 0xFFFF)
        elif offset not in (ISR, CNT):
            self.words[offset] = value
        if offset == CFGR:
            self._configure(value)
        elif offset == IER and self._u5:
            self._confirm(DIEROK)
        elif offset == RCR:
            self._confirm(REPOK)
            if value:
                self.ports.note(f"{self.ports.name}: the repetition counter is not modelled")
        self._refresh()

    def _configure(self, value: int) -> None:
        for bits, what in LACKS:
            if value & bits:
                self.ports.note(f"{self.ports.name}: {what} is not modelled")
        self._counter.set_clock(self.ports.clock, 1 << (value >> 9 & 7))

    def _load(self, offset: int, value: int) -> None:
        if not self._enabled:  # the manual: only while enabled
            return
        self.words[offset] = value
        if not self._counter.running or not self.words.get(CFGR, 0) & PRELOAD:
            self._take_over()
        self._confirm(CMPOK if offset == CMP else ARROK)

    def _take_over(self) -> None:
        self._reload, self._compare = self.words[ARR], self.words.get(CMP, 0)

    def _control(self, value: int) -> None:
        self.words[CR] = value & ENABLE
        if not value & ENABLE:
            self._counter.run(False)
        if not value & ENABLE or value & COUNTRST:
            self._count = 0
            self._counter.restart()
        if value & ENABLE and value & (SNGSTRT | CNTSTRT):
            self._single = not value & CNTSTRT
            self._counter.run(True)

    @property
    def _enabled(self) -> bool:
        return bool(self.words.get(CR, 0) & ENABLE)

    def _confirm(self, flag: int) -> None:
        self._confirmed.append((SYNCHRONISING_TICKS, flag))

    def _catch_up(self) -> None:
        ticks = self._confirming.take()
        for left, flag in self._confirmed:
            self._flags |= flag if left <= ticks else 0
        self._confirmed = [(left - ticks, flag) for left, flag in self._confirmed if left > ticks]
        self._advance(self._counter.take())
        self._refresh()

    def _advance(self, counts: int) -> None:
        """From one overflow to the next; equal periods are left out."""
        while counts:
            left = self._counts_to_wrap()
            self._match(min(counts, left))
            if counts < left:
                self._count += counts
                return
            counts -= left
            self._count = 0
            self._take_over()
            if self._single:
                self._counter.run(False)
                return
            if counts >= 2 * (self._reload + 1):
                self._match(self._reload + 1)
                counts %= self._reload + 1

    def _counts_to_wrap(self) -> int:
        return (self._reload if self._count <= self._reload else 0xFFFF) - self._count + 1

    def _match(self, counts: int) -> None:
        for flag in (CMPM, ARRM):
            until = self._counts_to(flag)
            if until is not None and until <= counts:
                self._flags |= flag

    def _counts_to(self, flag: int) -> int | None:
        """Counts until a match flag is set; None if not before or with the next wrap."""
        wrap = self._counts_to_wrap()
        target = self._compare if flag == CMPM else self._reload
        if not target:
            return wrap
        until = counts_until(self._count, target, 0x10000)
        return until if until < wrap else None

    def _refresh(self) -> None:
        enabled = self.words.get(IER, 0)
        self.ports.set_irq(bool(self._flags & enabled))
        awaited = enabled & ~self._flags
        self._confirming.call_after(earliest(left for left, flag in self._confirmed if awaited & flag))
        matches = [flag for flag in (CMPM, ARRM) if awaited & flag]
        # Behind the next wrap lie preloaded values: look again then.
        counts = earliest([self._counts_to_wrap(), *map(self._counts_to, matches)]) if matches else None
        self._counter.call_after(counts)


MODELS: dict[str, Callable[[Ports], Stm32Lptim]] = {"": Stm32Lptim, "u5": partial(Stm32Lptim, u5=True)}
