"""Semihosting: the console and the exit of firmware that talks through BKPT 0xAB (Arm IHI 0100).

Only console streams exist; firmware never reaches the host's files. Time calls answer in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from vtarget.base.errors import InputError
from vtarget.shell.engine import Engine

BREAKPOINT = b"\xab\xbe"  # bkpt 0xab


class Sys(IntEnum):
    """Operation numbers, as the standard names them."""

    OPEN = 0x01
    CLOSE = 0x02
    WRITEC = 0x03
    WRITE0 = 0x04
    WRITE = 0x05
    READ = 0x06
    ISERROR = 0x08
    ISTTY = 0x09
    FLEN = 0x0C
    CLOCK = 0x10
    TIME = 0x11
    ERRNO = 0x13
    EXIT = 0x18
    EXIT_EXTENDED = 0x20
    ELAPSED = 0x30
    TICKFREQ = 0x31


APPLICATION_EXIT = 0x20026

STDIN, STDOUT, STDERR = 1, 2, 3
CONSOLE_LIMIT_BYTES = 1 << 20
STRING_LIMIT_BYTES = 1 << 16
FAILED = 0xFFFFFFFF


@dataclass(frozen=True)
class FirmwareExit:
    """The firmware asked to end, with this exit code."""

    code: int


def signed(word: int) -> int:
    """A register's 32 bits as a C int."""
    return word - (1 << 32) if word & 1 << 31 else word


class Console:
    """What the firmware printed, up to a limit; the rest is counted and dropped."""

    def __init__(self, limit_bytes: int = CONSOLE_LIMIT_BYTES) -> None:
        self._data = bytearray()
        self._limit = limit_bytes
        self.dropped_bytes = 0

    def write(self, data: bytes) -> None:
        """Append output."""
        room = self._limit - len(self._data)
        self._data += data[:room]
        self.dropped_bytes += max(0, len(data) - room)

    @property
    def text(self) -> str:
        """The output as text; bytes that are not UTF-8 show as replacement characters."""
        return self._data.decode("utf-8", errors="replace")


class Semihosting:
    """Answers semihosting calls. ``cycles`` tells nominal cycles since reset, at ``clock_hz``."""

    def __init__(self, engine: Engine, console: Console, cycles: Callable[[], int], clock_hz: int) -> None:
        self._engine = engine
        self._console = console
        self._cycles = cycles
        self._clock_hz = clock_hz
        self.clock_reads = 0
        self.unknown: dict[int, int] = {}

    def call(self, operation: int, argument: int) -> FirmwareExit | int:
        """The result for r0, or how the firmware ends. Bad pointers give the error result."""
        try:
            return self._call(operation, argument)
        except InputError:
            return FAILED

    def _call(self, operation: int, argument: int) -> FirmwareExit | int:
        match operation:
            case Sys.WRITEC:
                self._console.write(self._engine.read(argument, 1))
                return 0
            case Sys.WRITE0:
                self._console.write(self._string(argument))
                return 0
            case Sys.WRITE:
                return self._write(argument)
            case Sys.OPEN:
                return self._open(argument)
            case Sys.EXIT:
                return FirmwareExit(0 if argument == APPLICATION_EXIT else 1)
            case Sys.EXIT_EXTENDED:
                reason, code = self._words(argument, 2)
                return FirmwareExit(signed(code) if reason == APPLICATION_EXIT else 1)
            case Sys.READ:
                return self._words(argument, 3)[2]
            case Sys.ISTTY:
                return 1 if self._words(argument, 1)[0] in (STDIN, STDOUT, STDERR) else 0
            case Sys.ISERROR:
                return 1 if signed(self._words(argument, 1)[0]) < 0 else 0
            case Sys.CLOCK | Sys.TIME | Sys.ELAPSED | Sys.TICKFREQ:
                self.clock_reads += 1
                return self._time(operation, argument)
            case Sys.CLOSE | Sys.FLEN | Sys.ERRNO:
                return 0
        self.unknown[operation] = self.unknown.get(operation, 0) + 1
        return FAILED

    def _time(self, operation: int, argument: int) -> int:
        """Virtual time, which begins at reset: centiseconds, seconds, ticks of the core clock, or their frequency."""
        if operation == Sys.TICKFREQ:
            return self._clock_hz
        cycles = self._cycles()
        if operation == Sys.ELAPSED:
            self._engine.store(argument, cycles.to_bytes(8, "little"))
            return 0
        return cycles * (100 if operation == Sys.CLOCK else 1) // self._clock_hz

    def _open(self, argument: int) -> int:
        pointer, mode, length = self._words(argument, 3)
        if length > STRING_LIMIT_BYTES or self._engine.read(pointer, length) != b":tt":
            self.unknown[Sys.OPEN] = self.unknown.get(Sys.OPEN, 0) + 1
            return FAILED
        return STDIN if mode < 4 else STDOUT if mode < 8 else STDERR

    def _write(self, argument: int) -> int:
        handle, pointer, length = self._words(argument, 3)
        if handle not in (STDOUT, STDERR) or length > CONSOLE_LIMIT_BYTES:
            return length
        self._console.write(self._engine.read(pointer, length))
        return 0

    def _words(self, address: int, count: int) -> list[int]:
        data = self._engine.read(address, 4 * count)
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]

    def _string(self, address: int) -> bytes:
        text = bytearray()
        while len(text) < STRING_LIMIT_BYTES:
            chunk = 64 - address % 64
            data = self._engine.read(address, chunk)
            end = data.find(0)
            if end >= 0:
                return bytes(text + data[:end])
            text += data
            address += chunk
        return bytes(text)
