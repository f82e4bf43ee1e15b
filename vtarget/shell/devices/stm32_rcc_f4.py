"""RCC of the STM32F405/F407 (RM0090 chapter 7, variant ``f4``) and of the F74x and F75x (RM0385 chapter 5, ``f7``).

Clocks: HSI, HSE, LSE, LSI, PLLP (to SYSCLK), PLLQ, PLLI2SR ..., SYSCLK, HCLK, PCLK1, PCLK2, TIMCLK1, TIMCLK2, CLK48,
RTCCLK, SYSTICKCLK; on the F7 also kernel clocks by DCKCFGR2 (USART1CLK ... UART8CLK, LPTIM1CLK). The F4's USARTs run at
PCLK1 or PCLK2.

Start-up times after DS8626 6.3 (recalled): HSI 2.2 us, HSE 2 ms, PLL lock 100 to 300 us, LSI 15 to 40 us, LSE 2 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

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

CR, PLLCFGR, CFGR, CIR, BDCR, CSR = 0x00, 0x04, 0x08, 0x0C, 0x70, 0x74
PLLI2SCFGR, PLLSAICFGR, DCKCFGR1, DCKCFGR2 = 0x84, 0x88, 0x8C, 0x90
RMVF, TIMPRE, PLLSRC = 1 << 24, 1 << 24, 1 << 22
SHARED_FACTORS = PLLSRC | 0x3F  # of PLLCFGR, common to all PLLs: the source and M
VCO_INPUT_HZ, VCO_HZ = range(950_000, 2_100_001), range(100_000_000, 432_000_001)  # DS8626 table PLL; hal_stm32 LL
PLL_REGISTERS = {"PLL": PLLCFGR, "PLLI2S": PLLI2SCFGR, "PLLSAI": PLLSAICFGR}
LSE_AND_LSI = (Oscillator("LSE", BDCR, 1 << 0, 1 << 1, 0, 1 << 1), Oscillator("LSI", CSR, 1 << 0, 1 << 1, 40, 1 << 0))
PLLS = (
    Oscillator("PLL", CR, 1 << 24, 1 << 25, 200, 1 << 4),
    Oscillator("PLLI2S", CR, 1 << 26, 1 << 27, 200, 1 << 5),
    Oscillator("PLLSAI", CR, 1 << 28, 1 << 29, 200, 1 << 6),
)

F4_LAYOUT = Layout(
    oscillators=(
        Oscillator("HSI", CR, 1 << 0, 1 << 1, 3, 1 << 2),
        Oscillator("HSE", CR, 1 << 16, 1 << 17, 2000, 1 << 3),
        *LSE_AND_LSI,
        *PLLS[:2],
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
    rmvf=RMVF,
    resets=range(0x10, 0x28, 4),
    # The LPENRs have all their bits set (stm32f407xx.h, RM0090).
    reset_words={CR: 0x81, PLLCFGR: 0x2400_3010, CSR: 0x0E00_0000, 0x30: 0x0010_0000, PLLI2SCFGR: 0x2000_3000}
    | {0x50: 0x7E67_91FF, 0x54: 0xF1, 0x58: 1, 0x60: 0x36FE_C9FF, 0x64: 0x0007_5F33},
)
F7_LAYOUT = replace(
    F4_LAYOUT,
    oscillators=(*F4_LAYOUT.oscillators, PLLS[2]),
    reset_words={CR: 0x81, PLLCFGR: 0x2400_3010, CSR: 0x0E00_0000, 0x30: 0x0010_0000, PLLI2SCFGR: 0x2400_3000}
    | {PLLSAICFGR: 0x2400_3000, 0x50: 0x7EF7_B7FF, 0x54: 0xC1, 0x58: 3, 0x60: 0xFFFF_CBFF, 0x64: 0x04F7_7F33},
)
RTC = ("RTCCLK", BDCR, 8, ("", "LSE", "LSI", "HSE/RTCPRE"))
PLLQ_48 = ("PLLQ", "PLLSAIP")
UART_SOURCES = ("SYSCLK", "HSI", "LSE")
F7_KERNELS = (
    ("USART1CLK", DCKCFGR2, 0, ("PCLK2", *UART_SOURCES)),
    ("USART6CLK", DCKCFGR2, 10, ("PCLK2", *UART_SOURCES)),
    *(
        (f"{name}CLK", DCKCFGR2, lowest, ("PCLK1", *UART_SOURCES))
        for name, lowest in (("USART2", 2), ("USART3", 4), ("UART4", 6), ("UART5", 8), ("UART7", 12), ("UART8", 14))
    ),
    ("LPTIM1CLK", DCKCFGR2, 24, ("PCLK1", "LSI", "HSI", "LSE")),
    RTC,
)


@dataclass(frozen=True)
class Variant:
    """What differs between the families."""

    layout: Layout
    max_hz: int
    kernels: tuple[tuple[str, int, int, tuple[str, ...]], ...]
    dedicated: bool  # the dedicated clocks registers DCKCFGR1 and DCKCFGR2 exist


F4 = Variant(F4_LAYOUT, 168_000_000, (RTC,), dedicated=False)
F7 = Variant(F7_LAYOUT, 216_000_000, F7_KERNELS, dedicated=True)


class Stm32RccF4(Stm32Rcc):
    """The clock trees of RM0090 figure 21 and RM0385 figure 13: VCO = source / M * N for each PLL, one M for all."""

    def __init__(self, ports: Ports, *, variant: Variant) -> None:
        self._variant = variant
        super().__init__(ports, variant.layout, "HSI", variant.max_hz)

    def accept(self, offset: int, value: int) -> int:
        """A PLL's register holds while the PLL runs, the common factors while any does."""
        old, kept = self.word(offset), 0
        running = {o.name for o in self.layout.oscillators if o.name in PLL_REGISTERS and self.word(CR) & o.on}
        if offset == PLLCFGR and running:
            kept = SHARED_FACTORS
        if any(PLL_REGISTERS[pll] == offset for pll in running):
            kept = 0xFFFFFFFF
        return value & ~kept | old & kept

    def source_of(self, pll: str) -> str:
        """PLLSRC, for all PLLs."""
        return "HSE" if self.word(PLLCFGR) & PLLSRC else "HSI"

    def oscillator_hz(self, name: str) -> int:
        """The main PLL by its output P."""
        if name in PLL_REGISTERS:
            return self._outputs(name)["P"]
        return super().oscillator_hz(name)

    def check_pll(self, pll: str) -> None:
        """M and N, and the VCO's input and output."""
        m, n = bits(self.word(PLLCFGR), 0, 6), self._n(pll)
        vco_input = self.hz(self.source_of(pll)) // max(1, m)
        if m < 2 or vco_input not in VCO_INPUT_HZ:
            self.note(f"the input of {pll}'s VCO is outside 1 to 2 MHz, or M below 2")
        if n < 50 or vco_input * n not in VCO_HZ:
            self.note(f"{pll}'s VCO is outside 100 to 432 MHz, or N below 50")

    def tree(self, sysclk: int) -> dict[str, int]:
        """Buses, PLL outputs and kernels."""
        cfgr = self.word(CFGR)
        hclk = max(1, sysclk // ahb_divider(bits(cfgr, 4, 4)))
        dividers = [apb_divider(bits(cfgr, 10, 3)), apb_divider(bits(cfgr, 13, 3))]
        clocks = {CORE: hclk} | bus_clocks(hclk, dividers)
        if self._variant.dedicated and self.word(DCKCFGR1) & TIMPRE:
            clocks |= {f"TIMCLK{i}": hclk if d <= 4 else 4 * (hclk // d) for i, d in enumerate(dividers, 1)}
        for pll in PLL_REGISTERS:
            outputs = self._outputs(pll) if pll in self.ready else dict.fromkeys("PQR", 0)
            clocks |= {pll + letter: hz for letter, hz in outputs.items()}
        second_48 = self._variant.dedicated and bits(self.word(DCKCFGR2), 27, 1)
        clocks["CLK48"] = clocks[PLLQ_48[second_48]]
        rtc_hse = self.hz("HSE") // max(1, bits(cfgr, 16, 5))
        return clocks | self.kernels(self._variant.kernels, clocks | {"SYSCLK": sysclk, "HSE/RTCPRE": rtc_hse})

    def _n(self, pll: str) -> int:
        return bits(self.word(PLL_REGISTERS[pll]), 6, 9)

    def _outputs(self, pll: str) -> dict[str, int]:
        """P, Q and R; a divisor that isn't allowed gives nothing."""
        word = self.word(PLL_REGISTERS[pll])
        multiplied = self.hz(self.source_of(pll)) * self._n(pll)
        m = max(1, bits(self.word(PLLCFGR), 0, 6))
        p, q, r = 2 * (bits(word, 16, 2) + 1), bits(word, 24, 4), 0 if pll == "PLL" else bits(word, 28, 3)
        return {key: multiplied // (m * d) if d >= 2 else 0 for key, d in (("P", p), ("Q", q), ("R", r))}


MODELS: dict[str, Factory] = {"f4": partial(Stm32RccF4, variant=F4), "f7": partial(Stm32RccF4, variant=F7)}
