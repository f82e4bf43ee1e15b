"""RCC of the STM32L4+ (RM0432 chapter 6) and, as variant ``l4``, of the L4 with HSI48 (RM0351 chapter 6).

Clocks: MSI, HSI, HSE, LSE, LSI, HSI48, the PLLs' outputs (PLLP, PLLQ, PLLR, PLLSAI1P ...), SYSCLK, HCLK, PCLK1, PCLK2,
TIMCLK1, TIMCLK2, CLK48, RTCCLK, SYSTICKCLK, and kernel clocks by CCIPR (USART1CLK ... LPUART1CLK, LPTIM1CLK ...).

Start-up times are typical figures of DS12023 6.3 (recalled): MSI and HSI below 5 us, HSE 2 ms, PLL lock 15 us, LSI
130 us at most, LSE 2 s. MSI's range changes at once (silicon: within 10 us, recalled).
"""

from __future__ import annotations

from dataclasses import dataclass
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

CR, ICSCR, CFGR, PLLCFGR, PLLSAI1CFGR, PLLSAI2CFGR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
CIER, CIFR, CICR, CCIPR, BDCR, CSR, CRRCR = 0x18, 0x1C, 0x20, 0x88, 0x90, 0x94, 0x98
MSIRGSEL, STOPWUCK, RMVF = 1 << 3, 1 << 15, 1 << 23
OUTPUT_ENABLES = 1 << 16 | 1 << 20 | 1 << 24  # PLLPEN, PLLQEN, PLLREN: the only bits to write while a PLL runs
MSI_HZ = tuple(
    1000 * khz for khz in (100, 200, 400, 800, 1000, 2000, 4000, 8000, 16_000, 24_000, 32_000, 48_000)
)  # by MSIRANGE
STANDBY_RANGES = range(4, 8)  # the ranges that CSR.MSISRANGE can have
VCO_INPUT_HZ, VCO_HZ = range(2_660_000, 16_000_001), range(64_000_000, 344_000_001)
# The last two lines: FLASH is enabled, and the SMENRs have all their bits set (stm32l4r5xx.h).
RESET_WORDS = (
    {CR: 0x61, ICSCR: 0x4000_0000, PLLCFGR: 0x1000, PLLSAI1CFGR: 0x1000, PLLSAI2CFGR: 0x1000, CSR: 0x0C00_0600}
    | {0x48: 0x100, 0x68: 0x0003_1307, 0x6C: 0x0054_77FF, 0x70: 0x301}
    | {0x78: 0xF3FE_CC3F, 0x7C: 0x23, 0x80: 0x0167_7801}
)

LAYOUT = Layout(
    oscillators=(
        Oscillator("MSI", CR, 1 << 0, 1 << 1, 4, 1 << 2),
        Oscillator("HSI", CR, 1 << 8, 1 << 10, 4, 1 << 3),
        Oscillator("HSE", CR, 1 << 16, 1 << 17, 2000, 1 << 4),
        Oscillator("HSI48", CRRCR, 1 << 0, 1 << 1, 6, 1 << 10),
        Oscillator("LSE", BDCR, 1 << 0, 1 << 1, 0, 1 << 1),
        Oscillator("LSI", CSR, 1 << 0, 1 << 1, 130, 1 << 0),
        Oscillator("PLL", CR, 1 << 24, 1 << 25, 15, 1 << 5),
        Oscillator("PLLSAI1", CR, 1 << 26, 1 << 27, 15, 1 << 6),
        Oscillator("PLLSAI2", CR, 1 << 28, 1 << 29, 15, 1 << 7),
    ),
    sources=("MSI", "HSI", "HSE", "PLL"),
    cfgr=CFGR,
    sw=3,
    sws_shift=2,
    cier=CIER,
    cifr=CIFR,
    cicr=CICR,
    bdcr=BDCR,
    csr=CSR,
    rmvf=RMVF,
    resets=range(0x28, 0x44, 4),
    reset_words=RESET_WORDS,
)
PLL_REGISTERS = {"PLL": PLLCFGR, "PLLSAI1": PLLSAI1CFGR, "PLLSAI2": PLLSAI2CFGR}
UART_SOURCES = ("SYSCLK", "HSI", "LSE")
KERNELS = (
    ("USART1CLK", CCIPR, 0, ("PCLK2", *UART_SOURCES)),
    *(
        (f"{name}CLK", CCIPR, lowest, ("PCLK1", *UART_SOURCES))
        for name, lowest in (("USART2", 2), ("USART3", 4), ("UART4", 6), ("UART5", 8), ("LPUART1", 10))
    ),
    ("LPTIM1CLK", CCIPR, 18, ("PCLK1", "LSI", "HSI", "LSE")),
    ("LPTIM2CLK", CCIPR, 20, ("PCLK1", "LSI", "HSI", "LSE")),
    ("CLK48", CCIPR, 26, ("HSI48", "PLLSAI1Q", "PLLQ", "MSI")),
    ("RTCCLK", BDCR, 8, ("", "LSE", "LSI", "HSE/32")),
)


@dataclass(frozen=True)
class Variant:
    """What differs between L4 and L4+: limits, and whether each PLL divides its input itself."""

    max_hz: int
    m_bits: int
    n_max: int
    own_m: bool


L4_PLUS, L4 = Variant(120_000_000, 4, 127, own_m=True), Variant(80_000_000, 3, 86, own_m=False)


class Stm32RccL4(Stm32Rcc):
    """The clock tree of RM0432 figure 17: VCO = source / M * N, outputs = VCO / P, Q, R."""

    def __init__(self, ports: Ports, *, variant: Variant = L4_PLUS) -> None:
        self._variant = variant
        super().__init__(ports, LAYOUT, "MSI", variant.max_hz)

    def accept(self, offset: int, value: int) -> int:
        """PLL factors hold while the PLL runs, and the common source while any does; MSI takes only valid ranges."""
        old = self.word(offset)
        if offset == CR:
            value |= old & MSIRGSEL  # only a reset clears it
            if bits(value, 4, 4) >= len(MSI_HZ):
                value = value & ~0xF0 | old & 0xF0
        elif offset == CSR and bits(value, 8, 4) not in STANDBY_RANGES:
            value = value & ~0xF00 | old & 0xF00
        running = {o.name for o in self.layout.oscillators if o.name in PLL_REGISTERS and self.word(CR) & o.on}
        kept = 0
        if offset == PLLCFGR and running:
            kept = 3 if self._variant.own_m else 0xF3
        if any(PLL_REGISTERS[pll] == offset for pll in running):
            kept = 0xFFFFFFFF & ~OUTPUT_ENABLES
        return value & ~kept | old & kept

    def source_of(self, pll: str) -> str:
        """PLLSRC is common to all PLLs."""
        return ("", "MSI", "HSI", "HSE")[bits(self.word(PLLCFGR), 0, 2)]

    def oscillator_hz(self, name: str) -> int:
        """MSI by its range; a PLL by its output R."""
        if name == "MSI":
            selected = self.word(CR) & MSIRGSEL
            return MSI_HZ[bits(self.word(CR), 4, 4) if selected else bits(self.word(CSR), 8, 4)]
        return self._outputs(name)["R"] if name in PLL_REGISTERS else super().oscillator_hz(name)

    def stop_source(self) -> str:
        """STOPWUCK."""
        return "HSI" if self.word(CFGR) & STOPWUCK else "MSI"

    def check_pll(self, pll: str) -> None:
        """DS12023 table PLL characteristics (recalled): VCO input and output, N."""
        source_hz, m, n = self._factors(pll)
        if source_hz // m not in VCO_INPUT_HZ:
            self.note(f"the input of {pll}'s VCO is outside 2.66 to 16 MHz")
        if source_hz * n // m not in VCO_HZ or not 8 <= n <= self._variant.n_max:
            self.note(f"{pll}'s VCO is outside 64 to 344 MHz, or N outside 8 to {self._variant.n_max}")

    def tree(self, sysclk: int) -> dict[str, int]:
        """Buses, PLL outputs and kernels."""
        cfgr = self.word(CFGR)
        hclk = max(1, sysclk // ahb_divider(bits(cfgr, 4, 4)))
        clocks = {CORE: hclk} | bus_clocks(hclk, [apb_divider(bits(cfgr, 8, 3)), apb_divider(bits(cfgr, 11, 3))])
        for pll in PLL_REGISTERS:
            outputs = self._outputs(pll) if pll in self.ready else dict.fromkeys("PQR", 0)
            clocks |= {pll + letter: hz for letter, hz in outputs.items()}
        return clocks | self.kernels(KERNELS, clocks | {"SYSCLK": sysclk, "HSE/32": self.hz("HSE") // 32})

    def _factors(self, pll: str) -> tuple[int, int, int]:
        """Source in Hz, M, N."""
        register = PLL_REGISTERS[pll]
        own_m = self.word(register if self._variant.own_m else PLLCFGR)
        m = bits(own_m, 4, self._variant.m_bits) + 1
        return self.hz(self.source_of(pll)), m, bits(self.word(register), 8, 7)

    def _outputs(self, pll: str) -> dict[str, int]:
        source_hz, m, n = self._factors(pll)
        word = self.word(PLL_REGISTERS[pll])
        p = bits(word, 27, 5) or (17 if word & 1 << 17 else 7)
        q, r = 2 * (bits(word, 21, 2) + 1), 2 * (bits(word, 25, 2) + 1)
        enabled = {"P": word & 1 << 16, "Q": word & 1 << 20, "R": word & 1 << 24}
        return {key: source_hz * n // (m * d) if enabled[key] else 0 for key, d in (("P", p), ("Q", q), ("R", r))}


MODELS: dict[str, Factory] = {"": Stm32RccL4, "l4": partial(Stm32RccL4, variant=L4)}
