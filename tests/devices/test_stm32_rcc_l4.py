"""RCC of the STM32L4+: RM0432 chapter 6, and the sequences of ST's HAL (stm32l4xx_hal_rcc.c) in our words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from devices.stm32lib import STEPS, BoardPorts, Firmware, random_program
from vtarget.base.errors import InputError
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_rcc_l4 import (
    BDCR,
    CCIPR,
    CFGR,
    CICR,
    CIER,
    CIFR,
    CR,
    CRRCR,
    CSR,
    L4,
    PLLCFGR,
    PLLSAI1CFGR,
    RMVF,
    STOPWUCK,
    Stm32RccL4,
)
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE

MHZ = 1_000_000


def board(**options: int) -> tuple[BoardPorts, Stm32RccL4, Firmware]:
    ports = BoardPorts(core_hz=4 * MHZ, name="RCC", options=options)
    rcc = Stm32RccL4(ports)
    return ports, rcc, Firmware(ports, rcc)


def start_pll(firmware: Firmware, source: int, m: int, n: int, r: int) -> None:
    """Set up the main PLL for SYSCLK."""
    firmware.clear(CR, 1 << 24)
    firmware.wait(CR, 1 << 25, 0)
    firmware.device.write(PLLCFGR, 4, source | m - 1 << 4 | n << 8 | r // 2 - 1 << 25)
    firmware.set(CR, 1 << 24)
    firmware.set(PLLCFGR, 1 << 24)
    firmware.wait(CR, 1 << 25, 1 << 25)


def switch(firmware: Firmware, source: int) -> None:
    firmware.modify(CFGR, 3, source)
    firmware.wait(CFGR, 0xC, source << 2, limit_us=5)


def to_120_mhz(firmware: Firmware) -> None:
    """As the HAL does: HCLK is halved before SYSCLK exceeds 80 MHz, and whole again after a microsecond."""
    start_pll(firmware, source=1, m=1, n=60, r=2)
    firmware.modify(CFGR, 0xF0, 0x80)
    switch(firmware, 3)
    firmware.modify(CFGR, 0xF0, 0)


def test_resets_to_msi_at_4_mhz_without_publishing() -> None:
    ports, rcc, _ = board()
    hz = rcc.frequencies()
    assert {name: hz[name] for name in ("SYSCLK", "HCLK", "PCLK1", "PCLK2", "TIMCLK1", "TIMCLK2", "MSI")} == (
        dict.fromkeys(("SYSCLK", "HCLK", "PCLK1", "PCLK2", "TIMCLK1", "TIMCLK2", "MSI"), 4 * MHZ)
    )
    assert [hz[name] for name in ("HSI", "HSE", "LSE", "LSI", "HSI48", "PLLR")] == [0] * 6
    assert hz["SYSTICKCLK"] == 500_000
    assert ports.publications == 0 and not ports.notes
    assert (rcc.read(CR, 4), rcc.read(CFGR, 4), rcc.read(CSR, 4)) == (0x63, 0, 0x0C000600)


def test_120_mhz_from_msi() -> None:
    ports, _, firmware = board()
    to_120_mhz(firmware)
    expected = dict.fromkeys(("SYSCLK", "HCLK", "PCLK1", "PCLK2", "TIMCLK1", "TIMCLK2", "PLLR"), 120 * MHZ)
    assert {name: ports.published[name] for name in expected} == expected
    assert ports.clocks.core_hz == 120 * MHZ
    assert not ports.notes


def test_80_mhz_from_hsi_with_divided_buses() -> None:
    ports, _, firmware = board()
    firmware.set(CR, 1 << 8)
    assert firmware.wait(CR, 1 << 10, 1 << 10, limit_us=10) > 0
    start_pll(firmware, source=2, m=4, n=40, r=2)
    firmware.modify(CFGR, 0x3F00, 4 << 8 | 6 << 11)  # APB1 / 2, APB2 / 8
    switch(firmware, 3)
    names = ("SYSCLK", "HCLK", "PCLK1", "TIMCLK1", "PCLK2", "TIMCLK2")
    assert [ports.published[name] // MHZ for name in names] == [80, 80, 40, 80, 10, 20]


def test_ready_times_are_real_time() -> None:
    _, _, firmware = board(hse_hz=8 * MHZ)
    firmware.set(CR, 1 << 16)
    assert 1998 <= firmware.wait(CR, 1 << 17, 1 << 17, limit_us=3000) <= 2003
    to_120_mhz(firmware)
    firmware.clear(CR, 1 << 16)
    firmware.set(CR, 1 << 16)
    assert 1998 <= firmware.wait(CR, 1 << 17, 1 << 17, limit_us=3000) <= 2003


def test_an_external_clock_is_ready_sooner_than_a_crystal() -> None:
    _, _, firmware = board(hse_hz=8 * MHZ)
    firmware.set(CR, 1 << 18)
    firmware.set(CR, 1 << 16)
    assert firmware.wait(CR, 1 << 17, 1 << 17, limit_us=20) > 0


def test_without_a_crystal_hse_is_never_ready() -> None:
    ports, rcc, firmware = board()
    firmware.set(CR, 1 << 16)
    ports.advance(40 * MHZ)
    assert rcc.read(CR, 4) & 1 << 17 == 0
    assert ports.notes == ["RCC: HSE is enabled, but the board has no crystal or clock for it: HSERDY will not be set"]


def test_a_running_pll_keeps_its_factors() -> None:
    ports, rcc, firmware = board()
    to_120_mhz(firmware)
    before = rcc.read(PLLCFGR, 4)
    rcc.write(PLLCFGR, 4, 2 | 3 << 4 | 20 << 8 | 1 << 20 | 1 << 24 | 3 << 25)
    assert rcc.read(PLLCFGR, 4) == before | 1 << 20
    assert (ports.published["PLLR"], ports.published["PLLQ"]) == (120 * MHZ, 120 * MHZ)


def test_what_sysclk_comes_from_stays_on() -> None:
    ports, rcc, firmware = board()
    to_120_mhz(firmware)
    firmware.clear(CR, 1 << 24 | 1)
    assert rcc.read(CR, 4) & (1 << 24 | 1 << 25 | 3) == (1 << 24 | 1 << 25 | 3)
    assert ports.clocks.core_hz == 120 * MHZ


def test_sysclk_waits_for_its_source() -> None:
    ports, rcc, firmware = board()
    firmware.modify(CFGR, 3, 1)
    assert ports.notes == ["RCC: SYSCLK is to come from HSI, which is off; it stays as it is until then"]
    assert rcc.read(CFGR, 4) & 0xF == 1
    firmware.set(CR, 1 << 8)
    firmware.wait(CFGR, 0xC, 4, limit_us=10)
    assert ports.published["HCLK"] == 16 * MHZ


@pytest.mark.parametrize(
    ("number", "khz"),
    list(enumerate((100, 200, 400, 800, 1000, 2000, 4000, 8000, 16_000, 24_000, 32_000, 48_000))),
)
def test_msi_ranges(number: int, khz: int) -> None:
    _, rcc, firmware = board()
    firmware.set(CR, 1 << 3)
    firmware.modify(CR, 0xF0, number << 4)
    assert rcc.frequencies()["HCLK"] == khz * 1000


def test_msi_ranges_that_do_not_exist_are_not_taken() -> None:
    _, rcc, firmware = board()
    firmware.set(CR, 1 << 3 | 0xF0)
    assert rcc.read(CR, 4) & 0xF8 == 0x68
    firmware.modify(CSR, 0xF00, 0x300)
    assert rcc.read(CSR, 4) & 0xF00 == 0x600


def test_the_standby_range_counts_until_a_range_is_selected() -> None:
    _, rcc, firmware = board()
    firmware.modify(CSR, 0xF00, 0x700)
    assert rcc.frequencies()["MSI"] == 8 * MHZ


@pytest.mark.parametrize(
    ("ahb", "divider"), [(7, 1), (8, 2), (9, 4), (10, 8), (11, 16), (12, 64), (13, 128), (14, 256), (15, 512)]
)
def test_ahb_prescaler(ahb: int, divider: int) -> None:
    ports, _, firmware = board()
    firmware.modify(CFGR, 0xF0, ahb << 4)
    hclk = ports.published["HCLK"] if ports.published else 4 * MHZ
    assert hclk == 4 * MHZ // divider


def test_kernel_clocks_follow_ccipr() -> None:
    ports, rcc, firmware = board(lse_startup_us=100)
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(CR, 1 << 8)
    firmware.set(BDCR, 1)
    firmware.wait(BDCR, 2, 2)
    firmware.modify(CFGR, 0x3F00, 4 << 8 | 5 << 11)
    seen = []
    for selection in range(4):
        rcc.write(CCIPR, 4, selection | selection << 2 | selection << 10)
        seen.append(tuple(ports.published[name] for name in ("USART1CLK", "USART2CLK", "LPUART1CLK")))
    assert seen == [(MHZ, 2 * MHZ, 2 * MHZ), (4 * MHZ,) * 3, (16 * MHZ,) * 3, (32768,) * 3]


def test_hsi48_and_the_second_pll_feed_clk48() -> None:
    ports, rcc, firmware = board()
    firmware.set(CRRCR, 1)
    firmware.wait(CRRCR, 2, 2)
    assert ports.published["CLK48"] == 48 * MHZ
    rcc.write(PLLCFGR, 4, 1)
    rcc.write(PLLSAI1CFGR, 4, 24 << 8 | 1 << 20)  # 4 MHz / 1 * 24 / 2
    firmware.set(CR, 1 << 26)
    firmware.wait(CR, 1 << 27, 1 << 27)
    rcc.write(CCIPR, 4, 1 << 26)
    assert (ports.published["PLLSAI1Q"], ports.published["CLK48"]) == (48 * MHZ, 48 * MHZ)


def test_pll_output_p_divides_by_its_own_factor() -> None:
    ports, _, firmware = board()
    firmware.device.write(PLLCFGR, 4, 1 | 84 << 8 | 1 << 16)
    firmware.set(CR, 1 << 24)
    firmware.wait(CR, 1 << 25, 1 << 25)
    assert ports.published["PLLP"] == 48 * MHZ  # 336 MHz / 7
    firmware.clear(CR, 1 << 24)
    firmware.device.write(PLLCFGR, 4, 1 | 84 << 8 | 1 << 16 | 1 << 17 | 28 << 27)
    firmware.set(CR, 1 << 24)
    firmware.wait(CR, 1 << 25, 1 << 25)
    assert ports.published["PLLP"] == 12 * MHZ


def test_the_backup_domain_is_protected() -> None:
    ports, rcc, firmware = board()
    firmware.set(BDCR, 1)
    assert rcc.read(BDCR, 4) == 0
    assert "PWR's DBP" in ports.notes[0]
    ports.set_signal(BACKUP_WRITE, True)
    firmware.set(BDCR, 1 | 1 << 8)
    assert rcc.read(BDCR, 4) == 0x101
    ports.advance(9 * MHZ)
    assert rcc.read(BDCR, 4) == 0x103
    assert ports.published["RTCCLK"] == 32768
    firmware.set(BDCR, 1 << 16)
    firmware.clear(BDCR, 1 << 16)
    assert rcc.read(BDCR, 4) == 0
    assert ports.published["RTCCLK"] == 0


def test_lsi_and_the_reset_flags_share_a_register() -> None:
    ports, rcc, firmware = board()
    firmware.set(CSR, 1)
    assert firmware.wait(CSR, 2, 2) <= 135
    assert rcc.read(CSR, 4) == 0x0C000603
    firmware.set(CSR, RMVF)
    assert rcc.read(CSR, 4) == 0x603
    assert ports.published["LSI"] == 32_000


def test_ready_interrupts() -> None:
    ports, rcc, firmware = board()
    rcc.write(CIER, 4, 1 << 3)
    firmware.set(CR, 1 << 8 | 1 << 26)
    ports.advance(1000)
    assert (rcc.read(CIFR, 4), ports.irq) == (1 << 3, True)
    rcc.write(CICR, 4, 1 << 3)
    assert (rcc.read(CIFR, 4), ports.irq) == (0, False)


def test_impossible_plls_are_noted() -> None:
    ports, rcc, firmware = board()
    rcc.write(PLLCFGR, 4, 1 | 15 << 4 | 8 << 8)
    firmware.set(CR, 1 << 24)
    assert ports.notes == [
        "RCC: the input of PLL's VCO is outside 2.66 to 16 MHz",
        "RCC: PLL's VCO is outside 64 to 344 MHz, or N outside 8 to 127",
    ]


def test_too_fast_is_noted_and_computed_all_the_same() -> None:
    ports, _, firmware = board()
    start_pll(firmware, source=1, m=1, n=80, r=2)
    switch(firmware, 3)
    assert ports.published["HCLK"] == 160 * MHZ
    assert ports.notes == ["RCC: SYSCLK is above the 120 MHz that the chip allows"]


def test_sysclk_from_a_disabled_output_keeps_its_frequency() -> None:
    ports, _, firmware = board()
    to_120_mhz(firmware)
    firmware.clear(PLLCFGR, 1 << 24)
    assert ports.published["HCLK"] == 120 * MHZ
    assert ports.notes == ["RCC: SYSCLK's source gives no clock; the core keeps its last frequency"]


@pytest.mark.parametrize(("wake", "mhz"), [(0, 4), (STOPWUCK, 16)])
def test_stop_mode_ends_without_pll(wake: int, mhz: int) -> None:
    ports, rcc, firmware = board()
    to_120_mhz(firmware)
    firmware.set(CFGR, wake)
    rcc.wake_from_stop()
    assert ports.published["HCLK"] == mhz * MHZ
    assert rcc.read(CR, 4) & (1 << 24 | 1 << 25) == 0
    start_pll(firmware, source=1 + wake // STOPWUCK, m=mhz // 4, n=60, r=2)
    switch(firmware, 3)
    assert ports.published["HCLK"] == 120 * MHZ


def test_the_l4_shares_one_input_divider() -> None:
    ports = BoardPorts(core_hz=4 * MHZ, name="RCC")
    rcc = Stm32RccL4(ports, variant=L4)
    firmware = Firmware(ports, rcc)
    rcc.write(PLLCFGR, 4, 1)
    rcc.write(PLLSAI1CFGR, 4, 7 << 4 | 24 << 8 | 1 << 20)
    firmware.set(CR, 1 << 26)
    firmware.wait(CR, 1 << 27, 1 << 27)
    assert ports.published["PLLSAI1Q"] == 48 * MHZ


def test_enables_read_back_and_resets_of_peripherals_are_noted() -> None:
    ports, rcc, _ = board()
    rcc.write(0x58, 4, 0x00020001)
    assert rcc.read(0x58, 4) == 0x00020001
    rcc.write(0x38, 4, 1)
    assert ports.notes == ["RCC: resets of single peripherals are not modelled"]


def test_variants_by_name_and_bad_options() -> None:
    for model in ("stm32_rcc_l4", "stm32_rcc_l4.l4"):
        assert isinstance(make_device(model, FakePorts()), Stm32RccL4)
    with pytest.raises(InputError, match="hse_hz is 8"):
        Stm32RccL4(FakePorts(options={"hse_hz": 8}))


@given(steps=STEPS, hse_hz=st.sampled_from([0, 8 * MHZ]))
def test_any_program_leaves_a_tree(steps: list[tuple[int, int]], hse_hz: int) -> None:
    random_program(Stm32RccL4, steps, hse_hz)
