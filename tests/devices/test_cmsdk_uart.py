"""The CMSDK UART: flags, interrupts and times as in DDI 0479D 4.3 and on QEMU's boards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.cmsdk_uart import CmsdkUart

DATA, STATE, CTRL, INTSTATUS, BAUDDIV = 0x00, 0x04, 0x08, 0x0C, 0x10


def make(control: int = 3, divider: int = 16) -> tuple[CmsdkUart, FakePorts]:
    ports = FakePorts(name="UART0")
    uart = CmsdkUart(ports)
    uart.write(BAUDDIV, 4, divider)
    uart.write(CTRL, 4, control)
    return uart, ports


def feed(ports: FakePorts, byte: int) -> None:
    assert ports.wire.receiver is not None
    ports.wire.receiver(byte)


def test_a_byte_leaves_after_ten_bit_times() -> None:
    uart, ports = make()
    uart.write(DATA, 4, ord("A"))
    assert uart.read(STATE, 4) == 0  # in the shift register: the buffer is free again
    ports.advance(159)
    assert ports.wire.sent == b""
    ports.advance(1)
    assert ports.wire.sent == b"A"


def test_the_buffer_is_full_until_the_shift_register_is_free() -> None:
    uart, ports = make()
    uart.write(DATA, 1, ord("A"))
    uart.write(DATA, 1, ord("B"))
    assert uart.read(STATE, 4) == 1
    ports.advance(160)
    assert uart.read(STATE, 4) == 0
    ports.advance(160)
    assert ports.wire.sent == b"AB"


def test_a_write_to_a_full_buffer_replaces_it_and_is_an_overrun() -> None:
    uart, ports = make(control=0x11)
    for byte in b"ABC":
        uart.write(DATA, 4, byte)
    assert (uart.read(STATE, 4), uart.read(INTSTATUS, 4), ports.irqs["OVF"]) == (5, 4, True)
    uart.write(STATE, 4, 4)
    assert (uart.read(STATE, 4), uart.read(INTSTATUS, 4), ports.irqs["OVF"]) == (1, 0, False)
    ports.advance(400)
    assert ports.wire.sent == b"AC"
    assert ports.notes == ["UART0: the firmware doesn't wait for room (STATE.TXBF), characters are lost"]


def test_the_transmit_interrupt_tells_that_the_buffer_became_free() -> None:
    uart, ports = make(control=5)
    assert not ports.irqs.get("TX")
    uart.write(DATA, 4, 0x55)
    assert (uart.read(INTSTATUS, 4), ports.irqs["TX"], ports.irqs["COMB"]) == (1, True, True)
    uart.write(INTSTATUS, 4, 1)
    assert (uart.read(INTSTATUS, 4), ports.irqs["TX"], ports.irqs["COMB"]) == (0, False, False)


def test_reception() -> None:
    uart, ports = make(control=0x2A)
    feed(ports, ord("x"))
    assert (uart.read(STATE, 4), uart.read(INTSTATUS, 4), ports.irqs["RX"]) == (2, 2, True)
    uart.write(INTSTATUS, 4, 2)
    assert not ports.irqs["RX"]
    assert uart.read(DATA, 4) == ord("x")
    assert uart.read(STATE, 4) == 0


def test_a_byte_that_is_not_read_in_time_is_overrun() -> None:
    uart, ports = make(control=0x22)
    feed(ports, 1)
    feed(ports, 2)
    assert (uart.read(STATE, 4), ports.irqs["OVF"]) == (0xA, True)
    uart.write(INTSTATUS, 4, 8)
    assert (uart.read(STATE, 4), ports.irqs["OVF"]) == (2, False)
    assert uart.read(DATA, 4) == 2


def test_switched_off_it_neither_receives_nor_sends() -> None:
    uart, ports = make(control=0)
    feed(ports, 1)
    uart.write(DATA, 4, ord("A"))
    ports.advance(1000)
    assert (uart.read(STATE, 4), bytes(ports.wire.sent)) == (1, b"")
    uart.write(CTRL, 4, 1)
    ports.advance(160)
    assert (uart.read(STATE, 4), bytes(ports.wire.sent)) == (0, b"A")


def test_without_a_divider_it_sends_as_qemu_does_and_says_so() -> None:
    uart, ports = make(divider=0)
    uart.write(DATA, 4, ord("A"))
    ports.advance(160)
    assert ports.wire.sent == b"A"
    assert ports.notes == ["UART0: transmits with BAUDDIV 0; the least is 16, which is used"]


def test_high_speed_test_mode_sends_a_bit_a_clock() -> None:
    uart, ports = make(control=0x41, divider=1000)
    uart.write(DATA, 4, ord("A"))
    ports.advance(10)
    assert ports.wire.sent == b"A"


def test_the_rate_is_told_to_the_wire() -> None:
    _, ports = make(divider=104)
    assert ports.wire.baud == 9615


@pytest.mark.parametrize(
    ("offset", "value"), [(0xFD0, 0x04), (0xFE0, 0x21), (0xFE4, 0xB8), (0xFE8, 0x1B), (0xFFC, 0xB1)]
)
def test_identification(offset: int, value: int) -> None:
    assert make()[0].read(offset, 4) == value


def test_narrow_writes_of_data_take_nothing_from_the_receiver() -> None:
    uart, ports = make()
    feed(ports, 7)
    uart.write(DATA, 1, ord("A"))
    assert uart.read(STATE, 4) == 2


@given(st.binary(max_size=40), st.integers(16, 5000))
def test_polling_firmware_gets_every_byte_out_in_order(text: bytes, divider: int) -> None:
    uart, ports = make(divider=divider)
    for byte in text:
        while uart.read(STATE, 4) & 1:
            ports.advance(7)
        uart.write(DATA, 4, byte)
    ports.advance(20 * divider)
    assert ports.wire.sent == text
    assert not uart.read(STATE, 4) & 4
