"""The DMAMUX, between a USART v3 and a DMA."""

from __future__ import annotations

import pytest

from devices.dmabus import RAM, DmaBus
from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device
from vtarget.shell.devices.stm32_dma import MODELS as DMAS
from vtarget.shell.devices.stm32_dmamux import DmaMux
from vtarget.shell.devices.stm32_usart import MODELS as USARTS

USART = 0x4000_4400
REQUESTS = {"request_26": "USART2_RX", "request_27": "USART2_TX"}


def make() -> tuple[DmaBus, Device, DmaMux]:
    bus = DmaBus()
    dma = DMAS["channel_mux"](bus)
    mux = DmaMux(bus.ports_of("DMAMUX1", REQUESTS))
    usart = USARTS["v3"](bus.ports_of("USART2"))
    bus.place(USART, usart)
    for offset, value in ((0x0C, 16), (0x00, 0x2000000D)):
        usart.write(offset, 4, value)
    bus.advance(160)
    usart.write(0x08, 4, 0xC0)
    return bus, dma, mux


def start(dma: Device, index: int, peripheral: int, count: int, control: int) -> None:
    base = 0x08 + 0x14 * index
    for offset, value in ((8, peripheral), (12, RAM), (4, count), (0, control | 1)):
        dma.write(base + offset, 4, value)


@pytest.mark.parametrize("mux_first", [True, False])
def test_a_usart_sends_from_memory_through_its_fifo(mux_first: bool) -> None:
    bus, dma, mux = make()
    bus.store(b"hello, fifo of eight")
    if mux_first:
        mux.write(4, 4, 27)
    start(dma, 1, USART + 0x28, 20, 0x90)
    if not mux_first:
        mux.write(4, 4, 27)
    assert dma.read(0x0C + 0x14, 4) == 11  # eight in the FIFO, one in the shift register
    bus.advance(20 * 160)
    assert (bytes(bus.wire.sent), dma.read(0, 4)) == (b"hello, fifo of eight", 0x70)


def test_a_usart_receives_into_memory() -> None:
    bus, dma, mux = make()
    mux.write(0, 4, 26)
    start(dma, 0, USART + 0x24, 4, 0x80)
    bus.feed(b"abcd")
    assert (bus.load(5), dma.read(0, 4)) == (b"abcd\0", 7)


def test_a_deselected_request_falls() -> None:
    bus, _, mux = make()
    mux.write(4, 4, 27)
    assert bus.signals["DMA1_CH2"]
    mux.write(4, 4, 0)
    assert not bus.signals["DMA1_CH2"]


@pytest.mark.parametrize(("channel", "output"), [(0, "DMA1_CH1"), (6, "DMA1_CH7"), (7, "DMA2_CH1"), (13, "DMA2_CH7")])
def test_channels_of_both_controllers(channel: int, output: str) -> None:
    ports = FakePorts(options=REQUESTS)
    mux = DmaMux(ports)
    ports.set_signal("USART2_TX", True)
    mux.write(4 * channel, 4, 27)
    assert ports.signals[output]


def test_dma1_may_have_fewer_channels() -> None:
    ports = FakePorts(options=REQUESTS | {"dma1_channels": 5})
    mux = DmaMux(ports)
    mux.write(4 * 5, 4, 27)
    ports.set_signal("USART2_TX", True)
    assert ports.signals["DMA2_CH1"]


def test_what_is_not_modelled_is_told() -> None:
    ports = FakePorts(name="DMAMUX1")
    mux = DmaMux(ports)
    mux.write(0, 4, 1 << 16)
    mux.write(0x100, 4, 1 << 16)
    assert ports.notes == [
        "DMAMUX1: synchronised requests are not modelled",
        "DMAMUX1: request generators are not modelled",
    ]
