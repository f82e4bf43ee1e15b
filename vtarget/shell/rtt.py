"""SEGGER RTT: text that firmware exchanges with a debugger through ring buffers in its RAM.

The control block (J-Link manual UM08001, RTT; layout of SEGGER_RTT.h): ``char acID[16]`` = "SEGGER RTT", the numbers of
up and down buffers, and for each buffer six words: name, buffer, size, write offset, read offset, flags. Up goes to the
host, who moves the read offset; down goes to the firmware, and the host moves the write offset. A buffer is empty where
the offsets are equal. Everything in it is the firmware's word and may be wrong.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

from vtarget.base.errors import InputError
from vtarget.data.board import Board

ID = b"SEGGER RTT".ljust(16, b"\0")
HEADER_BYTES, BUFFER_BYTES = 24, 24
POLL_SECONDS = 0.001  # of virtual time: as often as a probe gets round to it
MOST_BUFFERS = 32
WRITE_OFFSET, READ_OFFSET = 12, 16
SCAN_PIECE_BYTES, SCAN_LIMIT_BYTES = 1 << 20, 16 << 20
MOST_SKIPPED = 64
PENDING_LIMIT_BYTES = 1 << 16
TERMINAL = 0xFF  # followed by a hexadecimal digit: text after it is for that virtual terminal
TERMINALS = frozenset(b"0123456789ABCDEF")


class Memory(Protocol):
    """What is needed of an engine."""

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory; InputError where there is none."""

    def store(self, address: int, data: bytes) -> None:
        """Put bytes into RAM; InputError elsewhere."""


class TextLine(Protocol):
    """Where channel 0 goes to and comes from (``wires.Line``)."""

    receiver: Callable[[int], None] | None

    def write(self, data: bytes) -> None:
        """Output of the firmware."""


class Rtt:
    """The debugger's side. ``poll`` is to be called every POLL_SECONDS of virtual time while the core is awake, and at
    the end: what a full buffer can't take is lost to the firmware, so that other moments would give other text.
    Without the address of ``_SEGGER_RTT`` RAM is searched for the block."""

    def __init__(self, memory: Memory, board: Board, symbol_address: int | None, line: TextLine) -> None:
        self._memory = memory
        self._board = board
        self._symbol = symbol_address
        self._line = line
        self._block: int | None = None
        self._skip = self._skipped = 0
        self._pending: deque[int] = deque()
        self._escaped = False
        self._others: dict[int, int] = {}
        self._complaints: list[str] = []
        line.receiver = self._receive

    @property
    def found(self) -> bool:
        """Whether a control block has been found."""
        return self._block is not None

    @property
    def notes(self) -> list[str]:
        """What went to other channels than 0, and what was wrong with the control block."""
        others = [f"RTT channel {number}: {size} bytes not shown" for number, size in sorted(self._others.items())]
        return others + self._complaints

    def poll(self) -> None:
        """Take what the firmware wrote, give it what was typed."""
        if self._block is None:
            self._block = self._find()
        if self._block is not None:
            self._serve(self._block)

    def _receive(self, byte: int) -> None:
        if len(self._pending) < PENDING_LIMIT_BYTES:
            self._pending.append(byte)
        else:
            self._complain("input beyond 64 KiB that the firmware did not read dropped")
        if self._block is not None:
            self._serve(self._block)

    # Finding the control block.

    def _find(self) -> int | None:
        if self._symbol is not None:
            return self._symbol if self._is_block(self._symbol) else None
        # A search costs more than anything else here: the longer nothing is found, the rarer it is made.
        if self._skipped < self._skip:
            self._skipped += 1
            return None
        self._skipped, self._skip = 0, min(2 * self._skip + 1, MOST_SKIPPED)
        return self._search()

    def _search(self) -> int | None:
        left = SCAN_LIMIT_BYTES
        for region in self._board.regions:
            if not region.writable or region.alias_of is not None:
                continue
            for start in range(region.base, region.end, SCAN_PIECE_BYTES):
                size = min(SCAN_PIECE_BYTES + len(ID) - 1, region.end - start, left)
                found = self._search_piece(start, size)
                left -= size
                if found is not None or left <= 0:
                    return found
        return None

    def _search_piece(self, start: int, size_bytes: int) -> int | None:
        try:
            data = self._memory.read(start, size_bytes)
        except InputError:
            return None
        at = data.find(ID)
        while at >= 0:
            if (start + at) % 4 == 0 and self._counts(start + at) is not None:
                return start + at
            at = data.find(ID, at + 1)
        return None

    def _is_block(self, address: int) -> bool:
        return self._in_ram(address, HEADER_BYTES) and self._memory.read(address, len(ID)) == ID

    def _counts(self, block: int) -> tuple[int, int] | None:
        """The numbers of up and down buffers; None if they can't be."""
        if not self._in_ram(block, HEADER_BYTES):
            return None
        up, down = struct.unpack("<2I", self._memory.read(block + len(ID), 8))
        fits = up <= MOST_BUFFERS and down <= MOST_BUFFERS and up + down > 0
        return (up, down) if fits and self._in_ram(block, HEADER_BYTES + BUFFER_BYTES * (up + down)) else None

    def _in_ram(self, address: int, size_bytes: int) -> bool:
        return self._board.covers(address, size_bytes, writable=True)

    # Serving the buffers.

    def _serve(self, block: int) -> None:
        if not self._is_block(block):
            return  # start-up code has cleared it, or not made it yet
        counts = self._counts(block)
        if counts is None:
            self._complain(f"control block at 0x{block:08x} has impossible numbers of buffers")
            return
        for number in range(counts[0]):
            self._take(number, block + HEADER_BYTES + BUFFER_BYTES * number)
        if counts[1] and self._pending:
            self._give(block + HEADER_BYTES + BUFFER_BYTES * counts[0])

    def _offsets(self, descriptor: int, what: str) -> tuple[int, int, int, int] | None:
        """(buffer, size, write offset, read offset) of a buffer that can be used."""
        buffer, size, write, read = struct.unpack("<4I", self._memory.read(descriptor + 4, 16))
        if not buffer or not size:
            return None
        if write >= size or read >= size:
            self._complain(f"{what} has offsets beyond its size")
            return None
        if not self._in_ram(buffer, size):
            self._complain(f"{what} lies outside RAM")
            return None
        return buffer, size, write, read

    def _take(self, number: int, descriptor: int) -> None:
        offsets = self._offsets(descriptor, f"up channel {number}")
        if offsets is None:
            return
        buffer, size, write, read = offsets
        if write == read:
            return
        if write > read:
            data = self._memory.read(buffer + read, write - read)
        else:
            data = self._memory.read(buffer + read, size - read) + self._memory.read(buffer, write)
        self._memory.store(descriptor + READ_OFFSET, write.to_bytes(4, "little"))
        if number == 0:
            self._line.write(self._text(data))
        else:
            self._others[number] = self._others.get(number, 0) + len(data)

    def _text(self, data: bytes) -> bytes:
        """Without the marks that choose a virtual terminal."""
        if not self._escaped and TERMINAL not in data:
            return data
        text = bytearray()
        for byte in data:
            if self._escaped and byte not in TERMINALS:
                text.append(TERMINAL)
            if byte != TERMINAL and not (self._escaped and byte in TERMINALS):
                text.append(byte)
            self._escaped = byte == TERMINAL
        return bytes(text)

    def _give(self, descriptor: int) -> None:
        offsets = self._offsets(descriptor, "down channel 0")
        if offsets is None:
            return
        buffer, size, write, read = offsets
        room = (read - write - 1) % size
        data = bytes(self._pending.popleft() for _ in range(min(room, len(self._pending))))
        first = data[: size - write]
        if first:
            self._memory.store(buffer + write, first)
        if len(first) < len(data):
            self._memory.store(buffer, data[len(first) :])
        self._memory.store(descriptor + WRITE_OFFSET, ((write + len(data)) % size).to_bytes(4, "little"))

    def _complain(self, text: str) -> None:
        if f"RTT: {text}" not in self._complaints and len(self._complaints) < 2 * MOST_BUFFERS:
            self._complaints.append(f"RTT: {text}")
