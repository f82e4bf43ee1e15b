"""RCC of the STM32G0 (RM0444 chapter 5).

Clocks: HSI (16 MHz, before HSIDIV), HSE, LSE, LSI, PLLP, PLLQ, PLLR, SYSCLK, HCLK, PCLK1 (the only APB), TIMCLK1,
RTCCLK, SYSTICKCLK, and by CCIPR USART1CLK, USART2CLK, LPUART1CLK, LPTIM1CLK, LPTIM2CLK, TIM1CLK, TIM15CLK.

Start-up times after DS12232 5.3 (recalled): HSI 4 us until stable, HSE 2 ms, PLL lock 15 us, LSI 130 us, LSE 2 s.
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

CR, ICSCR, CFGR, PLLCFGR, CIER, CIFR, CICR = 0x00, 0x04, 0x08, 0x0C, 0x18, 0x1C, 0x20
CCIPR, BDCR, CSR = 0x54, 0x5C, 0x60
RMVF = 1 << 23
OUTPUT_ENABLES = 1 << 16 | 1 << 24 | 1 << 28  # PLLPEN, PLLQEN, PLLREN: the only bits to write while the PLL runs
MAX_HZ = 64_000_000
VCO_INPUT_HZ, VCO_HZ = range(2_660_000, 16_000_001), range(64_000_000, 344_000_001)

LAYOUT = Layout(
    oscillators=(
        Oscillator("HSI", CR, 1 << 8, 1 << 10, 4, 1 << 3),
        Oscillator("HSE", CR, 1 << 16, 1 << 17, 2000, 1 << 4),
        Oscillator("LSE", BDCR, 1 << 0, 1 << 1, 0, 1 << 1),
        Oscillator("LSI", CSR, 1 << 0, 1 << 1, 130, 1 << 0),
        Oscillator("PLL", CR, 1 << 24, 1 << 25, 15, 1 << 5),
    ),
    sources=("HSI", "HSE", "PLL", "LSI", "LSE"),
    cfgr=CFGR,
    sw=7,
    sws_shift=3,
    cier=CIER,
    cifr=CIFR,
    cicr=CICR,
    bdcr=BDCR,
    csr=CSR,
    rmvf=RMVF,
    resets=range(0x24, 0x34, 4),
    # The SMENRs have all their bits set (stm32g071xx.h); the reset flags are those of a power-on.
    reset_words={CR: 0x100, ICSCR: 0x4000, PLLCFGR: 0x1000, CSR: 0x0C00_0000, 0x38: 0x100}
    | {0x44: 0x2F, 0x48: 0x1301, 0x4C: 0xFF7E_4C33, 0x50: 0x0017_D801},
)
UART_SOURCES = ("PCLK1", "SYSCLK", "HSI", "LSE")
LPTIM_SOURCES = ("PCLK1", "LSI", "HSI", "LSE")
KERNELS = (
    ("USART1CLK", CCIPR, 0, UART_SOURCES),
    ("USART2CLK", CCIPR, 2, UART_SOURCES),
    ("LPUART1CLK", CCIPR, 10, UART_SOURCES),
    ("LPTIM1CLK", CCIPR, 18, LPTIM_SOURCES),
    ("LPTIM2CLK", CCIPR, 20, LPTIM_SOURCES),
    ("RTCCLK", BDCR, 8, ("", "LSE", "LSI", "HSE/32")),
)
TIMERS = (("TIM1CLK", CCIPR, 22, ("TIMCLK1", "PLLQ")), ("TIM15CLK", CCIPR, 24, ("TIMCLK1", "PLLQ")))


class Stm32RccG0(Stm32Rcc):
    """The clock tree of RM0444 figure 10: VCO = source / M * N, outputs = VCO / P, Q, R."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, LAYOUT, "HSI", MAX_HZ)

    def accept(self, offset: int, value: int) -> int:
        """The PLL's factors hold while it runs."""
        kept = 0xFFFFFFFF & ~OUTPUT_ENABLES if offset == PLLCFGR and self.word(CR) & 1 << 24 else 0
        return value & ~kept | self.word(offset) & kept

    def source_of(self, pll: str) -> str:
        """PLLSRC."""
        return ("", "", "HSI", "HSE")[bits(self.word(PLLCFGR), 0, 2)]

    def oscillator_hz(self, name: str) -> int:
        """The PLL by its output R."""
        return self._outputs()["R"] if name == "PLL" else super().oscillator_hz(name)

    def system_hz(self) -> int:
        """HSI reaches SYSCLK through HSIDIV."""
        hz = super().system_hz()
        return hz >> bits(self.word(CR), 11, 3) if self.system == "HSI" else hz

    def check_pll(self, pll: str) -> None:
        """DS12232 table PLL characteristics (recalled): VCO input and output, N."""
        source_hz, m, n = self._factors()
        if source_hz // m not in VCO_INPUT_HZ:
            self.note("the input of the PLL's VCO is outside 2.66 to 16 MHz")
        if source_hz * n // m not in VCO_HZ or not 8 <= n <= 86:
            self.note("the PLL's VCO is outside 64 to 344 MHz, or N outside 8 to 86")

    def tree(self, sysclk: int) -> dict[str, int]:
        """Buses, PLL outputs and kernels."""
        cfgr = self.word(CFGR)
        hclk = max(1, sysclk // ahb_divider(bits(cfgr, 8, 4)))
        clocks = {CORE: hclk} | bus_clocks(hclk, [apb_divider(bits(cfgr, 12, 3))])
        outputs = self._outputs() if "PLL" in self.ready else dict.fromkeys("PQR", 0)
        clocks |= {"PLL" + letter: hz for letter, hz in outputs.items()}
        clocks |= self.kernels(KERNELS, clocks | {"SYSCLK": sysclk, "HSE/32": self.hz("HSE") // 32})
        return clocks | self.kernels(TIMERS, clocks, width=1)

    def _factors(self) -> tuple[int, int, int]:
        """Source in Hz, M, N."""
        word = self.word(PLLCFGR)
        return self.hz(self.source_of("PLL")), bits(word, 4, 3) + 1, bits(word, 8, 7)

    def _outputs(self) -> dict[str, int]:
        source_hz, m, n = self._factors()
        word = self.word(PLLCFGR)
        dividers = {"P": (16, bits(word, 17, 5)), "Q": (24, bits(word, 25, 3)), "R": (28, bits(word, 29, 3))}
        return {
            key: source_hz * n // (m * (field + 1)) if word & 1 << enable else 0
            for key, (enable, field) in dividers.items()
        }


MODELS: dict[str, Factory] = {"": Stm32RccG0}
