"""Flash interfaces of the STM32 families: wait states, unlocking, and what an erase looks like to firmware."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.stm32lib import STEPS, BoardPorts, Firmware
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_flash_core import ACR, BSY, EOP, EOPIE, KEYS, LOCK, OPTION_KEYS, STRT, Stm32Flash


@dataclass(frozen=True)
class Family:
    """Register offsets and values of RM0432, RM0444, RM0456, RM0090 and RM0385."""

    model: str
    keyr: int
    optkeyr: int
    sr: int
    cr: int
    latency_mask: int
    reset_acr: int
    erase: int  # page or sector erase, of the first
    erase_us: int
    option_control: int
    option_lock: int


L4 = Family("stm32_flash_l4", 0x08, 0x0C, 0x10, 0x14, 0xF, 0x600, 2, 22_000, 0x14, 1 << 30)
G0 = Family("stm32_flash_g0", 0x08, 0x0C, 0x10, 0x14, 0x7, 0x40600, 2, 22_000, 0x14, 1 << 30)
U5 = Family("stm32_flash_u5", 0x08, 0x10, 0x20, 0x28, 0xF, 0, 2, 1500, 0x28, 1 << 30)
F4 = Family("stm32_flash_f4.f4", 0x04, 0x08, 0x0C, 0x10, 0x7, 0, 2, 1_000_000, 0x14, 1)
F7 = Family("stm32_flash_f4.f7", 0x04, 0x08, 0x0C, 0x10, 0xF, 0, 2, 1_000_000, 0x14, 1)
FAMILIES = [pytest.param(family, id=family.model) for family in (L4, G0, U5, F4, F7)]


def board(family: Family, **options: int | str) -> tuple[BoardPorts, Stm32Flash, Firmware]:
    ports = BoardPorts(core_hz=1_000_000, name="FLASH", options=options)
    flash = make_device(family.model, ports)
    assert isinstance(flash, Stm32Flash)
    return ports, flash, Firmware(ports, flash)


@pytest.mark.parametrize("family", FAMILIES)
def test_latency_reads_back_and_reaches_the_board(family: Family) -> None:
    ports, flash, firmware = board(family)
    assert (flash.read(ACR, 4), flash.wait_states, ports.wait_states) == (family.reset_acr, 0, {})
    firmware.modify(ACR, family.latency_mask, 5)
    assert (flash.read(ACR, 4), flash.wait_states) == (family.reset_acr | 5, 5)
    assert ports.wait_states == {"FLASH": 5}
    firmware.set(ACR, 1 << 8)  # prefetch
    assert flash.read(ACR, 4) == family.reset_acr | 0x105
    assert ports.wait_states == {"FLASH": 5}


def test_several_regions_may_lie_behind_one_interface() -> None:
    ports, _, firmware = board(F7, regions="FLASH FLASH_ITCM")
    firmware.set(ACR, 7)
    assert ports.wait_states == {"FLASH": 7, "FLASH_ITCM": 7}


@pytest.mark.parametrize("family", FAMILIES)
def test_two_keys_unlock(family: Family) -> None:
    ports, flash, firmware = board(family)
    flash.write(family.cr, 4, family.erase | STRT)
    assert flash.read(family.cr, 4) & LOCK and flash.read(family.sr, 4) == 0
    for key in KEYS:
        flash.write(family.keyr, 4, key)
    assert flash.read(family.cr, 4) & LOCK == 0
    firmware.set(family.cr, LOCK)
    for key in KEYS:
        flash.write(family.keyr, 4, key)
    assert flash.read(family.cr, 4) & LOCK == 0
    assert not ports.notes


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_key_locks_until_reset(family: Family) -> None:
    ports, flash, _ = board(family)
    for key in (KEYS[0], 0xDEAD, *KEYS):
        flash.write(family.keyr, 4, key)
    assert flash.read(family.cr, 4) & LOCK
    assert ports.notes == ["FLASH: a wrong key locks it until the next reset"]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_erase_is_busy_for_its_time(family: Family) -> None:
    ports, flash, firmware = board(family)
    for key in KEYS:
        flash.write(family.keyr, 4, key)
    firmware.set(family.cr, family.erase)
    firmware.set(family.cr, STRT)
    assert (flash.read(family.sr, 4), flash.read(family.cr, 4) & STRT) == (BSY, STRT)
    assert ports.notes == ["FLASH: erasing the flash is not modelled"]
    taken_us = firmware.wait(family.sr, BSY, 0, limit_us=2_000_000)
    assert abs(taken_us - family.erase_us) <= 10
    assert flash.read(family.cr, 4) & STRT == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_end_of_an_erase_interrupts_if_wanted(family: Family) -> None:
    ports, flash, firmware = board(family)
    for key in KEYS:
        flash.write(family.keyr, 4, key)
    firmware.set(family.cr, EOPIE | family.erase)
    firmware.set(family.cr, STRT)
    ports.advance(2_000_000)
    assert (flash.read(family.sr, 4), ports.irq) == (EOP, True)
    flash.write(family.sr, 4, EOP)
    assert (flash.read(family.sr, 4), ports.irq) == (0, False)


@pytest.mark.parametrize("family", FAMILIES)
def test_programming_is_noted(family: Family) -> None:
    ports, flash, firmware = board(family)
    for key in KEYS:
        flash.write(family.keyr, 4, key)
    firmware.set(family.cr, 1)
    assert ports.notes == ["FLASH: programming the flash is not modelled"]


@pytest.mark.parametrize("family", FAMILIES)
def test_option_bytes_have_a_lock_of_their_own(family: Family) -> None:
    ports, flash, _ = board(family)
    start = 2 if family.option_control == 0x14 and family.cr == 0x10 else 1 << 17
    for key in KEYS:
        flash.write(family.keyr, 4, key)
    flash.write(family.option_control, 4, family.option_lock | start)
    assert flash.read(family.option_control, 4) & family.option_lock and not ports.notes
    for key in OPTION_KEYS:
        flash.write(family.optkeyr, 4, key)
    assert flash.read(family.option_control, 4) & family.option_lock == 0
    flash.write(family.option_control, 4, start)
    assert ports.notes == ["FLASH: programming the option bytes is not modelled"]
    assert flash.read(family.sr, 4) & BSY and flash.read(family.option_control, 4) & start == 0


def test_option_bytes_as_the_board_gives_them() -> None:
    _, flash, _ = board(L4, option_bytes=0xFFAFF8AA)
    flash.write(0x20, 4, 0)
    assert flash.read(0x20, 4) == 0xFFAFF8AA
    assert flash.read(L4.keyr, 4) == 0


@given(steps=STEPS, family=st.sampled_from([L4, G0, U5, F4, F7]), unlock=st.booleans())
def test_any_program_ends_ready(steps: list[tuple[int, int]], family: Family, unlock: bool) -> None:
    ports, flash, _ = board(family)
    for key in KEYS if unlock else ():
        flash.write(family.keyr, 4, key)
    for word, value in steps:
        flash.write(4 * word, 4, value)
        ports.advance(50)
        assert 0 <= flash.read(4 * word, 4) <= 0xFFFFFFFF
    ports.advance(2_000_000)
    assert flash.read(family.sr, 4) & BSY == 0
    assert flash.wait_states <= family.latency_mask
