"""The nRF's UART and UARTE, as in the nRF52840 product specification 6.33 and 6.34."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.nrf_uart import MODELS, NrfUart

STARTRX, STOPRX, STARTTX, STOPTX, FLUSHRX = 0x000, 0x004, 0x008, 0x00C, 0x02C
RXDRDY, ENDRX, TXDRDY, ENDTX, ERROR, RXTO = 0x108, 0x110, 0x11C, 0x120, 0x124, 0x144
RXSTARTED, TXSTARTED, TXSTOPPED = 0x14C, 0x150, 0x158
SHORTS, INTEN, INTENSET, INTENCLR, ERRORSRC = 0x200, 0x300, 0x304, 0x308, 0x480
ENABLE, RXD, TXD, BAUDRATE, CONFIG = 0x500, 0x518, 0x51C, 0x524, 0x56C
RXD_PTR, RXD_MAXCNT, RXD_AMOUNT, TXD_PTR, TXD_MAXCNT, TXD_AMOUNT = 0x534, 0x538, 0x53C, 0x544, 0x548, 0x54C
RAM = 0x2000_0000
FRAME = 160  # 1 Mbaud: 16 clocks a bit; the core runs at 16 MHz here


def make(mode: int = 4, model: str = "uarte") -> tuple[NrfUart, FakePorts]:
    ports = FakePorts(name="UART0", core_hz=16_000_000)
    ports.memory = dict.fromkeys(range(RAM, RAM + 64), 0)
    uart = MODELS[model](ports)
    uart.write(BAUDRATE, 4, 0x1000_0000)
    uart.write(ENABLE, 4, mode)
    return uart, ports


def feed(ports: FakePorts, data: bytes) -> None:
    assert ports.wire.receiver is not None
    for byte in data:
        ports.wire.receiver(byte)


def memory(ports: FakePorts, count: int, at: int = RAM) -> bytes:
    return bytes(ports.memory[at + i] for i in range(count))


def store(ports: FakePorts, data: bytes) -> None:
    ports.memory.update({RAM + i: byte for i, byte in enumerate(data)})


@pytest.mark.parametrize(
    ("register", "baud"),
    # The actual rates of the product specification's BAUDRATE tables.
    [
        (0x0004F000, 1205),
        (0x00275000, 9598),
        (0x009D0000, 38369),
        (0x00EB0000, 57554),
        (0x01D60000, 115108),
        (0x01D7E000, 115942),
        (0x04000000, 250000),
        (0x07400000, 457143),
        (0x075F7000, 470588),
        (0x0EBEDFA4, 941176),
        (0x10000000, 1000000),
        (0, 0),
    ],
)
def test_baud_rates(register: int, baud: int) -> None:
    uart, ports = make()
    uart.write(BAUDRATE, 4, register)
    assert ports.wire.baud == baud


@pytest.mark.parametrize("model", ["", "uarte"])
class TestUart:
    """The legacy UART, alone or as one half of the pair."""

    def test_a_byte_is_ready_when_it_is_out(self, model: str) -> None:
        uart, ports = make(4, model)
        uart.write(STARTTX, 4, 1)
        uart.write(TXD, 4, ord("A"))
        ports.advance(FRAME - 1)
        assert (bytes(ports.wire.sent), uart.read(TXDRDY, 4)) == (b"", 0)
        ports.advance(1)
        assert (bytes(ports.wire.sent), uart.read(TXDRDY, 4)) == (b"A", 1)
        uart.write(TXDRDY, 4, 0)
        assert uart.read(TXDRDY, 4) == 0

    @pytest.mark.parametrize(("config", "bits"), [(0, 10), (0xE, 11), (0x10, 11), (0x1E, 12)])
    def test_frames(self, model: str, config: int, bits: int) -> None:
        uart, ports = make(4, model)
        uart.write(CONFIG, 4, config)
        uart.write(STARTTX, 4, 1)
        uart.write(TXD, 4, 1)
        ports.advance(16 * bits - 1)
        assert ports.wire.sent == b""
        ports.advance(1)
        assert ports.wire.sent == b"\1"

    def test_interrupts(self, model: str) -> None:
        uart, ports = make(4, model)
        uart.write(INTENSET, 4, 1 << 7)
        uart.write(INTENSET, 4, 1 << 2)
        assert uart.read(INTENSET, 4) == uart.read(INTENCLR, 4) == 0x84
        uart.write(STARTTX, 4, 1)
        uart.write(TXD, 4, 1)
        ports.advance(FRAME)
        assert ports.irq
        uart.write(TXDRDY, 4, 0)
        assert not ports.irq
        uart.write(TXD, 4, 1)
        ports.advance(FRAME)
        uart.write(INTENCLR, 4, 1 << 7)
        assert (ports.irq, uart.read(INTENSET, 4), uart.read(TXDRDY, 4)) == (False, 4, 1)

    def test_nothing_is_sent_before_starttx_after_stoptx_or_while_off(self, model: str) -> None:
        uart, ports = make(4, model)
        uart.write(TXD, 4, 1)
        uart.write(STARTTX, 4, 1)
        uart.write(STOPTX, 4, 1)
        uart.write(TXD, 4, 2)
        uart.write(ENABLE, 4, 0)
        uart.write(STARTTX, 4, 1)
        uart.write(TXD, 4, 3)
        ports.advance(10 * FRAME)
        assert (bytes(ports.wire.sent), uart.read(TXDRDY, 4)) == (b"", 0)

    def test_the_fifo_gives_its_bytes_one_by_one(self, model: str) -> None:
        uart, ports = make(4, model)
        feed(ports, b"-")  # the receiver isn't started
        uart.write(STARTRX, 4, 1)
        feed(ports, b"abc")
        received = bytearray()
        while uart.read(RXDRDY, 4):
            uart.write(RXDRDY, 4, 0)
            received.append(uart.read(RXD, 4))
        assert received == b"abc"

    def test_a_seventh_byte_is_overrun(self, model: str) -> None:
        uart, ports = make(4, model)
        uart.write(STARTRX, 4, 1)
        feed(ports, b"123456")
        assert uart.read(ERROR, 4) == 0
        feed(ports, b"7")
        assert (uart.read(ERROR, 4), uart.read(ERRORSRC, 4)) == (1, 1)
        uart.write(ERRORSRC, 4, 1)
        assert uart.read(ERRORSRC, 4) == 0
        assert bytes(uart.read(RXD, 4) for _ in range(6)) == b"123456"

    def test_the_receiver_stops_after_four_frames(self, model: str) -> None:
        uart, ports = make(4, model)
        uart.write(STARTRX, 4, 1)
        uart.write(STOPRX, 4, 1)
        feed(ports, b"a")
        ports.advance(4 * FRAME - 1)
        assert uart.read(RXTO, 4) == 0
        ports.advance(1)
        feed(ports, b"b")
        assert (uart.read(RXTO, 4), uart.read(RXD, 4), uart.read(RXD, 4)) == (1, ord("a"), ord("a"))

    def test_baud_rate_zero_hangs_nothing(self, model: str) -> None:
        uart, ports = make(4, model)
        uart.write(BAUDRATE, 4, 0)
        uart.write(STARTTX, 4, 1)
        uart.write(TXD, 4, 1)
        ports.advance(100)
        assert ports.notes == ["UART0: BAUDRATE is 0: nothing is sent"]

    @given(text=st.binary(max_size=20))
    def test_waiting_for_txdrdy_sends_everything(self, model: str, text: bytes) -> None:
        uart, ports = make(4, model)
        uart.write(STARTTX, 4, 1)
        for byte in text:
            uart.write(TXDRDY, 4, 0)
            uart.write(TXD, 4, byte)
            while not uart.read(TXDRDY, 4):
                ports.advance(32)
        assert ports.wire.sent == text


def test_the_plain_uart_has_no_easydma() -> None:
    _, ports = make(8, "")
    assert ports.notes == ["UART0: ENABLE = 8 is not modelled"]


class TestUarte:
    """EasyDMA."""

    def start_tx(self, data: bytes) -> tuple[NrfUart, FakePorts]:
        uart, ports = make(8)
        store(ports, data)
        uart.write(TXD_PTR, 4, RAM)
        uart.write(TXD_MAXCNT, 4, len(data))
        uart.write(STARTTX, 4, 1)
        return uart, ports

    def test_a_buffer_is_sent(self) -> None:
        uart, ports = self.start_tx(b"hello")
        assert (uart.read(TXSTARTED, 4), uart.read(ENDTX, 4)) == (1, 0)
        ports.advance(FRAME)
        assert (bytes(ports.wire.sent), uart.read(TXDRDY, 4)) == (b"h", 1)
        ports.advance(4 * FRAME - 1)
        assert uart.read(ENDTX, 4) == 0
        ports.advance(1)
        assert (bytes(ports.wire.sent), uart.read(ENDTX, 4), uart.read(TXD_AMOUNT, 4)) == (b"hello", 1, 5)

    def test_the_address_can_be_set_anew_after_the_start(self) -> None:
        uart, ports = self.start_tx(b"ab")
        uart.write(TXD_PTR, 4, RAM + 32)
        uart.write(TXD_MAXCNT, 4, 9)
        ports.advance(20 * FRAME)
        assert ports.wire.sent == b"ab"

    def test_stoptx_ends_after_the_byte_on_its_way(self) -> None:
        uart, ports = self.start_tx(b"hello")
        ports.advance(FRAME + 1)
        uart.write(STOPTX, 4, 1)
        assert uart.read(TXSTOPPED, 4) == 0
        ports.advance(20 * FRAME)
        assert (bytes(ports.wire.sent), uart.read(TXSTOPPED, 4)) == (b"he", 1)
        assert (uart.read(ENDTX, 4), uart.read(TXD_AMOUNT, 4)) == (1, 2)

    def test_stoptx_of_an_idle_transmitter_and_an_empty_buffer(self) -> None:
        uart, _ = self.start_tx(b"")
        assert (uart.read(ENDTX, 4), uart.read(TXD_AMOUNT, 4)) == (1, 0)
        uart.write(STOPTX, 4, 1)
        assert uart.read(TXSTOPPED, 4) == 1

    @pytest.mark.parametrize("address", [0x1000_0000, 0x3000_0000])
    def test_a_buffer_outside_memory_ends_with_a_note(self, address: int) -> None:
        uart, ports = make(8)
        uart.write(TXD_PTR, 4, address)
        uart.write(TXD_MAXCNT, 4, 3)
        uart.write(STARTTX, 4, 1)
        assert (uart.read(ENDTX, 4), uart.read(TXD_AMOUNT, 4)) == (1, 0)
        assert "UART0: TXD.PTR is outside memory, or there is no baud rate" in ports.notes

    def test_a_buffer_in_flash_is_told(self) -> None:
        uart, ports = make(8)
        ports.memory[0x100] = ord("x")
        uart.write(TXD_PTR, 4, 0x100)
        uart.write(TXD_MAXCNT, 4, 1)
        uart.write(STARTTX, 4, 1)
        ports.advance(FRAME)
        assert ports.wire.sent == b"x"
        assert ports.notes == ["UART0: TXD.PTR is outside RAM, where EasyDMA on the chip doesn't reach"]

    def start_rx(self, count: int, shorts: int = 0) -> tuple[NrfUart, FakePorts]:
        uart, ports = make(8)
        uart.write(RXD_PTR, 4, RAM)
        uart.write(RXD_MAXCNT, 4, count)
        uart.write(SHORTS, 4, shorts)
        uart.write(STARTRX, 4, 1)
        return uart, ports

    def test_a_buffer_is_filled(self) -> None:
        uart, ports = self.start_rx(3)
        assert uart.read(RXSTARTED, 4) == 1
        feed(ports, b"ab")
        assert (uart.read(RXDRDY, 4), uart.read(ENDRX, 4)) == (1, 0)
        feed(ports, b"c")
        assert (uart.read(ENDRX, 4), uart.read(RXD_AMOUNT, 4), memory(ports, 4)) == (1, 3, b"abc\0")

    def test_bytes_between_two_buffers_wait_in_the_fifo(self) -> None:
        uart, ports = self.start_rx(1)
        uart.write(RXD_PTR, 4, RAM + 8)
        uart.write(RXD_MAXCNT, 4, 8)
        feed(ports, b"abcdefg")
        assert uart.read(ERROR, 4) == 0
        feed(ports, b"h")
        assert (uart.read(ERROR, 4), uart.read(ERRORSRC, 4)) == (1, 1)
        uart.write(STARTRX, 4, 1)
        assert (memory(ports, 1), memory(ports, 7, RAM + 8)) == (b"a", b"bcdefg\0")

    def test_the_short_starts_the_next_buffer(self) -> None:
        uart, ports = self.start_rx(2, 1 << 5)
        uart.write(RXD_PTR, 4, RAM + 8)
        feed(ports, b"abcd")
        assert (memory(ports, 2), memory(ports, 2, RAM + 8), uart.read(ENDRX, 4)) == (b"ab", b"cd", 1)

    def test_the_short_stops_the_receiver(self) -> None:
        uart, ports = self.start_rx(1, 1 << 6)
        feed(ports, b"a")
        ports.advance(4 * FRAME)
        assert uart.read(RXTO, 4) == 1

    def test_stoprx_ends_the_buffer_before_rxto(self) -> None:
        uart, ports = self.start_rx(8)
        feed(ports, b"ab")
        uart.write(STOPRX, 4, 1)
        feed(ports, b"c")
        ports.advance(4 * FRAME - 1)
        assert (uart.read(ENDRX, 4), uart.read(RXTO, 4)) == (0, 0)
        ports.advance(1)
        feed(ports, b"d")
        assert (uart.read(ENDRX, 4), uart.read(RXTO, 4), uart.read(RXD_AMOUNT, 4), memory(ports, 4)) == (
            1,
            1,
            3,
            b"abc\0",
        )

    def test_flushrx_moves_what_came_after_the_end(self) -> None:
        uart, ports = self.start_rx(1)
        feed(ports, b"a")
        uart.write(STOPRX, 4, 1)
        feed(ports, b"bc")
        ports.advance(4 * FRAME)
        uart.write(ENDRX, 4, 0)
        uart.write(RXD_PTR, 4, RAM + 8)
        uart.write(RXD_MAXCNT, 4, 8)
        uart.write(FLUSHRX, 4, 1)
        assert (uart.read(ENDRX, 4), uart.read(RXD_AMOUNT, 4), memory(ports, 3, RAM + 8)) == (1, 2, b"bc\0")

    def test_an_empty_buffer_with_the_short_hangs_nothing(self) -> None:
        uart, _ = self.start_rx(0, 1 << 5)
        assert (uart.read(ENDRX, 4), uart.read(RXD_AMOUNT, 4)) == (1, 0)

    def test_switching_off_ends_everything(self) -> None:
        uart, ports = self.start_tx(b"hello")
        uart.write(ENABLE, 4, 0)
        ports.advance(20 * FRAME)
        assert (bytes(ports.wire.sent), uart.read(ENDTX, 4)) == (b"", 0)

    @given(st.binary(max_size=60), st.integers(1, 7))
    def test_back_to_back_buffers_receive_everything(self, data: bytes, count: int) -> None:
        uart, ports = self.start_rx(count, 1 << 5)
        received = b""
        for byte in data:
            feed(ports, bytes([byte]))
            if uart.read(ENDRX, 4):
                uart.write(ENDRX, 4, 0)
                received += memory(ports, uart.read(RXD_AMOUNT, 4))
        uart.write(STOPRX, 4, 1)
        ports.advance(4 * FRAME)
        assert received + memory(ports, uart.read(RXD_AMOUNT, 4)) == data
