"""What the flash interfaces of the STM32 families share: wait states, the locks, and the time that erasing takes.

Options: ``regions`` (the board's regions behind this interface, separated by blanks; ``FLASH``), ``option_bytes`` (the
option register's value as delivered). The memory itself doesn't change: erasing keeps BSY up for its time, and erasing
and programming are listed in the result as not modelled. Cache and prefetch bits are reported as switches; the board's
file says what they do for time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice, report_switches

ACR = 0x00
# Bits of ACR that switch what the boards' files name by them (FLASH_ACR_* of stm32f407xx.h, stm32f746xx.h,
# stm32l4r5xx.h, stm32g071xx.h and stm32u575xx.h).
PRFTEN, ICEN, DCEN = {"FLASH.PRFTEN": 1 << 8}, {"FLASH.ICEN": 1 << 9}, {"FLASH.DCEN": 1 << 10}
ARTEN = {"FLASH.ARTEN": 1 << 9}
RESETS = 2  # how far above a cache's enable bit the one is that empties it while it is off: ICRST, DCRST, ARTRST
KEYS, OPTION_KEYS = (0x45670123, 0xCDEF89AB), (0x08192A3B, 0x4C5D6E7F)
PG, STRT, BSY, EOP, EOPIE, LOCK = 1 << 0, 1 << 16, 1 << 16, 1 << 0, 1 << 24, 1 << 31


@dataclass(frozen=True)
class Layout:
    """Where a family has what. ``option_lock`` and ``option_start`` are bits of the register ``option_control``;
    ``switches`` are bits of ACR; ``lock``, ``start`` and ``end_interrupt`` are of CR, ``busy`` and ``ended`` of SR."""

    keyr: int
    optkeyr: int
    sr: int
    cr: int
    options: int
    option_control: int
    option_lock: int
    option_start: int
    erases: int
    latency: int
    erase_us: int
    switches: Mapping[str, int]
    reset_words: Mapping[int, int]
    lock: int = LOCK
    start: int = STRT
    end_interrupt: int = EOPIE
    busy: int = BSY
    ended: int = EOP
    always_ends: bool = False  # the flag of the end is set without its interrupt, too


class Stm32Flash(WordDevice):
    """A flash interface; ``wait_states`` is the latency in force."""

    def __init__(self, ports: Ports, layout: Layout) -> None:
        super().__init__(ports)
        self._layout = layout
        self.words = dict(layout.reset_words)
        self.words[layout.options] = int(ports.options.get("option_bytes", self.words[layout.options]))
        self._regions = str(ports.options.get("regions", "FLASH")).split()
        self._micros = ports.fixed_clock(1_000_000)
        self._erasing: Alarm | None = None
        self._matched = {layout.keyr: 0, layout.optkeyr: 0}

    @property
    def wait_states(self) -> int:
        """LATENCY."""
        return self.words[ACR] & self._layout.latency

    def read_word(self, offset: int) -> int:
        """Keys read as zero."""
        return 0 if offset in self._matched else self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Latency, keys, control, status; what is locked doesn't change."""
        layout = self._layout
        if offset == ACR:
            old, self.words[ACR] = self.words[ACR], value
            report_switches(self.ports, layout.switches, old, value)
            for name, bit in layout.switches.items():
                if name not in PRFTEN and value & bit << RESETS and not old & bit:
                    self.ports.invalidate(name)
            for region in self._regions:
                self.ports.set_wait_states(region, self.wait_states)
        elif offset == layout.keyr:
            self._unlock(offset, value, KEYS, layout.cr, layout.lock)
        elif offset == layout.optkeyr:
            self._unlock(offset, value, OPTION_KEYS, layout.option_control, layout.option_lock)
        elif offset == layout.sr:
            self.words[offset] = self.words.get(offset, 0) & ~(value & 0xFFFF)
            self._drive_irq()
        elif offset == layout.cr:
            self._control(value)
        elif offset == layout.options:
            self._set_options(value)
        else:
            self.words[offset] = value

    def _unlock(self, register: int, key: int, keys: tuple[int, int], control: int, lock: int) -> None:
        matched = self._matched[register]
        if matched < 2 and key == keys[matched]:
            self._matched[register] = matched + 1
            if matched == 1:
                self.words[control] &= ~lock
                self._matched[register] = 0
        elif matched != 2:
            self._matched[register] = 2  # nothing unlocks it any more
            self._note("a wrong key locks it until the next reset")

    def _control(self, value: int) -> None:
        """CR, and the option bytes' lock and start where they are there too."""
        layout = self._layout
        old = self.words[layout.cr]
        if old & layout.lock:
            return
        here = layout.option_control == layout.cr
        if here and old & layout.option_lock:
            value = (value | layout.option_lock) & ~layout.option_start
        self.words[layout.cr] = value & ~layout.start
        if value & PG:
            self._note("programming the flash is not modelled")
        if here and value & layout.option_start:
            self._start_options(layout.cr)
        if value & layout.start and value & layout.erases:
            self._note("erasing the flash is not modelled")
            self._begin(layout.start)
        self._drive_irq()

    def _set_options(self, value: int) -> None:
        layout = self._layout
        if self.words[layout.option_control] & layout.option_lock:
            return
        self.words[layout.options] = value
        if layout.options == layout.option_control and value & layout.option_start:
            self._start_options(layout.options)

    def _start_options(self, register: int) -> None:
        self.words[register] &= ~self._layout.option_start
        self._note("programming the option bytes is not modelled")
        self._begin(0)

    def _begin(self, started: int) -> None:
        """Busy for the time of an erase, which option bytes take as well."""
        layout = self._layout
        self.words[layout.cr] |= started
        self.words[layout.sr] = self.words.get(layout.sr, 0) | layout.busy
        if self._erasing is not None:
            self._erasing.cancel()
        self._erasing = self._micros.at(self._micros.ticks + layout.erase_us, self._done)

    def _done(self) -> None:
        layout = self._layout
        self.words[layout.cr] &= ~layout.start
        told = layout.always_ends or self.words[layout.cr] & layout.end_interrupt
        done = layout.ended if told else 0
        self.words[layout.sr] = self.words[layout.sr] & ~layout.busy | done
        self._drive_irq()

    def _drive_irq(self) -> None:
        layout = self._layout
        ended = self.words.get(layout.sr, 0) & layout.ended
        self.ports.set_irq(bool(ended and self.words[layout.cr] & layout.end_interrupt))

    def _note(self, text: str) -> None:
        self.ports.note(f"{self.ports.name}: {text}")


Factory = Callable[[Ports], Stm32Flash]
