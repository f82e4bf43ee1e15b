"""The CMSDK GPIO, as DDI 0479D 4.1 describes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.cmsdk_gpio import CmsdkGpio

DATA, DATAOUT, OUTENSET, OUTENCLR, ALTFUNCSET = 0x0, 0x4, 0x10, 0x14, 0x18
INTENSET, INTENCLR, INTTYPESET, INTTYPECLR, INTPOLSET, INTPOLCLR, INTSTATUS = 0x20, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38


def made(inputs: int = 0) -> tuple[CmsdkGpio, FakePorts]:
    ports = FakePorts(name="GPIO0", options={"inputs_high": inputs})
    return CmsdkGpio(ports), ports


def test_output_pins_are_told_and_read_back() -> None:
    gpio, ports = made(inputs=0x8000)
    gpio.write(DATAOUT, 4, 0x0008)
    assert ports.pins == []
    gpio.write(OUTENSET, 4, 0x000C)
    assert ports.pins == [(0, "GPIO0.2", False), (0, "GPIO0.3", True)]
    assert gpio.read(DATA, 4) == 0x8008
    gpio.write(DATA, 4, 0)
    assert ports.pins[2:] == [(0, "GPIO0.3", False)]
    assert gpio.read(DATAOUT, 4) == 0


def test_set_and_clear_registers_show_the_same() -> None:
    gpio, _ = made()
    for base in (OUTENSET, ALTFUNCSET, INTENSET, INTTYPESET, INTPOLSET):
        gpio.write(base, 4, 0xF0F0)
        gpio.write(base + 4, 4, 0x00F0)
        assert gpio.read(base, 4) == gpio.read(base + 4, 4) == 0xF000


def test_a_byte_written_to_a_clear_register_clears_only_its_bits() -> None:
    gpio, _ = made()
    gpio.write(OUTENSET, 4, 0xFFFF)
    gpio.write(OUTENCLR + 1, 1, 0x01)
    assert gpio.read(OUTENSET, 4) == 0xFEFF


def test_pins_of_an_alternate_function_are_not_driven() -> None:
    gpio, ports = made()
    gpio.write(ALTFUNCSET, 4, 1)
    gpio.write(OUTENSET, 4, 3)
    gpio.write(DATAOUT, 4, 3)
    assert ports.pins == [(0, "GPIO0.1", False), (0, "GPIO0.1", True)]


def test_masked_access_of_the_manuals_example() -> None:
    # DDI 0479D 4.1.3: bits 1 and 0 of the low byte through mask 0x03, bits 7 to 4 of the high byte through 0xF0.
    gpio, _ = made(inputs=0xFFFF)
    gpio.write(DATAOUT, 4, 0x5555)
    gpio.write(0x400 + 0x03 * 4, 4, 0xFFFE)
    assert gpio.read(DATAOUT, 4) == 0x5556
    gpio.write(0x800 + 0xF0 * 4, 4, 0xA0FF)
    assert gpio.read(DATAOUT, 4) == 0xA556
    assert gpio.read(0x400 + 0x03 * 4, 4) == 0x0003
    assert gpio.read(0x800 + 0xF0 * 4, 4) == 0xF000


@given(st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.booleans())
def test_masked_writes_change_nothing_else(mask: int, old: int, new: int, high: bool) -> None:
    gpio, _ = made()
    gpio.write(DATAOUT, 4, old)
    gpio.write((0x800 if high else 0x400) + 4 * mask, 4, new)
    wide = mask << 8 if high else mask
    assert gpio.read(DATAOUT, 4) == old & ~wide | new & wide


def test_rising_edge_interrupts_until_it_is_cleared() -> None:
    gpio, ports = made()
    for register in (INTTYPESET, INTPOLSET, INTENSET):
        gpio.write(register, 4, 1 << 3)
    assert not ports.irq
    gpio.set_input(3, True)
    assert ports.irq
    assert ports.irqs["PIN3"]
    gpio.set_input(3, False)
    assert gpio.read(INTSTATUS, 4) == 8
    gpio.write(INTSTATUS, 4, 8)
    assert not ports.irq
    assert not ports.irqs["PIN3"]


def test_falling_edge() -> None:
    gpio, ports = made(inputs=1)
    gpio.write(INTTYPESET, 4, 1)
    gpio.write(INTENSET, 4, 1)
    assert not ports.irq
    gpio.set_input(0, False)
    assert ports.irq


def test_level_interrupt_comes_back_while_the_level_lasts() -> None:
    gpio, ports = made(inputs=1)
    gpio.write(INTPOLSET, 4, 1)
    gpio.write(INTENSET, 4, 1)
    gpio.write(INTSTATUS, 4, 1)
    assert ports.irq
    gpio.set_input(0, False)
    gpio.write(INTSTATUS, 4, 1)
    assert not ports.irq


def test_an_output_can_interrupt() -> None:
    gpio, ports = made()
    for register in (OUTENSET, INTTYPESET, INTPOLSET, INTENSET):
        gpio.write(register, 4, 2)
    gpio.write(DATAOUT, 4, 2)
    assert ports.irqs == {"": True, "PIN1": True}
    gpio.write(INTENCLR, 4, 2)
    assert gpio.read(INTSTATUS, 4) == 2  # what is latched stays until it is cleared


def test_identification() -> None:
    gpio, _ = made()
    assert [gpio.read(0xFE0 + 4 * i, 4) for i in range(4)] == [0x20, 0xB8, 0x1B, 0]
    assert [gpio.read(0xFF0 + 4 * i, 4) for i in range(4)] == [0x0D, 0xF0, 0x05, 0xB1]
