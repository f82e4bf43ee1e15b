"""SEGGER RTT against a control block that a test plays the firmware of, and against blocks that are lies."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from wirelib import Bench

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.shell.boardlib import load_board
from vtarget.shell.engine import Engine
from vtarget.shell.rtt import ID, Rtt
from vtarget.shell.wires import Line

RAM, RAM_END, FLASH, NOWHERE = 0x20000000, 0x200A0000, 0x08000000, 0x70000000
BLOCK, UP, DOWN = RAM + 0x1000, RAM + 0x2000, RAM + 0x3000
BOARD = load_board("nucleo-l4r5zi")


class FakeMemory:
    """One stretch of RAM; counts the bytes that were read of it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.data = bytearray(RAM_END - RAM)
        self.bytes_read = 0

    def read(self, address: int, size_bytes: int) -> bytes:
        if not RAM <= address <= address + size_bytes <= RAM_END:
            raise InputError("no memory")
        self.bytes_read += size_bytes
        return bytes(self.data[address - RAM : address - RAM + size_bytes])

    def store(self, address: int, data: bytes) -> None:
        assert address >= RAM and address + len(data) <= RAM_END
        self.data[address - RAM : address - RAM + len(data)] = data


class Firmware:
    """The other side: SEGGER_RTT_Write and SEGGER_RTT_Read as SEGGER describes them."""

    def __init__(self, up_bytes: int = 16, down_bytes: int = 8, symbol: int | None = BLOCK) -> None:
        self.memory = FakeMemory(BOARD)
        self.bench = Bench()
        self.text = bytearray()
        self.line = Line("RTT", self.text.extend, self.bench.after_seconds)
        self.up_bytes, self.down_bytes = up_bytes, down_bytes
        self.rtt = Rtt(self.memory, BOARD, symbol, self.line)

    def init(self, block: int = BLOCK, ups: int = 2, downs: int = 1) -> None:
        """Make the control block; its ID comes last."""
        self.block, self.ups = block, ups
        self.memory.store(block + 16, struct.pack("<2I", ups, downs))
        self.descriptor(0, 0, UP, self.up_bytes)
        self.descriptor(ups, 0, DOWN, self.down_bytes)
        self.memory.store(block, ID)

    def descriptor(self, index: int, *words: int) -> None:
        """Name, buffer, size, write offset, read offset, flags of a buffer, from the first word on."""
        self.memory.store(self.block + 24 + 24 * index, struct.pack(f"<{len(words)}I", *words))

    def offsets(self, index: int) -> tuple[int, int]:
        """Write and read offset of a buffer."""
        write, read = struct.unpack("<2I", self.memory.read(self.block + 24 + 24 * index + 12, 8))
        return write, read

    def write(self, data: bytes) -> int:
        """To up channel 0; how much there was room for."""
        write, read = self.offsets(0)
        room = (read - write - 1) % self.up_bytes
        for byte in data[:room]:
            self.memory.store(UP + write, bytes([byte]))
            write = (write + 1) % self.up_bytes
        self.memory.store(self.block + 24 + 12, write.to_bytes(4, "little"))
        return min(room, len(data))

    def read(self) -> bytes:
        """From down channel 0."""
        write, read = self.offsets(self.ups)
        data = bytearray()
        while read != write:
            data += self.memory.read(DOWN + read, 1)
            read = (read + 1) % self.down_bytes
        self.memory.store(self.block + 24 + 24 * self.ups + 16, read.to_bytes(4, "little"))
        return bytes(data)


def test_text_goes_up_around_the_ring() -> None:
    firmware = Firmware()
    firmware.rtt.poll()
    assert not firmware.rtt.found
    firmware.init()
    for number in range(20):
        assert firmware.write(b"line %02d\n" % number) == 8
        firmware.rtt.poll()
    assert firmware.text == b"".join(b"line %02d\n" % number for number in range(20))
    assert firmware.rtt.found
    assert firmware.rtt.notes == []


def test_a_full_buffer_is_emptied() -> None:
    firmware = Firmware()
    firmware.init()
    assert firmware.write(b"x" * 100) == 15
    firmware.rtt.poll()
    assert firmware.write(b"y" * 100) == 15
    firmware.rtt.poll()
    firmware.rtt.poll()
    assert firmware.text == b"x" * 15 + b"y" * 15


@given(st.lists(st.tuples(st.binary(max_size=20), st.booleans()), max_size=20), st.integers(1, 20))
@settings(deadline=None)
def test_what_is_written_arrives_in_order(writes: list[tuple[bytes, bool]], size: int) -> None:
    firmware, sent = Firmware(up_bytes=size), b""
    firmware.init()
    for data, poll in writes:
        plain = data.replace(b"\xff", b"")
        sent += plain[: firmware.write(plain)]
        if poll:
            firmware.rtt.poll()
    firmware.rtt.poll()
    assert firmware.text == sent


def test_typing_goes_down_as_there_is_room() -> None:
    firmware = Firmware()
    firmware.init()
    firmware.rtt.poll()
    assert firmware.line.receiver is not None
    for byte in b"0123456789abcdefghij":
        firmware.line.receiver(byte)
    got = []
    for _ in range(4):
        got.append(firmware.read())
        firmware.rtt.poll()
    assert got == [b"0123456", b"789abcd", b"efghij", b""]


def test_typing_before_the_block_exists_is_kept_up_to_a_bound() -> None:
    firmware = Firmware()
    assert firmware.line.receiver is not None
    for _ in range(0x10000 + 1):
        firmware.line.receiver(0x41)
    firmware.init()
    firmware.rtt.poll()
    assert firmware.read() == b"A" * 7
    assert firmware.rtt.notes == ["RTT: input beyond 64 KiB that the firmware did not read dropped"]


def test_other_channels_are_emptied_and_noted() -> None:
    firmware = Firmware()
    firmware.init()
    firmware.descriptor(1, 0, RAM + 0x4000, 100, 60, 50)
    firmware.rtt.poll()
    firmware.descriptor(1, 0, RAM + 0x4000, 100, 10, 60)
    firmware.rtt.poll()
    assert firmware.offsets(1) == (10, 10)
    assert firmware.text == b""
    assert firmware.rtt.notes == ["RTT channel 1: 60 bytes not shown"]


def test_marks_of_virtual_terminals_are_left_out() -> None:
    firmware = Firmware()
    firmware.init()
    for part in (b"\xff1one\xff", b"Atwo", b"\xff", b"\xff0!\xffz"):
        firmware.write(part)
        firmware.rtt.poll()
    assert firmware.text == b"onetwo\xff!\xffz"


# Finding the block.


def test_the_block_is_found_without_a_symbol() -> None:
    firmware = Firmware(symbol=None)
    for _ in range(10):
        firmware.rtt.poll()
    firmware.memory.store(RAM + 0x501, ID)  # not aligned
    firmware.memory.store(RAM + 0x600, ID + struct.pack("<2I", 99, 99))  # no block
    firmware.init(block=RAM + 0x9FF00)
    firmware.write(b"found")
    for _ in range(100):
        firmware.rtt.poll()
    assert firmware.text == b"found"


def test_a_search_that_finds_nothing_becomes_rare() -> None:
    firmware = Firmware(symbol=None)
    for _ in range(1000):
        firmware.rtt.poll()
    assert firmware.memory.bytes_read < 25 * 2 * (RAM_END - RAM)


def test_the_block_is_found_across_a_boundary_of_pieces() -> None:
    board = load_board("mps2-an386")
    region = max((r for r in board.regions if r.writable and r.alias_of is None), key=lambda r: r.size)
    assert region.size > 1 << 20
    engine, bench, text = Engine(board), Bench(), bytearray()
    rtt = Rtt(engine, board, None, Line("RTT", text.extend, bench.after_seconds))
    block = region.base + (1 << 20) - 8
    engine.store(region.base, b"text")
    engine.store(block, ID + struct.pack("<2I", 1, 0) + struct.pack("<6I", 0, region.base, 16, 4, 0, 0))
    rtt.poll()
    assert text == b"text"


def test_a_block_that_is_cleared_and_made_again() -> None:
    firmware = Firmware()
    firmware.init()
    firmware.write(b"one ")
    firmware.rtt.poll()
    firmware.memory.store(BLOCK, bytes(200))
    firmware.rtt.poll()
    firmware.init()
    firmware.descriptor(0, 0, UP, 16, 0, 0)
    firmware.write(b"two")
    firmware.rtt.poll()
    assert firmware.text == b"one two"
    assert firmware.rtt.notes == []


# Lies.


def test_lies_are_noted_and_nothing_is_read() -> None:
    for words, note in [
        ((0, UP, 16, 16, 0), "up channel 0 has offsets beyond its size"),
        ((0, UP, 16, 0, 0xFFFFFFFF), "up channel 0 has offsets beyond its size"),
        ((0, NOWHERE, 16, 4, 0), "up channel 0 lies outside RAM"),
        ((0, FLASH, 16, 4, 0), "up channel 0 lies outside RAM"),
        ((0, RAM_END - 8, 16, 4, 0), "up channel 0 lies outside RAM"),
        ((0, UP, 0xFFFFFFFF, 0xFFFFFFF0, 0), "up channel 0 lies outside RAM"),
        ((0, 0xFFFFFFF0, 0x20, 1, 0), "up channel 0 lies outside RAM"),
    ]:
        firmware = Firmware()
        firmware.init()
        firmware.descriptor(0, *words)
        firmware.rtt.poll()
        firmware.rtt.poll()
        assert firmware.text == b""
        assert firmware.rtt.notes == [f"RTT: {note}"]


def test_impossible_numbers_of_buffers() -> None:
    for ups, downs in [(0, 0), (33, 1), (1, 33), (0xFFFFFFFF, 1), (0x80000000, 0x80000000)]:
        firmware = Firmware()
        firmware.init()
        firmware.memory.store(BLOCK + 16, struct.pack("<2I", ups, downs))
        firmware.rtt.poll()
        assert firmware.rtt.notes == [f"RTT: control block at 0x{BLOCK:08x} has impossible numbers of buffers"]


def test_a_symbol_that_points_nowhere() -> None:
    for symbol in (NOWHERE, 0, FLASH, RAM_END - 8, 0xFFFFFFFC):
        firmware = Firmware(symbol=symbol)
        firmware.rtt.poll()
        assert (firmware.rtt.found, firmware.rtt.notes) == (False, [])


@given(st.binary(min_size=24 + 4 * 24, max_size=24 + 4 * 24), st.lists(st.integers(0, 255), max_size=4))
@settings(deadline=None, max_examples=200)
def test_no_block_raises(block: bytes, typed: list[int]) -> None:
    firmware = Firmware()
    firmware.memory.store(BLOCK, ID + struct.pack("<2I", block[0] % 4, block[1] % 4) + block[24:])
    for byte in typed:
        assert firmware.line.receiver is not None
        firmware.line.receiver(byte)
    for _ in range(3):
        firmware.rtt.poll()
    assert len(firmware.rtt.notes) <= 64


word = st.sampled_from([0, 1, 4, 15, 16, 17, 0x1000, UP, DOWN, BLOCK, RAM, RAM_END - 4, FLASH, NOWHERE, 0xFFFFFFFF])


@given(st.lists(st.tuples(*[word] * 6), min_size=4, max_size=4))
@settings(deadline=None, max_examples=300)
def test_no_block_of_plausible_words_raises(buffers: list[tuple[int, ...]]) -> None:
    firmware = Firmware()
    words = b"".join(struct.pack("<6I", *buffer) for buffer in buffers)
    firmware.memory.store(BLOCK, ID + struct.pack("<2I", 2, 2) + words)
    assert firmware.line.receiver is not None
    for byte in b"typed":
        firmware.line.receiver(byte)
        firmware.rtt.poll()
    assert len(firmware.text) < 1 << 20
