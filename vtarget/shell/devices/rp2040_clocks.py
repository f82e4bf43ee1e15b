"""RP2040 clock generators: what drives clk_ref, clk_sys and the peripheral clocks, how fast, and a frequency counter.

RP2040 datasheet 2.15. Sources are the clocks ``ROSC``, ``XOSC``, ``PLL_SYS`` and ``PLL_USB``, which their models
publish; this one publishes ``HCLK`` (clk_sys), ``CLK_REF``, ``CLK_PERI``, ``CLK_USB``, ``CLK_ADC`` and ``CLK_RTC``.
Options: ``rosc_hz`` (6.5 MHz), as for the ring oscillator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from vtarget.shell.clocks import CORE, Alarm
from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import number_option
from vtarget.shell.devices.rp2040_rosc import ROSC_HZ
from vtarget.shell.devices.rp2040_xosc import watch_source

REF_CTRL, SYS_CTRL, PERI_CTRL, USB_CTRL, ADC_CTRL, RTC_CTRL = 0x30, 0x3C, 0x48, 0x54, 0x60, 0x6C
SELECTEDS = (0x08, 0x14, 0x20, 0x2C, 0x38, 0x44, 0x50, 0x5C, 0x68, 0x74)
GENERATORS_END = 0x78
RESUS_CTRL, RESUS_STATUS = 0x78, 0x7C
FC0_MIN_KHZ, FC0_MAX_KHZ, FC0_INTERVAL, FC0_SRC, FC0_STATUS, FC0_RESULT = 0x84, 0x88, 0x90, 0x94, 0x98, 0x9C
WAKE_EN0, WAKE_EN1, SLEEP_EN0, SLEEP_EN1, ENABLED0, ENABLED1 = range(0xA0, 0xB8, 4)
INTR, INTE, INTF, INTS = range(0xB8, 0xC8, 4)
ENABLE = 1 << 11
PASS, DONE, RUNNING, FAIL, SLOW, FAST, DIED = (1 << bit for bit in (0, 4, 8, 16, 20, 24, 28))

SOURCES = ("ROSC", "XOSC", "PLL_SYS", "PLL_USB")
GPIN = "GPIN"  # an external clock: nobody drives it
COUNTED = (
    *("", "PLL_SYS", "PLL_USB", "ROSC", "ROSC", "XOSC", GPIN, GPIN),
    *("CLK_REF", CORE, "CLK_PERI", "CLK_USB", "CLK_ADC", "CLK_RTC"),
)  # by FC0_SRC


@dataclass(frozen=True)
class Generator:
    """An auxiliary-only clock: its CTRL register, AUXSRC (at bit 5) by number, and the bits of its divider."""

    ctrl: int
    sources: Sequence[str]
    div_mask: int


_48_MHZ = ("PLL_USB", "PLL_SYS", "ROSC", "XOSC", GPIN, GPIN)
PERIPHERALS = {
    "CLK_PERI": Generator(PERI_CTRL, (CORE, "PLL_SYS", "PLL_USB", "ROSC", "XOSC", GPIN, GPIN), 0xFFFFFFFF),
    "CLK_USB": Generator(USB_CTRL, _48_MHZ, 0x300),
    "CLK_ADC": Generator(ADC_CTRL, _48_MHZ, 0x300),
    "CLK_RTC": Generator(RTC_CTRL, _48_MHZ, 0xFFFFFFFF),
}
REF_AUX = ("PLL_USB", GPIN, GPIN)
SYS_AUX = ("PLL_SYS", "PLL_USB", "ROSC", "XOSC", GPIN, GPIN)


def divided(hz: int, div: int) -> int:
    """Hertz behind a divider in 24.8 fixed point, whose integer part 0 means 65536."""
    return (hz << 8) // (div if div >> 8 else div | 1 << 24)


class Rp2040Clocks(WordDevice):
    """A glitchless multiplexer moves when its new source runs, at once; the old one is kept until then."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = dict.fromkeys(range(0x04, GENERATORS_END, 0xC), 0x100)
        self.words |= {RESUS_CTRL: 0xFF, FC0_MAX_KHZ: 0x1FFFFFF, 0x8C: 1, FC0_INTERVAL: 8}
        self.words |= {WAKE_EN0: 0xFFFFFFFF, WAKE_EN1: 0x7FFF, SLEEP_EN0: 0xFFFFFFFF, SLEEP_EN1: 0x7FFF}
        self._ref_source = self._sys_source = 0
        self._hz = self.frequencies()
        self._sources = dict.fromkeys(SOURCES, 0) | {"ROSC": self._hz[CORE]}
        self._micros = ports.fixed_clock(1_000_000)
        self._counting: Alarm | None = None
        self._fc0_status = self._fc0_result = 0
        for source in SOURCES:
            watch_source(ports, source, partial(self._on_source, source))

    def frequencies(self) -> dict[str, int]:
        """At reset: the core and clk_ref run from the ring oscillator, all else stands still."""
        rosc_hz = number_option(self.ports, "rosc_hz", ROSC_HZ)
        return {CORE: rosc_hz, "CLK_REF": rosc_hz} | dict.fromkeys(PERIPHERALS, 0)

    def read_word(self, offset: int) -> int:
        """SELECTED, the frequency counter and what is enabled."""
        if offset in SELECTEDS:
            return 1 << {0x38: self._ref_source, 0x44: self._sys_source}.get(offset, 0)
        if offset in (ENABLED0, ENABLED1):
            return self.words[offset - ENABLED0 + WAKE_EN0]
        if offset == INTS:
            return (self.words.get(INTF, 0)) & 1
        return {FC0_STATUS: self._fc0_status, FC0_RESULT: self._fc0_result}.get(offset, super().read_word(offset))

    def write_word(self, offset: int, value: int) -> None:
        """CTRL and DIV change frequencies, FC0_SRC starts a measurement."""
        if offset in SELECTEDS or offset in (FC0_STATUS, FC0_RESULT, RESUS_STATUS, ENABLED0, ENABLED1, INTR, INTS):
            return
        self.words[offset] = value
        if offset < GENERATORS_END:
            self._update()
        elif offset == FC0_SRC:
            self._measure(value & 0xFF)
        elif offset == RESUS_CTRL and value & 1 << 8:
            self.ports.note(f"{self.ports.name}: the resuscitation of a stopped clk_sys is not modelled")
        elif offset == INTF:
            self.ports.set_irq(bool(value & 1))

    def _source_hz(self, name: str) -> int:
        if name == GPIN:
            self.ports.note(f"{self.ports.name}: clocks from a pin (GPIN0, GPIN1) are not modelled: they stand still")
        return self._sources.get(name, 0)

    def _on_source(self, name: str, hz: int) -> None:
        self._sources[name] = hz
        self._update()

    def _aux_hz(self, ctrl: int, sources: Sequence[str], mask: int) -> int:
        number = (self.words.get(ctrl, 0) & mask) >> 5
        return self._source_hz(sources[number]) if number < len(sources) else 0

    def _update(self) -> None:
        ref_hz = self._ref_hz()
        hz = {"CLK_REF": ref_hz, CORE: self._sys_hz(ref_hz)}
        for name, generator in PERIPHERALS.items():
            ctrl = self.words.get(generator.ctrl, 0)
            number = ctrl >> 5 & 7
            source = generator.sources[number] if number < len(generator.sources) else ""
            source_hz = (hz[CORE] if source == CORE else self._source_hz(source)) if ctrl & ENABLE else 0
            hz[name] = divided(source_hz, self.words[generator.ctrl + 4] & generator.div_mask)
        if hz != self._hz:
            self._hz = hz
            self.ports.set_clocks(hz)

    def _ref_hz(self) -> int:
        sources = (self._source_hz("ROSC"), self._aux_hz(REF_CTRL, REF_AUX, 0x60), self._source_hz("XOSC"), 0)
        wanted = self.words.get(REF_CTRL, 0) & 3
        if sources[wanted]:
            self._ref_source = wanted
        return divided(sources[self._ref_source], self.words[REF_CTRL + 4] & 0x300)

    def _sys_hz(self, ref_hz: int) -> int:
        sources = (ref_hz, self._aux_hz(SYS_CTRL, SYS_AUX, 0xE0))
        wanted = self.words.get(SYS_CTRL, 0) & 1
        if sources[wanted]:
            self._sys_source = wanted
        hz = divided(sources[self._sys_source], self.words[SYS_CTRL + 4])
        if not hz:
            self.ports.note(f"{self.ports.name}: clk_sys has no running source; the core keeps its last frequency")
        return hz or self._hz[CORE]

    def _measure(self, source: int) -> None:
        if self._counting is not None:
            self._counting.cancel()
        self._fc0_status = self._fc0_result = 0
        if source:
            self._fc0_status = RUNNING
            time_us = 1 << (self.words[FC0_INTERVAL] & 0xF)
            self._counting = self._micros.at(self._micros.ticks + time_us, lambda: self._measured(source))

    def _measured(self, source: int) -> None:
        name = COUNTED[source] if source < len(COUNTED) else ""
        hz = self._hz[name] if name in self._hz else self._source_hz(name)
        self._fc0_result = (hz * 32 // 1000) & 0x3FFFFFFF
        slow = hz < 1000 * self.words.get(FC0_MIN_KHZ, 0)
        fast = hz > 1000 * self.words[FC0_MAX_KHZ]
        verdict = FAIL if slow or fast else PASS
        self._fc0_status = DONE | verdict | slow * SLOW | fast * FAST | (0 if hz else DIED)


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Clocks}
