"""What a board lends its devices: interrupt lines that several may drive, memory, signals, pins and their log."""

from __future__ import annotations

import pytest

from vtarget.data.chip import DeviceEntry
from vtarget.shell.boardlib import load_board
from vtarget.shell.bus import Bus, Mapping
from vtarget.shell.clocks import Clocks
from vtarget.shell.engine import Engine
from vtarget.shell.nvic import Nvic
from vtarget.shell.plainregisters import PlainRegisters
from vtarget.shell.ports import MOST_EDGES, Backplane, DevicePorts, PinEdge
from vtarget.shell.schedule import Schedule

FLASH, RAM, NOWHERE, PERIPHERAL = 0x08000000, 0x20000000, 0x9FFFFFF0, 0x40001000


class Board:
    """A backplane with a bus of plain registers and time that the test sets."""

    def __init__(self) -> None:
        self.cycle = 0
        self.resets = 0
        self.states: list[tuple[str, int]] = []
        self.engine = Engine(load_board("nucleo-l4r5zi"))
        self.nvic = Nvic(32, 4, baseline=False)
        self.clocks = Clocks(Schedule(), lambda: self.cycle, 4_000_000)
        self.backplane = Backplane(
            self.engine, self.nvic, self.clocks, lambda region, states: self.states.append((region, states)), self.reset
        )
        timeline = type("FakeTimeline", (), {"access": None, "asked": False})()
        self.bus = Bus([], None, PlainRegisters(), timeline, bit_band=True)
        self.backplane.bus = self.bus

    def reset(self) -> None:
        self.resets += 1

    def ports(self, name: str = "DEV", **fields: object) -> DevicePorts:
        entry = DeviceEntry(name=name, model="x", base=PERIPHERAL, source="test", **fields)  # type: ignore[arg-type]
        return DevicePorts(self.backplane, entry, entry.options, None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine_board() -> Board:
    return Board()


@pytest.fixture
def board(engine_board: Board) -> Board:
    """The engine is dear; all else is new."""
    fresh = Board.__new__(Board)
    fresh.__dict__.update(engine_board.__dict__)
    fresh.nvic = Nvic(32, 4, baseline=False)
    fresh.clocks = Clocks(Schedule(), lambda: fresh.cycle, 4_000_000)
    fresh.states, fresh.cycle, fresh.resets = [], 0, 0
    fresh.backplane = Backplane(
        fresh.engine,
        fresh.nvic,
        fresh.clocks,
        lambda region, states: fresh.states.append((region, states)),
        fresh.reset,
    )
    fresh.backplane.bus = fresh.bus
    return fresh


def test_lines_go_where_the_chip_s_file_says(board: Board) -> None:
    ports = board.ports(interrupts={"RX": 3, "TX": 4})
    ports.set_irq(True, "TX")
    assert board.nvic.pending == 1 << 16 + 4
    ports.set_irq(True, "OVF")
    ports.set_irq(True)
    assert board.nvic.pending == 1 << 16 + 4


def test_the_only_line_is_called_irq(board: Board) -> None:
    board.ports(interrupts={"IRQ": 7}).set_irq(True)
    assert board.nvic.pending == 1 << 16 + 7


def test_a_shared_interrupt_is_high_while_anyone_drives_it(board: Board) -> None:
    one, other = board.ports("A", interrupts={"IRQ": 5, "ERR": 5}), board.ports("B", interrupts={"IRQ": 5})
    for ports, line in ((one, ""), (one, "ERR"), (other, "")):
        ports.set_irq(True, line)
        ports.set_irq(True, line)
    board.nvic.enter(16 + 5)
    for ports, line in ((one, ""), (one, "ERR")):
        ports.set_irq(False, line)
        board.nvic.leave(16 + 5)
        assert board.nvic.pending == 1 << 16 + 5
        board.nvic.enter(16 + 5)
    other.set_irq(False)
    board.nvic.leave(16 + 5)
    assert board.nvic.pending == 0


def test_clocks_by_name_and_of_their_own(board: Board) -> None:
    named, own = board.ports(clock="PCLK1"), board.ports(clock_hz="32768 Hz")
    board.cycle = 4_000_000
    named.set_clocks({"PCLK1": 1_000_000})
    board.cycle = 8_000_000
    assert (named.clock.ticks, own.clock.ticks, named.now()) == (5_000_000, 65_536, 8_000_000)
    assert named.named_clock("PCLK1") is named.clock
    assert own.fixed_clock(32_768) is own.clock


def test_a_master_reads_and_writes_memory_and_registers(board: Board) -> None:
    ports = board.ports()
    assert ports.write_memory(RAM + 1, b"\x01\x02\x03")
    assert ports.read_memory(RAM, 5) == b"\0\x01\x02\x03\0"
    assert ports.read_memory(NOWHERE, 4) is None
    assert not ports.write_memory(NOWHERE, b"1234")
    assert not ports.write_memory(FLASH, b"1234")
    assert ports.read_memory(FLASH, 4) == bytes(4)
    assert ports.write_memory(PERIPHERAL, b"\x78\x56\x34\x12")
    assert ports.read_memory(PERIPHERAL, 2) == b"\x78\x56"
    assert board.bus.peek(PERIPHERAL, 4) == 0x12345678


def test_a_master_s_access_is_not_the_core_s(board: Board) -> None:
    seen: list[int] = []
    board.bus.watch = lambda address, _value: seen.append(address)
    board.ports().read_memory(PERIPHERAL, 4)
    assert seen == []


def test_signals_tell_each_change_once_and_newcomers_of_a_high_level(board: Board) -> None:
    ports, heard = board.ports(), []
    ports.watch_signal("DMA", lambda level: heard.append(("first", level)))
    for level in (False, True, True, False, True):
        ports.set_signal("DMA", level)
    board.ports("B").watch_signal("DMA", lambda level: heard.append(("second", level)))
    assert heard == [("first", True), ("first", False), ("first", True), ("second", True)]
    ports.set_signal("OTHER", True)
    assert len(heard) == 4


def test_pins_log_their_changes_with_their_time(board: Board) -> None:
    """What a pin is when it becomes an output is no change."""
    told: list[PinEdge] = []
    board.backplane.edge = told.append
    ports = board.ports()
    for cycle, level in ((0, False), (10, True), (20, True), (30, False)):
        board.cycle = cycle
        ports.set_pin("PA5", level)
    assert board.backplane.edges == told
    assert told == [PinEdge(10, "PA5", True), PinEdge(30, "PA5", False)]


def test_the_log_of_pins_has_an_end(board: Board) -> None:
    ports = board.ports()
    for number in range(MOST_EDGES + 6):
        ports.set_pin("PA5", bool(number % 2))
    assert (len(board.backplane.edges), board.backplane.dropped_edges) == (MOST_EDGES, 5)


def test_notes_resets_and_wait_states_reach_the_board(board: Board) -> None:
    ports = board.ports()
    ports.note("DEV: no DMA")
    ports.note("DEV: no DMA")
    ports.reset_core()
    ports.set_wait_states("FLASH", 4)
    assert (board.backplane.notes, board.resets, board.states) == ({"DEV: no DMA"}, 1, [("FLASH", 4)])


def test_a_mapping_with_atomic_aliases_is_four_views_long() -> None:
    device = None
    assert Mapping("A", 0x40000000, 0x400, device).end == 0x40000400  # type: ignore[arg-type]
    assert Mapping("A", 0x40000000, 0x400, device, atomic=True).end == 0x40004000  # type: ignore[arg-type]
