"""RCC of the STM32U575 and U585 (RM0456 chapter 11), the secure state absent.

Clocks: MSIS, MSIK, HSI, HSI48, SHSI, HSE, LSE, LSI, the PLLs' outputs (PLL1P ... PLL3R), SYSCLK, HCLK, PCLK1, PCLK2,
PCLK3, TIMCLK1, TIMCLK2, ICLK (48 MHz), RNGCLK, RTCCLK, SYSTICKCLK, and by CCIPR1 and CCIPR3 USART1CLK ... UART5CLK,
LPUART1CLK, LPTIM1CLK, LPTIM2CLK, LPTIM34CLK.

Start-up times after DS13737 5.3 (recalled): MSI, HSI and HSI48 below 10 us, HSE 2 ms, PLL lock 25 to 50 us, LSI
260 us, LSE 2 s. The fraction of N counts while FRACEN is set (silicon latches it when FRACEN rises).
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

CR, ICSCR1, CFGR1, CFGR2, CFGR3 = 0x00, 0x08, 0x1C, 0x20, 0x24
PLL1CFGR, PLL1DIVR, PLL1FRACR = 0x28, 0x34, 0x38
CIER, CIFR, CICR, CCIPR1, CCIPR2, CCIPR3, BDCR, CSR = 0x50, 0x54, 0x58, 0xE0, 0xE4, 0xE8, 0xF0, 0xF4
RMVF, MSIRGSEL, STOPWUCK, FRACEN, LSIPREDIV = 1 << 23, 1 << 23, 1 << 4, 1 << 4, 1 << 28
LSESYSEN, LSESYSRDY = 1 << 7, 1 << 11
MAX_HZ = 160_000_000
MSI_HZ = (
    *(48_000_000, 24_000_000, 16_000_000, 12_000_000, 4_000_000, 2_000_000, 1_330_000, 1_000_000),
    *(3_072_000, 1_536_000, 1_024_000, 768_000, 400_000, 200_000, 133_000, 100_000),
)  # by MSISRANGE and MSIKRANGE
STANDBY_RANGES = range(4, 9)  # the ranges that CSR can have
VCO_INPUT_HZ, VCO_HZ = range(4_000_000, 16_000_001), range(128_000_000, 544_000_001)  # wide VCO (recalled)

LAYOUT = Layout(
    oscillators=(
        Oscillator("MSIS", CR, 1 << 0, 1 << 2, 5, 1 << 2),
        Oscillator("MSIK", CR, 1 << 4, 1 << 5, 5, 1 << 11),
        Oscillator("HSI", CR, 1 << 8, 1 << 10, 4, 1 << 3),
        Oscillator("HSI48", CR, 1 << 12, 1 << 13, 6, 1 << 5),
        Oscillator("SHSI", CR, 1 << 14, 1 << 15, 6, 1 << 12),
        Oscillator("HSE", CR, 1 << 16, 1 << 17, 2000, 1 << 4),
        Oscillator("LSE", BDCR, 1 << 0, 1 << 1, 0, 1 << 1),
        Oscillator("LSI", BDCR, 1 << 26, 1 << 27, 260, 1 << 0),
        Oscillator("PLL1", CR, 1 << 24, 1 << 25, 50, 1 << 6),
        Oscillator("PLL2", CR, 1 << 26, 1 << 27, 50, 1 << 7),
        Oscillator("PLL3", CR, 1 << 28, 1 << 29, 50, 1 << 8),
    ),
    sources=("MSIS", "HSI", "HSE", "PLL1"),
    cfgr=CFGR1,
    sw=3,
    sws_shift=2,
    cier=CIER,
    cifr=CIFR,
    cicr=CICR,
    bdcr=BDCR,
    csr=CSR,
    rmvf=RMVF,
    resets=range(0x60, 0x84, 4),
    # Enables of FLASH and the SRAMs (recalled); the SMENRs have all their bits set (stm32u575xx.h).
    reset_words={CR: 0x11, ICSCR1: 0x4400_0000, CSR: 0x0C00_4400, 0x88: 0xD000_0100, 0x8C: 0xC000_0000}
    | dict.fromkeys((0x34, 0x3C, 0x44), 0x0101_0280)
    | {0x94: 0x8000_0000, 0xB0: 0xF107_110F, 0xB4: 0xD826_55FF, 0xB8: 0x111, 0xBC: 0x8000_1665}
    | {0xC4: 0x017E_483F, 0xC8: 0x0080_0222, 0xCC: 0x0067_7800, 0xD0: 0x0030_F8E2},
)
PLLS = ("PLL1", "PLL2", "PLL3")
UART_SOURCES = ("SYSCLK", "HSI", "LSE")
LOW_POWER_SOURCES = ("LSI", "HSI", "LSE")
KERNELS = (
    ("USART1CLK", CCIPR1, 0, ("PCLK2", *UART_SOURCES)),
    *(
        (f"{name}CLK", CCIPR1, lowest, ("PCLK1", *UART_SOURCES))
        for name, lowest in (("USART2", 2), ("USART3", 4), ("UART4", 6), ("UART5", 8))
    ),
    ("LPTIM2CLK", CCIPR1, 18, ("PCLK1", *LOW_POWER_SOURCES)),
    ("LPTIM34CLK", CCIPR3, 8, ("MSIK", *LOW_POWER_SOURCES)),
    ("LPTIM1CLK", CCIPR3, 10, ("MSIK", *LOW_POWER_SOURCES)),
    ("SYSTICKCLK", CCIPR1, 22, ("HCLK/8", "LSI", "LSE")),
    ("ICLK", CCIPR1, 26, ("HSI48", "PLL2Q", "PLL1Q", "MSIK")),
    ("RNGCLK", CCIPR2, 12, ("HSI48", "HSI48/2", "HSI")),
    ("RTCCLK", BDCR, 8, ("", "LSE", "LSI", "HSE/32")),
)
LPUART = (("LPUART1CLK", CCIPR3, 0, ("PCLK3", *UART_SOURCES, "MSIK")),)


class Stm32RccU5(Stm32Rcc):
    """The clock tree of RM0456 figure 34: VCO = source / M * (N + FRACN / 8192), outputs = VCO / P, Q, R."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, LAYOUT, "MSIS", MAX_HZ)

    def read_word(self, offset: int) -> int:
        """LSESYSRDY: the LSE reaches the system."""
        value = super().read_word(offset)
        system = offset == BDCR and value & LSESYSEN and "LSE" in self.ready
        return value | (LSESYSRDY if system else 0)

    def accept(self, offset: int, value: int) -> int:
        """The factors of a PLL hold while it runs; the ranges for Standby are few."""
        old, kept = self.word(offset), 0
        if offset == ICSCR1:
            value |= old & MSIRGSEL  # only a reset clears it
        for lowest in (8, 12):
            if offset == CSR and bits(value, lowest, 4) not in STANDBY_RANGES:
                kept |= 0xF << lowest
        for index in range(3):
            if self.word(CR) & 1 << 24 + 2 * index:
                if offset == PLL1CFGR + 4 * index:
                    kept = 0xFF0F  # all but FRACEN and the output enables
                elif offset == PLL1DIVR + 8 * index:
                    kept = 0xFFFFFFFF
        if offset == BDCR:
            value &= ~LSESYSRDY
        return value & ~kept | old & kept

    def source_of(self, pll: str) -> str:
        """PLLxSRC."""
        return ("", "MSIS", "HSI", "HSE")[bits(self._config(pll), 0, 2)]

    def oscillator_hz(self, name: str) -> int:
        """MSIS and MSIK by their ranges; a PLL by its output R."""
        if name in ("MSIS", "MSIK"):
            ranges = self.word(ICSCR1) >> 24 if self.word(ICSCR1) & MSIRGSEL else self.word(CSR) >> 8
            return MSI_HZ[bits(ranges, 4 if name == "MSIS" else 0, 4)]
        if name == "LSI":
            return 250 if self.word(BDCR) & LSIPREDIV else 32_000
        if name == "SHSI":
            return 48_000_000
        return self._outputs(name)["R"] if name in PLLS else super().oscillator_hz(name)

    def stop_source(self) -> str:
        """STOPWUCK."""
        return "HSI" if self.word(CFGR1) & STOPWUCK else "MSIS"

    def check_pll(self, pll: str) -> None:
        """DS13737 table PLL characteristics (recalled): VCO input and output, N."""
        source_hz, m, n_8192 = self._factors(pll)
        if source_hz // m not in VCO_INPUT_HZ:
            self.note(f"the input of {pll}'s VCO is outside 4 to 16 MHz")
        if source_hz * n_8192 // (m << 13) not in VCO_HZ or n_8192 < 4 << 13:
            self.note(f"{pll}'s VCO is outside 128 to 544 MHz, or N below 4")

    def tree(self, sysclk: int) -> dict[str, int]:
        """Buses, PLL outputs and kernels."""
        cfgr2 = self.word(CFGR2)
        hclk = max(1, sysclk // ahb_divider(bits(cfgr2, 0, 4)))
        clocks = {CORE: hclk} | bus_clocks(hclk, [apb_divider(bits(cfgr2, 4, 3)), apb_divider(bits(cfgr2, 8, 3))])
        clocks["PCLK3"] = hclk // apb_divider(bits(self.word(CFGR3), 4, 3))
        for pll in PLLS:
            outputs = self._outputs(pll) if pll in self.ready else dict.fromkeys("PQR", 0)
            clocks |= {pll + letter: hz for letter, hz in outputs.items()}
        divided = {"HCLK/8": hclk // 8, "HSE/32": self.hz("HSE") // 32, "HSI48/2": self.hz("HSI48") // 2}
        sources = clocks | divided | {"SYSCLK": sysclk}
        return clocks | self.kernels(KERNELS, sources) | self.kernels(LPUART, sources, width=3)

    def _config(self, pll: str) -> int:
        return self.word(PLL1CFGR + 4 * PLLS.index(pll))

    def _factors(self, pll: str) -> tuple[int, int, int]:
        """Source in Hz, M, and N in 8192ths."""
        config, offset = self._config(pll), 8 * PLLS.index(pll)
        fraction = bits(self.word(PLL1FRACR + offset), 3, 13) if config & FRACEN else 0
        n = bits(self.word(PLL1DIVR + offset), 0, 9) + 1
        return self.hz(self.source_of(pll)), bits(config, 8, 4) + 1, (n << 13) + fraction

    def _outputs(self, pll: str) -> dict[str, int]:
        source_hz, m, n_8192 = self._factors(pll)
        config, dividers = self._config(pll), self.word(PLL1DIVR + 8 * PLLS.index(pll))
        outputs = {}
        for key, enable, lowest in (("P", 16, 9), ("Q", 17, 16), ("R", 18, 24)):
            divider = (m << 13) * (bits(dividers, lowest, 7) + 1)
            outputs[key] = source_hz * n_8192 // divider if config & 1 << enable else 0
        return outputs


MODELS: dict[str, Factory] = {"": Stm32RccU5}
