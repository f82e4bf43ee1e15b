"""What the protocol reads and writes of a machine: registers and memory, as bytes in the order of the target."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vtarget.base.errors import InputError
from vtarget.data.board import Region
from vtarget.shell.bus import PERIPHERALS
from vtarget.shell.gdb.description import FLASH_KINDS, Register, block_bytes, registers_of
from vtarget.shell.machine import Machine
from vtarget.shell.system import PPB_BASE, PPB_SIZE

ADDRESS_SPACE = 1 << 32
MOST_READ = 0x1000  # bytes of one stretch
THUMB = 1 << 24  # EPSR.T, which is always set
IPSR = 0x1FF  # the part of xPSR that the core alone decides
CORE = {**{f"r{n}": n for n in range(13)}, "sp": 13, "lr": 14}


class Target:
    """One machine while its core is held. ``pc`` is where it will go on."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.pc = 0
        self.registers = registers_of(machine.board, machine.pricer.core.architecture)
        self._written: set[str] = set()  # regions of flash
        self._loads: dict[int, bytes] = {}  # what was written to RAM before the core ran, the last of a place last
        self.set_up: list[tuple[int, int, int]] = []  # writes to the core's registers before it ran
        windows = machine.chipset.chip.windows if machine.chipset.chip else ()
        self._devices = (PERIPHERALS, *((w.base, w.size) for w in windows))

    # Registers.

    def read_register(self, register: Register) -> bytes:
        """A register's bytes."""
        size = register.bits // 8
        return self._value(register.name).to_bytes(8, "little")[:size]

    def _value(self, name: str) -> int:
        if name == "pc":
            return self.pc
        engine = self.machine.engine
        if name in CORE:
            return engine.register(CORE[name])
        value = engine.special_register(name)
        return value | THUMB if name == "xpsr" else value

    def write_register(self, register: Register, data: bytes) -> None:
        """Set a register; what the core alone decides (IPSR, the Thumb bit) stays. ValueError if too short."""
        if len(data) < register.bits // 8:
            raise ValueError(f"{len(data)} bytes for {register.name}")
        value = int.from_bytes(data[: register.bits // 8], "little")
        engine, name = self.machine.engine, register.name
        if name == "pc":
            self.set_pc(value)
        elif name in CORE:
            engine.set_register(CORE[name], value)
        elif name == "xpsr":
            held = engine.special_register(name)
            engine.set_special_register(name, value & ~IPSR | held & IPSR | THUMB)
        else:
            engine.set_special_register(name, value)

    def set_pc(self, address: int) -> None:
        """Where the core is to go on."""
        self.pc = address & 0xFFFFFFFE

    # Memory.

    def read(self, address: int, size_bytes: int) -> bytes:
        """Memory and device registers from there on, as far as they can be read; a read may act on a device."""
        out = bytearray()
        with self._unseen():
            while len(out) < size_bytes and address + len(out) < ADDRESS_SPACE:
                part = self._read_part(address + len(out), size_bytes - len(out))
                if not part:
                    break
                out += part
        return bytes(out)

    def _read_part(self, address: int, most_bytes: int) -> bytes:
        region = self._region_at(address)
        if region is not None:
            return self.machine.engine.read(address, min(most_bytes, region.end - address, MOST_READ))
        if self.is_device(address):
            width = _width(address, most_bytes)
            chipset = self.machine.chipset
            read = chipset.system.read if _in(address, PPB_BASE, PPB_SIZE) else chipset.bus.peek
            return (read(address, width) & (1 << 8 * width) - 1).to_bytes(width, "little")
        try:
            return self.machine.engine.read(address, min(most_bytes, 4 - address % 4))
        except InputError:
            return b""

    def write(self, address: int, data: bytes) -> bool:
        """Write memory (flash too) or device registers; False if it can't all be written."""
        with self._unseen():
            while data:
                done = self._write_part(address, data)
                if not done:
                    return False
                address, data = address + done, data[done:]
        return True

    def _write_part(self, address: int, data: bytes) -> int:
        engine, region = self.machine.engine, self._region_at(address)
        if region is not None:
            part = data[: region.end - address]
            if not region.writable and region.kind not in FLASH_KINDS:
                return 0
            engine.write(address, part)
            engine.forget_code(address, len(part))
            if region.kind in FLASH_KINDS:
                self._written.add(region.name)
            elif self.machine.recorder.current is None:
                self._loads.pop(address, None)
                self._loads[address] = part
            return len(part)
        if not self.is_device(address):
            return 0
        width = _width(address, len(data))
        chipset = self.machine.chipset
        is_core = _in(address, PPB_BASE, PPB_SIZE)
        if is_core and self.machine.recorder.current is None:
            self.set_up.append((address, width, int.from_bytes(data[:width], "little")))
        write = chipset.system.write if is_core else chipset.bus.poke
        write(address, width, int.from_bytes(data[:width], "little"))
        return width

    def erase(self, address: int, size_bytes: int) -> bool:
        """Erase whole blocks of flash; False if it isn't that."""
        region = self._region_at(address)
        if region is None or region.kind not in FLASH_KINDS or not 0 < size_bytes <= region.end - address:
            return False
        block = block_bytes(region.base, region.size)
        return not (address % block or size_bytes % block) and self.write(address, b"\xff" * size_bytes)

    def is_device(self, address: int) -> bool:
        """Whether device registers, of the core or of the chip, are at an address."""
        return _in(address, PPB_BASE, PPB_SIZE) or (
            self._region_at(address) is None and any(_in(address, *place) for place in self._devices)
        )

    def flash(self) -> dict[str, bytes]:
        """What is in the flash that was written, by region."""
        return {name: self.machine.engine.read(*self._place(name)) for name in sorted(self._written)}

    def loads(self) -> dict[int, bytes]:
        """What was loaded into RAM, by address: what a debugger wrote there before the core ran."""
        return merged(self._loads)

    def repeat_set_up(self, writes: list[tuple[int, int, int]]) -> None:
        """Make the writes that a debugger made to a machine before this one, which it takes for the same."""
        for address, width, value in writes:
            self.write(address, value.to_bytes(width, "little"))

    def put_back(self, flash: dict[str, bytes], loads: dict[int, bytes]) -> None:
        """Fill flash as it was in a machine before this one, and RAM as it was loaded, and start from the vector table
        that is there now."""
        engine, table = self.machine.engine, self.machine.vector_table
        before = engine.read(table, 8)
        for name, data in flash.items():
            self._written.add(name)
            engine.write(self._place(name)[0], data)
        for address, data in loads.items():
            self._loads[address] = data
            engine.write(address, data)
        after = engine.read(table, 8)
        if after != before:
            engine.set_register(13, int.from_bytes(after[:4], "little"))
            self.pc = int.from_bytes(after[4:], "little") & ~1

    def _place(self, name: str) -> tuple[int, int]:
        return next((r.base, r.size) for r in self.machine.board.regions if r.name == name)

    def _region_at(self, address: int) -> Region | None:
        return next((r for r in self.machine.board.regions if r.holds(address)), None)

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """Accesses that the result doesn't count as the firmware's."""
        system = self.machine.chipset.system
        reads = system.systick.clock_reads, system.dwt.clock_reads
        untouched = dict(system.untouched)
        try:
            yield
        finally:
            system.systick.clock_reads, system.dwt.clock_reads = reads
            system.untouched.clear()
            system.untouched.update(untouched)


def merged(writes: Mapping[int, bytes]) -> dict[int, bytes]:
    """What memory holds after these writes, as stretches in order of address that neither touch nor overlap."""
    found: list[tuple[int, int]] = []
    for start in sorted(writes):
        end = start + len(writes[start])
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        elif end > start:
            found.append((start, end))
    contents = {start: bytearray(end - start) for start, end in found}
    starts = list(contents)
    for address, data in writes.items():
        if data:
            start = starts[bisect_right(starts, address) - 1]
            contents[start][address - start : address - start + len(data)] = data
    return {start: bytes(content) for start, content in contents.items()}


def _in(address: int, base: int, size: int) -> bool:
    return base <= address < base + size


def _width(address: int, most_bytes: int) -> int:
    """The widest access there: a word, a halfword or a byte."""
    return 4 if not address % 4 and most_bytes >= 4 else 2 if not address % 2 and most_bytes >= 2 else 1
