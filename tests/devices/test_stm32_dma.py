"""The STM32 DMA controllers: RM0090 10 (streams) and RM0351 11 (channels), with a USART at the other end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dmabus import RAM, DmaBus
from vtarget.shell.devices.device import Device
from vtarget.shell.devices.stm32_dma import MODELS
from vtarget.shell.devices.stm32_dma_channel import request_map
from vtarget.shell.devices.stm32_usart import MODELS as USARTS

USART = 0x4000_4400
FRAME = 160
# Streams
LISR, HISR, LIFCR, HIFCR = 0x00, 0x04, 0x08, 0x0C
CR6, NDTR6, PAR6, M0AR6, M1AR6 = (0x10 + 0x18 * 6 + 4 * i for i in range(5))
CR5, NDTR5, PAR5, M0AR5, M1AR5 = (0x10 + 0x18 * 5 + 4 * i for i in range(5))
CHANNEL4, MINC, PINC, CIRC, TCIE, HTIE, TEIE, EN = 4 << 25, 1 << 10, 1 << 9, 1 << 8, 1 << 4, 1 << 3, 1 << 2, 1
TO_PERIPHERAL, TO_MEMORY, BETWEEN_MEMORIES = 1 << 6, 0, 2 << 6
# Channels
ISR, IFCR, CSELR = 0x00, 0x04, 0xA8
CCR7, CNDTR7, CPAR7, CMAR7 = (0x08 + 0x14 * 6 + 4 * i for i in range(4))
CCR6, CNDTR6, CPAR6, CMAR6 = (0x08 + 0x14 * 5 + 4 * i for i in range(4))
C_TCIE, C_HTIE, C_TEIE, C_DIR, C_CIRC, C_PINC, C_MINC, C_MEM2MEM = 2, 4, 8, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 14


def streams() -> tuple[DmaBus, Device, Device]:
    """A DMA whose streams 5 and 6 serve a USART v1 that is on, with DMAT and DMAR."""
    bus = DmaBus({"stream5_channel4": "USART2_RX", "stream6_channel4": "USART2_TX"})
    dma = MODELS["stream"](bus)
    usart = USARTS["v1"](bus.ports_of("USART2"))
    bus.place(USART, usart)
    for offset, value in ((0x08, 16), (0x0C, 0x200C)):
        usart.write(offset, 4, value)
    bus.advance(FRAME)
    usart.write(0x14, 4, 0xC0)
    return bus, dma, usart


def channels(model: str = "channel") -> tuple[DmaBus, Device, Device]:
    """The same with channels 6 and 7 and a USART v2."""
    bus = DmaBus({"channel6_request2": "USART2_RX", "channel7_request2": "USART2_TX"})
    dma = MODELS[model](bus)
    usart = USARTS["v2"](bus.ports_of("USART2"))
    bus.place(USART, usart)
    for offset, value in ((0x0C, 16), (0x00, 0xD)):
        usart.write(offset, 4, value)
    bus.advance(FRAME)
    usart.write(0x08, 4, 0xC0)
    dma.write(CSELR, 4, 0x2200000)
    return bus, dma, usart


def set_up(dma: Device, *writes: tuple[int, int]) -> None:
    for offset, value in writes:
        dma.write(offset, 4, value)


def test_requests_come_from_options() -> None:
    options = {
        "stream6_channel4": "USART2_TX",
        "stream0_channel3": "spi1_rx  SPI2_RX",
        "stream_channel1": "A",
        "seed": 5,
    }
    assert request_map(options, "stream", "channel") == {(6, 4): ("USART2_TX",), (0, 3): ("SPI1_RX", "SPI2_RX")}


class TestStreams:
    """F4 and F7."""

    def test_memory_to_usart(self) -> None:
        bus, dma, _ = streams()
        bus.store(b"hello")
        control = CHANNEL4 | TO_PERIPHERAL | MINC | TCIE
        set_up(dma, (PAR6, USART + 4), (M0AR6, RAM), (NDTR6, 5), (CR6, control | EN))
        assert dma.read(NDTR6, 4) == 3  # one in the shift register, one waiting
        bus.advance(3 * FRAME)
        assert (bytes(bus.wire.sent), dma.read(NDTR6, 4)) == (b"hel", 0)
        assert (dma.read(CR6, 4), dma.read(HISR, 4), bus.irqs["S6"]) == (control, 0x300000, True)
        bus.advance(2 * FRAME)
        assert bus.wire.sent == b"hello"
        dma.write(HIFCR, 4, 0x200000)
        assert (dma.read(HISR, 4), bus.irqs["S6"]) == (0x100000, False)

    def test_usart_to_memory(self) -> None:
        bus, dma, usart = streams()
        set_up(dma, (PAR5, USART + 4), (M0AR5, RAM), (NDTR5, 4), (CR5, CHANNEL4 | TO_MEMORY | MINC | HTIE | EN))
        bus.feed(b"a")
        assert not bus.irqs.get("S5")
        bus.feed(b"b")
        assert (bus.irqs["S5"], dma.read(HISR, 4)) == (True, 1 << 10)
        bus.feed(b"cd")
        assert (bus.load(5), dma.read(HISR, 4), usart.read(0, 4) & 0x28) == (b"abcd\0", 3 << 10, 0)
        bus.feed(b"e")
        assert usart.read(0, 4) & 0x20  # nobody fetches it

    def test_a_request_of_another_channel_moves_nothing(self) -> None:
        bus, dma, _ = streams()
        set_up(dma, (PAR6, USART + 4), (M0AR6, RAM), (NDTR6, 5), (CR6, 3 << 25 | TO_PERIPHERAL | MINC | EN))
        bus.advance(1000)
        assert (dma.read(NDTR6, 4), bytes(bus.wire.sent)) == (5, b"")

    def test_circular_reception_starts_over(self) -> None:
        bus, dma, _ = streams()
        set_up(dma, (PAR5, USART + 4), (M0AR5, RAM), (NDTR5, 3), (CR5, CHANNEL4 | MINC | CIRC | TCIE | EN))
        bus.feed(b"abcd")
        assert (bus.load(4), dma.read(NDTR5, 4), dma.read(CR5, 4) & 1, bus.irqs["S5"]) == (b"dbc\0", 2, 1, True)

    def test_double_buffers_alternate(self) -> None:
        bus, dma, _ = streams()
        set_up(dma, (PAR5, USART + 4), (M0AR5, RAM), (M1AR5, RAM + 16), (NDTR5, 2))
        dma.write(CR5, 4, CHANNEL4 | MINC | 1 << 18 | EN)
        bus.feed(b"abc")
        assert dma.read(CR5, 4) >> 19 & 1 == 1
        bus.feed(b"de")
        assert (bus.load(2), bus.load(2, RAM + 16), dma.read(CR5, 4) >> 19 & 1) == (b"eb", b"cd", 0)

    def test_software_stops_a_stream(self) -> None:
        bus, dma, _ = streams()
        set_up(dma, (PAR5, USART + 4), (M0AR5, RAM), (NDTR5, 9), (CR5, CHANNEL4 | MINC | EN))
        bus.feed(b"ab")
        dma.write(CR5, 4, CHANNEL4 | MINC)
        assert (dma.read(NDTR5, 4), dma.read(HISR, 4)) == (7, 1 << 11)
        bus.feed(b"c")
        assert bus.load(3) == b"ab\0"

    def test_memory_to_memory_takes_time(self) -> None:
        bus, dma, _ = streams()
        bus.store(bytes(range(200)))
        control = BETWEEN_MEMORIES | MINC | PINC | 2 << 11 | 2 << 13
        set_up(dma, (PAR6, RAM), (M0AR6, RAM + 512), (NDTR6, 50), (CR6, control | EN))
        assert (dma.read(NDTR6, 4), dma.read(CR6, 4) & 1) == (50, 1)
        bus.advance(200)
        assert (bus.load(204, RAM + 512), dma.read(CR6, 4) & 1) == (bytes(range(200)) + bytes(4), 0)
        assert dma.read(HISR, 4) == 0x300000

    def test_an_address_where_nothing_answers_is_an_error(self) -> None:
        bus, dma, _ = streams()
        set_up(dma, (PAR6, USART + 4), (M0AR6, 0x1000), (NDTR6, 5), (CR6, CHANNEL4 | TO_PERIPHERAL | MINC | TEIE | EN))
        assert (dma.read(HISR, 4), dma.read(CR6, 4) & 1, bus.irqs["S6"]) == (1 << 19, 0, True)

    def test_low_streams_have_their_flags_in_lisr(self) -> None:
        bus, dma, _ = streams()
        for n, shift in ((0, 0), (1, 6), (2, 16), (3, 22)):
            base = 0x10 + 0x18 * n
            set_up(dma, (base + 8, RAM), (base + 12, RAM + 64), (base + 4, 1), (base, BETWEEN_MEMORIES | TCIE | EN))
            bus.advance(4)
            assert (dma.read(LISR, 4), bus.irqs[f"S{n}"]) == (0x20 << shift, True)
            dma.write(LIFCR, 4, 0x3D << shift)
            assert (dma.read(LISR, 4), bus.irqs[f"S{n}"]) == (0, False)

    def test_reset_value_of_the_fifo_register(self) -> None:
        assert streams()[1].read(0x10 + 0x18 * 7 + 0x14, 4) == 0x21

    def test_a_request_that_never_falls_lets_time_pass(self) -> None:
        bus, dma, _ = streams()  # the destination is memory: the USART's request stays high
        set_up(dma, (PAR6, RAM + 8), (M0AR6, RAM), (NDTR6, 3), (CR6, CHANNEL4 | TO_PERIPHERAL | CIRC | EN))
        bus.advance(1000)
        assert dma.read(CR6, 4) & 1
        dma.write(CR6, 4, CHANNEL4 | TO_PERIPHERAL | CIRC)
        assert bus.schedule.take_due(1 << 60) is None

    @given(st.binary(min_size=1, max_size=60))
    def test_everything_is_sent_without_gaps(self, text: bytes) -> None:
        bus, dma, _ = streams()
        bus.store(text)
        set_up(dma, (PAR6, USART + 4), (M0AR6, RAM), (NDTR6, len(text)), (CR6, CHANNEL4 | TO_PERIPHERAL | MINC | EN))
        bus.advance(len(text) * FRAME)
        assert bus.wire.sent == text


class TestChannels:
    """L4 and its relatives."""

    def test_memory_to_usart(self) -> None:
        bus, dma, _ = channels()
        bus.store(b"hello")
        set_up(dma, (CPAR7, USART + 0x28), (CMAR7, RAM), (CNDTR7, 5), (CCR7, C_DIR | C_MINC | C_TCIE | C_HTIE | EN))
        assert (dma.read(CNDTR7, 4), dma.read(ISR, 4), bus.irqs["CH7"]) == (3, 5 << 24, True)
        dma.write(IFCR, 4, 4 << 24)
        assert (dma.read(ISR, 4), bus.irqs["CH7"]) == (0, False)
        bus.advance(3 * FRAME)
        assert (dma.read(ISR, 4), dma.read(CCR7, 4) & 1, dma.read(CNDTR7, 4)) == (3 << 24, 1, 0)
        bus.advance(2 * FRAME)
        assert bus.wire.sent == b"hello"
        dma.write(IFCR, 4, 1 << 24)
        assert (dma.read(ISR, 4), bus.irqs["CH7"]) == (0, False)

    def test_cselr_selects_the_request(self) -> None:
        bus, dma, _ = channels()
        dma.write(CSELR, 4, 0)
        set_up(dma, (CPAR7, USART + 0x28), (CMAR7, RAM), (CNDTR7, 5), (CCR7, C_DIR | C_MINC | EN))
        bus.advance(1000)
        assert (dma.read(CNDTR7, 4), bytes(bus.wire.sent)) == (5, b"")

    def test_circular_reception(self) -> None:
        bus, dma, _ = channels()
        set_up(dma, (CPAR6, USART + 0x24), (CMAR6, RAM), (CNDTR6, 3), (CCR6, C_MINC | C_CIRC | EN))
        bus.feed(b"abcd")
        assert (bus.load(4), dma.read(CNDTR6, 4), dma.read(ISR, 4)) == (b"dbc\0", 2, 7 << 20)

    def test_the_count_is_fixed_while_the_channel_is_on(self) -> None:
        _, dma, _ = channels()
        set_up(dma, (CPAR6, USART + 0x24), (CMAR6, RAM), (CNDTR6, 3), (CCR6, C_MINC | EN), (CNDTR6, 9))
        assert dma.read(CNDTR6, 4) == 3
        set_up(dma, (CCR6, 0), (CNDTR6, 9))
        assert dma.read(CNDTR6, 4) == 9

    def test_a_finished_channel_needs_a_new_count(self) -> None:
        bus, dma, _ = channels()
        set_up(dma, (CPAR6, USART + 0x24), (CMAR6, RAM), (CNDTR6, 1), (CCR6, C_MINC | EN))
        bus.feed(b"a")
        set_up(dma, (CCR6, 0), (CCR6, C_MINC | EN))
        bus.feed(b"b")
        assert bus.load(2) == b"a\0"
        set_up(dma, (CCR6, 0), (CNDTR6, 1), (CCR6, C_MINC | EN))
        assert bus.load(2) == b"b\0"  # the waiting byte, at once

    @pytest.mark.parametrize(
        ("psize", "msize", "direction", "expected"),
        # RM0351 table 42: items are cut or padded with zeros.
        [
            (0, 0, 0, "01 02"),
            (0, 1, 0, "01 00 02 00"),
            (0, 2, 0, "01 00 00 00 02 00 00 00"),
            (1, 0, 0, "01 03"),
            (2, 0, 0, "01 05"),
            (2, 1, 0, "01 02 05 06"),
            (0, 1, 1, "01 03"),
        ],
    )
    def test_sizes_may_differ(self, psize: int, msize: int, direction: int, expected: str) -> None:
        bus, dma, _ = channels()
        bus.store(bytes(range(1, 17)))
        source, destination = (CMAR7, CPAR7) if direction else (CPAR7, CMAR7)
        control = psize << 8 | msize << 10 | direction << 4 | C_PINC | C_MINC | C_MEM2MEM
        set_up(dma, (source, RAM), (destination, RAM + 64), (CNDTR7, 2), (CCR7, control | EN))
        bus.advance(8)
        data = bytes.fromhex(expected)
        assert bus.load(len(data) + 1, RAM + 64) == data + b"\0"
        assert dma.read(ISR, 4) == 7 << 24

    def test_an_error_switches_the_channel_off(self) -> None:
        bus, dma, _ = channels()
        set_up(dma, (CPAR7, USART + 0x28), (CMAR7, 0x1000), (CNDTR7, 5), (CCR7, C_DIR | C_TEIE | EN))
        assert (dma.read(ISR, 4), dma.read(CCR7, 4) & 1, bus.irqs["CH7"]) == (9 << 24, 0, True)

    @given(st.binary(min_size=1, max_size=1500))
    def test_copies_are_exact(self, data: bytes) -> None:
        bus, dma, _ = channels()
        bus.store(data)
        control = C_PINC | C_MINC | C_MEM2MEM | EN
        set_up(dma, (CPAR7, RAM), (CMAR7, RAM + 2048), (CNDTR7, len(data)), (CCR7, control))
        bus.advance(4 * len(data) - 1)
        assert dma.read(CNDTR7, 4) > 0
        bus.advance(1)
        assert (bus.load(len(data) + 1, RAM + 2048), dma.read(CNDTR7, 4)) == (data + b"\0", 0)
