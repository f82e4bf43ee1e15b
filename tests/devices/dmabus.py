"""A little board for tests of DMA: several devices that share time, memory and signals."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from devices.fakeports import FakePorts
from vtarget.shell.devices.device import Device, Option

RAM = 0x2000_0000
RAM_BYTES = 4096
BLOCK = 0x400


class DmaBus(FakePorts):
    """The ports of the DMA; ``ports_of`` gives those of another device. Registers answer where ``place`` put them."""

    def __init__(self, options: Mapping[str, Option] | None = None, name: str = "DMA1") -> None:
        super().__init__(name=name, options=options)
        self.memory = dict.fromkeys(range(RAM, RAM + RAM_BYTES), 0)
        self.devices: dict[int, Device] = {}

    def ports_of(self, name: str, options: Mapping[str, Option] | None = None) -> FakePorts:
        other = copy(self)
        other.name = name
        other.options = options or {}
        return other

    def place(self, base: int, device: Device) -> None:
        self.devices[base] = device

    def store(self, data: bytes, at: int = RAM) -> None:
        self.memory.update({at + i: byte for i, byte in enumerate(data)})

    def load(self, count: int, at: int = RAM) -> bytes:
        return bytes(self.memory[at + i] for i in range(count))

    def read_memory(self, address: int, size_bytes: int) -> bytes | None:
        device = self.devices.get(address & -BLOCK)
        if device is not None:
            return device.read(address % BLOCK, size_bytes).to_bytes(size_bytes, "little")
        return super().read_memory(address, size_bytes)

    def write_memory(self, address: int, data: bytes) -> bool:
        device = self.devices.get(address & -BLOCK)
        if device is not None:
            device.write(address % BLOCK, len(data), int.from_bytes(data, "little"))
            return True
        return super().write_memory(address, data)

    def feed(self, data: bytes) -> None:
        assert self.wire.receiver is not None
        for byte in data:
            self.wire.receiver(byte)
