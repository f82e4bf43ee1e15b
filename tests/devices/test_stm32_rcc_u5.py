"""RCC of the STM32U575: RM0456 chapter 11, and the sequence of ST's HAL in our words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.stm32lib import STEPS, BoardPorts, Firmware, random_program
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE
from vtarget.shell.devices.stm32_rcc_u5 import (
    BDCR,
    CCIPR1,
    CCIPR2,
    CCIPR3,
    CFGR1,
    CFGR2,
    CFGR3,
    CICR,
    CIER,
    CIFR,
    CR,
    CSR,
    ICSCR1,
    LSESYSEN,
    LSESYSRDY,
    MSI_HZ,
    PLL1CFGR,
    PLL1DIVR,
    PLL1FRACR,
    Stm32RccU5,
)

MHZ = 1_000_000
PLL1ON, PLL1RDY = 1 << 24, 1 << 25


def board(**options: int) -> tuple[BoardPorts, Stm32RccU5, Firmware]:
    ports = BoardPorts(core_hz=4 * MHZ, name="RCC", options=options)
    rcc = Stm32RccU5(ports)
    return ports, rcc, Firmware(ports, rcc)


def start_pll1(firmware: Firmware, source: int, m: int, n: int, r: int, fraction: int = 0) -> None:
    firmware.clear(CR, PLL1ON)
    firmware.wait(CR, PLL1RDY, 0)
    firmware.modify(PLL1CFGR, 0xFF03, source | m - 1 << 8)
    firmware.device.write(PLL1DIVR, 4, n - 1 | 1 << 9 | 1 << 16 | r - 1 << 24)
    firmware.clear(PLL1CFGR, 1 << 4)
    firmware.device.write(PLL1FRACR, 4, fraction << 3)
    firmware.set(PLL1CFGR, 1 << 4)
    firmware.set(CR, PLL1ON)
    firmware.wait(CR, PLL1RDY, PLL1RDY, limit_us=100)
    firmware.set(PLL1CFGR, 1 << 18)


def to_160_mhz(firmware: Firmware) -> None:
    """MSIS 4 MHz / 1 * 80 / 2."""
    start_pll1(firmware, source=1, m=1, n=80, r=2)
    firmware.modify(CFGR1, 3, 3)
    firmware.wait(CFGR1, 0xC, 0xC, limit_us=5)


def test_resets_to_msis_at_4_mhz_without_publishing() -> None:
    ports, rcc, _ = board()
    hz = rcc.frequencies()
    names = ("MSIS", "MSIK", "SYSCLK", "HCLK", "PCLK1", "PCLK2", "PCLK3", "TIMCLK1", "LPTIM1CLK")
    assert [hz[name] for name in names] == [4 * MHZ] * 9
    assert ports.publications == 0 and not ports.notes
    assert (rcc.read(CR, 4), rcc.read(ICSCR1, 4), rcc.read(CSR, 4)) == (0x35, 0x44000000, 0x0C004400)


def test_160_mhz_from_msis() -> None:
    ports, _, firmware = board()
    to_160_mhz(firmware)
    names = ("SYSCLK", "HCLK", "PCLK1", "PCLK2", "PCLK3", "TIMCLK1", "TIMCLK2", "PLL1R", "USART1CLK", "LPUART1CLK")
    assert [ports.published[name] for name in names] == [160 * MHZ] * 10
    assert ports.published["SYSTICKCLK"] == 20 * MHZ
    assert not ports.notes


def test_buses_divide_apart() -> None:
    ports, rcc, firmware = board()
    to_160_mhz(firmware)
    rcc.write(CFGR2, 4, 8 | 4 << 4 | 5 << 8)
    rcc.write(CFGR3, 4, 6 << 4)
    names = ("HCLK", "PCLK1", "TIMCLK1", "PCLK2", "TIMCLK2", "PCLK3")
    assert [ports.published[name] // MHZ for name in names] == [80, 40, 80, 20, 40, 10]


def test_a_fraction_adds_8192ths() -> None:
    ports, _, firmware = board()
    start_pll1(firmware, source=1, m=1, n=49, r=1, fraction=1245)  # 4 MHz * (49 + 1245 / 8192)
    assert ports.published["PLL1R"] == 196_607_910


@pytest.mark.parametrize(("number", "hz"), list(enumerate(MSI_HZ)))
def test_msi_ranges_of_sysclk_and_kernel(number: int, hz: int) -> None:
    _, rcc, firmware = board()
    firmware.set(ICSCR1, 1 << 23)
    firmware.modify(ICSCR1, 0xFF << 24, number << 28 | (15 - number) << 24)
    assert (rcc.frequencies()["HCLK"], rcc.frequencies()["MSIK"]) == (hz, MSI_HZ[15 - number])


def test_the_standby_ranges_count_until_ranges_are_selected() -> None:
    _, rcc, firmware = board()
    firmware.modify(CSR, 0xFF00, 0x7500)
    assert (rcc.frequencies()["MSIS"], rcc.frequencies()["MSIK"]) == (MHZ, 2 * MHZ)
    firmware.modify(CSR, 0xFF00, 0x6300)
    assert rcc.read(CSR, 4) & 0xFF00 == 0x6500


def test_kernel_clocks_follow_the_selections() -> None:
    ports, rcc, firmware = board(lse_startup_us=10)
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(BDCR, 1 | 1 << 26)
    firmware.set(CR, 1 << 8 | 1 << 12)
    firmware.wait(BDCR, 2 | 1 << 27, 2 | 1 << 27)
    rcc.write(CFGR3, 4, 4 << 4)
    seen = []
    for selection in range(8):
        rcc.write(CCIPR1, 4, selection % 4 * 0b101)
        rcc.write(CCIPR3, 4, selection)
        seen.append(tuple(ports.published[name] for name in ("USART1CLK", "USART2CLK", "LPUART1CLK")))
    slow = (32768, 32768)
    assert seen[:4] == [(4 * MHZ, 4 * MHZ, 2 * MHZ), (4 * MHZ,) * 3, (16 * MHZ,) * 3, (*slow, 32768)]
    assert [lpuart for _, _, lpuart in seen[4:]] == [4 * MHZ, 0, 0, 0]
    rcc.write(CCIPR1, 4, 1 << 22)
    rcc.write(CCIPR2, 4, 1 << 12)
    assert (ports.published["SYSTICKCLK"], ports.published["RNGCLK"], ports.published["ICLK"]) == (
        *(32_000, 24 * MHZ),
        48 * MHZ,
    )


def test_the_low_speed_oscillators_are_in_the_backup_domain() -> None:
    ports, rcc, firmware = board(lse_startup_us=10)
    firmware.set(BDCR, 1 << 26)
    assert rcc.read(BDCR, 4) == 0 and "PWR's DBP" in ports.notes[0]
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(BDCR, 1 << 26 | 1 << 28)
    firmware.wait(BDCR, 1 << 27, 1 << 27, limit_us=300)
    assert ports.published["LSI"] == 250
    firmware.set(BDCR, LSESYSEN)
    assert rcc.read(BDCR, 4) & LSESYSRDY == 0
    firmware.set(BDCR, 1)
    firmware.wait(BDCR, LSESYSRDY, LSESYSRDY, limit_us=20)


def test_a_running_pll_keeps_its_factors() -> None:
    ports, rcc, firmware = board()
    to_160_mhz(firmware)
    rcc.write(PLL1CFGR, 4, 2 | 3 << 8 | 1 << 16 | 1 << 18)
    rcc.write(PLL1DIVR, 4, 0)
    assert rcc.read(PLL1CFGR, 4) == 1 | 1 << 16 | 1 << 18
    assert (ports.published["PLL1R"], ports.published["PLL1P"]) == (160 * MHZ, 160 * MHZ)


def test_other_plls_have_their_own_registers() -> None:
    ports, rcc, firmware = board()
    for index in (1, 2):
        rcc.write(PLL1CFGR + 4 * index, 4, 1 | 1 << 17)
        rcc.write(PLL1DIVR + 8 * index, 4, 48 * index - 1 | 3 << 16)
    firmware.set(CR, 1 << 26 | 1 << 28)
    firmware.wait(CR, 0xA << 26, 0xA << 26)
    assert (ports.published["PLL2Q"], ports.published["PLL3Q"]) == (48 * MHZ, 96 * MHZ)
    firmware.set(CCIPR1, 1 << 26)
    assert ports.published["ICLK"] == 48 * MHZ


def test_impossible_plls_and_missing_sources_are_noted() -> None:
    ports, rcc, firmware = board()
    firmware.set(CR, PLL1ON)
    assert ports.notes == ["RCC: PLL1 is enabled, but its source doesn't run: PLL1RDY waits for it"]
    firmware.clear(CR, PLL1ON)
    rcc.write(PLL1CFGR, 4, 1 | 3 << 8)
    rcc.write(PLL1DIVR, 4, 2)
    firmware.set(CR, PLL1ON)
    assert ports.notes[1:] == [
        "RCC: the input of PLL1's VCO is outside 4 to 16 MHz",
        "RCC: PLL1's VCO is outside 128 to 544 MHz, or N below 4",
    ]


def test_ready_interrupts() -> None:
    ports, rcc, firmware = board()
    rcc.write(CIER, 4, 1 << 6)
    start_pll1(firmware, source=1, m=1, n=80, r=2)
    assert (rcc.read(CIFR, 4), ports.irq) == (1 << 6, True)
    rcc.write(CICR, 4, 1 << 6)
    assert not ports.irq


@pytest.mark.parametrize(("wake", "mhz"), [(0, 4), (1 << 4, 16)])
def test_stop_mode_ends_without_pll(wake: int, mhz: int) -> None:
    ports, rcc, firmware = board()
    to_160_mhz(firmware)
    firmware.set(CFGR1, wake)
    rcc.wake_from_stop()
    assert ports.published["HCLK"] == mhz * MHZ
    assert rcc.read(CR, 4) & (PLL1ON | PLL1RDY) == 0


@given(steps=STEPS, hse_hz=st.sampled_from([0, 16 * MHZ]))
def test_any_program_leaves_a_tree(steps: list[tuple[int, int]], hse_hz: int) -> None:
    random_program(Stm32RccU5, steps, hse_hz)
