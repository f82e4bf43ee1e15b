"""A board behind a GDB server that isn't there: a core that goes through a list of places, each after some cycles.

Unlike the virtual board it takes cycles for being stopped and started, as silicon does. It can be told to misbehave.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from vtarget.data.image import Image
from vtarget.shell.gdb.packets import Decoder, Mark, Packet, encode, from_hex, number, numbers
from vtarget.shell.probes.probe import CPUID, FP_CTRL
from vtarget.shell.scb import VTOR
from vtarget.shell.system import DEMCR

CYCCNTENA = 1
DWT_CTRL, DWT_CYCCNT = 0xE0001000, 0xE0001004
FLASH, FLASH_BYTES, BLOCK_BYTES = 0x08000000, 0x20000, 0x800
RAM, RAM_BYTES = 0x20000000, 0x10000
MEMORY_MAP = (
    f'<memory-map><memory type="flash" start="0x{FLASH:x}" length="0x{FLASH_BYTES:x}">'
    f'<property name="blocksize">0x{BLOCK_BYTES:x}</property></memory>'
    f'<memory type="ram" start="0x{RAM:x}" length="0x{RAM_BYTES:x}"/></memory-map>'
)


@dataclass(frozen=True)
class At:
    """The core comes to ``pc`` after ``cycles`` of the place before, with these registers."""

    pc: int
    cycles: int = 1
    sp: int = 0x20001000
    lr: int = 0xFFFFFFFF
    r0: int = 0
    r1: int = 0


@dataclass
class FakeBoard:
    """One board. ``trace`` is the way of the core from reset on; past its end it stays at the last place.

    ``offers`` is its answer to qSupported. ``answers`` overrides answers to packets that begin so.
    """

    trace: Sequence[At]
    overhead: int = 0
    cpuid: int = 0x410FC241
    comparators: int = 6
    has_cyccnt: bool = True
    offers: bytes = b"PacketSize=400;qXfer:memory-map:read+;QStartNoAckMode+"
    resets: frozenset[str] = frozenset({"reset halt"})
    answers: dict[bytes, bytes] = field(default_factory=dict)
    before: Callable[[bytes], None] = lambda _packet: None
    flash: bytearray = field(default_factory=lambda: bytearray(b"\xff" * FLASH_BYTES))
    ram: bytearray = field(default_factory=lambda: bytearray(RAM_BYTES))
    words: dict[int, int] = field(default_factory=dict)
    breakpoints: set[int] = field(default_factory=set)
    packets: list[bytes] = field(default_factory=list)
    place: int = 0
    running: bool = False
    most_breakpoints: int = 0
    resets_made: int = 0

    def __post_init__(self) -> None:
        self.words |= {CPUID: self.cpuid, FP_CTRL: (self.comparators & 7) << 4, VTOR: FLASH, DEMCR: 0, DWT_CTRL: 0}
        self.words[DWT_CYCCNT] = 0
        self.changed: dict[str, int] = {}

    def load(self, image: Image) -> None:
        """Have the image in flash, as if somebody had flashed it."""
        for segment in image.segments:
            start = segment.load_address - FLASH
            self.flash[start : start + len(segment.data)] = segment.data

    # The core.

    def reset(self) -> None:
        self.place, self.running, self.changed = 0, False, {}
        self.words[DEMCR] = self.words[DWT_CTRL] = 0
        self.resets_made += 1

    def count(self, cycles: int) -> None:
        if self.words[DWT_CTRL] & CYCCNTENA:
            self.words[DWT_CYCCNT] = self.words[DWT_CYCCNT] + cycles & 0xFFFFFFFF

    def run(self) -> bool:
        """Go on to the next breakpoint, and whether there is one."""
        self.changed = {}
        while self.place + 1 < len(self.trace):
            self.step()
            if self.trace[self.place].pc in self.breakpoints:
                self.count(self.overhead)
                return True
        return False

    def step(self) -> None:
        self.changed = {}
        if self.place + 1 < len(self.trace):
            self.place += 1
            self.count(self.trace[self.place].cycles)

    def register(self, index: int) -> int:
        at = self.trace[self.place]
        value = {0: at.r0, 1: at.r1, 13: at.sp, 14: at.lr, 15: at.pc}.get(index, 0)
        return self.changed.get(str(index), value)

    # Memory.

    def read(self, address: int, size: int) -> bytes:
        for base, memory in ((FLASH, self.flash), (RAM, self.ram)):
            if base <= address and address + size <= base + len(memory):
                return bytes(memory[address - base :][:size])
        if address < 0xE0000000 or address % 4 or size % 4:
            return b""
        return b"".join(self.words.get(a, 0).to_bytes(4, "little") for a in range(address, address + size, 4))

    def write(self, address: int, data: bytes) -> bool:
        if address >= RAM and address + len(data) <= RAM + RAM_BYTES:
            self.ram[address - RAM : address - RAM + len(data)] = data
            return True
        if address < 0xE0000000 or len(data) != 4:
            return False
        if address not in (DWT_CTRL, DWT_CYCCNT) or self.has_cyccnt:
            self.words[address] = int.from_bytes(data, "little")
        return True

    # Packets.

    def answer(self, data: bytes) -> bytes | None:
        """The answer to a packet; None if the core runs."""
        self.packets.append(data)
        self.before(data)
        for start, reply in self.answers.items():
            if data.startswith(start):
                return reply
        try:
            return self._answer(data)
        except ValueError:
            return b"E01"

    def _answer(self, data: bytes) -> bytes | None:
        if data in (b"c", b"s"):
            self.running = data == b"c"
            stops = self.run() if self.running else self.step() is None
            if data == b"s":
                self.count(self.overhead)
            self.running = not stops
            return b"T05thread:1;" if stops else None
        if data.startswith(b"qSupported"):
            return self.offers
        if data.startswith(b"qXfer:memory-map:read::"):
            offset, size = numbers(data.rpartition(b":")[2], b",", 2)
            part = MEMORY_MAP.encode()[offset : offset + size]
            return (b"m" if offset + size < len(MEMORY_MAP) else b"l") + part
        if data.startswith(b"qRcmd,"):
            command = from_hex(data[6:]).decode()
            if command not in self.resets:
                return f"unknown command '{command}'\n".encode().hex().encode()
            self.reset()
            return b"OK"
        if data == b"?":
            return b"S05"
        if data == b"D":
            return b"OK"
        return self._memory(data)

    def _memory(self, data: bytes) -> bytes:
        if data[:1] == b"m":
            return self.read(*numbers(data[1:], b",", 2)).hex().encode() or b"E01"
        if data[:1] == b"M":
            place, _, digits = data[1:].partition(b":")
            address, size = numbers(place, b",", 2)
            content = from_hex(digits)
            return b"OK" if len(content) == size and self.write(address, content) else b"E01"
        if data.startswith(b"vFlashErase:"):
            start, size = numbers(data[12:], b",", 2)
            if start % BLOCK_BYTES or size % BLOCK_BYTES or not FLASH <= start < FLASH + FLASH_BYTES:
                return b"E01"
            self.flash[start - FLASH : start - FLASH + size] = b"\xff" * size
            return b"OK"
        if data.startswith(b"vFlashWrite:"):
            place, _, content = data[12:].partition(b":")
            start = number(place) - FLASH
            for i, byte in enumerate(content):  # as flash: bits go from 1 to 0 only
                self.flash[start + i] &= byte
            return b"OK"
        if data == b"vFlashDone":
            return b"OK"
        return self._registers(data)

    def _registers(self, data: bytes) -> bytes:
        if data[:1] == b"p":
            return self.register(number(data[1:])).to_bytes(4, "little").hex().encode()
        if data[:1] == b"P":
            index, _, value = data[1:].partition(b"=")
            self.changed[str(number(index))] = int.from_bytes(from_hex(value), "little")
            return b"OK"
        if data[:3] == b"Z1,":
            if len(self.breakpoints) >= self.comparators:
                return b"E0e"
            self.breakpoints.add(numbers(data[3:], b",", 2)[0])
            self.most_breakpoints = max(self.most_breakpoints, len(self.breakpoints))
            return b"OK"
        if data[:3] == b"z1,":
            self.breakpoints.discard(numbers(data[3:], b",", 2)[0])
            return b"OK"
        return b""


class _Server:
    """Serves one board to one peer after the other. ``naks`` is how many packets it asks to have again first."""

    def __init__(self, board: FakeBoard, naks: int = 0) -> None:
        self._board = board
        self._naks = naks
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                with peer:
                    self._talk(peer)
            except OSError:
                pass

    def _talk(self, peer: socket.socket) -> None:
        peer.settimeout(0.02)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        decoder, acknowledges, last = Decoder(), True, b""
        while not self._over.is_set():
            try:
                data = peer.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            for event in decoder.feed(data):
                if event is Mark.INTERRUPT and self._board.running:
                    self._board.running = False
                    peer.sendall(encode(b"T02thread:1;"))
                elif event is Mark.NACK and acknowledges:
                    peer.sendall(last)
                elif event is Mark.BAD and acknowledges:
                    peer.sendall(b"-")
                elif isinstance(event, Packet):
                    if acknowledges and self._naks:
                        self._naks -= 1
                        peer.sendall(b"-")
                        continue
                    reply = b"OK" if event.data == b"QStartNoAckMode" else self._board.answer(event.data)
                    last = b"" if reply is None else encode(reply)
                    peer.sendall((b"+" if acknowledges else b"") + last)
                    acknowledges &= event.data != b"QStartNoAckMode"


@contextmanager
def served(board: FakeBoard, *, naks: int = 0) -> Iterator[int]:
    """The port at which the board is served."""
    server = _Server(board, naks)
    try:
        yield server.port
    finally:
        server.close()
