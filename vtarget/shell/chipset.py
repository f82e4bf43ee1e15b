"""Everything around the core of one virtual board: time, interrupts, the system block, devices and the bus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vtarget.base.units import FREQUENCY, parse
from vtarget.data.board import Board
from vtarget.data.chip import Chip, DeviceEntry
from vtarget.data.exceptions import CONTROL_FPCA, Vector
from vtarget.logic.pricing import Pricer
from vtarget.shell.bus import BIT_BAND_CORES, PERIPHERALS, Bus, Mapping, Registers, sram_aliases, sram_bit_band
from vtarget.shell.clock import LiveClock
from vtarget.shell.clocks import CORE, Clock, Clocks
from vtarget.shell.devices.device import Wire
from vtarget.shell.devices.registry import make_device
from vtarget.shell.devices.rules import Rules
from vtarget.shell.dwt import Dwt
from vtarget.shell.engine import Engine
from vtarget.shell.epochs import Epochs
from vtarget.shell.nvic import Nvic
from vtarget.shell.plainregisters import PlainRegisters
from vtarget.shell.ports import Backplane, DevicePorts
from vtarget.shell.recorder import Recorder
from vtarget.shell.scb import BASELINE_CORES, SystemControl
from vtarget.shell.schedule import Schedule
from vtarget.shell.svd import SvdChip
from vtarget.shell.system import PPB_BASE, PPB_SIZE, SystemBlock
from vtarget.shell.systick import SysTick
from vtarget.shell.timeline import Timeline

# Of a board that names no chip: the architecture's largest number of lines, and the priority bits of most chips.
DEFAULT_LINES, DEFAULT_PRIORITY_BITS = 240, 4
BASELINE_LINES, BASELINE_PRIORITY_BITS = 32, 2


@runtime_checkable
class ClockSource(Protocol):
    """A device that makes clocks."""

    def frequencies(self) -> dict[str, int]:
        """Hz by name, as its registers stand."""


@dataclass(frozen=True)
class Outside:
    """What a chipset is connected to: serial lines by device name, the ITM, names of registers."""

    wire: Callable[[str], Wire]
    itm: Registers | None = None
    tpiu: Registers | None = None
    svd: SvdChip | None = None


class Chipset:
    """The parts around one engine and its recorder. ``sooner`` is told when the next event moves up."""

    def __init__(
        self,
        engine: Engine,
        recorder: Recorder,
        pricer: Pricer,
        chip: Chip | None,
        vector_table: int,
        outside: Outside,
        sooner: Callable[[], None],
        epochs: Epochs,
        *,
        managed: bool,
    ) -> None:
        board = pricer.board
        baseline = board.core in BASELINE_CORES
        self.board = board
        self.chip = chip
        self.timeline = Timeline(recorder, LiveClock(engine, recorder))
        self.schedule = Schedule(sooner)
        self.clocks = Clocks(self.schedule, self.timeline.now, pricer.clock_hz, pinned=pricer.pinned)
        lines = chip.interrupts if chip else BASELINE_LINES if baseline else DEFAULT_LINES
        bits = chip.priority_bits if chip else BASELINE_PRIORITY_BITS if baseline else DEFAULT_PRIORITY_BITS
        self.nvic = Nvic(lines, bits, baseline=baseline)
        regions = chip.mpu_regions if chip else 0 if baseline else 8
        self.control = SystemControl(board.core, board.fpu, self.nvic, vector_table, _ipsr(engine), regions)
        self.systick_sleeps = chip is not None and chip.systick_sleeps
        if chip is not None:
            self.control.set_caches(chip.instruction_cache, chip.data_cache)
        self.control.fp_active = lambda: bool(engine.control & CONTROL_FPCA)
        self.systick = SysTick(self.clocks.clock(CORE), self._systick_clock(), lambda: self.nvic.pend(Vector.SYSTICK))
        self.overhead: Callable[[], int] = lambda: 0
        self.dwt = Dwt(
            board.core,
            self.timeline.awake,
            lambda: self.timeline.asleep,
            lambda: self.overhead(),
            self.control.notes.add,
        )
        self.system = SystemBlock(board.core, self.control, self.systick, self.dwt, outside.itm, outside.tpiu)
        self.backplane = Backplane(engine, self.nvic, self.clocks, epochs.set_wait_states, self._request_reset)
        self.backplane.switch = self.control.on_switch = epochs.set_switch
        self.backplane.invalidate = self.control.on_invalidate = epochs.invalidate
        mappings = [self._mapping(entry, outside) for entry in chip.devices] if chip else []
        self.plain = PlainRegisters(outside.svd)
        self.rules = self._rules(chip, outside) if chip and chip.registers else None
        self.bus = Bus(mappings, self.rules, self.plain, self.timeline, bit_band=board.core in BIT_BAND_CORES)
        self.backplane.bus = self.bus
        self._publish_reset_clocks(managed=managed)
        self._map(engine)

    def _systick_clock(self) -> Clock:
        name = self.chip.systick_clock if self.chip else CORE
        return self.clocks.fixed(int(parse(name, FREQUENCY))) if name[:1].isdigit() else self.clocks.clock(name)

    def _publish_reset_clocks(self, *, managed: bool) -> None:
        """The clocks that the tree's devices give at reset. A core that doesn't begin at its reset clock takes those
        that run with it along."""
        frequencies: dict[str, int] = {}
        for mapping in self.bus.mappings:
            if isinstance(mapping.device, ClockSource):
                frequencies |= mapping.device.frequencies()
        reset_hz = frequencies.pop(CORE, self.clocks.core_hz)
        self.clocks.set({name: hz for name, hz in frequencies.items() if managed or hz != reset_hz})

    def _rules(self, chip: Chip, outside: Outside) -> Rules:
        entry = DeviceEntry(name="REGISTERS", model="rules", base=0, source=chip.source)
        return Rules(chip, DevicePorts(self.backplane, entry, {}, outside.wire(entry.name)), outside.svd)

    def register_name(self, address: int) -> str:
        """What to call the register at an address."""
        if self.rules is not None and self.rules.holds(address):
            return self.rules.name(address)
        found = self.bus.mapping_at(address)
        return self.plain.name(address) if found is None else f"{found.name}+0x{address - found.base:02x}"

    def _mapping(self, entry: DeviceEntry, outside: Outside) -> Mapping:
        options = {"base": entry.base, **entry.options}
        ports = DevicePorts(self.backplane, entry, options, outside.wire(entry.name))
        atomic = bool(entry.options.get("atomic", False))
        return Mapping(entry.name, entry.base, entry.size, make_device(entry.model, ports), atomic)

    def _map(self, engine: Engine) -> None:
        engine.map_registers(PPB_BASE, PPB_SIZE, self._read_system, self._write_system)
        windows = [PERIPHERALS, *((w.base, w.size) for w in self.chip.windows)] if self.chip else [PERIPHERALS]
        for base, size in windows:
            for start, end in free_stretches(self.board, base, base + size):
                engine.map_registers(start, end - start, self.bus.read, self.bus.write)
        for alias in sram_aliases(self.board) if self.board.core in BIT_BAND_CORES else ():
            if free_stretches(self.board, *alias) == [alias]:
                engine.map_registers(alias[0], alias[1] - alias[0], *sram_bit_band(engine.read, engine.store))

    def _read_system(self, address: int, size_bytes: int) -> int:
        if self.bus.mapping_at(address) is not None:
            return self.bus.read(address, size_bytes)
        self.timeline.access = (address, True)
        try:
            return self.system.read(address, size_bytes)
        finally:
            self.timeline.access = None

    def _write_system(self, address: int, size_bytes: int, value: int) -> None:
        if self.bus.mapping_at(address) is not None:
            self.bus.write(address, size_bytes, value)
            return
        self.timeline.access = (address, False)
        try:
            self.system.write(address, size_bytes, value)
        finally:
            self.timeline.access = None

    def _request_reset(self) -> None:
        self.control.request_reset()

    def run_ahead(self, cycles: int) -> bool:
        """Run the events of the next cycles, in which the core does nothing else; whether there were any."""
        if self.schedule.next_cycle > self.timeline.now() + cycles:
            return False
        self.run_due(cycles)
        return True

    def run_due(self, ahead: int = 0) -> None:
        """Run the events that are due, each at its own time."""
        now = self.timeline.now() + ahead
        if self.schedule.next_cycle > now:
            return
        while (event := self.schedule.take_due(now)) is not None:
            action, event.action = event.action, None
            if action is not None:
                self.timeline.moment = event.cycle
                try:
                    action()
                finally:
                    self.timeline.moment = None

    def deep_sleep_state(self) -> str:
        """What WFI with SLEEPDEEP leads to, in the manual's words; ``deep sleep`` where no device tells."""
        modes = (getattr(mapping.device, "low_power_mode", None) for mapping in self.bus.mappings)
        return next((str(mode) for mode in modes if mode), "deep sleep")

    def drain(self) -> None:
        """The core has stopped: serial lines send what they still hold."""
        for mapping in self.bus.mappings:
            drain = getattr(mapping.device, "drain", None)
            if drain is not None:
                drain()

    def wake_from(self, state: str) -> None:
        """Waking from a stop mode leaves another clock running: the tree that knows which sets it."""
        if state.startswith("stop"):
            for mapping in self.bus.mappings:
                wake = getattr(mapping.device, "wake_from_stop", None)
                if wake is not None:
                    wake()

    def device(self, name: str) -> object | None:
        """The model of the device of that name."""
        return next((m.device for m in self.bus.mappings if m.name == name), None)


def _ipsr(engine: Engine) -> Callable[[], int]:
    return lambda: engine.exception_number


def free_stretches(board: Board, start: int, end: int, page: int = 4096) -> list[tuple[int, int]]:
    """The parts of ``start`` .. ``end`` that no region of the board covers, in whole pages."""
    stretches = []
    for region in sorted(board.regions, key=lambda r: r.base):
        base, after = region.base // page * page, -(-region.end // page) * page
        if base >= end or after <= start:
            continue
        if base > start:
            stretches.append((start, base))
        start = max(start, after)
    if start < end:
        stretches.append((start, end))
    return stretches
