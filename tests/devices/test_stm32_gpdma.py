"""The U5's GPDMA, with a USART v3 at the other end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dmabus import RAM, DmaBus
from vtarget.shell.devices.stm32_gpdma import Gpdma
from vtarget.shell.devices.stm32_usart import MODELS as USARTS

USART = 0x4000_4400
FRAME = 160
CLBAR, CFCR, CSR, CCR, CTR1, CTR2, CBR1, CSAR, CDAR, CLLR = (
    0x50, 0x5C, 0x60, 0x64, 0x90, 0x94, 0x98, 0x9C, 0xA0, 0xCC,
)  # fmt: skip
RX_REQUEST, TX_REQUEST = 26, 27
EN, RESET, SUSP, TCIE, HTIE, DTEIE = 1, 2, 4, 1 << 8, 1 << 9, 1 << 10
SINC, DINC, SWREQ, DREQ = 1 << 3, 1 << 19, 1 << 9, 1 << 10
IDLEF, TCF, HTF, DTEF, ULEF, USEF, SUSPF = 1, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13


def make() -> tuple[DmaBus, Gpdma]:
    bus = DmaBus({"request_26": "USART2_RX", "request_27": "USART2_TX"}, name="GPDMA1")
    dma = Gpdma(bus)
    usart = USARTS["v3"](bus.ports_of("USART2"))
    bus.place(USART, usart)
    for offset, value in ((0x0C, 16), (0x00, 0xD)):
        usart.write(offset, 4, value)
    bus.advance(FRAME)
    usart.write(0x08, 4, 0xC0)
    return bus, dma


def start(
    dma: Gpdma, source: int, destination: int, count: int, ctr1: int, ctr2: int, ccr: int = 0, cllr: int = 0
) -> None:
    values = (
        (CSAR, source),
        (CDAR, destination),
        (CBR1, count),
        (CTR1, ctr1),
        (CTR2, ctr2),
        (CLLR, cllr),
        (CCR, ccr | EN),
    )
    for offset, value in values:
        dma.write(offset, 4, value)


def item(*words: int) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


def test_memory_to_usart() -> None:
    bus, dma = make()
    bus.store(b"hello")
    start(dma, RAM, USART + 0x28, 5, SINC, TX_REQUEST | DREQ, TCIE | HTIE)
    assert (dma.read(CBR1, 4), dma.read(CSR, 4), bus.irqs["CH0"]) == (3, HTF, True)
    dma.write(CFCR, 4, HTF)
    assert not bus.irqs["CH0"]
    bus.advance(3 * FRAME)
    assert (dma.read(CBR1, 4), dma.read(CSR, 4), dma.read(CCR, 4) & EN) == (0, TCF | IDLEF, 0)
    assert (bus.irqs["CH0"], dma.read(0x0C, 4)) == (True, 1)
    bus.advance(2 * FRAME)
    assert bus.wire.sent == b"hello"


def test_a_list_that_points_at_itself_receives_for_ever() -> None:
    bus, dma = make()
    # The item reloads BNDT and the destination, and the link.
    link = 1 << 29 | 1 << 27 | 1 << 16 | 0x800
    bus.store(item(3, RAM, link), RAM + 0x800)
    dma.write(CLBAR, 4, RAM)
    start(dma, USART + 0x24, RAM, 3, DINC, RX_REQUEST, TCIE, link)
    bus.feed(b"abcd")
    assert (bus.load(4), dma.read(CSR, 4) & TCF, dma.read(CCR, 4) & EN, dma.read(CBR1, 4)) == (b"dbc\0", TCF, EN, 2)


def test_the_end_of_the_channel_alone_can_be_the_event() -> None:
    bus, dma = make()
    bus.store(item(2, RAM + 16, 0), RAM + 0x800)
    dma.write(CLBAR, 4, RAM)
    link = 1 << 29 | 1 << 27 | 1 << 16 | 0x800
    start(dma, USART + 0x24, RAM, 2, DINC, RX_REQUEST | 3 << 30, TCIE, link)
    bus.feed(b"abc")
    assert (dma.read(CSR, 4) & TCF, bus.load(2), bus.load(2, RAM + 16)) == (0, b"ab", b"c\0")
    bus.feed(b"d")
    assert (dma.read(CSR, 4), bus.load(2, RAM + 16)) == (TCF | HTF | IDLEF, b"cd")


@pytest.mark.parametrize(
    ("count", "link", "flag"), [(0, 0, USEF), (2, 1 << 29 | 0x8000, ULEF), (0, 1 << 27 | 0x800, USEF)]
)
def test_wrong_settings_and_links_end_the_channel(count: int, link: int, flag: int) -> None:
    bus, dma = make()
    dma.write(CLBAR, 4, RAM)
    start(dma, USART + 0x24, RAM, count, DINC, RX_REQUEST, 0, link)
    bus.feed(b"ab")
    assert (dma.read(CSR, 4) & flag, dma.read(CCR, 4) & EN) == (flag, 0)


def test_a_suspended_channel_goes_on() -> None:
    bus, dma = make()
    start(dma, USART + 0x24, RAM, 4, DINC, RX_REQUEST)
    bus.feed(b"a")
    dma.write(CCR, 4, EN | SUSP)
    assert dma.read(CSR, 4) == SUSPF | IDLEF
    bus.feed(b"b")
    assert bus.load(2) == b"a\0"
    dma.write(CFCR, 4, SUSPF)
    dma.write(CCR, 4, 0)  # EN stays
    assert (bus.load(2), dma.read(CCR, 4)) == (b"ab", EN)


def test_a_reset_switches_off() -> None:
    bus, dma = make()
    start(dma, USART + 0x24, RAM, 4, DINC, RX_REQUEST)
    dma.write(CCR, 4, EN | SUSP)
    dma.write(CCR, 4, EN | SUSP | RESET)
    assert (dma.read(CCR, 4), dma.read(CSR, 4)) == (0, IDLEF)
    bus.feed(b"a")
    assert bus.load(1) == b"\0"


def test_an_address_where_nothing_answers_is_an_error() -> None:
    bus, dma = make()
    start(dma, 0x1000, USART + 0x28, 4, SINC, TX_REQUEST, DTEIE)
    assert (dma.read(CSR, 4), dma.read(CCR, 4) & EN, bus.irqs["CH0"]) == (DTEF | IDLEF, 0, True)


@pytest.mark.parametrize(
    ("widths", "expected"),
    [(0, "01 02 03 04"), (2 | 2 << 16, "01 02 03 04"), (1 << 16, "01 00 02 00 03 00 04 00"), (1, "01 03")],
)
def test_widths(widths: int, expected: str) -> None:
    bus, dma = make()
    bus.store(b"\1\2\3\4")
    start(dma, RAM, RAM + 64, 4, SINC | DINC | widths, SWREQ)
    bus.advance(16)
    data = bytes.fromhex(expected)
    assert bus.load(len(data) + 1, RAM + 64) == data + b"\0"


def test_triggers_are_told() -> None:
    bus, dma = make()
    start(dma, RAM, RAM + 64, 4, 0, SWREQ | 1 << 24)
    assert bus.notes == ["GPDMA1: triggers are not modelled"]


@given(st.binary(min_size=1, max_size=1500), st.integers(0, 15))
def test_copies_are_exact_on_every_channel(data: bytes, channel: int) -> None:
    bus, dma = make()
    bus.store(data)
    at = 0x80 * channel
    values = ((CSAR, RAM), (CDAR, RAM + 2048), (CBR1, len(data)), (CTR1, SINC | DINC), (CTR2, SWREQ), (CCR, EN | TCIE))
    for offset, value in values:
        dma.write(offset + at, 4, value)
    bus.advance(4 * len(data))
    assert (bus.load(len(data) + 1, RAM + 2048), bus.irqs[f"CH{channel}"]) == (data + b"\0", True)
