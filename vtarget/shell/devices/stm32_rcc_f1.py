"""RCC of the STM32F101, F102 and F103 (RM0008 chapter 7; bits as in stm32f103xb.h).

Clocks: HSI, HSE, LSE, LSI, PLL, SYSCLK, HCLK, PCLK1, PCLK2, TIMCLK1, TIMCLK2, USBCLK, RTCCLK, SYSTICKCLK.

Start-up times after DS5319 5.3 (recalled): HSI 2 us, HSE 2 ms, PLL lock 200 us, LSI 85 us, LSE 2 s.
"""

from __future__ import annotations

from vtarget.shell.clocks import CORE
from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_rcc_tree import (
    Factory,
    Layout,
    Oscillator,
    Stm32Rcc,
    ahb_divider,
    apb_divider,
    bits,
    bus_clocks,
)

CR, CFGR, CIR, BDCR, CSR = 0x00, 0x04, 0x08, 0x20, 0x24
PLLON, PLLSRC, PLLXTPRE, PLLMUL, USBPRE = 1 << 24, 1 << 16, 1 << 17, 0xF << 18, 1 << 22
HSI_HZ, LSI_HZ, MAX_HZ = 8_000_000, 40_000, 72_000_000
PLL_INPUT_HZ, PLL_HZ = range(1_000_000, 25_000_001), range(16_000_000, 72_000_001)  # DS5319 table PLL (recalled)
LAYOUT = Layout(
    oscillators=(
        Oscillator("HSI", CR, 1 << 0, 1 << 1, 2, 1 << 2),
        Oscillator("HSE", CR, 1 << 16, 1 << 17, 2000, 1 << 3),
        Oscillator("LSE", BDCR, 1 << 0, 1 << 1, 0, 1 << 1),
        Oscillator("LSI", CSR, 1 << 0, 1 << 1, 85, 1 << 0),
        Oscillator("PLL", CR, PLLON, 1 << 25, 200, 1 << 4),
    ),
    sources=("HSI", "HSE", "PLL"),
    cfgr=CFGR,
    sw=3,
    sws_shift=2,
    cier=CIR,
    cifr=CIR,
    cicr=CIR,
    packed=True,
    bdcr=BDCR,
    csr=CSR,
    rmvf=1 << 24,
    resets=range(0x0C, 0x14, 4),
    reset_words={CR: 0x81, CSR: 0x0C00_0000, 0x14: 0x14},
)
RTC = ("RTCCLK", BDCR, 8, ("", "LSE", "LSI", "HSE/128"))


class Stm32RccF1(Stm32Rcc):
    """The clock tree of RM0008 figure 8: the PLL multiplies HSI / 2, or HSE or its half, by 2 to 16."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, LAYOUT, "HSI", MAX_HZ)

    def accept(self, offset: int, value: int) -> int:
        """The PLL's source and factor hold while it is on (RM0008 7.3.2)."""
        kept = PLLSRC | PLLXTPRE | PLLMUL if offset == CFGR and self.word(CR) & PLLON else 0
        return value & ~kept | self.word(offset) & kept

    def source_of(self, pll: str) -> str:
        """PLLSRC."""
        return "HSE" if self.word(CFGR) & PLLSRC else "HSI"

    def oscillator_hz(self, name: str) -> int:
        """HSI has 8 MHz here, LSI 40 kHz."""
        if name == "PLL":
            return self._pll_input() * min(16, bits(self.word(CFGR), 18, 4) + 2)
        return {"HSI": HSI_HZ, "LSI": LSI_HZ}.get(name) or super().oscillator_hz(name)

    def check_pll(self, pll: str) -> None:
        """Its input and output."""
        if self._pll_input() not in PLL_INPUT_HZ:
            self.note("the PLL's input is outside 1 to 25 MHz")
        if self.oscillator_hz(pll) not in PLL_HZ:
            self.note("the PLL's output is outside 16 to 72 MHz")

    def tree(self, sysclk: int) -> dict[str, int]:
        """Buses, USB and the RTC."""
        cfgr = self.word(CFGR)
        hclk = max(1, sysclk // ahb_divider(bits(cfgr, 4, 4)))
        clocks = {CORE: hclk} | bus_clocks(hclk, [apb_divider(bits(cfgr, 8, 3)), apb_divider(bits(cfgr, 11, 3))])
        pll = self.hz("PLL")
        clocks["USBCLK"] = pll if cfgr & USBPRE else pll * 2 // 3
        return clocks | self.kernels((RTC,), {"HSE/128": self.hz("HSE") // 128})

    def _pll_input(self) -> int:
        if not self.word(CFGR) & PLLSRC:
            return self.hz("HSI") // 2
        return self.hz("HSE") // (2 if self.word(CFGR) & PLLXTPRE else 1)


MODELS: dict[str, Factory] = {"": Stm32RccF1}
