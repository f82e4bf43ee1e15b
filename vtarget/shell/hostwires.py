"""The host's ends of serial lines: a file, a TCP port, a pseudo terminal, standard input and output.

None of them ever blocks the run for long or keeps more than a bounded amount of output; what is over is dropped and
counted.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
import time
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Protocol

from vtarget.base.errors import InputError
from vtarget.data.consoles import EndKind, LineEnd
from vtarget.shell.files import replace_file

KEPT_BYTES = 1 << 16
FILE_LIMIT_BYTES = 64 << 20
STALL_SECONDS = 10.0
LAST_SECONDS = 0.5
STEP_SECONDS = 0.05


class HostEnd(Protocol):
    """One end. ``where`` says how to reach it, where that isn't known from the option; ``live`` whether input may
    still come; ``dropped_bytes`` counts output that nobody took."""

    where: str | None
    live: bool
    dropped_bytes: int

    def write(self, data: bytes) -> None:
        """The firmware transmitted this."""

    def poll(self, most_bytes: int) -> bytes:
        """Pass output on, and take the input that has come, at most so much. Doesn't wait."""

    def waiting_on(self) -> list[int]:
        """Descriptors that become readable when input comes."""

    def close(self) -> None:
        """The run is over."""


def open_end(end: LineEnd, stdio: tuple[int, int]) -> HostEnd:
    """The end that an option asks for; ``stdio`` are the descriptors of standard input and output.

    InputError if a port or terminal can't be had.
    """
    match end.kind:
        case EndKind.FILE:
            return FileEnd(end.path, f"--uart {end.device}=file:{end.path}")
        case EndKind.TCP:
            return TcpEnd(end)
        case EndKind.PTY:
            return PtyEnd(f"--uart {end.device}=pty")
        case EndKind.STDIO:
            return StdioEnd(*stdio)


def wait_readable(descriptors: Iterable[int], seconds: float) -> list[int]:
    """Those of ``descriptors`` that can be read, after waiting for at most ``seconds``."""
    return _ready(descriptors, select.POLLIN, seconds)


def _ready(descriptors: Iterable[int], event: int, seconds: float) -> list[int]:
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, event)
    return [descriptor for descriptor, _ in poller.poll(seconds * 1000)]


class FileEnd:
    """Output kept until the end of the run, then written whole."""

    where: str | None = None
    live = False

    def __init__(self, path: str, option: str, limit_bytes: int = FILE_LIMIT_BYTES) -> None:
        self._path = path
        self._option = option
        self._limit = limit_bytes
        self._data = bytearray()
        self.dropped_bytes = 0

    def write(self, data: bytes) -> None:
        """Keep it, up to the limit."""
        room = self._limit - len(self._data)
        self._data += data[:room]
        self.dropped_bytes += max(0, len(data) - room)

    def poll(self, most_bytes: int) -> bytes:
        """A file sends nothing."""
        return b""

    def waiting_on(self) -> list[int]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Write the file. InputError if that fails."""
        try:
            replace_file(self._path, bytes(self._data))
        except OSError as error:
            raise InputError(f"{self._option}: {error.strerror or error}") from None


class _StreamEnd(ABC):
    """Output in a bounded buffer on its way to a reader that may be slow, or not there. ``_push`` takes what it can."""

    where: str | None = None
    live = True

    def __init__(self) -> None:
        self._pending = bytearray()
        self.dropped_bytes = 0

    @abstractmethod
    def _push(self, data: bytes) -> int:
        """Pass some of ``data`` on; how much. 0 or BlockingIOError: not now. Other OSErrors: never."""

    def write(self, data: bytes) -> None:
        """Buffer output; what there is no room for is dropped."""
        if len(self._pending) + len(data) > KEPT_BYTES // 2:
            self.flush()
        room = KEPT_BYTES - len(self._pending)
        self._pending += data[:room]
        self.dropped_bytes += max(0, len(data) - room)

    def flush(self) -> None:
        """Pass on what can be passed on now."""
        try:
            while self._pending and (taken := self._push(bytes(self._pending[:KEPT_BYTES]))):
                del self._pending[:taken]
        except BlockingIOError:
            return
        except OSError:
            self.dropped_bytes += len(self._pending)
            self._pending.clear()

    def _flush_last(self, left: Callable[[], int]) -> None:
        """At the end: go on for as long as the reader takes something every now and then. The rest is dropped."""
        patience = time.monotonic() + LAST_SECONDS
        before = left()
        while left() and time.monotonic() < patience:
            time.sleep(STEP_SECONDS)
            self.flush()
            if left() < before:
                before, patience = left(), time.monotonic() + LAST_SECONDS
        self.dropped_bytes += left()
        self._pending.clear()


class StdioEnd(_StreamEnd):
    """Standard input and output. A reader of the output may be slow, but one that takes nothing for ``STALL_SECONDS``
    loses the rest."""

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self._source = source
        self._target = target
        self._stalled = False

    def _push(self, data: bytes) -> int:
        # The descriptor is shared with others and may block: a piece that poll() has room for does not.
        if not _ready([self._target], select.POLLOUT, 0):
            return 0
        self._stalled = False
        return os.write(self._target, data[: select.PIPE_BUF])

    def write(self, data: bytes) -> None:
        """Buffer output, and wait for a slow reader."""
        for start in range(0, len(data), KEPT_BYTES // 2):
            piece = data[start : start + KEPT_BYTES // 2]
            if len(self._pending) + len(piece) > KEPT_BYTES:
                self._wait_for_reader()
            super().write(piece)

    def _wait_for_reader(self) -> None:
        self.flush()
        deadline = time.monotonic() + STALL_SECONDS
        while len(self._pending) > KEPT_BYTES // 2 and not self._stalled:
            if not _ready([self._target], select.POLLOUT, STEP_SECONDS) and time.monotonic() > deadline:
                self._stalled = True
            before = len(self._pending)
            self.flush()
            if len(self._pending) < before:
                deadline = time.monotonic() + STALL_SECONDS

    def poll(self, most_bytes: int) -> bytes:
        """What has been typed; its end ends the input."""
        self.flush()
        if not self.live or not most_bytes or not wait_readable([self._source], 0):
            return b""
        try:
            data = os.read(self._source, most_bytes)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.live = bool(data)
        return data

    def waiting_on(self) -> list[int]:
        """Standard input, while it lasts."""
        return [self._source] if self.live else []

    def close(self) -> None:
        """Pass on the rest."""
        self.flush()
        self._flush_last(lambda: len(self._pending))


class TcpEnd(_StreamEnd):
    """A port that one client at a time connects to. Output waits for a client in the buffer; another client may
    follow when one has left."""

    def __init__(self, end: LineEnd) -> None:
        super().__init__()
        family = socket.AF_INET6 if ":" in end.host else socket.AF_INET
        try:
            self._listener = socket.create_server((end.host, end.port), family=family, backlog=1)
        except (OSError, UnicodeError) as error:
            raise InputError(f"--uart {end.device}=tcp:{end.host}:{end.port}: {_reason(error)}") from None
        self._listener.setblocking(False)
        self._client: socket.socket | None = None
        host, port = self._listener.getsockname()[:2]
        self.where = f"tcp port {port} of {host}"

    def _push(self, data: bytes) -> int:
        if self._client is None:
            return 0
        try:
            return self._client.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._leave()
            return 0

    def poll(self, most_bytes: int) -> bytes:
        """Take a client in; pass output on; take its input."""
        if self._client is None:
            self._accept()
        self.flush()
        if self._client is None or not most_bytes:
            return b""
        try:
            data = self._client.recv(most_bytes)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._leave()
        return data

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel's own buffer would otherwise grow to megabytes for a client that doesn't read.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KEPT_BYTES)
        self._client = client

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def waiting_on(self) -> list[int]:
        """The client, or the next one."""
        return [self._listener.fileno() if self._client is None else self._client.fileno()]

    def close(self) -> None:
        """Pass on the rest to a client that takes it, and close the port."""
        if self._client is None:
            self._accept()
        self.flush()
        if self._client is not None:
            self._flush_last(lambda: len(self._pending) if self._client is not None else 0)
        if self._client is not None:
            self._close_in_order(self._client)
        self.dropped_bytes += len(self._pending)
        self._pending.clear()
        self._leave()
        self._listener.close()
        self.live = False

    def _close_in_order(self, client: socket.socket) -> None:
        """With input left unread, closing would reset the connection and take output with it."""
        try:
            client.shutdown(socket.SHUT_WR)
            for _ in range(64):
                if not client.recv(KEPT_BYTES):
                    return
        except OSError:
            return


def _reason(error: Exception) -> str:
    """The plain reason: the socket package adds the address to it. Names that don't resolve have negative numbers."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)


class PtyEnd(_StreamEnd):
    """A pseudo terminal in raw mode."""

    def __init__(self, option: str) -> None:
        super().__init__()
        try:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
        except (OSError, termios.error) as error:
            raise InputError(f"{option}: no pseudo terminal: {error}") from None
        os.set_blocking(self._master, False)
        self.where = os.ttyname(self._slave)

    def _push(self, data: bytes) -> int:
        return os.write(self._master, data)

    def poll(self, most_bytes: int) -> bytes:
        """Pass output on and take input."""
        self.flush()
        if not most_bytes:
            return b""
        try:
            return os.read(self._master, most_bytes)
        except OSError:
            return b""

    def waiting_on(self) -> list[int]:
        """The terminal."""
        return [self._master]

    def _left(self) -> int:
        unread = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]
        return len(self._pending) + int(unread)

    def close(self) -> None:
        """Wait a little for who reads the terminal, then take it away."""
        self.flush()
        self._flush_last(self._left)
        os.close(self._master)
        os.close(self._slave)
        self.live = False
