"""Ambiq power control: domains are on as soon as they are enabled. Variants ``apollo4`` and ``apollo3``.

Apollo4 and Apollo3 register documentation, PWRCTRL. Several peripherals share a domain: the Apollo4 reports all of
them, as its HAL expects (masks of am_hal_pwrctrl_periph_enable). MCUPERFREQ sets the Apollo4's core clock.
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.clocks import CORE
from vtarget.shell.devices.device import Device, Ports, WordDevice

MCUPERFREQ, DEVPWREN, DEVPWRSTATUS, AUDSSPWREN, AUDSSPWRSTATUS = 0x00, 0x04, 0x08, 0x0C, 0x10
MEMPWREN, MEMPWRSTATUS, SYSPWRSTATUS, SSRAMPWREN, SSRAMPWRST, SSRAMRETCFG = 0x14, 0x18, 0x20, 0x24, 0x28, 0x2C
DSP0PERFREQ, DSP0MEMPWREN, DSP0MEMPWRST, DSP1PERFREQ, DSP1MEMPWREN, DSP1MEMPWRST = 0x54, 0x58, 0x5C, 0x74, 0x78, 0x7C
VRCTRL, VRSTATUS, ADCSTATUS, AUDADCSTATUS = 0x100, 0x108, 0x194, 0x198
CORE_HZ = (24_000_000, 96_000_000, 192_000_000)  # by MCUPERFREQ: ultra-low power, low power, high performance
ACK = 1 << 2
# Bits of DEVPWREN that share a domain: UARTs, I/O masters 0..3 and 4..7, MSPIs; of AUDSSPWREN the audio blocks.
DEVICE_DOMAINS, AUDIO_DOMAINS = (0x1E00, 0x001E, 0x01E0, 0x1C000), (0xFF,)
SLEPT = 7 << 29  # SYSPWRSTATUS: sleep states entered, write one to clear
ACTIVE = 3


def powered(enables: int, domains: tuple[int, ...]) -> int:
    """Status bits: a domain is on, with all its peripherals, if one of them is enabled."""
    for domain in domains:
        if enables & domain:
            enables |= domain
    return enables


class Apollo4Pwrctrl(WordDevice):
    """Status registers follow their enables at once; a performance mode is acknowledged at once."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {MCUPERFREQ: 1, DEVPWREN: 1 << 20, MEMPWREN: 0x3F, SSRAMRETCFG: 0xCC}
        self.words |= {0x50: 8, 0x70: 8, ADCSTATUS: 0x3F, AUDADCSTATUS: 0x3F}

    def frequencies(self) -> dict[str, int]:
        """At reset: low-power mode."""
        return {CORE: CORE_HZ[1]}

    def read_word(self, offset: int) -> int:
        """Status registers by their enables."""
        word = self.words.get
        if offset in (MCUPERFREQ, DSP0PERFREQ, DSP1PERFREQ):
            mode = word(offset, 0) & 3
            return mode << 3 | ACK | mode
        if offset == DEVPWRSTATUS:
            return powered(word(DEVPWREN, 0), DEVICE_DOMAINS)
        if offset == AUDSSPWRSTATUS:
            return powered(word(AUDSSPWREN, 0), AUDIO_DOMAINS)
        if offset in (MEMPWRSTATUS, SSRAMPWRST, DSP0MEMPWRST, DSP1MEMPWRST):
            return word(offset - 4, 0)
        if offset == SYSPWRSTATUS:
            return word(SYSPWRSTATUS, 0) & SLEPT | 0xF
        if offset == VRSTATUS:
            buck = word(VRCTRL, 0) & 1
            return ACTIVE << 4 if buck else ACTIVE << 2 | ACTIVE
        return super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """MCUPERFREQ changes the core's clock."""
        if offset == SYSPWRSTATUS:
            self.words[offset] = self.words.get(offset, 0) & ~value
        elif offset not in (VRSTATUS, ADCSTATUS, AUDADCSTATUS):
            self.words[offset] = value
        if offset == MCUPERFREQ:
            mode = value & 3
            if mode >= len(CORE_HZ):
                self.ports.note(f"{self.ports.name}: MCUPERFREQ = 3 is reserved; the clock stays")
            elif CORE_HZ[mode] != self.ports.named_clock(CORE).hz:
                self.ports.set_clocks({CORE: CORE_HZ[mode]})


SUPPLYSRC, SUPPLYSTATUS, DEVPWREN3, MEMPWREN3, MEMPWRSTATUS3, DEVPWRSTATUS3 = 0x00, 0x04, 0x08, 0x10, 0x14, 0x18
# Status bits 2 (HCPA), 3, 4, 5 (ADC), 6 (MSPI), 7 (PDM), 8 and 9 (BLE), by the bits of DEVPWREN that turn them on.
APOLLO3_DOMAINS = (0x0581, 0x000E, 0x0070, 0x0200, 0x0800, 0x1000, 0x2000, 0x2000)
MCU_ON = 3


class Apollo3Pwrctrl(WordDevice):
    """DEVPWRSTATUS reports domains, in an order of its own."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {MEMPWREN3: 0xC0007FFF, 0x20: 0x3F}

    def read_word(self, offset: int) -> int:
        """Status registers by their enables."""
        if offset == SUPPLYSTATUS:
            return 1 | (self.words.get(SUPPLYSRC, 0) & 1) << 1
        if offset == DEVPWRSTATUS3:
            enables = self.words.get(DEVPWREN3, 0)
            return MCU_ON | sum(bool(enables & mask) << bit for bit, mask in enumerate(APOLLO3_DOMAINS, 2))
        if offset == MEMPWRSTATUS3:
            return self.words[MEMPWREN3] & 0x7FFF | self.words[MEMPWREN3] >> 30 << 15
        return super().read_word(offset)


MODELS: dict[str, Callable[[Ports], Device]] = {"apollo4": Apollo4Pwrctrl, "apollo3": Apollo3Pwrctrl}
