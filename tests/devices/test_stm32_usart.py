"""The STM32 USART and LPUART, as in RM0090, RM0351 and RM0432."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device
from vtarget.shell.devices.stm32_usart import MODELS

# v1
SR, DR, BRR1, CR1_1, CR2_1, CR3_1 = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
V1_ON = 0x200C  # UE, TE, RE
# v2, v3
CR1, CR2, CR3, BRR, RTOR, RQR, ISR, ICR, RDR, TDR, PRESC = (
    0x00,
    0x04,
    0x08,
    0x0C,
    0x14,
    0x18,
    0x1C,
    0x20,
    0x24,
    0x28,
    0x2C,
)
V2_ON = 0xD
ACKS = 0x600000  # TEACK, REACK
BIT, FRAME = 16, 160


def make_v1(extra: int = 0, cr2: int = 0, cr3: int = 0) -> tuple[Device, FakePorts]:
    ports = FakePorts(name="USART2")
    uart = MODELS["v1"](ports)
    for offset, value in ((BRR1, BIT), (CR2_1, cr2), (CR3_1, cr3), (CR1_1, V1_ON | extra)):
        uart.write(offset, 4, value)
    ports.advance(400)  # the idle frame
    return uart, ports


def make(model: str = "v2", extra: int = 0, cr2: int = 0, cr3: int = 0, brr: int = BIT) -> tuple[Device, FakePorts]:
    ports = FakePorts(name="USART2")
    uart = MODELS[model](ports)
    for offset, value in ((BRR, brr), (CR2, cr2), (CR3, cr3), (CR1, V2_ON | extra)):
        uart.write(offset, 4, value)
    ports.advance(1000)
    return uart, ports


def feed(ports: FakePorts, data: bytes) -> None:
    assert ports.wire.receiver is not None
    for byte in data:
        ports.wire.receiver(byte)


def test_reset_values() -> None:
    assert [MODELS[name](FakePorts()).read(SR if name == "v1" else ISR, 4) for name in MODELS] == [0xC0] * 4


class TestV1:
    """SR and DR."""

    def test_txe_and_tc_follow_the_shift_register(self) -> None:
        uart, ports = make_v1()
        uart.read(SR, 4)
        uart.write(DR, 4, ord("A"))
        assert uart.read(SR, 4) == 0x80
        uart.write(DR, 4, ord("B"))
        assert uart.read(SR, 4) == 0
        ports.advance(FRAME)
        assert (bytes(ports.wire.sent), uart.read(SR, 4)) == (b"A", 0x80)
        ports.advance(FRAME - 1)
        assert uart.read(SR, 4) == 0x80
        ports.advance(1)
        assert (bytes(ports.wire.sent), uart.read(SR, 4)) == (b"AB", 0xC0)

    def test_tc_is_cleared_by_writing_zero_or_by_reading_sr_before_dr(self) -> None:
        uart, _ = make_v1()
        uart.write(DR, 4, 1)
        assert uart.read(SR, 4) == 0xC0
        uart.write(SR, 4, ~0x40 & 0xFFFFFFFF)
        assert uart.read(SR, 4) == 0x80

    def test_te_sends_an_idle_frame_first(self) -> None:
        ports = FakePorts()
        uart = MODELS["v1"](ports)
        uart.write(BRR1, 4, BIT)
        uart.write(CR1_1, 4, V1_ON)
        uart.write(DR, 4, ord("A"))
        assert uart.read(SR, 4) & 0x80 == 0
        ports.advance(2 * FRAME - 1)
        assert ports.wire.sent == b""
        ports.advance(1)
        assert ports.wire.sent == b"A"

    def test_reception_and_idle(self) -> None:
        uart, ports = make_v1(0x30)
        feed(ports, b"x")
        assert (uart.read(SR, 4), ports.irq) == (0xE0, True)
        assert uart.read(DR, 4) == ord("x")
        assert (uart.read(SR, 4), ports.irq) == (0xC0, False)
        ports.advance(FRAME)
        assert (uart.read(SR, 4), ports.irq) == (0xD0, True)
        uart.read(DR, 4)
        assert (uart.read(SR, 4), ports.irq) == (0xC0, False)
        ports.advance(10 * FRAME)
        assert uart.read(SR, 4) == 0xC0  # no further idle without a further byte

    def test_overrun_keeps_the_unread_byte(self) -> None:
        uart, ports = make_v1(0x20)
        feed(ports, b"ab")
        assert uart.read(SR, 4) == 0xE8
        assert uart.read(DR, 4) == ord("a")
        assert (uart.read(SR, 4), ports.irq) == (0xC0, False)

    def test_reading_dr_alone_does_not_clear_the_overrun(self) -> None:
        uart, ports = make_v1(0x20)
        feed(ports, b"ab")
        uart.read(DR, 4)
        assert ports.irq
        assert uart.read(SR, 4) == 0xC8

    def test_the_error_interrupt_needs_dma_reception(self) -> None:
        for cr3, irq in ((0x01, False), (0x41, True)):
            _, ports = make_v1(cr3=cr3)
            feed(ports, b"ab")
            assert ports.irq is irq

    @pytest.mark.parametrize(("enable", "level"), [(0x80, True), (0x40, True), (0x20, False), (0x10, False)])
    def test_interrupt_enables(self, enable: int, level: bool) -> None:
        assert make_v1(enable)[1].irq is level

    def test_data_written_while_off_are_lost(self) -> None:
        ports = FakePorts()
        uart = MODELS["v1"](ports)
        uart.write(BRR1, 4, BIT)
        for control in (0, 0x2000, 0x8):
            uart.write(CR1_1, 4, control)
            uart.write(DR, 4, 1)
            assert uart.read(SR, 4) == 0xC0
        uart.write(CR1_1, 4, V1_ON)
        ports.advance(1000)
        assert ports.wire.sent == b""

    def test_without_brr_data_are_lost_with_a_note(self) -> None:
        ports = FakePorts(name="USART2")
        uart = MODELS["v1"](ports)
        uart.write(CR1_1, 4, V1_ON)
        uart.read(SR, 4)
        uart.write(DR, 4, 1)
        ports.advance(1000)
        assert (uart.read(SR, 4), bytes(ports.wire.sent)) == (0xC0, b"")
        assert ports.notes == ["USART2: BRR is 0: bytes written are lost"]

    def test_clearing_ue_finishes_the_byte_on_its_way_clearing_te_does_not(self) -> None:
        for control, sent in ((0x000C, b"A"), (0x2004, b"")):
            uart, ports = make_v1()
            uart.write(DR, 4, ord("A"))
            uart.write(DR, 4, ord("B"))
            uart.write(CR1_1, 4, control)
            ports.advance(1000)
            assert (bytes(ports.wire.sent), uart.read(SR, 4) & 0xC0) == (sent, 0xC0)

    @pytest.mark.parametrize(
        ("brr", "extra", "baud"),
        # From 8 MHz (RM0090 30.3.4): USARTDIV is 52.0625 or 104.125 for 9600 baud, 8.6875 or 17.375 for 57600.
        [(0x341, 0, 9604), (0x681, 0x8000, 9604), (0x08B, 0, 57554), (0x113, 0x8000, 57554)],
    )
    def test_baud_rates(self, brr: int, extra: int, baud: int) -> None:
        ports = FakePorts(core_hz=8_000_000)
        uart = MODELS["v1"](ports)
        uart.write(CR1_1, 4, V1_ON | extra)
        uart.write(BRR1, 4, brr)
        assert ports.wire.baud == baud

    @pytest.mark.parametrize(
        ("extra", "cr2", "half_bits"),
        [(0, 0, 20), (0x1000, 0, 22), (0, 0x2000, 22), (0, 0x1000, 19), (0, 0x3000, 21), (0x400, 0, 20)],
    )
    def test_frame_lengths(self, extra: int, cr2: int, half_bits: int) -> None:
        uart, ports = make_v1(extra, cr2)
        uart.write(DR, 4, 0x41)
        ports.advance(half_bits * BIT // 2 - 1)
        assert ports.wire.sent == b""
        ports.advance(1)
        assert ports.wire.sent == b"A"

    @pytest.mark.parametrize(("extra", "value"), [(0x400, 0x41), (0x600, 0xC1), (0x1400, 0x041), (0x1600, 0x141)])
    def test_a_received_word_has_its_parity_bit_on_top(self, extra: int, value: int) -> None:
        uart, ports = make_v1(extra)  # even and odd, 8 and 9 bits; 0x41 has two ones
        feed(ports, b"\x41")
        assert uart.read(DR, 4) == value

    @given(st.binary(max_size=30))
    def test_polling_txe_sends_everything_without_gaps(self, text: bytes) -> None:
        uart, ports = make_v1()
        start = ports.cycle
        for byte in text:
            while not uart.read(SR, 4) & 0x80:
                ports.advance(1)
            uart.write(DR, 4, byte)
        ports.advance(start + FRAME * len(text) - ports.cycle)
        assert (bytes(ports.wire.sent), uart.read(SR, 4)) == (text, 0xC0)

    def test_dma_requests(self) -> None:
        uart, ports = make_v1(cr3=0xC0)
        assert ports.signals == {"USART2_TX": True}
        uart.write(DR, 4, 1)
        assert ports.signals["USART2_TX"]  # at once in the shift register
        uart.write(DR, 4, 2)
        assert not ports.signals["USART2_TX"]
        feed(ports, b"a")
        assert ports.signals["USART2_RX"]
        uart.read(DR, 4)
        assert not ports.signals["USART2_RX"]


class TestV2:
    """ISR, ICR, RDR and TDR."""

    def test_acknowledges_follow_the_enables(self) -> None:
        uart, _ = make()
        assert uart.read(ISR, 4) == 0xC0 | ACKS
        uart.write(CR1, 4, 0x9)
        assert uart.read(ISR, 4) == 0x2000C0
        uart.write(CR1, 4, 0xC)
        assert uart.read(ISR, 4) == 0xC0

    def test_a_byte_clears_tc_until_it_is_out(self) -> None:
        uart, ports = make(extra=0x40)
        assert ports.irq
        uart.write(TDR, 4, ord("A"))
        assert (uart.read(ISR, 4) & 0xC0, ports.irq) == (0x80, False)
        ports.advance(FRAME)
        assert (uart.read(ISR, 4) & 0xC0, ports.irq, bytes(ports.wire.sent)) == (0xC0, True, b"A")
        uart.write(ICR, 4, 0x40)
        assert (uart.read(ISR, 4) & 0xC0, ports.irq) == (0x80, False)

    def test_flags_are_cleared_through_icr(self) -> None:
        uart, ports = make(extra=0x30)
        feed(ports, b"ab")
        ports.advance(FRAME)
        assert uart.read(ISR, 4) == 0xF8 | ACKS
        assert uart.read(RDR, 4) == ord("a")
        assert ports.irq
        uart.write(ICR, 4, 0x18)
        assert (uart.read(ISR, 4), ports.irq) == (0xC0 | ACKS, False)

    def test_the_error_interrupt(self) -> None:
        _, ports = make(cr3=1)
        feed(ports, b"a")
        assert not ports.irq
        feed(ports, b"b")
        assert ports.irq

    def test_overrun_can_be_disabled(self) -> None:
        uart, ports = make(cr3=1 << 12)
        feed(ports, b"ab")
        assert (uart.read(ISR, 4) & 8, uart.read(RDR, 4)) == (0, ord("b"))

    def test_requests_flush(self) -> None:
        uart, ports = make()
        feed(ports, b"a")
        uart.write(TDR, 4, 1)
        uart.write(TDR, 4, 2)
        assert uart.read(ISR, 4) & 0xE0 == 0x20
        uart.write(RQR, 4, 0x18)
        assert uart.read(ISR, 4) & 0xE0 == 0x80
        ports.advance(1000)
        assert ports.wire.sent == b"\1"

    def test_character_match(self) -> None:
        uart, ports = make(extra=1 << 14, cr2=ord("\n") << 24)
        feed(ports, b"a")
        assert not ports.irq
        feed(ports, b"\n")
        assert (ports.irq, uart.read(ISR, 4) >> 17 & 1) == (True, 1)
        uart.write(ICR, 4, 1 << 17)
        assert not ports.irq

    def test_receiver_timeout(self) -> None:
        uart, ports = make(extra=1 << 26, cr2=1 << 23)
        uart.write(RTOR, 4, 20)
        feed(ports, b"a")
        ports.advance(20 * BIT - 1)
        assert not ports.irq
        ports.advance(1)
        assert (ports.irq, uart.read(ISR, 4) & 0x800) == (True, 0x800)
        uart.write(ICR, 4, 0x800)
        assert not ports.irq

    def test_clearing_ue_ends_everything_and_resets_the_flags(self) -> None:
        uart, ports = make()
        feed(ports, b"ab")
        uart.write(TDR, 4, 1)
        uart.write(CR1, 4, 0xC)
        assert uart.read(ISR, 4) == 0xC0
        ports.advance(1000)
        assert (bytes(ports.wire.sent), uart.read(ISR, 4)) == (b"", 0xC0)

    def test_seven_bit_words(self) -> None:
        uart, ports = make(extra=1 << 28)
        uart.write(TDR, 4, 0xC1)
        ports.advance(9 * BIT)
        assert ports.wire.sent == b"\x41"

    def test_over8_leaves_out_bit_3_of_brr(self) -> None:
        _, ports = make(extra=1 << 15, brr=0x11)  # USARTDIV 0x12: 9 clocks a bit
        assert ports.wire.baud == 111111

    def test_what_is_not_modelled_is_told_once(self) -> None:
        uart, ports = make(extra=1 << 13, cr2=1 << 20, cr3=0x300)
        uart.write(CR3, 4, 0x300)
        assert ports.notes == [
            "USART2: automatic baud rate detection is not modelled",
            "USART2: RTS and CTS (it is always clear to send) is not modelled",
            "USART2: mute mode is not modelled",
        ]


class TestV3:
    """FIFOs, thresholds and the prescaler."""

    ON = 1 << 29

    def test_without_fifo_it_is_as_v2(self) -> None:
        uart, _ = make("v3")
        assert uart.read(ISR, 4) == 0xC0 | ACKS

    def test_the_fifo_takes_eight_bytes_besides_the_one_being_shifted(self) -> None:
        uart, ports = make("v3", self.ON)
        assert uart.read(ISR, 4) == 0x8000C0 | ACKS | 0x8000000  # TXFE, TXFT: one place in eight is free
        for byte in range(10):
            assert bool(uart.read(ISR, 4) & 0x80) == (byte < 9)
            uart.write(TDR, 4, byte)
        ports.advance(9 * FRAME - 1)
        assert uart.read(ISR, 4) & 0x40 == 0
        ports.advance(1)
        assert (bytes(ports.wire.sent), uart.read(ISR, 4) & 0x8000C0) == (bytes(range(9)), 0x8000C0)

    def test_the_depth_is_an_option(self) -> None:
        ports = FakePorts(options={"fifo_depth": 16})
        uart = MODELS["v3"](ports)
        uart.write(BRR, 4, BIT)
        uart.write(CR1, 4, V2_ON | self.ON)
        ports.advance(FRAME)
        for byte in range(17):
            assert uart.read(ISR, 4) & 0x80
            uart.write(TDR, 4, byte)
        assert not uart.read(ISR, 4) & 0x80

    @pytest.mark.parametrize(("field", "level"), [(0, 1), (1, 2), (2, 4), (3, 6), (4, 7), (5, 8)])
    def test_thresholds(self, field: int, level: int) -> None:
        uart, ports = make("v3", self.ON, cr3=field << 25 | field << 29 | 1 << 28)
        for count in range(1, 9):
            feed(ports, b"x")
            assert ports.irq == (count >= level)
            assert bool(uart.read(ISR, 4) & 1 << 26) == (count >= level)
        for count in range(10):  # the first goes to the shift register
            room = 8 - max(0, count - 1)
            assert bool(uart.read(ISR, 4) & 1 << 27) == (room >= level)
            uart.write(TDR, 4, 0)

    def test_a_full_fifo_overruns(self) -> None:
        uart, ports = make("v3", self.ON | 1 << 31)
        feed(ports, b"12345678")
        assert (uart.read(ISR, 4) & 0x1000028, ports.irq) == (0x1000020, True)
        feed(ports, b"9")
        assert uart.read(ISR, 4) & 8
        assert bytes(uart.read(RDR, 4) for _ in range(8)) == b"12345678"
        assert (uart.read(ISR, 4) & 0x1000020, ports.irq) == (0, False)

    @pytest.mark.parametrize(("presc", "factor"), [(0, 1), (1, 2), (2, 4), (3, 6), (7, 16), (11, 256), (15, 256)])
    def test_the_prescaler(self, presc: int, factor: int) -> None:
        uart, ports = make("v3")
        uart.write(PRESC, 4, presc)
        assert ports.wire.baud == round(1_000_000 / (16 * factor))


def test_the_lpuart_divides_in_256ths() -> None:
    # 9600 baud from 32768 Hz: BRR = 256 * 32768 / 9600 = 0x369.
    ports = FakePorts(core_hz=32768, name="LPUART1")
    uart = MODELS["lpuart"](ports)
    uart.write(BRR, 4, 0x369)
    uart.write(CR1, 4, 0xD)
    assert ports.wire.baud == 9609
    ports.advance(34)
    uart.write(TDR, 4, ord("A"))
    ports.advance(33)
    assert ports.wire.sent == b""
    ports.advance(1)
    assert ports.wire.sent == b"A"
