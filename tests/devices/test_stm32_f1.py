"""RCC and flash interface of the STM32F103: RM0008 chapter 7, PM0075, and the start-up of ST's HAL in our words."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import assemble_program, needs_assembler
from hypothesis import given
from hypothesis import strategies as st

from devices.stm32lib import STEPS, BoardPorts, Firmware, random_program
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_flash_core import ACR, KEYS
from vtarget.shell.devices.stm32_rcc_f1 import BDCR, CFGR, CR, CSR, Stm32RccF1
from vtarget.shell.imagefile import load_image
from vtarget.shell.running import price, pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.starting import run_image

MHZ = 1_000_000
HSEON, HSERDY, PLLON, PLLRDY = 1 << 16, 1 << 17, 1 << 24, 1 << 25
SR, FLASH_CR, KEYR = 0x0C, 0x10, 0x04


def rcc(hse_hz: int = 8 * MHZ) -> tuple[BoardPorts, Stm32RccF1, Firmware]:
    ports = BoardPorts(core_hz=8 * MHZ, name="RCC", options={"hse_hz": hse_hz})
    made = make_device("stm32_rcc_f1", ports)
    assert isinstance(made, Stm32RccF1)
    return ports, made, Firmware(ports, made)


def to_pll(firmware: Firmware, config: int) -> None:
    """HSE, PLL, APB1 / 2, the switch."""
    firmware.set(CR, HSEON)
    firmware.wait(CR, HSERDY, HSERDY, limit_us=3000)
    firmware.modify(CFGR, 0x3F0000, config)
    firmware.set(CR, PLLON)
    firmware.wait(CR, PLLRDY, PLLRDY, limit_us=300)
    firmware.modify(CFGR, 0x700, 4 << 8)
    firmware.modify(CFGR, 3, 2)
    firmware.wait(CFGR, 0xC, 8, limit_us=5)


def test_resets_to_hsi_at_8_mhz() -> None:
    ports, made, _ = rcc()
    hz = made.frequencies()
    assert [hz[name] for name in ("HSI", "SYSCLK", "HCLK", "PCLK1", "PCLK2", "TIMCLK1")] == [8 * MHZ] * 6
    assert (hz["PLL"], hz["SYSTICKCLK"], ports.publications) == (0, MHZ, 0)
    assert (made.read(CR, 4), made.read(CFGR, 4), made.read(CSR, 4), made.read(0x14, 4)) == (0x83, 0, 0x0C00_0000, 0x14)


@pytest.mark.parametrize(
    ("config", "mhz"),
    [
        (1 << 16 | 7 << 18, [72, 72, 36, 72, 72, 72, 48]),  # HSE x 9, as every 72 MHz set-up
        (1 << 16 | 1 << 17 | 15 << 18, [64, 64, 32, 64, 64, 64, 42]),  # HSE / 2 x 16; 15 is 16, too
        (14 << 18, [64, 64, 32, 64, 64, 64, 42]),  # HSI / 2 x 16
        (4 << 18, [24, 24, 12, 24, 24, 24, 16]),
    ],
)
def test_the_pll_multiplies_hse_or_half_of_it(config: int, mhz: list[int]) -> None:
    ports, _, firmware = rcc()
    to_pll(firmware, config)
    names = ("SYSCLK", "HCLK", "PCLK1", "TIMCLK1", "PCLK2", "TIMCLK2", "USBCLK")
    assert [ports.published[name] // MHZ for name in names] == mhz
    assert ports.clocks.core_hz == mhz[0] * MHZ and not ports.notes


def test_a_running_pll_keeps_its_factor() -> None:
    ports, made, firmware = rcc()
    to_pll(firmware, 1 << 16 | 7 << 18)
    firmware.modify(CFGR, 0x3F0000, 0)
    firmware.set(CFGR, 1 << 22)
    assert made.read(CFGR, 4) >> 16 & 0x3F == 1 | 7 << 2
    assert (ports.published["USBCLK"], ports.clocks.core_hz) == (72 * MHZ, 72 * MHZ)


def test_too_fast_is_noted() -> None:
    ports, _, firmware = rcc()
    to_pll(firmware, 1 << 16 | 14 << 18)
    assert any("72 MHz" in note for note in ports.notes)


def test_low_speed_oscillators() -> None:
    ports, made, firmware = rcc()
    firmware.set(CSR, 1)
    firmware.wait(CSR, 2, 2, limit_us=100)
    assert made.frequencies()["LSI"] == 40_000
    firmware.set(BDCR, 1)
    assert made.read(BDCR, 4) == 0 and ports.notes  # PWR's DBP protects it
    ports.set_signal("BACKUP_WRITE", True)
    firmware.set(BDCR, 1 | 1 << 8)
    firmware.wait(BDCR, 2, 2, limit_us=2_100_000)
    assert made.frequencies()["RTCCLK"] == 32_768


@given(STEPS, st.sampled_from([0, 8 * MHZ]))
def test_random_programs_keep_the_tree_consistent(steps: list[tuple[int, int]], hse_hz: int) -> None:
    random_program(Stm32RccF1, steps, hse_hz)


def test_flash_latency_prefetch_and_erase() -> None:
    ports = BoardPorts(core_hz=MHZ, name="FLASH", options={})
    flash = make_device("stm32_flash_f1", ports)
    firmware = Firmware(ports, flash)
    assert flash.read(ACR, 4) == 0x30
    flash.write(ACR, 4, 0x12)
    assert (flash.read(ACR, 4), ports.wait_states, ports.switches) == (0x32, {"FLASH": 2}, [])
    flash.write(ACR, 4, 0x22)
    assert (flash.read(ACR, 4), ports.switches) == (0x02, [("FLASH.PRFTBE", False)])
    flash.write(FLASH_CR, 4, 0x42)
    assert flash.read(FLASH_CR, 4) == 0x80 and flash.read(SR, 4) == 0  # locked
    for key in KEYS:
        flash.write(KEYR, 4, key)
    flash.write(FLASH_CR, 4, 0x42 | 1 << 12)  # erase a page, tell of its end
    assert flash.read(SR, 4) == 1
    assert 19_000 <= firmware.wait(SR, 1, 0, limit_us=25_000) <= 21_000
    assert flash.read(SR, 4) == 1 << 5 and ports.irq
    flash.write(SR, 4, 1 << 5)
    assert flash.read(SR, 4) == 0 and not ports.irq


# ACR, then HSE, PLL x 9 and the switch, each with its wait.
START = """
ldr r0, =0x40022000
movs r1, #{acr}
str r1, [r0]
ldr r0, =0x40021000
ldr r1, =0x00010083
str r1, [r0]
1: ldr r1, [r0]
lsls r1, r1, #14
bpl 1b
ldr r1, =0x001d0400
str r1, [r0, #4]
ldr r1, =0x01010083
str r1, [r0]
1: ldr r1, [r0]
lsls r1, r1, #6
bpl 1b
ldr r1, =0x001d0402
str r1, [r0, #4]
1: ldr r1, [r0, #4]
lsls r1, r1, #28
bpl 1b
"""
WORK = "fn work\nldr r2, =2000\n1: subs r2, #1\nnop\nnop\nnop\nnop\nnop\nnop\nbne 1b\nbx lr\nend work\n"


@needs_assembler
def test_firmware_chooses_clock_wait_states_and_prefetch(tmp_path: Path) -> None:
    cycles = {}
    for acr in (0x30, 0x32, 0x02):
        source = f"fn test\npush {{r4, lr}}\n{START.format(acr=acr)}bl work\npop {{r4, pc}}\nend test\n{WORK}"
        path = assemble_program(tmp_path / "p.elf", "nucleo-f103rb", source, {})
        pricer = pricer_for("nucleo-f103rb")
        record = run_image(load_image(str(path)), pricer, RunOptions(spans=("work",))).record
        last = record.epochs[-1]
        assert (last.clock_hz, dict(last.wait_states)["FLASH"]) == (72 * MHZ, acr & 7)
        assert dict(last.switches) == {"FLASH.PRFTBE": acr >> 4 & 1 == 1}
        profile = price(record, pricer)
        assert profile.clock_hz == 72 * MHZ and profile.cycles.nominal == record.live_cycles
        cycles[acr] = profile.spans[0].cycles
    assert cycles[0x30] < cycles[0x32] < cycles[0x02]
