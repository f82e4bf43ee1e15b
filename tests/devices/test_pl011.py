"""The PL011 as in DDI 0183G, and the Apollo's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.pl011 import AmbiqUart, Pl011

DR, RSR, FR, IBRD, FBRD, LCR_H, CR, IFLS = 0x00, 0x04, 0x18, 0x24, 0x28, 0x2C, 0x30, 0x34
IMSC, RIS, MIS, ICR, DMACR = 0x38, 0x3C, 0x40, 0x44, 0x48
RX, TX, RT, OE = 0x10, 0x20, 0x40, 0x400
FRAME = 160  # 10 bits of 16 clocks


def make(line: int = 0x70, **options: int) -> tuple[Pl011, FakePorts]:
    ports = FakePorts(name="UART0", **options)
    uart = Pl011(ports)
    uart.write(IBRD, 4, 1)
    uart.write(FBRD, 4, 0)
    uart.write(LCR_H, 4, line)
    uart.write(CR, 4, 0x301)
    return uart, ports


def feed(ports: FakePorts, data: bytes) -> None:
    assert ports.wire.receiver is not None
    for byte in data:
        ports.wire.receiver(byte)


def test_reset_values() -> None:
    uart = Pl011(FakePorts())
    assert [uart.read(offset, 4) for offset in (FR, CR, IFLS, RIS, 0xFE0, 0xFE8, 0xFF4)] == [
        0x90,
        0x300,
        0x12,
        0,
        0x11,
        0x34,
        0xF0,
    ]


def test_a_byte_takes_its_frame_and_busy_lasts_as_long() -> None:
    uart, ports = make()
    uart.write(DR, 4, ord("A"))
    assert uart.read(FR, 4) == 0x98  # TXFE, RXFE, BUSY
    ports.advance(FRAME - 1)
    assert (bytes(ports.wire.sent), uart.read(FR, 4)) == (b"", 0x98)
    ports.advance(1)
    assert (bytes(ports.wire.sent), uart.read(FR, 4)) == (b"A", 0x90)


@pytest.mark.parametrize(("line", "bits"), [(0x70, 10), (0x72, 11), (0x7A, 12), (0x58, 10), (0x10, 7)])
def test_the_frame_has_word_parity_and_stop_bits(line: int, bits: int) -> None:
    uart, ports = make(line)
    uart.write(DR, 4, 0x15)
    ports.advance(16 * bits - 1)
    assert ports.wire.sent == b""
    ports.advance(1)
    assert ports.wire.sent == b"\x15"


def test_short_words_lose_their_high_bits() -> None:
    uart, ports = make(0x50)
    uart.write(DR, 4, 0xC1)
    ports.advance(FRAME)
    assert ports.wire.sent == b"\x41"


def test_the_divisor_has_64ths_and_is_taken_over_by_a_write_to_lcr_h() -> None:
    # DDI 0183G 3.3.6, example: 230400 baud from 4 MHz is 1 + 5/64.
    ports = FakePorts(core_hz=4_000_000)
    uart = Pl011(ports)
    uart.write(IBRD, 4, 1)
    uart.write(FBRD, 4, 5)
    assert ports.wire.baud == 0
    uart.write(LCR_H, 4, 0x70)
    assert ports.wire.baud == 231884


def test_the_fifo_takes_32_bytes_besides_the_one_being_shifted() -> None:
    uart, ports = make()
    for byte in range(34):
        uart.write(DR, 4, byte)
        assert bool(uart.read(FR, 4) & 0x20) == (byte >= 32)
    ports.advance(40 * FRAME)
    assert bytes(ports.wire.sent) == bytes(range(33))


def test_without_fifo_one_byte_waits() -> None:
    uart, ports = make(0x60)
    for byte in b"abc":
        uart.write(DR, 4, byte)
    assert uart.read(FR, 4) & 0xA0 == 0x20
    ports.advance(3 * FRAME)
    assert ports.wire.sent == b"ab"


def test_the_transmit_interrupt_comes_when_the_fifo_falls_to_its_level() -> None:
    uart, ports = make()
    uart.write(IFLS, 4, 0)  # 1/8: 4 bytes
    uart.write(IMSC, 4, TX)
    assert not ports.irq  # nothing has passed through the level
    for byte in range(6):
        uart.write(DR, 4, byte)
    assert uart.read(RIS, 4) == 0
    ports.advance(FRAME)
    assert (uart.read(RIS, 4), uart.read(MIS, 4), ports.irq) == (TX, TX, True)
    uart.write(ICR, 4, TX)
    ports.advance(9 * FRAME)
    assert (uart.read(RIS, 4), ports.irq) == (0, False)


def test_a_write_above_the_level_clears_the_transmit_interrupt() -> None:
    uart, ports = make(0x60)
    uart.write(DR, 4, 1)
    assert uart.read(RIS, 4) == TX
    uart.write(DR, 4, 2)
    assert uart.read(RIS, 4) == 0
    ports.advance(FRAME)
    assert uart.read(RIS, 4) == TX


def test_the_receive_interrupt_follows_the_level() -> None:
    uart, ports = make()
    uart.write(IFLS, 4, 0x00)
    uart.write(IMSC, 4, RX)
    feed(ports, b"abc")
    assert not ports.irq
    feed(ports, b"d")
    assert ports.irq
    assert uart.read(DR, 4) == ord("a")
    assert not ports.irq


def test_the_receive_timeout_comes_after_32_bits_of_silence() -> None:
    uart, ports = make()
    uart.write(IMSC, 4, RT)
    feed(ports, b"a")
    ports.advance(500)
    feed(ports, b"b")
    ports.advance(32 * 16 - 1)
    assert not ports.irq
    ports.advance(1)
    assert (ports.irq, uart.read(MIS, 4)) == (True, RT)
    assert [uart.read(DR, 4), uart.read(DR, 4)] == [ord("a"), ord("b")]
    assert (ports.irq, uart.read(FR, 4)) == (False, 0x90)


def test_overrun_keeps_the_fifo_and_marks_the_next_read() -> None:
    uart, ports = make(0x60)
    feed(ports, b"ab")
    assert (uart.read(RSR, 4), uart.read(RIS, 4) & OE, uart.read(FR, 4) & 0x50) == (8, OE, 0x40)
    assert uart.read(DR, 4) == 0x800 | ord("a")
    feed(ports, b"c")
    assert uart.read(DR, 4) == ord("c")
    uart.write(RSR, 4, 0)
    assert uart.read(RSR, 4) == 0


def test_switched_off_it_receives_nothing_and_bytes_wait() -> None:
    uart, ports = make()
    uart.write(CR, 4, 0x300)
    feed(ports, b"a")
    uart.write(DR, 4, ord("A"))
    ports.advance(1000)
    assert (bytes(ports.wire.sent), uart.read(FR, 4)) == (b"", 0x18)
    uart.write(CR, 4, 0x301)
    ports.advance(FRAME)
    assert (bytes(ports.wire.sent), uart.read(FR, 4)) == (b"A", 0x90)


def test_the_byte_on_its_way_is_finished_when_the_uart_is_switched_off() -> None:
    uart, ports = make()
    uart.write(DR, 4, ord("A"))
    uart.write(DR, 4, ord("B"))
    uart.write(CR, 4, 0)
    ports.advance(10 * FRAME)
    assert ports.wire.sent == b"A"


def test_without_a_divisor_bytes_are_lost_with_a_note() -> None:
    ports = FakePorts(name="UART1")
    uart = Pl011(ports)
    uart.write(LCR_H, 4, 0x70)
    uart.write(CR, 4, 0x301)
    uart.write(DR, 4, 1)
    assert (uart.read(FR, 4), ports.notes) == (0x90, ["UART1: no baud rate is set: bytes written are lost"])


def test_loopback() -> None:
    uart, ports = make()
    uart.write(CR, 4, 0x381)
    uart.write(DR, 4, ord("x"))
    ports.advance(FRAME)
    assert (uart.read(DR, 4), bytes(ports.wire.sent)) == (ord("x"), b"")


def test_dma_requests() -> None:
    uart, ports = make(0x60)
    uart.write(DMACR, 4, 3)
    assert ports.signals == {"UART0_TX": True}
    uart.write(DR, 4, 1)
    uart.write(DR, 4, 2)
    assert ports.signals == {"UART0_TX": False}
    feed(ports, b"a")
    assert ports.signals["UART0_RX"]
    uart.read(DR, 4)
    ports.advance(FRAME)
    assert ports.signals == {"UART0_TX": True, "UART0_RX": False}


def test_turning_the_fifo_on_empties_it() -> None:
    uart, ports = make(0x60)
    feed(ports, b"a")
    uart.write(LCR_H, 4, 0x70)
    assert uart.read(FR, 4) == 0x90


@given(st.binary(max_size=80), st.sampled_from([0x60, 0x70]))
def test_polling_firmware_gets_every_byte_out_in_order_at_full_speed(text: bytes, line: int) -> None:
    uart, ports = make(line)
    for byte in text:
        while uart.read(FR, 4) & 0x20:
            ports.advance(1)
        uart.write(DR, 4, byte)
    ports.advance(FRAME * len(text) - ports.cycle)
    assert (bytes(ports.wire.sent), uart.read(FR, 4)) == (text, 0x90)


def apollo(control: int) -> tuple[AmbiqUart, FakePorts]:
    ports = FakePorts(name="UART0", core_hz=96_000_000)
    uart = AmbiqUart(ports)
    uart.write(CR, 4, control)
    uart.write(IBRD, 4, 13)
    uart.write(FBRD, 4, 1)
    uart.write(LCR_H, 4, 0x70)
    uart.write(CR, 4, control | 0x301)
    return uart, ports


@pytest.mark.parametrize(("select", "baud"), [(1, 115246), (2, 57623), (3, 28812), (4, 14406), (5, 230492)])
def test_the_apollo_selects_a_clock(select: int, baud: int) -> None:
    assert apollo(select << 4 | 8)[1].wire.baud == baud


@pytest.mark.parametrize("control", [0x08, 0x10, 0x68, 0x78])
def test_without_clock_the_apollo_sends_nothing_and_says_so(control: int) -> None:
    uart, ports = apollo(control)
    uart.write(DR, 4, 1)
    ports.advance(1_000_000)
    assert (ports.wire.baud, bytes(ports.wire.sent), uart.read(FR, 4), len(ports.notes)) == (0, b"", 0x90, 1)


def test_the_apollo_sends_at_its_own_clock() -> None:
    uart, ports = apollo(0x18)
    uart.write(DR, 4, ord("A"))
    cycles = 2082 * 4  # 10 bits of 13 1/64 * 16 clocks of 24 MHz are 2082.5: whole clocks count
    ports.advance(cycles - 1)
    assert ports.wire.sent == b""
    ports.advance(1)
    assert ports.wire.sent == b"A"


def test_what_the_fifo_holds_when_the_core_stops_is_still_sent() -> None:
    uart, ports = make()
    for byte in b"last words":
        uart.write(DR, 4, byte)
    ports.advance(FRAME + 1)
    uart.drain()
    assert bytes(ports.wire.sent) == b"last words"
    uart.drain()
    ports.advance(100 * FRAME)
    assert bytes(ports.wire.sent) == b"last words"
