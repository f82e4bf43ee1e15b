"""The ITM's registers as firmware uses them: what is sent, what is not, locks and widths."""

from __future__ import annotations

import pytest

from vtarget.shell.itm import Itm, Tpiu

STIM, TER, TPR, TCR, LAR, LSR = 0xE0000000, 0xE0000E00, 0xE0000E40, 0xE0000E80, 0xE0000FB0, 0xE0000FB4
KEY = 0xC5ACCE55


class Chip:
    """An ITM with its switch in DEMCR."""

    def __init__(self, core: str = "cortex-m4", traced: bool = True) -> None:
        self.traced = traced
        self.text = bytearray()
        self.itm = Itm(core, lambda: self.traced, self.text.extend)

    def unlock(self) -> None:
        self.itm.write(LAR, 4, KEY)

    def set_up(self, ports: int = 1) -> None:
        """As firmware does that needs no debugger."""
        self.unlock()
        self.itm.write(TCR, 4, 0x00010005)
        self.itm.write(TER, 4, ports)


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"])
def test_send_char(core: str) -> None:
    """CMSIS ITM_SendChar: if the ITM and port 0 are on, wait for the FIFO, write a byte."""
    chip = Chip(core)
    chip.set_up()
    for character in b"Hi\n":
        assert chip.itm.read(TCR, 4) & 1 and chip.itm.read(TER, 4) & 1
        assert chip.itm.read(STIM, 4) != 0
        chip.itm.write(STIM, 1, character)
    assert chip.text == b"Hi\n"
    assert chip.itm.notes == []


def test_widths() -> None:
    chip = Chip()
    chip.set_up()
    chip.itm.write(STIM, 4, 0x44434241)
    chip.itm.write(STIM, 2, 0x4645)
    chip.itm.write(STIM, 1, 0x47)
    assert chip.text == b"ABCDEFG"


def test_the_fifo_is_ready() -> None:
    chip = Chip()
    assert [chip.itm.read(STIM + 4 * port, 4) for port in range(32)] == [1] * 32
    assert chip.itm.read(STIM, 1) == 1
    newer = Chip("cortex-m33")
    newer.set_up(ports=1)
    assert (newer.itm.read(STIM, 4), newer.itm.read(STIM + 4, 4)) == (1, 3)  # bit 1: disabled


@pytest.mark.parametrize("missing", ["TRCENA", "ITMENA", "TER"])
def test_nothing_is_sent_while_a_switch_is_off(missing: str) -> None:
    chip = Chip(traced=missing != "TRCENA")
    chip.unlock()
    chip.itm.write(TCR, 4, 0 if missing == "ITMENA" else 1)
    chip.itm.write(TER, 4, 2 if missing == "TER" else 1)
    chip.itm.write(STIM, 1, 0x41)
    chip.itm.write(STIM, 1, 0x42)
    assert chip.text == b""
    assert chip.itm.notes == ["ITM: 2 writes to stimulus ports that are off (DEMCR, ITM_TCR, ITM_TER)"]


def test_other_ports_are_kept_and_noted() -> None:
    chip = Chip()
    chip.set_up(ports=1 << 31 | 1 << 1)
    for _ in range(3):
        chip.itm.write(STIM + 4, 4, 0x64636261)
    chip.itm.write(STIM + 4 * 31, 1, 0x7A)
    assert chip.text == b""
    assert {port: bytes(text) for port, text in chip.itm.texts.items()} == {1: b"abcd" * 3, 31: b"z"}
    assert chip.itm.notes == ["ITM port 1: 12 bytes not shown", "ITM port 31: 1 bytes not shown"]


def test_what_is_kept_is_bounded() -> None:
    chip = Chip()
    chip.set_up(ports=2)
    for _ in range(20_000):
        chip.itm.write(STIM + 4, 4, 0x64636261)
    assert len(chip.itm.texts[1]) == 0x10000
    assert chip.itm.notes == ["ITM port 1: 80000 bytes not shown"]


def test_the_lock() -> None:
    chip = Chip()
    assert chip.itm.read(LSR, 4) == 3
    chip.itm.write(TER, 4, 0xF)
    chip.itm.write(TCR, 4, 1)
    assert (chip.itm.read(TER, 4), chip.itm.read(TCR, 4)) == (0, 0)
    chip.unlock()
    assert chip.itm.read(LSR, 4) == 1
    chip.itm.write(TER, 4, 0xF)
    chip.itm.write(LAR, 4, 0)
    chip.itm.write(TER, 4, 0)
    assert (chip.itm.read(TER, 4), chip.itm.read(LSR, 4)) == (0xF, 3)
    assert chip.itm.read(LAR, 4) == 0


def test_armv8_m_has_no_lock() -> None:
    chip = Chip("cortex-m33")
    assert chip.itm.read(LSR, 4) == 0
    chip.itm.write(LAR, 4, 0)
    chip.itm.write(TER, 4, 0xF)
    assert chip.itm.read(TER, 4) == 0xF


def test_registers_keep_their_bits() -> None:
    chip = Chip()
    chip.unlock()
    chip.itm.write(TCR, 4, 0xFFFFFFFF)
    assert chip.itm.read(TCR, 4) == 0x007F0F3F  # BUSY is read-only
    chip.itm.write(TPR, 4, 0xFFFFFFFF)
    assert chip.itm.read(TPR, 4) == 0xF
    chip.itm.write(TER, 4, 0x11223344)
    chip.itm.write(TER + 1, 1, 0xFF)
    chip.itm.write(TER + 2, 2, 0xAABB)
    assert chip.itm.read(TER, 4) == 0xAABBFF44
    assert (chip.itm.read(TER + 3, 1), chip.itm.read(TER, 2)) == (0xAA, 0xFF44)
    chip.itm.write(LSR, 4, 0xFF)
    assert chip.itm.read(LSR, 4) == 1


def test_the_tpiu_is_memory() -> None:
    tpiu = Tpiu()
    assert tpiu.read(0xE00400F0, 4) == 1
    tpiu.write(0xE00400F0, 4, 2)
    tpiu.write(0xE0040010, 4, 0x1234)
    tpiu.write(0xE0040011, 1, 0xFF)
    assert (tpiu.read(0xE00400F0, 4), tpiu.read(0xE0040010, 4)) == (2, 0xFF34)
    tpiu.write(0xE0040300, 4, 0)
    assert tpiu.read(0xE0040300, 1) == 8
