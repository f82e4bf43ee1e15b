"""PWR of the STM32 families: the handshakes that start-up code waits for, and the choice of low-power modes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.stm32lib import STEPS, BoardPorts, Firmware
from vtarget.shell.devices import stm32_pwr_f4 as f4
from vtarget.shell.devices import stm32_pwr_g0 as g0
from vtarget.shell.devices import stm32_pwr_l4 as l4
from vtarget.shell.devices import stm32_pwr_u5 as u5
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.stm32_pwr_core import Stm32Pwr
from vtarget.shell.devices.stm32_rcc_l4 import BDCR, Stm32RccL4
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE

MODELS = ("stm32_pwr_l4", "stm32_pwr_g0", "stm32_pwr_f4.f4", "stm32_pwr_f4.f7", "stm32_pwr_u5")
DBP = {"stm32_pwr_l4": 0x0, "stm32_pwr_g0": 0x0, "stm32_pwr_f4.f4": 0x0, "stm32_pwr_f4.f7": 0x0, "stm32_pwr_u5": 0x28}


def board(model: str) -> tuple[BoardPorts, Stm32Pwr, Firmware]:
    ports = BoardPorts(core_hz=16_000_000, name="PWR")
    pwr = make_device(model, ports)
    assert isinstance(pwr, Stm32Pwr)
    return ports, pwr, Firmware(ports, pwr)


@pytest.mark.parametrize("model", MODELS)
def test_dbp_opens_the_backup_domain(model: str) -> None:
    ports, pwr, firmware = board(model)
    assert BACKUP_WRITE not in ports.signals
    bit = 1 if model == "stm32_pwr_u5" else 1 << 8
    firmware.set(DBP[model], bit)
    assert pwr.read(DBP[model], 4) & bit and ports.signals[BACKUP_WRITE]
    firmware.clear(DBP[model], bit)
    assert not ports.signals[BACKUP_WRITE]


def test_pwr_and_rcc_together_start_lse() -> None:
    ports, _, firmware = board("stm32_pwr_l4")
    rcc = Stm32RccL4(ports)
    firmware.set(l4.CR1, l4.DBP)
    Firmware(ports, rcc).set(BDCR, 1)
    assert Firmware(ports, rcc).wait(BDCR, 2, 2, limit_us=2_100_000) >= 1_999_990


MODE_CASES = [
    *((("stm32_pwr_l4"), l4.CR1, lpms, mode) for lpms, mode in enumerate(l4.MODES)),
    *(
        (("stm32_pwr_g0"), l4.CR1, lpms, mode)
        for lpms, mode in enumerate(("stop0", "stop1", "stop1", "standby", *["shutdown"] * 4))
    ),
    *((("stm32_pwr_u5"), u5.CR1, lpms, mode) for lpms, mode in enumerate(u5.MODES)),
    ("stm32_pwr_l4", l4.CR1, 1 << 14 | 0, "stop1"),
    ("stm32_pwr_l4", l4.CR1, 1 << 14 | 2, "stop1"),
    ("stm32_pwr_l4", l4.CR1, 1 << 14 | 3, "standby"),
    ("stm32_pwr_f4.f4", f4.CR, 1, "stop"),
    ("stm32_pwr_f4.f7", f4.CR, 2, "standby"),
]


@pytest.mark.parametrize(("model", "register", "bits", "mode"), MODE_CASES)
def test_low_power_modes(model: str, register: int, bits: int, mode: str) -> None:
    _, pwr, firmware = board(model)
    firmware.set(register, bits)
    assert pwr.low_power_mode == mode


@pytest.mark.parametrize(("model", "time_us"), [("stm32_pwr_l4", 20), ("stm32_pwr_g0", 5)])
def test_a_rise_of_the_voltage_shows_in_vosf(model: str, time_us: int) -> None:
    _, pwr, firmware = board(model)
    assert pwr.read(l4.CR1, 4) & l4.VOS == l4.RANGE_1
    firmware.modify(l4.CR1, l4.VOS, l4.RANGE_2)
    assert pwr.read(l4.SR2, 4) & l4.VOSF == 0
    firmware.modify(l4.CR1, l4.VOS, l4.RANGE_1)
    assert pwr.read(l4.SR2, 4) & l4.VOSF
    assert time_us - 2 <= firmware.wait(l4.SR2, l4.VOSF, 0) <= time_us + 2


@pytest.mark.parametrize("vos", [0, 3 << 9])
def test_ranges_that_do_not_exist_are_not_taken(vos: int) -> None:
    _, pwr, firmware = board("stm32_pwr_l4")
    firmware.modify(l4.CR1, l4.VOS, vos)
    assert pwr.read(l4.CR1, 4) & l4.VOS == l4.RANGE_1


def test_low_power_run_shows_in_reglpf() -> None:
    _, pwr, firmware = board("stm32_pwr_l4")
    firmware.set(l4.CR1, l4.LPR)
    assert pwr.read(l4.SR2, 4) & l4.REGLPF
    firmware.clear(l4.CR1, l4.LPR)
    assert pwr.read(l4.SR2, 4) & l4.REGLPF
    firmware.wait(l4.SR2, l4.REGLPF, 0, limit_us=10)


def test_status_of_the_l4_is_read_only() -> None:
    _, pwr, _ = board("stm32_pwr_l4")
    pwr.write(l4.SR2, 4, 0xFFFFFFFF)
    pwr.write(l4.SCR, 4, 0xFFFFFFFF)
    assert (pwr.read(l4.SR2, 4), pwr.read(l4.SCR, 4), pwr.read(l4.SR1, 4)) == (l4.REGLPS, 0, 0)


def test_the_g0_has_its_reset_values() -> None:
    _, pwr, _ = board("stm32_pwr_g0")
    assert (pwr.read(l4.CR1, 4), pwr.read(l4.CR3, 4), pwr.read(l4.SR2, 4)) == (0x208, 0x8000, g0.FLASH_RDY | 0x100)


@pytest.mark.parametrize(("model", "vos"), [("stm32_pwr_f4.f4", f4.F4_VOS), ("stm32_pwr_f4.f7", 1 << 15)])
def test_vosrdy_drops_while_the_voltage_changes(model: str, vos: int) -> None:
    _, pwr, firmware = board(model)
    assert pwr.read(f4.CSR, 4) & f4.VOSRDY
    firmware.clear(f4.CR, vos)
    assert pwr.read(f4.CSR, 4) & f4.VOSRDY == 0
    firmware.wait(f4.CSR, f4.VOSRDY, f4.VOSRDY, limit_us=50)
    firmware.set(f4.CR, f4.CWUF | f4.CSBF)
    assert pwr.read(f4.CR, 4) & (f4.CWUF | f4.CSBF) == 0


def test_over_drive_of_the_f7() -> None:
    """As the HAL: generator, wait, switch, wait; and back."""
    ports, pwr, firmware = board("stm32_pwr_f4.f7")
    firmware.set(f4.CR, f4.ODEN)
    assert 40 <= firmware.wait(f4.CSR, f4.ODRDY, f4.ODRDY) <= 50
    firmware.set(f4.CR, f4.ODSWEN)
    assert 40 <= firmware.wait(f4.CSR, f4.ODSWRDY, f4.ODSWRDY) <= 50
    firmware.clear(f4.CR, f4.ODSWEN)
    firmware.clear(f4.CR, f4.ODEN)
    assert pwr.read(f4.CSR, 4) & (f4.ODRDY | f4.ODSWRDY) == 0
    assert not ports.notes
    firmware.set(f4.CR, f4.ODSWEN)
    assert ports.notes == ["PWR: ODSWEN is set without ODEN"]


def test_the_f4_has_no_over_drive() -> None:
    ports, pwr, firmware = board("stm32_pwr_f4.f4")
    firmware.set(f4.CR, f4.ODEN)
    ports.advance(1_000_000)
    assert pwr.read(f4.CSR, 4) & f4.ODRDY == 0


def test_the_backup_regulator() -> None:
    _, pwr, firmware = board("stm32_pwr_f4.f4")
    firmware.set(f4.CSR, f4.BRE)
    firmware.wait(f4.CSR, f4.BRR, f4.BRR)
    firmware.clear(f4.CSR, f4.BRE)
    assert pwr.read(f4.CSR, 4) == f4.VOSRDY


def test_range_1_of_the_u5_with_its_booster() -> None:
    """VOS and BOOSTEN at once, VOSRDY, ACTVOSRDY, then BOOSTRDY before SYSCLK rises."""
    _, pwr, firmware = board("stm32_pwr_u5")
    assert pwr.read(u5.VOSR, 4) == u5.VOSRDY
    firmware.modify(u5.VOSR, u5.VOS | u5.BOOSTEN, 3 << 16 | u5.BOOSTEN)
    assert pwr.read(u5.VOSR, 4) & (u5.VOSRDY | u5.BOOSTRDY) == 0
    assert pwr.read(u5.SVMSR, 4) & (u5.ACTVOS | u5.ACTVOSRDY) == 0
    assert 18 <= firmware.wait(u5.VOSR, u5.VOSRDY, u5.VOSRDY) <= 22
    firmware.wait(u5.SVMSR, u5.ACTVOSRDY | u5.ACTVOS, u5.ACTVOSRDY | 3 << 16, limit_us=5)
    firmware.wait(u5.VOSR, u5.BOOSTRDY, u5.BOOSTRDY, limit_us=5)
    firmware.clear(u5.VOSR, u5.BOOSTEN)
    assert pwr.read(u5.VOSR, 4) == u5.VOSRDY | 3 << 16


def test_smps_and_supply_monitors_of_the_u5() -> None:
    _, pwr, firmware = board("stm32_pwr_u5")
    firmware.set(u5.CR3, u5.REGSEL)
    firmware.wait(u5.SVMSR, u5.REGS, u5.REGS, limit_us=40)
    firmware.clear(u5.CR3, u5.REGSEL)
    firmware.wait(u5.SVMSR, u5.REGS, 0, limit_us=40)
    firmware.set(u5.SVMCR, 1 << 25)
    assert pwr.read(u5.SVMSR, 4) == u5.ACTVOSRDY | 1 << 25
    pwr.write(u5.SVMSR, 4, 0)
    pwr.write(u5.WUSCR, 4, 0xFF)
    pwr.write(u5.SR, 4, 6)
    assert (pwr.read(u5.SVMSR, 4), pwr.read(u5.WUSR, 4), pwr.read(u5.SR, 4)) == (u5.ACTVOSRDY | 1 << 25, 0, 0)


@given(steps=STEPS, model=st.sampled_from(MODELS))
def test_any_program_has_a_mode(steps: list[tuple[int, int]], model: str) -> None:
    ports, pwr, _ = board(model)
    for word, value in steps:
        pwr.write(4 * word, 4, value)
        ports.advance(100)
        assert 0 <= pwr.read(4 * word, 4) <= 0xFFFFFFFF
        assert pwr.low_power_mode in {"stop", "stop0", "stop1", "stop2", "stop3", "standby", "shutdown"}
