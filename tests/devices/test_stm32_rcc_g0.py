"""RCC of the STM32G0: RM0444 chapter 5, and the sequence of ST's HAL in our words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.stm32lib import STEPS, BoardPorts, Firmware, random_program
from vtarget.shell.devices.stm32_rcc_g0 import BDCR, CCIPR, CFGR, CICR, CIER, CIFR, CR, CSR, PLLCFGR, RMVF, Stm32RccG0
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE

MHZ = 1_000_000
PLLON, PLLRDY = 1 << 24, 1 << 25


def board(**options: int) -> tuple[BoardPorts, Stm32RccG0, Firmware]:
    ports = BoardPorts(core_hz=16 * MHZ, name="RCC", options=options)
    rcc = Stm32RccG0(ports)
    return ports, rcc, Firmware(ports, rcc)


def to_64_mhz(firmware: Firmware) -> None:
    """HSI / 1 * 8 / 2."""
    firmware.clear(CR, PLLON)
    firmware.wait(CR, PLLRDY, 0)
    firmware.device.write(PLLCFGR, 4, 2 | 8 << 8 | 1 << 17 | 1 << 25 | 1 << 29)
    firmware.set(CR, PLLON)
    firmware.set(PLLCFGR, 1 << 28)
    firmware.wait(CR, PLLRDY, PLLRDY, limit_us=20)
    firmware.modify(CFGR, 0xF00, 0)
    firmware.modify(CFGR, 7, 2)
    firmware.wait(CFGR, 0x38, 2 << 3, limit_us=5)


def test_resets_to_hsi_at_16_mhz_without_publishing() -> None:
    ports, rcc, _ = board()
    hz = rcc.frequencies()
    assert [hz[name] for name in ("HSI", "SYSCLK", "HCLK", "PCLK1", "TIMCLK1", "TIM1CLK")] == [16 * MHZ] * 6
    assert ports.publications == 0 and not ports.notes
    assert (rcc.read(CR, 4), rcc.read(CFGR, 4)) == (0x500, 0)


def test_64_mhz_from_hsi() -> None:
    ports, _, firmware = board()
    to_64_mhz(firmware)
    names = ("SYSCLK", "HCLK", "PCLK1", "TIMCLK1", "PLLR", "USART2CLK", "LPUART1CLK")
    assert [ports.published[name] for name in names] == [64 * MHZ] * 7
    assert not ports.notes


def test_the_timers_clock_is_doubled_behind_a_divided_bus() -> None:
    ports, _, firmware = board()
    to_64_mhz(firmware)
    firmware.modify(CFGR, 7 << 12, 5 << 12)
    assert [ports.published[name] // MHZ for name in ("PCLK1", "TIMCLK1", "TIM1CLK", "USART1CLK")] == [16, 32, 32, 16]


@pytest.mark.parametrize(("field", "hz"), [(0, 16 * MHZ), (1, 8 * MHZ), (4, MHZ), (7, 125_000)])
def test_hsidiv_divides_sysclk_but_not_the_kernels(field: int, hz: int) -> None:
    _, rcc, firmware = board()
    rcc.write(CCIPR, 4, 2 << 2)
    firmware.modify(CR, 7 << 11, field << 11)
    clocks = rcc.frequencies()
    assert (clocks["SYSCLK"], clocks["HSI"], clocks["USART2CLK"]) == (hz, 16 * MHZ, 16 * MHZ)


@pytest.mark.parametrize(("source", "register", "sw"), [("LSI", CSR, 3), ("LSE", BDCR, 4)])
def test_the_core_can_run_from_the_slow_clocks(source: str, register: int, sw: int) -> None:
    ports, rcc, firmware = board(lse_startup_us=500)
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(register, 1)
    firmware.wait(register, 2, 2)
    firmware.modify(CFGR, 7, sw)
    assert rcc.read(CFGR, 4) & 0x3F == sw | sw << 3
    assert ports.published["HCLK"] == {"LSI": 32_000, "LSE": 32_768}[source]
    firmware.modify(CFGR, 7, 0)
    assert ports.published["HCLK"] == 16 * MHZ


def test_losing_the_backup_domain_keeps_the_last_frequency() -> None:
    ports, _, firmware = board(lse_startup_us=500)
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(BDCR, 1)
    firmware.wait(BDCR, 2, 2)
    firmware.modify(CFGR, 7, 4)
    firmware.device.write(BDCR, 4, 1 << 16)
    assert ports.published["HCLK"] == 32_768
    assert ports.notes == ["RCC: SYSCLK's source gives no clock; the core keeps its last frequency"]


def test_reserved_sources_are_noted() -> None:
    ports, rcc, firmware = board()
    firmware.modify(CFGR, 7, 6)
    assert rcc.read(CFGR, 4) & 0x38 == 0
    assert ports.notes == ["RCC: SW selects a reserved clock source"]


def test_timers_from_the_plls_output_q() -> None:
    ports, _, firmware = board()
    to_64_mhz(firmware)
    firmware.set(PLLCFGR, 1 << 24)  # may be set while the PLL runs
    firmware.set(CCIPR, 1 << 22)
    assert [ports.published[name] // MHZ for name in ("PLLQ", "TIM1CLK", "TIM15CLK")] == [64, 64, 64]
    firmware.clear(PLLCFGR, 1 << 24)
    assert [ports.published[name] // MHZ for name in ("PLLQ", "TIM1CLK", "TIM15CLK")] == [0, 0, 64]


def test_a_running_pll_keeps_its_factors() -> None:
    ports, rcc, firmware = board()
    to_64_mhz(firmware)
    before = rcc.read(PLLCFGR, 4)
    rcc.write(PLLCFGR, 4, 3 | 16 << 8 | 1 << 28 | 7 << 29)
    assert rcc.read(PLLCFGR, 4) == before
    assert ports.published["HCLK"] == 64 * MHZ


def test_impossible_and_fast_plls_are_noted() -> None:
    ports, _, firmware = board()
    firmware.device.write(PLLCFGR, 4, 2 | 7 << 4 | 100 << 8 | 1 << 28)
    firmware.set(CR, PLLON)
    firmware.wait(CR, PLLRDY, PLLRDY)
    firmware.modify(CFGR, 7, 2)
    assert ports.notes == [
        "RCC: the input of the PLL's VCO is outside 2.66 to 16 MHz",
        "RCC: the PLL's VCO is outside 64 to 344 MHz, or N outside 8 to 86",
        "RCC: SYSCLK is above the 64 MHz that the chip allows",
    ]
    assert ports.published["HCLK"] == 200 * MHZ


def test_ready_interrupt_and_reset_flags() -> None:
    ports, rcc, firmware = board()
    rcc.write(CIER, 4, 1)
    firmware.set(CSR, 1)
    firmware.wait(CSR, 2, 2)
    assert (rcc.read(CIFR, 4), ports.irq) == (1, True)
    rcc.write(CICR, 4, 1)
    assert not ports.irq
    firmware.set(CSR, RMVF)
    assert rcc.read(CSR, 4) == 3


@given(steps=STEPS, hse_hz=st.sampled_from([0, 8 * MHZ]))
def test_any_program_leaves_a_tree(steps: list[tuple[int, int]], hse_hz: int) -> None:
    random_program(Stm32RccG0, steps, hse_hz)
