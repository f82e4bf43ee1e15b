"""Caches and prefetch buffers that firmware switches: which bits are reported, by the names that board files use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.data.board import Board
from vtarget.logic.switches import reset_switches, typical_switches
from vtarget.shell.boardlib import board_names, load_board, load_chip
from vtarget.shell.devices.registry import make_device

ACR = 0x00
# Model, its register with the enable bits, and the mask of each: FLASH_ACR_* and *CACHE_CR_EN of the CMSIS headers,
# ICACHECNF.CACHEEN (nrf52840_bitfields.h), XIP_CTRL_EN (RP2040 datasheet 2.6.3), CACHECFG.ENABLE (apollo3.h).
MODELS = [
    ("stm32_flash_f1", "FLASH", ACR, {"FLASH.PRFTBE": 1 << 4}),
    ("stm32_flash_f4.f4", "FLASH", ACR, {"FLASH.PRFTEN": 1 << 8, "FLASH.ICEN": 1 << 9, "FLASH.DCEN": 1 << 10}),
    ("stm32_flash_f4.f7", "FLASH", ACR, {"FLASH.PRFTEN": 1 << 8, "FLASH.ARTEN": 1 << 9}),
    ("stm32_flash_l4", "FLASH", ACR, {"FLASH.PRFTEN": 1 << 8, "FLASH.ICEN": 1 << 9, "FLASH.DCEN": 1 << 10}),
    ("stm32_flash_g0", "FLASH", ACR, {"FLASH.PRFTEN": 1 << 8, "FLASH.ICEN": 1 << 9}),
    ("stm32_flash_u5", "FLASH", ACR, {"FLASH.PRFTEN": 1 << 8}),
    ("stm32_icache", "ICACHE", 0x00, {"ICACHE.EN": 1}),
    ("stm32_icache.dcache", "DCACHE1", 0x00, {"DCACHE1.EN": 1}),
    ("nrf_nvmc", "NVMC", 0x540, {"NVMC.ICACHE": 1}),
    ("rp2040_xip", "XIP_CTRL", 0x00, {"XIP.EN": 1}),
    ("ambiq_cachectrl.apollo4", "CPU", 0x00, {"CACHECTRL.ENABLE": 1}),
    ("ambiq_cachectrl.apollo3", "CACHECTRL", 0x00, {"CACHECTRL.ENABLE": 1}),
]
REGISTERS = {model: (register, bits) for model, _, register, bits in MODELS}
ON_AFTER_RESET = {
    "stm32_flash_f1": {"FLASH.PRFTBE"},
    "stm32_flash_l4": {"FLASH.ICEN", "FLASH.DCEN"},
    "stm32_flash_g0": {"FLASH.ICEN"},
    "rp2040_xip": {"XIP.EN"},
}
BOARDS = [name for name in board_names() if load_board(name).chip]


@pytest.mark.parametrize(("model", "name", "register", "bits"), MODELS, ids=[m[0] for m in MODELS])
def test_each_bit_is_reported_when_it_changes(model: str, name: str, register: int, bits: dict[str, int]) -> None:
    ports = FakePorts(name=name)
    device = make_device(model, ports)
    reset = device.read(register, 4)
    assert {switch for switch, bit in bits.items() if reset & bit} == ON_AFTER_RESET.get(model, set())
    assert ports.switches == []
    for switch, bit in bits.items():
        before = bool(reset & bit)
        device.write(register, 4, reset ^ bit)
        device.write(register, 4, reset ^ bit)
        device.write(register, 4, reset)
        assert ports.switches == [(switch, not before), (switch, before)]
        ports.switches.clear()


@given(st.sampled_from(MODELS), st.lists(st.integers(0, 0xFFFFFFFF), max_size=12), st.sampled_from([1, 2, 4]))
def test_the_last_report_is_the_bit(
    model: tuple[str, str, int, dict[str, int]], values: list[int], size_bytes: int
) -> None:
    kind, name, register, bits = model
    ports = FakePorts(name=name)
    device = make_device(kind, ports)
    known = {switch: bool(device.read(register, 4) & bit) for switch, bit in bits.items()}
    for value in values:
        device.write(register, size_bytes, value & (1 << 8 * size_bytes) - 1)
        for switch, on in ports.switches:
            assert known[switch] is not on
            known[switch] = on
        ports.switches.clear()
        assert known == {switch: bool(device.read(register, 4) & bit) for switch, bit in bits.items()}


# Model, name, what is written in turn (register, value), and the caches emptied by each write: ICRST is ACR's bit 11,
# DCRST 12, ARTRST 11, in force while the cache is off (RM0090 3.9.1, RM0385 3.7.1); CACHEINV is ICACHE_CR's bit 1
# (RM0456 8.7.1); a write of 1 to FLUSH (RP2040 datasheet 2.6.3.2); CTRL.INVALIDATE is bit 0 (apollo3.h, apollo4p.h).
INVALIDATIONS = [
    ("stm32_flash_f4.f4", "FLASH", [(ACR, 0x0800, ["FLASH.ICEN"]), (ACR, 0x1000, ["FLASH.DCEN"])]),
    ("stm32_flash_f4.f4", "FLASH", [(ACR, 0x0600, []), (ACR, 0x1E00, []), (ACR, 0, []), (ACR, 0x0400, [])]),
    ("stm32_flash_f1", "FLASH", [(ACR, 0x40, []), (ACR, 0x1800, [])]),
    ("stm32_flash_f4.f7", "FLASH", [(ACR, 0x0800, ["FLASH.ARTEN"]), (ACR, 0x0200, []), (ACR, 0x0A00, [])]),
    ("stm32_flash_l4", "FLASH", [(ACR, 0x1E00, []), (ACR, 0, []), (ACR, 0x1800, ["FLASH.DCEN", "FLASH.ICEN"])]),
    ("stm32_flash_g0", "FLASH", [(ACR, 0x0E00, []), (ACR, 0, []), (ACR, 0x0800, ["FLASH.ICEN"])]),
    ("stm32_icache", "ICACHE", [(0x0, 0x5, []), (0x0, 0x7, ["ICACHE.EN"]), (0x4, 0x2, [])]),
    ("stm32_icache.dcache", "DCACHE1", [(0x0, 0x2, ["DCACHE1.EN"])]),
    ("rp2040_xip", "XIP_CTRL", [(0x4, 0, []), (0x4, 1, ["XIP.EN"])]),
    ("ambiq_cachectrl.apollo4", "CPU", [(0x8, 1, ["CACHECTRL.ENABLE"]), (0x8, 2, [])]),
    ("ambiq_cachectrl.apollo3", "CACHECTRL", [(0x8, 1, ["CACHECTRL.ENABLE"]), (0x8, 0x400, [])]),
]


@pytest.mark.parametrize(("model", "name", "writes"), INVALIDATIONS, ids=[m[0] for m in INVALIDATIONS])
def test_what_empties_a_cache(model: str, name: str, writes: list[tuple[int, int, list[str]]]) -> None:
    ports = FakePorts(name=name)
    device = make_device(model, ports)
    for register, value, emptied in writes:
        device.write(register, 4, value)
        assert sorted(ports.invalidated) == emptied, (hex(register), hex(value))
        ports.invalidated.clear()


def test_other_registers_switch_nothing() -> None:
    for model, name, register, _ in MODELS:
        ports = FakePorts(name=name)
        device = make_device(model, ports)
        for offset in range(0, 0x800, 4):
            if offset != register:
                device.write(offset, 4, 0xFFFFFFFF)
        assert ports.switches == [], model


def reported(board: Board) -> dict[str, bool]:
    """Whether each switch that a device of the board's chip reports is on after reset."""
    assert board.chip is not None
    found: dict[str, bool] = {"SCB.IC": False, "SCB.DC": False} if board.core == "cortex-m7" else {}
    for entry in load_chip(board.chip).devices:
        if entry.model in REGISTERS:
            ports = FakePorts(name=entry.name, options={"base": entry.base, **entry.options})
            device = make_device(entry.model, ports)
            register, bits = REGISTERS[entry.model]
            device.write(register, 4, device.read(register, 4) ^ sum(bits.values()))
            found |= {switch: not on for switch, on in ports.switches}
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_every_switch_of_a_board_with_device_models_is_reported(name: str) -> None:
    board = load_board(name)
    known = reported(board)
    for switch, on in reset_switches(board):
        assert known[switch] is on, switch
    assert [switch for switch, _ in typical_switches(board)] == [switch for switch, _ in reset_switches(board)]
    units = [*board.caches, *(region.prefetch for region in board.regions if region.prefetch is not None)]
    assert all(unit.switch is not None for unit in units)
