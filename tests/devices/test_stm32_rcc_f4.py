"""RCC of the STM32F407 and F746: RM0090 chapter 7, RM0385 chapter 5, and the sequences of ST's HAL in our words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.stm32lib import STEPS, BoardPorts, Firmware, random_program
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_rcc_f4 import (
    BDCR,
    CFGR,
    CIR,
    CR,
    CSR,
    DCKCFGR1,
    DCKCFGR2,
    F4,
    F7,
    PLLCFGR,
    PLLI2SCFGR,
    PLLSAICFGR,
    RMVF,
    Stm32RccF4,
)
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE

MHZ = 1_000_000
HSEON, HSERDY, HSEBYP, PLLON, PLLRDY = 1 << 16, 1 << 17, 1 << 18, 1 << 24, 1 << 25


def board(model: str = "f4", hse_hz: int = 8 * MHZ, **options: int) -> tuple[BoardPorts, Stm32RccF4, Firmware]:
    ports = BoardPorts(core_hz=16 * MHZ, name="RCC", options={"hse_hz": hse_hz, **options})
    rcc = make_device(f"stm32_rcc_f4.{model}", ports)
    assert isinstance(rcc, Stm32RccF4)
    return ports, rcc, Firmware(ports, rcc)


def to_maximum(firmware: Firmware, n: int, m: int = 8, q: int = 7, bypass: int = 0) -> None:
    """HSE, PLL, then APB1 / 4 and APB2 / 2 and the switch."""
    firmware.set(CR, bypass)
    firmware.set(CR, HSEON)
    firmware.wait(CR, HSERDY, HSERDY, limit_us=3000)
    firmware.clear(CR, PLLON)
    firmware.wait(CR, PLLRDY, 0)
    firmware.device.write(PLLCFGR, 4, 1 << 22 | m | n << 6 | q << 24)
    firmware.set(CR, PLLON)
    firmware.wait(CR, PLLRDY, PLLRDY, limit_us=300)
    firmware.modify(CFGR, 0x1C00, 7 << 10)
    firmware.modify(CFGR, 0xE000, 7 << 13)
    firmware.modify(CFGR, 0xF0, 0)
    firmware.modify(CFGR, 3, 2)
    firmware.wait(CFGR, 0xC, 8, limit_us=5)
    firmware.modify(CFGR, 0x1C00, 5 << 10)
    firmware.modify(CFGR, 0xE000, 4 << 13)


def shown(ports: BoardPorts) -> list[int]:
    names = ("SYSCLK", "HCLK", "PCLK1", "TIMCLK1", "PCLK2", "TIMCLK2", "CLK48")
    return [ports.published[name] // MHZ for name in names]


@pytest.mark.parametrize("model", ["f4", "f7"])
def test_resets_to_hsi_at_16_mhz_without_publishing(model: str) -> None:
    ports, rcc, _ = board(model)
    hz = rcc.frequencies()
    names = ("HSI", "SYSCLK", "HCLK", "PCLK1", "PCLK2", "TIMCLK1", "TIMCLK2")
    assert [hz[name] for name in names] == [16 * MHZ] * 7
    assert [hz[name] for name in ("HSE", "LSE", "LSI", "PLLP", "PLLQ", "CLK48")] == [0] * 6
    assert ports.publications == 0 and not ports.notes
    assert (rcc.read(CR, 4), rcc.read(PLLCFGR, 4), rcc.read(CSR, 4)) == (0x83, 0x24003010, 0x0E000000)


def test_f407_runs_at_168_mhz_from_8_mhz() -> None:
    ports, _, firmware = board()
    to_maximum(firmware, n=336)
    assert shown(ports) == [168, 168, 42, 84, 84, 168, 48]
    assert ports.clocks.core_hz == 168 * MHZ
    assert not ports.notes


def test_f746_runs_at_216_mhz_from_the_st_links_clock() -> None:
    ports, _, firmware = board("f7")
    to_maximum(firmware, n=432, q=9, bypass=HSEBYP)
    assert shown(ports) == [216, 216, 54, 108, 108, 216, 48]
    assert not ports.notes


def test_timpre_gives_timers_the_core_clock() -> None:
    ports, _, firmware = board("f7")
    to_maximum(firmware, n=432, q=9)
    firmware.set(DCKCFGR1, 1 << 24)
    assert [ports.published[name] // MHZ for name in ("TIMCLK1", "TIMCLK2")] == [216, 216]
    firmware.modify(CFGR, 0x1C00, 6 << 10)  # PCLK1 = HCLK / 8
    assert ports.published["TIMCLK1"] == 108 * MHZ
    f4_ports, _, f4 = board()
    f4.set(DCKCFGR1, 1 << 24)
    assert f4_ports.publications == 0


def test_f7_kernel_clocks_follow_dckcfgr2() -> None:
    ports, rcc, firmware = board("f7", lse_startup_us=10)
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(BDCR, 1)
    firmware.wait(BDCR, 2, 2)
    firmware.modify(CFGR, 0xFC00, 4 << 10 | 5 << 13)
    seen = []
    for selection in range(4):
        rcc.write(DCKCFGR2, 4, selection | selection << 4 | selection << 10)
        seen.append(tuple(ports.published[name] for name in ("USART1CLK", "USART3CLK", "USART6CLK")))
    assert seen == [(4 * MHZ, 8 * MHZ, 4 * MHZ), (16 * MHZ,) * 3, (16 * MHZ,) * 3, (32768,) * 3]


def test_the_f4_has_no_selectable_kernels() -> None:
    assert not [name for name in board()[1].frequencies() if name.startswith("U")]


def test_second_plls_share_source_and_m() -> None:
    ports, rcc, firmware = board("f7")
    rcc.write(PLLCFGR, 4, 16 | 192 << 6 | 4 << 24)  # from HSI at 1 MHz
    rcc.write(PLLI2SCFGR, 4, 192 << 6 | 4 << 24 | 2 << 28)
    rcc.write(PLLSAICFGR, 4, 192 << 6 | 1 << 16 | 4 << 24 | 7 << 28)
    firmware.set(CR, 1 << 26 | 1 << 28)
    firmware.wait(CR, 0xA << 26, 0xA << 26)
    names = ("PLLI2SP", "PLLI2SQ", "PLLI2SR", "PLLSAIP", "PLLSAIQ", "PLLSAIR", "PLLP")
    assert [ports.published[name] for name in names] == [
        *(96 * MHZ, 48 * MHZ, 96 * MHZ, 48 * MHZ, 48 * MHZ, 192 * MHZ // 7, 0)
    ]
    firmware.set(DCKCFGR2, 1 << 27)
    assert ports.published["CLK48"] == 48 * MHZ
    rcc.write(PLLCFGR, 4, 8 | 1 << 22 | 100 << 6 | 2 << 24)  # the main PLL is off: only source and M are held
    assert rcc.read(PLLCFGR, 4) == 16 | 100 << 6 | 2 << 24


def test_a_running_pll_keeps_its_factors() -> None:
    ports, rcc, firmware = board()
    to_maximum(firmware, n=336)
    rcc.write(PLLCFGR, 4, 0x24003010)
    assert rcc.read(PLLCFGR, 4) == 1 << 22 | 8 | 336 << 6 | 7 << 24
    firmware.clear(CR, HSEON | PLLON)
    assert rcc.read(CR, 4) & (HSEON | PLLON | HSERDY | PLLRDY) == HSEON | PLLON | HSERDY | PLLRDY
    assert shown(ports)[0] == 168


def test_hse_without_a_crystal_is_never_ready() -> None:
    ports, rcc, firmware = board(hse_hz=0)
    firmware.set(CR, HSEON)
    firmware.device.write(PLLCFGR, 4, 1 << 22 | 8 | 336 << 6 | 7 << 24)
    firmware.set(CR, PLLON)
    ports.advance(16 * MHZ)
    assert rcc.read(CR, 4) & (HSERDY | PLLRDY) == 0
    assert "HSE is enabled" in ports.notes[0] and "its source doesn't run" in ports.notes[1]


@pytest.mark.parametrize(
    ("pllcfgr", "note"),
    [
        (1 << 22 | 0 | 336 << 6 | 7 << 24, "the input of PLL's VCO is outside 1 to 2 MHz, or M below 2"),
        (1 << 22 | 63 | 336 << 6 | 7 << 24, "the input of PLL's VCO is outside 1 to 2 MHz, or M below 2"),
        (1 << 22 | 8 | 49 << 6 | 7 << 24, "PLL's VCO is outside 100 to 432 MHz, or N below 50"),
        (1 << 22 | 8 | 433 << 6 | 7 << 24, "PLL's VCO is outside 100 to 432 MHz, or N below 50"),
    ],
)
def test_impossible_plls_are_noted(pllcfgr: int, note: str) -> None:
    ports, rcc, firmware = board()
    firmware.set(CR, HSEON)
    firmware.wait(CR, HSERDY, HSERDY, limit_us=3000)
    rcc.write(PLLCFGR, 4, pllcfgr)
    firmware.set(CR, PLLON)
    assert f"RCC: {note}" in ports.notes
    firmware.wait(CR, PLLRDY, PLLRDY)


def test_too_fast_is_noted() -> None:
    ports, _, firmware = board()
    to_maximum(firmware, n=432)
    assert ports.published["HCLK"] == 216 * MHZ
    assert ports.notes == ["RCC: SYSCLK is above the 168 MHz that the chip allows"]


def test_one_register_for_ready_interrupts() -> None:
    ports, rcc, firmware = board()
    rcc.write(CIR, 4, 1 << 11)  # HSERDYIE
    firmware.set(CR, HSEON)
    ports.advance(33_000)
    assert (rcc.read(CIR, 4), ports.irq) == (1 << 11 | 1 << 3, True)
    firmware.set(CIR, 1 << 19)
    assert (rcc.read(CIR, 4), ports.irq) == (1 << 11, False)


def test_reset_flags_and_lsi() -> None:
    _, rcc, firmware = board()
    firmware.set(CSR, 1)
    firmware.wait(CSR, 2, 2, limit_us=50)
    firmware.set(CSR, RMVF)
    assert rcc.read(CSR, 4) == 3


def test_the_real_time_clock_may_come_from_hse() -> None:
    ports, _, firmware = board()
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(CR, HSEON)
    firmware.wait(CR, HSERDY, HSERDY, limit_us=3000)
    firmware.modify(CFGR, 0x1F << 16, 8 << 16)
    firmware.set(BDCR, 3 << 8 | 1 << 15)
    assert ports.published["RTCCLK"] == MHZ


def test_stop_mode_ends_with_hsi() -> None:
    ports, rcc, firmware = board()
    to_maximum(firmware, n=336)
    rcc.wake_from_stop()
    assert shown(ports)[:2] == [16, 16]
    to_maximum(firmware, n=336)
    assert shown(ports)[:2] == [168, 168]


@given(steps=STEPS, hse_hz=st.sampled_from([0, 8 * MHZ]), f7=st.booleans())
def test_any_program_leaves_a_tree(steps: list[tuple[int, int]], hse_hz: int, f7: bool) -> None:
    random_program(lambda ports: Stm32RccF4(ports, variant=F7 if f7 else F4), steps, hse_hz)
