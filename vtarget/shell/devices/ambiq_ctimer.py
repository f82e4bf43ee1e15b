"""Ambiq's counter/timers: what a HAL's timer interrupt and free-running counter use of them.

Variant ``apollo4``: TIMER (Apollo4 register documentation), 16 timers of 32 bits in the modes EDGE, UPCOUNT and PWM;
lines ``TIMER0`` to ``TIMER15``, and ``""`` for all. Variant ``apollo3``: CTIMER (Apollo3 register documentation), 8
pairs of 16 bits that link to 32, on line ``""``, and its STIMER with lines ``STIMER`` and ``CMPR0`` to ``CMPR7``.
Patterns, triggers, pins and clocks other than HFRC, XT, LFRC and HCLK are not modelled.

A counter goes 0 .. CMP0 - 1 and its interrupt comes as it reaches CMP0, where repeating modes start again at 0 (periods
of CMP0 counts: recalled). Option ``hfrc_hz``: 96 MHz, or 48 MHz for ``apollo3``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from vtarget.base.errors import InputError
from vtarget.shell.clocks import Clock
from vtarget.shell.devices.ambiq_stimer import AmbiqStimer
from vtarget.shell.devices.counter import Counter, counts_until, earliest
from vtarget.shell.devices.device import Ports, WordDevice

XT_HZ, LFRC_HZ = 32_768, 1_024
# Clock selectors: source and divider.
APOLLO4_CLOCKS = {
    **{code: ("HFRC", 4 << 2 * code) for code in range(5)},
    **dict(enumerate([("HFRC", 4096), ("LFRC", 1), ("LFRC", 2), ("LFRC", 32), ("LFRC", 1024)], start=5)),
    **{0xA + bit: ("XT", 1 << bit) for bit in range(6)},
    0x10: ("XT", 128),
}
APOLLO3_CLOCKS = {
    **{code: ("HFRC", divider) for code, divider in enumerate((4, 16, 256, 1024, 4096), start=1)},
    **{code: ("XT", divider) for code, divider in enumerate((1, 2, 16, 128), start=6)},
    **{code: ("LFRC", divider) for code, divider in enumerate((2, 32, 1024, 1), start=0xA)},
    0xF: ("HCLK", 4),
    **{code: ("XT", divider) for code, divider in enumerate((4, 8, 32), start=0x10)},
}


class Timer:
    """One counter. ``end`` is where it starts again or stops; None lets it run over."""

    def __init__(self, clock: Clock, action: Callable[[], None]) -> None:
        self.counter = Counter(clock, action)
        self.count = 0
        self.modulus = 1 << 32
        self.compares = (0, 0)
        self.end: int | None = None
        self.repeats = False
        self.enabled = 0  # by compare: whether it sets a flag
        self.flags = 0  # set since they were last fetched

    def catch_up(self) -> None:
        """Take the counts that have passed."""
        counts = self.counter.take()
        while counts:
            step = counts_until(self.count, self.end, self.modulus) if self.end is not None else counts + 1
            self._mark(min(step, counts))
            if counts < step:
                self.count = (self.count + counts) % self.modulus
                return
            counts -= step
            if not self.repeats:
                self.count = self.end or 0
                self.counter.run(False)
                return
            self.count = 0
            period = self.end or self.modulus
            if counts >= period:
                self._mark(period)
                counts %= period

    def counts_to(self, compare: int) -> int | None:
        """Counts until a compare's flag would be set; None for never."""
        if not self.enabled >> compare & 1:
            return None
        here = counts_until(self.count, self.compares[compare] % self.modulus, self.modulus)
        if self.end is None:
            return here
        end = counts_until(self.count, self.end, self.modulus)
        if here <= end:
            return here
        again = self.compares[compare] % self.modulus or self.modulus
        return end + again if self.repeats and again <= (self.end or self.modulus) else None

    def _mark(self, counts: int) -> None:
        for compare in (0, 1):
            if self.enabled >> compare & 1:
                until = counts_until(self.count, self.compares[compare] % self.modulus, self.modulus)
                self.flags |= (until <= counts) << compare


class AmbiqTimers(WordDevice, ABC):
    """A block of timers with INTEN, INTSTAT, INTCLR and INTSET."""

    INTEN = 0x60
    CLOCKS: Mapping[int, tuple[str, int]] = APOLLO4_CLOCKS
    HFRC_HZ = 96_000_000
    TIMERS = 16

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        hfrc_hz = ports.options.get("hfrc_hz", self.HFRC_HZ)
        if not isinstance(hfrc_hz, int) or hfrc_hz <= 0:
            raise InputError(f"device {ports.name}: hfrc_hz is a frequency in Hz")
        self._sources = {
            "HFRC": ports.fixed_clock(hfrc_hz),
            "XT": ports.fixed_clock(XT_HZ),
            "LFRC": ports.fixed_clock(LFRC_HZ),
            "HCLK": ports.named_clock("HCLK"),
        }
        self._timers = [Timer(self._sources["HFRC"], self._catch_up) for _ in range(self.TIMERS)]
        self._status = 0

    def flag_bit(self, index: int, compare: int) -> int:
        """The interrupt bit of a timer's compare."""
        return 2 * index + compare

    @abstractmethod
    def read_count(self, offset: int) -> int | None:
        """The counter at an offset; None if there is none."""

    @abstractmethod
    def control(self, offset: int) -> None:
        """A register of timers was written: bring them into line."""

    def read_word(self, offset: int) -> int:
        """Counters and the status depend on time."""
        if offset == self.INTEN + 4 or self.read_count(offset) is not None:
            self._catch_up()
        count = self.read_count(offset)
        if count is not None:
            return count
        if offset == self.INTEN + 4:
            return self._status
        return 0 if offset in (self.INTEN + 8, self.INTEN + 12) else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == self.INTEN + 4:
            self._status = value
        elif offset == self.INTEN + 8:
            self._status &= ~value
        elif offset == self.INTEN + 12:
            self._status |= value
        else:
            self.words[offset] = value
            self.control(offset)
        self._refresh()

    def set_clock(self, timer: Timer, code: int) -> bool:
        """Whether a timer's clock is one that is modelled."""
        source, divider = self.CLOCKS.get(code, ("", 1))
        if source:
            timer.counter.set_clock(self._sources[source], divider)
        return bool(source)

    def run(self, timer: Timer, running: bool, code: int, function: str | None) -> None:
        """Let a timer count, unless its clock or function isn't modelled. ``function`` is what isn't."""
        clocked = self.set_clock(timer, code)
        if running and (not clocked or function):
            what = function or f"clock {code:#x}"
            self.ports.note(f"{self.ports.name}: {what} is not modelled; the timer stands still")
        timer.counter.run(running and clocked and not function)

    def drive(self, active: int) -> None:
        """Drive the interrupt lines."""
        self.ports.set_irq(bool(active))

    def _catch_up(self) -> None:
        for index, timer in enumerate(self._timers):
            timer.catch_up()
            for compare in (0, 1):
                self._status |= (timer.flags >> compare & 1) << self.flag_bit(index, compare)
            timer.flags = 0
        self._refresh()

    def _refresh(self) -> None:
        enabled = self.words.get(self.INTEN, 0)
        self.drive(self._status & enabled)
        awaited = enabled & ~self._status
        for index, timer in enumerate(self._timers):
            bits = (compare for compare in (0, 1) if awaited >> self.flag_bit(index, compare) & 1)
            timer.counter.call_after(earliest(map(timer.counts_to, bits)))


class Apollo4Timers(AmbiqTimers):
    """TIMER: CTRLn at 0x200 + 0x20 n, then TIMERn, TMRnCMP0, TMRnCMP1 and MODEn."""

    FIRST, GLOBEN = 0x200, 0x10
    EDGE, UPCOUNT, PWM = 1, 2, 4

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {0x04: self.TIMERS << 16, self.GLOBEN: 0xFFFF}

    def read_count(self, offset: int) -> int | None:
        """TIMERn."""
        index, register = divmod(offset - self.FIRST, 0x20)
        return self._timers[index].count if 0 <= index < self.TIMERS and register == 4 else None

    def control(self, offset: int) -> None:
        """CLR clears (it reads as zero); EN and the timer's bit in GLOBEN let it run."""
        for index, timer in enumerate(self._timers):
            base = self.FIRST + 0x20 * index
            if offset != self.GLOBEN and offset & ~0x1F != base:
                continue
            control = self.words.get(base, 0)
            if control & 2:
                timer.count = 0
                timer.counter.restart()
                self.words[base] = control = control & ~2
            timer.compares = (self.words.get(base + 8, 0), self.words.get(base + 12, 0))
            function = control >> 4 & 0xF
            timer.end, timer.repeats, timer.enabled = timer.compares[0], function != self.EDGE, 3
            known = function in (self.EDGE, self.UPCOUNT, self.PWM)
            lacks = None if known else f"function {function}"
            if control & 0x30000:
                lacks = "a trigger"
            elif function == self.UPCOUNT and control >> 24:
                lacks = "a number of iterations"
            running = bool(control & 1 and self.words[self.GLOBEN] >> index & 1)
            at_end = function == self.EDGE and timer.count == timer.end != 0
            self.run(timer, running and not at_end, control >> 8 & 0xFF, lacks)

    def drive(self, active: int) -> None:
        """Each timer has a line; one more is for all."""
        for index in range(self.TIMERS):
            self.ports.set_irq(bool(active >> 2 * index & 3), f"TIMER{index}")
        super().drive(active)


class Apollo3Timers(AmbiqTimers):
    """CTIMER: TMRn, CMPRAn, CMPRBn and CTRLn at 0x20 n. Timer 2n is An, 2n + 1 is Bn; CTLINK makes An 32 bits wide."""

    INTEN = 0x200
    CLOCKS = APOLLO3_CLOCKS
    HFRC_HZ = 48_000_000
    GLOBEN, LINK = 0x100, 1 << 31
    SINGLE, REPEATED, PULSE_ONCE, PULSE_CONTINUOUS, CONTINUOUS = 0, 1, 2, 3, 6

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {self.GLOBEN: 0xFFFF}
        self._stimer = AmbiqStimer(ports, hfrc_hz=self.HFRC_HZ, line="STIMER")

    def read_word(self, offset: int) -> int:
        """The STIMER's registers are among those of CTIMER."""
        place = _stimer_offset(offset)
        return super().read_word(offset) if place is None else self._stimer.read_word(place)

    def write_word(self, offset: int, value: int) -> None:
        """The STIMER's registers are among those of CTIMER."""
        place = _stimer_offset(offset)
        if place is None:
            super().write_word(offset, value)
        else:
            self._stimer.write_word(place, value)

    def flag_bit(self, index: int, compare: int) -> int:
        """C0 interrupts are the lower half of the register, C1 the upper."""
        return index + 16 * compare

    def read_count(self, offset: int) -> int | None:
        """TMRn: B in the upper half, or all of a linked pair."""
        if offset >= self.GLOBEN or offset & 0x1F:
            return None
        pair = offset // 0x20
        first, second = self._timers[2 * pair : 2 * pair + 2]
        return first.count if self._linked(pair) else second.count << 16 | first.count

    def _linked(self, pair: int) -> bool:
        return bool(self.words.get(0x20 * pair + 0xC, 0) & self.LINK)

    def control(self, offset: int) -> None:
        """Bring a pair, or all of them after GLOBEN, into line with the registers."""
        if offset > self.GLOBEN:
            return
        for pair in range(8) if offset == self.GLOBEN else [offset // 0x20]:
            linked = self._linked(pair)
            self._half(pair, 0, linked=linked)
            if linked:
                self._timers[2 * pair + 1].counter.run(False)
            else:
                self._half(pair, 1, linked=False)

    def _half(self, pair: int, half: int, *, linked: bool) -> None:
        timer, base = self._timers[2 * pair + half], 0x20 * pair
        control = self.words.get(base + 0xC, 0) >> 16 * half & 0xFFFF
        first, second = (self.words.get(base + 4 + 4 * n, 0) for n in ((0, 1) if linked else (half, half)))
        timer.modulus = 1 << 32 if linked else 1 << 16
        timer.compares = (first & 0xFFFF, first >> 16)
        if linked:
            timer.compares = (first & 0xFFFF | (second & 0xFFFF) << 16, first >> 16 | second & 0xFFFF0000)
        timer.count %= timer.modulus
        function = control >> 6 & 7
        pulses = function in (self.PULSE_ONCE, self.PULSE_CONTINUOUS)
        timer.end = None if function == self.CONTINUOUS else timer.compares[1 if pulses else 0]
        timer.repeats = function in (self.REPEATED, self.PULSE_CONTINUOUS)
        timer.enabled = control >> 9 & 3
        cleared = bool(control & 1 << 11)
        if cleared:
            timer.count = 0
            timer.counter.restart()
        running = control & 1 and not cleared and self.words[self.GLOBEN] >> 2 * pair + half & 1
        known = pulses or function in (self.SINGLE, self.REPEATED, self.CONTINUOUS)
        at_end = not timer.repeats and timer.count == timer.end != 0
        lacks = None if known else f"function {function}"
        self.run(timer, bool(running) and not at_end, control >> 1 & 0x1F, lacks)


def _stimer_offset(offset: int) -> int | None:
    """Where the Apollo4's STIMER has a register of the Apollo3's; None if it isn't one."""
    for start, end, place in ((0x140, 0x148, 0x00), (0x150, 0x170, 0x20), (0x1E0, 0x200, 0x40), (0x300, 0x310, 0x100)):
        if start <= offset < end:
            return place + offset - start
    return None


MODELS: dict[str, Callable[[Ports], AmbiqTimers]] = {"apollo3": Apollo3Timers, "apollo4": Apollo4Timers}
