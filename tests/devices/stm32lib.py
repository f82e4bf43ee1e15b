"""Firmware's part in tests of STM32 clock trees: read-modify-write, ready loops, random programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from devices.fakeports import FakePorts
from vtarget.shell.devices.device import WordDevice
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE, Stm32Rcc

CYCLES_PER_POLL = 8
STEPS = st.lists(
    st.tuples(st.integers(0, 63), st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 31).map(lambda bit: 1 << bit))),
    max_size=40,
)


class BoardPorts(FakePorts):
    """Remembers how often the clocks were published, and what."""

    published: Mapping[str, int] = {}
    publications = 0

    def set_clocks(self, frequencies: Mapping[str, int]) -> None:
        self.published = dict(frequencies)
        self.publications += 1
        super().set_clocks(frequencies)

    def elapsed_us(self) -> int:
        """Microseconds since reset, whatever the core's clock has been."""
        return self.fixed_clock(1_000_000).ticks


class Firmware:
    """Register accesses as driver code makes them."""

    def __init__(self, ports: BoardPorts, device: WordDevice) -> None:
        self.ports = ports
        self.device = device

    def set(self, offset: int, bits: int) -> None:
        self.device.write(offset, 4, self.device.read(offset, 4) | bits)

    def clear(self, offset: int, bits: int) -> None:
        self.device.write(offset, 4, self.device.read(offset, 4) & ~bits)

    def modify(self, offset: int, mask: int, bits: int) -> None:
        self.device.write(offset, 4, self.device.read(offset, 4) & ~mask | bits)

    def wait(self, offset: int, mask: int, value: int, limit_us: int = 2000) -> int:
        """Poll until the masked register reads ``value``; the microseconds that took, at most ``limit_us``."""
        start = self.ports.elapsed_us()
        while self.device.read(offset, 4) & mask != value:
            self.ports.advance(CYCLES_PER_POLL)
            assert self.ports.elapsed_us() - start <= limit_us, f"register 0x{offset:x} never gets ready"
        return self.ports.elapsed_us() - start


def random_program(make: Callable[[BoardPorts], Stm32Rcc], steps: list[tuple[int, int]], hse_hz: int) -> None:
    """Writes of anything to anywhere: nothing raises, and the tree stays consistent with what was published."""
    ports = BoardPorts(core_hz=16_000_000, options={"hse_hz": hse_hz})
    rcc = make(ports)
    reset = rcc.frequencies()
    ports.set_signal(BACKUP_WRITE, True)
    for word, value in steps:
        rcc.write(4 * word, 4, value)
        ports.advance(997)
        rcc.read(4 * word, 4)
        frequencies = rcc.frequencies()
        assert min(frequencies.values()) >= 0 and frequencies["HCLK"] > 0 and frequencies["SYSCLK"] > 0
        assert frequencies == (ports.published or reset)
