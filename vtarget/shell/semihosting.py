"""Semihosting: console, files, time and exit of firmware that talks through BKPT 0xAB (Arm IHI 0100, release 3.0).

Firmware reaches the host's files only where a directory was given (``hostfiles``), and never its commands. Time is
virtual and begins at reset.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from vtarget.base.errors import InputError
from vtarget.shell.console import CONSOLE_LIMIT_BYTES, Console, ConsoleInput
from vtarget.shell.hostfiles import HostFile, HostFiles, RefusedError

__all__ = ["BREAKPOINT", "CONSOLE_LIMIT_BYTES", "Blocked", "Console", "FirmwareExit", "Semihosting", "Sys", "signed"]

BREAKPOINT = b"\xab\xbe"  # bkpt 0xab


class Sys(IntEnum):
    """Operation numbers, as the standard names them."""

    OPEN = 0x01
    CLOSE = 0x02
    WRITEC = 0x03
    WRITE0 = 0x04
    WRITE = 0x05
    READ = 0x06
    READC = 0x07
    ISERROR = 0x08
    ISTTY = 0x09
    SEEK = 0x0A
    FLEN = 0x0C
    TMPNAM = 0x0D
    REMOVE = 0x0E
    RENAME = 0x0F
    CLOCK = 0x10
    TIME = 0x11
    SYSTEM = 0x12
    ERRNO = 0x13
    GET_CMDLINE = 0x15
    HEAPINFO = 0x16
    EXIT = 0x18
    EXIT_EXTENDED = 0x20
    ELAPSED = 0x30
    TICKFREQ = 0x31


APPLICATION_EXIT = 0x20026
STDIN, STDOUT, STDERR = 1, 2, 3
CONSOLES = (STDIN, STDOUT, STDERR)
FIRST_HANDLE, MOST_OPEN = 4, 16
STRING_LIMIT_BYTES = 1 << 16
PIECE_BYTES = 1 << 16
FAILED = 0xFFFFFFFF
CONSOLE_NAME, FEATURES_NAME = b":tt", b":semihosting-features"
# Magic, then feature byte 0: SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
FEATURES = b"SHFB\x03"
TMPNAM_LIMIT = 255


@dataclass(frozen=True)
class FirmwareExit:
    """The firmware asked to end, with this exit code."""

    code: int


@dataclass(frozen=True)
class Blocked:
    """The firmware waits for console input that may still come: let time pass, then make the same call again."""


class Memory(Protocol):
    """The firmware's memory: what is needed of an engine."""

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory; InputError where there is none."""

    def store(self, address: int, data: bytes) -> None:
        """Put bytes into RAM; InputError elsewhere."""


class Output(Protocol):
    """Where console output goes."""

    def write(self, data: bytes) -> None:
        """Append output."""


def signed(word: int) -> int:
    """A register's 32 bits as a C int."""
    return word - (1 << 32) if word & 1 << 31 else word


class _Features:
    """The pseudo file that tells which extensions exist."""

    def __init__(self) -> None:
        self._position = 0

    def read(self, most_bytes: int) -> bytes:
        data = FEATURES[self._position : self._position + most_bytes]
        self._position += len(data)
        return data

    def write(self, data: bytes) -> None:
        raise OSError(errno.EBADF, "read only")

    def seek(self, position: int) -> None:
        self._position = position

    def length(self) -> int:
        return len(FEATURES)

    def close(self) -> None:
        """Nothing to let go of."""


class Semihosting:
    """Answers semihosting calls. ``cycles`` tells nominal cycles since reset, at ``clock_hz``.

    Without ``files`` requests for files are refused and counted in ``unknown``; without ``command_line`` so is
    GET_CMDLINE. Without ``stdin`` the console is at its end. ``covers`` tells whether a stretch (address, bytes) is
    memory: pointers to registers give the error result, as pointers to nowhere do.
    """

    def __init__(
        self,
        engine: Memory,
        console: Output,
        cycles: Callable[[], int],
        clock_hz: int,
        *,
        files: HostFiles | None = None,
        stdin: ConsoleInput | None = None,
        command_line: str | None = None,
        covers: Callable[[int, int], bool] = lambda _address, _size_bytes: True,
    ) -> None:
        self._engine = engine
        self._console = console
        self._cycles = cycles
        self._clock_hz = clock_hz
        self._files = files
        self._stdin = stdin
        self._command_line = command_line
        self._covers = covers
        self._open_files: dict[int, HostFile | _Features] = {}
        self._errno = 0
        self.clock_reads = 0
        self.unknown: dict[int, int] = {}

    def call(self, operation: int, argument: int) -> FirmwareExit | Blocked | int:
        """The result for r0, or how the firmware ends. Bad pointers give the error result."""
        try:
            return self._call(operation, argument)
        except InputError:
            return self._failed(errno.EFAULT)
        except RefusedError as error:
            self._refuse(operation)
            return self._failed(error.errno)
        except OSError as error:
            return self._failed(error.errno)

    def close(self) -> None:
        """The run is over: close what the firmware left open."""
        for file in self._open_files.values():
            file.close()
        self._open_files.clear()
        if self._files is not None:
            self._files.close()

    def _call(self, operation: int, argument: int) -> FirmwareExit | Blocked | int:
        match operation:
            case Sys.WRITEC:
                self._console.write(self._load(argument, 1))
                return 0
            case Sys.WRITE0:
                self._console.write(self._string(argument))
                return 0
            case Sys.READC:
                return self._read_character()
            case Sys.EXIT:
                return FirmwareExit(0 if argument == APPLICATION_EXIT else 1)
            case Sys.EXIT_EXTENDED:
                reason, code = self._words(argument, 2)
                return FirmwareExit(signed(code) if reason == APPLICATION_EXIT else 1)
            case Sys.ISERROR:
                return 1 if signed(self._words(argument, 1)[0]) < 0 else 0
            case Sys.CLOCK | Sys.TIME | Sys.ELAPSED | Sys.TICKFREQ:
                self.clock_reads += 1
                return self._time(operation, argument)
            case Sys.ERRNO:
                return self._errno
            case Sys.HEAPINFO:
                # Zeros mean that the firmware's own layout holds, as newlib's start-up code takes them.
                self._engine.store(self._words(argument, 1)[0], bytes(16))
                return 0
            case Sys.GET_CMDLINE if self._command_line is not None:
                return self._give_command_line(self._command_line.encode(), argument)
        return self._call_for_files(operation, argument)

    def _call_for_files(self, operation: int, argument: int) -> Blocked | int:
        match operation:
            case Sys.OPEN:
                return self._open(argument)
            case Sys.CLOSE | Sys.FLEN | Sys.ISTTY:
                return self._ask(operation, self._words(argument, 1)[0])
            case Sys.WRITE:
                return self._write(*self._words(argument, 3))
            case Sys.READ:
                return self._read(*self._words(argument, 3))
            case Sys.SEEK if self._open_files or self._files is not None:
                handle, position = self._words(argument, 2)
                self._file(handle).seek(position)
                return 0
            case Sys.REMOVE if self._files is not None:
                self._files.remove(self._name(*self._words(argument, 2)))
                return 0
            case Sys.RENAME if self._files is not None:
                old, old_bytes, new, new_bytes = self._words(argument, 4)
                self._files.rename(self._name(old, old_bytes), self._name(new, new_bytes))
                return 0
            case Sys.TMPNAM if self._files is not None:
                return self._temporary_name(*self._words(argument, 3))
        self._refuse(operation)
        return self._failed(errno.ENOSYS)

    def _failed(self, number: int | None) -> int:
        self._errno = number or errno.EIO
        return FAILED

    def _refuse(self, operation: int) -> None:
        self.unknown[operation] = self.unknown.get(operation, 0) + 1

    # Time, command line.

    def _time(self, operation: int, argument: int) -> int:
        """Virtual time, which begins at reset: centiseconds, seconds, ticks of the core clock, or their frequency."""
        if operation == Sys.TICKFREQ:
            return self._clock_hz
        cycles = self._cycles()
        if operation == Sys.ELAPSED:
            self._engine.store(argument, cycles.to_bytes(8, "little"))
            return 0
        return cycles * (100 if operation == Sys.CLOCK else 1) // self._clock_hz & 0xFFFFFFFF

    def _give_command_line(self, text: bytes, argument: int) -> int:
        buffer, size_bytes = self._words(argument, 2)
        if len(text) >= size_bytes:
            return self._failed(errno.E2BIG)
        self._engine.store(buffer, text + b"\0")
        self._engine.store(argument + 4, len(text).to_bytes(4, "little"))
        return 0

    # Files.

    def _open(self, argument: int) -> int:
        pointer, mode, length = self._words(argument, 3)
        name = self._name(pointer, length)
        if name == CONSOLE_NAME:
            return STDIN if mode < 4 else STDOUT if mode < 8 else STDERR
        if len(self._open_files) >= MOST_OPEN:
            return self._failed(errno.EMFILE)
        if name == FEATURES_NAME:
            return self._add(_Features()) if mode < 2 else self._failed(errno.EACCES)
        if self._files is None:
            raise RefusedError("no directory was given")
        return self._add(self._files.open(name, mode))

    def _add(self, file: HostFile | _Features) -> int:
        handle = next(h for h in range(FIRST_HANDLE, FIRST_HANDLE + MOST_OPEN) if h not in self._open_files)
        self._open_files[handle] = file
        return handle

    def _file(self, handle: int) -> HostFile | _Features:
        if handle not in self._open_files:
            raise OSError(errno.EBADF, "no such handle")
        return self._open_files[handle]

    def _ask(self, operation: int, handle: int) -> int:
        if handle in CONSOLES:
            return 1 if operation == Sys.ISTTY else 0
        file = self._file(handle)
        if operation == Sys.FLEN:
            return min(file.length(), 0x7FFFFFFF)
        if operation == Sys.CLOSE:
            del self._open_files[handle]
            file.close()
        return 0

    def _write(self, handle: int, pointer: int, length: int) -> int:
        """How many bytes were not written."""
        if handle in (STDOUT, STDERR):
            write = self._console.write
        elif handle in self._open_files:
            write = self._open_files[handle].write
        else:
            self._errno = errno.EBADF
            return length
        done = 0
        try:
            if length:
                self._load(pointer + length - 1, 1)
            while done < length:
                write(self._load(pointer + done, min(PIECE_BYTES, length - done)))
                done += min(PIECE_BYTES, length - done)
        except InputError:
            self._errno = errno.EFAULT
        except OSError as error:
            self._failed(error.errno)
        return length - done

    def _read(self, handle: int, pointer: int, length: int) -> Blocked | int:
        """How many bytes were not read."""
        if handle == STDIN:
            return self._read_console(pointer, length)
        if handle not in self._open_files:
            self._errno = errno.EBADF
            return length if handle in CONSOLES else FAILED
        done = 0
        while done < length:
            piece = min(PIECE_BYTES, length - done)
            self._engine.store(pointer + done, self._load(pointer + done, piece))  # nothing is read to nowhere
            data = self._open_files[handle].read(piece)
            if not data:
                break
            self._engine.store(pointer + done, data)
            done += len(data)
        return length - done

    def _read_console(self, pointer: int, length: int) -> Blocked | int:
        if not length or self._stdin is None:
            return length
        length_here = min(length, PIECE_BYTES)
        self._engine.store(pointer, self._load(pointer, length_here))  # nothing is read to nowhere
        data = self._stdin.read(length_here)
        if not data and not self._stdin.ended:
            return Blocked()
        self._engine.store(pointer, data)
        return length - len(data)

    def _read_character(self) -> Blocked | int:
        data = b"" if self._stdin is None else self._stdin.read(1)
        if data:
            return data[0]
        return FAILED if self._stdin is None or self._stdin.ended else Blocked()

    def _temporary_name(self, buffer: int, identifier: int, size_bytes: int) -> int:
        name = b"semihost.%03d\0" % min(identifier, TMPNAM_LIMIT)
        if identifier > TMPNAM_LIMIT or size_bytes < len(name):
            return self._failed(errno.EINVAL)
        self._engine.store(buffer, name)
        return 0

    # The firmware's memory.

    def _load(self, address: int, size_bytes: int) -> bytes:
        if not self._covers(address, size_bytes):
            raise InputError(f"0x{address:08x} is not memory")
        return self._engine.read(address, size_bytes)

    def _words(self, address: int, count: int) -> list[int]:
        data = self._load(address, 4 * count)
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]

    def _name(self, pointer: int, length: int) -> bytes:
        if length > STRING_LIMIT_BYTES:
            raise RefusedError("name too long", errno.ENAMETOOLONG)
        return self._load(pointer, length)

    def _string(self, address: int) -> bytes:
        text = bytearray()
        while len(text) < STRING_LIMIT_BYTES:
            chunk = 64 - address % 64
            data = self._load(address, chunk)
            end = data.find(0)
            if end >= 0:
                return bytes(text + data[:end])
            text += data
            address += chunk
        return bytes(text)
