"""What the clock controllers (RCC) of the STM32 families share: oscillators that become ready, the switch of SYSCLK,
protection of registers, reset flags and interrupts. The families' modules add registers and arithmetic.

A ready bit follows its enable bit after the start-up time of the datasheet, in real time. SYSCLK moves to the source
that SW selects once that is ready; sources that SYSCLK needs can't be switched off (RM0432 6.2.9, RM0090 7.2.6).
Options: ``hse_hz`` (the crystal or clock at OSC_IN; 0, the default, for none), ``lse_hz`` (32768; 0 for none) and
``lse_startup_us`` (2 s).

Clock enables read back and gate nothing; resets of single peripherals are not modelled. ``SYSTICKCLK`` is the external
clock of SysTick. Frequencies are rounded down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from vtarget.base.errors import InputError
from vtarget.shell.clocks import CORE, Alarm
from vtarget.shell.devices.device import Ports, WordDevice

LSE_HZ = 32_768
HSI_HZ = 16_000_000
HSI48_HZ = 48_000_000
MIN_HSE_HZ = 1_000_000
BYPASS_US = 10  # an external clock needs no build-up; the ready flag counts some of its cycles (recalled)
BACKUP_WRITE = "BACKUP_WRITE"  # signal: PWR's DBP, without which BDCR can't be written
LSEBYP, BDRST = 1 << 2, 1 << 16  # of BDCR, in all families
HSEBYP = 1 << 18  # of CR, in all families


@dataclass(frozen=True)
class Oscillator:
    """A clock source: its enable and ready bits in ``register``, its start-up time, and its bit in CIFR."""

    name: str
    register: int
    on: int
    ready: int
    startup_us: int
    flag: int


@dataclass(frozen=True)
class Layout:
    """Where a family has what. ``sources`` are oscillators by the number in SW, which is at bit 0 of ``cfgr``.

    PLLs stand behind their sources in ``oscillators``. ``packed`` is for a single interrupt register (CIR) with flags,
    enables and clears 8 bits apart. ``resets`` are offsets of the peripherals' reset registers.
    """

    oscillators: tuple[Oscillator, ...]
    sources: tuple[str, ...]
    cfgr: int
    sw: int
    sws_shift: int
    cier: int
    cifr: int
    cicr: int
    bdcr: int
    csr: int
    rmvf: int
    resets: range
    reset_words: Mapping[int, int]
    packed: bool = False
    stop_keeps: frozenset[str] = field(default=frozenset({"LSE", "LSI"}))


def bits(word: int, lowest: int, width: int) -> int:
    """A field of a word."""
    return word >> lowest & ((1 << width) - 1)


def ahb_divider(hpre: int) -> int:
    """HPRE: 1, then from 8 on 2, 4, 8, 16, 64, 128, 256, 512."""
    return 1 if hpre < 8 else (2, 4, 8, 16, 64, 128, 256, 512)[hpre - 8]


def apb_divider(ppre: int) -> int:
    """PPREx: 1, then from 4 on 2, 4, 8, 16."""
    return 1 if ppre < 4 else 2 << ppre - 4


def bus_clocks(hclk: int, dividers: Sequence[int]) -> dict[str, int]:
    """PCLK1, PCLK2 ... and the timers' clocks TIMCLK1 ..., which run twice as fast as a divided bus."""
    clocks = {}
    for number, divider in enumerate(dividers, 1):
        clocks[f"PCLK{number}"] = hclk // divider
        clocks[f"TIMCLK{number}"] = hclk // divider * (1 if divider == 1 else 2)
    return clocks


class Stm32Rcc(WordDevice, ABC):
    """A reset and clock controller. ``frequencies`` tells the whole tree; changes by firmware go to the board."""

    def __init__(self, ports: Ports, layout: Layout, system: str, max_hz: int) -> None:
        super().__init__(ports)
        self.layout = layout
        self.words = dict(layout.reset_words)
        self.hse_hz = self._option_hz("hse_hz", 0, MIN_HSE_HZ)
        self.lse_hz = self._option_hz("lse_hz", LSE_HZ, 1)
        self._lse_startup_us = int(ports.options.get("lse_startup_us", 2_000_000))
        self._max_hz = int(ports.options.get("max_hz", max_hz))
        self._micros = ports.fixed_clock(1_000_000)
        self._starting: dict[str, Alarm] = {}
        self.ready = {o.name for o in layout.oscillators if self.words.get(o.register, 0) & o.on}
        self.system = system
        self._flags = 0
        self._backup_write = False
        self._last_sysclk = 1
        self._hz = self.frequencies()
        self._last_sysclk = self._hz["SYSCLK"]
        ports.watch_signal(BACKUP_WRITE, self._allow_backup)

    # What a family defines.

    @abstractmethod
    def tree(self, sysclk: int) -> dict[str, int]:
        """All further clocks by name, HCLK included."""

    def oscillator_hz(self, name: str) -> int:
        """The frequency of an oscillator, or of a PLL's output to SYSCLK, that runs."""
        return {"HSE": self.hse_hz, "LSE": self.lse_hz, "LSI": 32_000, "HSI": HSI_HZ, "HSI48": HSI48_HZ}[name]

    @abstractmethod
    def source_of(self, pll: str) -> str:
        """The oscillator that feeds a PLL; "" if none is selected."""

    def check_pll(self, pll: str) -> None:
        """Note what the datasheet doesn't allow of a PLL that starts."""

    def accept(self, offset: int, value: int) -> int:
        """What a write leaves in a register, given the family's protections."""
        return value

    def system_hz(self) -> int:
        """SYSCLK, which comes from the oscillator ``system``; 0 if that gives nothing."""
        return self.hz(self.system)

    def stop_source(self) -> str:
        """What SYSCLK comes from after Stop mode."""
        return "HSI"

    # The tree.

    def frequencies(self) -> dict[str, int]:
        """Every clock by name, in Hz, as the registers stand; 0 for one that doesn't run. HCLK always runs."""
        hz = {o.name: self.hz(o.name) for o in self.layout.oscillators}
        sysclk = self.system_hz() or self._last_sysclk
        hz["SYSCLK"] = sysclk
        hz |= self.tree(sysclk)
        hz["SYSTICKCLK"] = hz.get("SYSTICKCLK", hz[CORE] // 8)
        return hz

    def hz(self, name: str) -> int:
        """The frequency of a source; 0 if it isn't ready."""
        return self.oscillator_hz(name) if name in self.ready else 0

    def word(self, offset: int) -> int:
        """A register as stored, without the bits that hardware drives."""
        return self.words.get(offset, 0)

    def kernels(
        self, selections: Sequence[tuple[str, int, int, tuple[str, ...]]], buses: Mapping[str, int], width: int = 2
    ) -> dict[str, int]:
        """Kernel clocks: for each (name, register, lowest bit, sources) the one that is selected."""
        known = {o.name: self.hz(o.name) for o in self.layout.oscillators} | dict(buses)
        clocks = {}
        for name, register, lowest, sources in selections:
            number = bits(self.word(register), lowest, width)
            clocks[name] = known.get(sources[number], 0) if number < len(sources) else 0
        return clocks

    def note(self, text: str) -> None:
        """List something about this device in the result."""
        self.ports.note(f"{self.ports.name}: {text}")

    # Registers.

    def read_word(self, offset: int) -> int:
        """Registers with the bits that hardware drives: ready bits, SWS, interrupt flags."""
        value = self.word(offset)
        for oscillator in self.layout.oscillators:
            if oscillator.register == offset and oscillator.name in self.ready:
                value |= oscillator.ready
        if offset == self.layout.cfgr:
            value |= self.layout.sources.index(self.system) << self.layout.sws_shift
        if offset == self.layout.cifr:
            value |= self._flags
        return value

    def peek_word(self, offset: int) -> int:
        """Reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Store what the protections let through, then let the oscillators and the tree follow."""
        layout = self.layout
        if offset in (layout.cier, layout.cifr, layout.cicr):
            self._write_interrupts(offset, value)
            return
        if offset in layout.resets and value:
            self.note("resets of single peripherals are not modelled")
        if offset == layout.bdcr and not self._backup_write:
            if value != self.read_word(offset):
                self.note("BDCR is written while PWR's DBP protects the backup domain; the write has no effect")
            return
        self.words[offset] = self._protect(offset, value)
        if offset == layout.cfgr:
            self._note_selection()
        self._settle()

    def wake_from_stop(self) -> None:
        """What Stop mode leaves: the PLLs and HSE are off, SYSCLK comes from HSI or MSI."""
        layout, source = self.layout, self.stop_source()
        for oscillator in layout.oscillators:
            if oscillator.name == source:
                self.words[oscillator.register] = self.word(oscillator.register) | oscillator.on
                self.ready.add(source)
            elif oscillator.name not in layout.stop_keeps:
                self.words[oscillator.register] = self.word(oscillator.register) & ~oscillator.on
        self.system = source
        number = layout.sources.index(source)
        self.words[layout.cfgr] = self.word(layout.cfgr) & ~layout.sw | number
        self._settle()

    def _protect(self, offset: int, value: int) -> int:
        layout, old = self.layout, self.word(offset)
        if offset == layout.bdcr and value & BDRST:
            return BDRST
        if offset == layout.csr and value & layout.rmvf:
            value &= layout.rmvf - 1  # the reset flags lie above RMVF
        elif offset == layout.csr:
            value = value & (layout.rmvf - 1) | old & ~(layout.rmvf - 1)
        if offset == layout.cfgr:
            value &= ~(layout.sw << layout.sws_shift)
        value = self.accept(offset, value)
        needed = self._needed()
        for oscillator in layout.oscillators:
            if oscillator.register == offset:
                value &= ~oscillator.ready
                if oscillator.name in needed:
                    value |= old & oscillator.on
        return value

    def _needed(self) -> set[str]:
        """The oscillators that SYSCLK comes from, directly or through a PLL."""
        return {self.system, self.source_of(self.system)} if self.system.startswith("PLL") else {self.system}

    def _note_selection(self) -> None:
        wanted = self._wanted()
        if not wanted:
            self.note("SW selects a reserved clock source")
        elif wanted not in self.ready and wanted not in self._starting:
            self.note(f"SYSCLK is to come from {wanted}, which is off; it stays as it is until then")

    def _wanted(self) -> str:
        number = self.word(self.layout.cfgr) & self.layout.sw
        return self.layout.sources[number] if number < len(self.layout.sources) else ""

    def _settle(self) -> None:
        """Start what is enabled, stop what isn't, switch SYSCLK if its source is ready, tell the board."""
        for oscillator in self.layout.oscillators:
            name = oscillator.name
            if not self.word(oscillator.register) & oscillator.on or not self._can_run(name):
                self.ready.discard(name)
                if name in self._starting:
                    self._starting.pop(name).cancel()
            elif name not in self.ready and name not in self._starting:
                if name.startswith("PLL"):
                    self.check_pll(name)
                tick = self._micros.ticks + self._startup_us(oscillator)
                self._starting[name] = self._micros.at(tick, partial(self._started, oscillator))
        if self._wanted() in self.ready:
            self.system = self._wanted()
        self._publish()

    def _can_run(self, name: str) -> bool:
        if name.startswith("PLL"):
            if self.source_of(name) not in self.ready:
                self.note(f"{name} is enabled, but its source doesn't run: {name}RDY waits for it")
            return self.source_of(name) in self.ready
        if not {"HSE": self.hse_hz, "LSE": self.lse_hz}.get(name, 1):
            self.note(f"{name} is enabled, but the board has no crystal or clock for it: {name}RDY will not be set")
            return False
        return True

    def _startup_us(self, oscillator: Oscillator) -> int:
        bypass = {"LSE": LSEBYP, "HSE": HSEBYP}.get(oscillator.name, 0)
        if self.word(oscillator.register) & bypass:
            return BYPASS_US
        return self._lse_startup_us if oscillator.name == "LSE" else oscillator.startup_us

    def _started(self, oscillator: Oscillator) -> None:
        self._starting.pop(oscillator.name, None)
        self.ready.add(oscillator.name)
        self._flags |= oscillator.flag & self._enabled()
        self._drive_irq()
        self._settle()

    def _enabled(self) -> int:
        return self.word(self.layout.cier) >> (8 if self.layout.packed else 0)

    def _write_interrupts(self, offset: int, value: int) -> None:
        layout = self.layout
        if layout.packed:
            self.words[offset] = value & 0x7F00
            self._flags &= ~(value >> 16)
        elif offset == layout.cicr:
            self._flags &= ~value
        elif offset == layout.cier:
            self.words[offset] = value
        self._drive_irq()

    def _drive_irq(self) -> None:
        self.ports.set_irq(bool(self._flags & self._enabled()))

    def _publish(self) -> None:
        if not self.system_hz():
            self.note("SYSCLK's source gives no clock; the core keeps its last frequency")
        hz = self.frequencies()
        self._last_sysclk = hz["SYSCLK"]
        if hz["SYSCLK"] > self._max_hz:
            self.note(f"SYSCLK is above the {self._max_hz // 1_000_000} MHz that the chip allows")
        if hz != self._hz:
            self._hz = hz
            self.ports.set_clocks(hz)

    def _allow_backup(self, level: bool) -> None:
        self._backup_write = level

    def _option_hz(self, option: str, default: int, least: int) -> int:
        hz = int(self.ports.options.get(option, default))
        if hz and hz < least:
            raise InputError(f"device {self.ports.name}: {option} is {hz}", hint=f"0 for none, or {least} Hz at least")
        return hz


Factory = Callable[[Ports], Stm32Rcc]
