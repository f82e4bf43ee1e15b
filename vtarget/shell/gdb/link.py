"""The socket under the protocol: one peer at a time, bounded buffers, no wait for a peer that doesn't read."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable

from vtarget.base.errors import InputError
from vtarget.shell.gdb.packets import Decoder, Event, Mark, Packet, encode

LOOPBACK = "127.0.0.1"
SEND_SECONDS = 10.0  # a peer that takes nothing for so long is gone
FIRST_SECONDS = 30.0  # in which a peer must have sent a packet
WAIT_SECONDS = 0.25  # between looks at the terminal's Ctrl-C
RECEIVE_BYTES = 4096
MOST_QUEUED = 256  # events that came while the core runs
MOST_RESENT = 16  # times that one packet is sent again


def parse_place(text: str) -> tuple[str, int]:
    """Host and port of ``--gdb PORT`` or ``HOST:PORT``. InputError if it is neither."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise InputError(f"--gdb '{text}': '{port}' is no port", hint="0 to 65535; 0 takes any that is free")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)


class Listener:
    """A port that waits for debuggers. InputError if it can't be had."""

    def __init__(self, host: str, port: int) -> None:
        try:
            family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._socket = socket.socket(family, kind)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(place)
            self._socket.listen(1)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"--gdb {host}:{port}: {reason}") from None
        self._socket.settimeout(WAIT_SECONDS)
        name = self._socket.getsockname()
        self.where = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def accept(self, say: Callable[[str], None]) -> Link:
        """The first peer that sends a packet; others are named and dropped."""
        while True:
            try:
                peer, place = self._socket.accept()
            except TimeoutError:
                continue
            link = Link(peer)
            if link.begins():
                return link
            link.close()
            say(f"gdb: a peer at {place[0]} sent no packet and was dropped")

    def close(self) -> None:
        """Take no more peers."""
        self._socket.close()


class Link:
    """A connection to one peer. ``acknowledges``: packets are acknowledged, until the peer asks not to."""

    def __init__(self, peer: socket.socket) -> None:
        self._socket = peer
        self._socket.settimeout(SEND_SECONDS)
        if peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = Decoder()
        self._events: deque[Event] = deque()
        self._last = b""
        self._resent = 0
        self.acknowledges = True
        self.lost: str | None = None  # why the peer is gone

    def begins(self) -> bool:
        """Whether a packet comes within FIRST_SECONDS."""
        end = time.monotonic() + FIRST_SECONDS
        while self.lost is None and time.monotonic() < end:
            self._receive(WAIT_SECONDS)
            if any(isinstance(event, Packet) for event in self._events):
                self._forget_repeats()
                return True
            self._events.clear()
        return False

    def _forget_repeats(self) -> None:
        """A peer that had to wait has sent its first packet again and again; answered twice, it would take the second
        answer for that to its next one."""
        self._receive(0.0)
        first = next(event for event in self._events if isinstance(event, Packet))
        while self._events.count(first) > 1:
            self._events.remove(first)

    def next_packet(self) -> bytes | None:
        """The next packet, waiting for it; None if the peer is gone."""
        while True:
            while self._events:
                data = self._answer(self._events.popleft())
                if data is not None:
                    return data
            if self.lost is not None:
                return None
            self._receive(WAIT_SECONDS)

    def interrupted(self) -> bool:
        """Whether the peer has asked to stop the core, or is gone; doesn't wait."""
        if self.lost is None:
            self._receive(0.0)
        if Mark.INTERRUPT in self._events:
            self._events = deque(event for event in self._events if event is not Mark.INTERRUPT)
            return True
        if len(self._events) > MOST_QUEUED:
            self._lose("it sends packets while the core runs")
        return self.lost is not None

    def send(self, data: bytes) -> None:
        """Send a packet; gives the peer up if it doesn't take it."""
        self._last, self._resent = encode(data), 0
        self._send(self._last)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
        self.lost = self.lost or "closed"

    def _answer(self, event: Event) -> bytes | None:
        match event:
            case Packet(data):
                if self.acknowledges:
                    self._send(b"+")
                return data
            case Mark.BAD if self.acknowledges:
                self._send(b"-")
            case Mark.TOO_LONG:
                if self.acknowledges:
                    self._send(b"+")
                self.send(b"E22")
            case Mark.NACK if self.acknowledges:
                self._resent += 1
                if self._resent > MOST_RESENT:
                    self._lose("it refuses a packet again and again")
                else:
                    self._send(self._last)
        return None

    def _receive(self, seconds: float) -> None:
        """Take what has come, waiting at most so long."""
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except (TimeoutError, BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(str(error.strerror or error))
            return
        if data:
            self._events.extend(self._decoder.feed(data))
        else:
            self._lose("it closed the connection")

    def _send(self, data: bytes) -> None:
        if self.lost is not None:
            return
        self._socket.settimeout(SEND_SECONDS)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            self._lose("it reads nothing")
        except OSError as error:
            self._lose(str(error.strerror or error))

    def _lose(self, reason: str) -> None:
        self.lost = self.lost or reason
        self._socket.close()
