"""A small synchronous client of the GDB remote serial protocol (GDB manual, appendix E). Every wait has an end.

Packets are acknowledged until the server agrees to do without. What a server asks to have again is sent again; what
doesn't arrive is an error, never asked for twice: a command that was carried out twice would shift all later answers.
"""

from __future__ import annotations

import re
import socket
import time
from collections import deque
from dataclasses import dataclass

from vtarget.base.errors import InputError
from vtarget.shell.gdb.packets import INTERRUPT, Decoder, Event, Mark, Packet, encode, from_hex, number
from vtarget.shell.probes.errors import ConnectionLostError, NoProbeError, RefusedError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0  # for anything but erasing and programming
FLASH_SECONDS = 60.0  # for one erase command: large sectors take seconds each
RECEIVE_BYTES = 1 << 16
MOST_RESENT = 8
QUIET_SECONDS = 0.05  # in which a second answer to a packet that was sent twice arrives
MOST_OUTPUT_BYTES = 1 << 20
MOST_DOCUMENT_BYTES = 1 << 20
LEAST_PACKET, MOST_PACKET = 64, 0x3000
FEATURES = b"qSupported:multiprocess-;swbreak-;hwbreak+;qRelocInsn-;xmlRegisters=arm"


@dataclass(frozen=True)
class Stop:
    """A stop reply: ``kind`` is S (stopped by ``value``, a signal), W (exited with ``value``) or X (killed by it)."""

    kind: str
    value: int


@dataclass(frozen=True)
class HostCall:
    """The server asks the host for a system call (File-I/O, GDB manual E.13): its name and arguments."""

    name: str
    arguments: tuple[int, ...]


def parse_server(text: str) -> tuple[str, int]:
    """Host and port of ``[HOST]:PORT``. InputError if there is no port."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise InputError(f"--probe gdb:{text}: no port", hint="such as gdb:localhost:3333")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


class GdbClient:
    """A connection to one server. NoProbeError if nobody listens there, or what listens is no GDB server."""

    def __init__(self, host: str, port: int, *, answer_s: float = ANSWER_SECONDS) -> None:
        self._answer_s = answer_s
        self._where = f"port {port}"
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NoProbeError(
                f"no GDB server at {self._where} of {host}: {reason}",
                hint="start it first: openocd, JLinkGDBServer, ST-LINK_gdbserver, probe-rs gdb, …",
            ) from None
        self._decoder = Decoder(expands=True)
        self._events: deque[Event] = deque()
        self._acknowledges = True
        self._last, self._resent = b"", 0
        self._output = bytearray()
        self.lost = False
        self.features: dict[str, str] = {}
        try:
            self._greet()
        except ConnectionLostError as error:
            self.close()
            raise NoProbeError(f"what listens at {self._where} is no GDB server: {error.message}") from None

    def _greet(self) -> None:
        for part in self.ask(FEATURES).decode("ascii", errors="replace").split(";"):
            name, equals, value = part.partition("=")
            self.features[name if equals else part.rstrip("+-?")] = value if equals else part[-1:]
        if self.features.get("QStartNoAckMode") == "+" and self.ask(b"QStartNoAckMode") == b"OK":
            self._acknowledges = False

    @property
    def packet_bytes(self) -> int:
        """How long a packet to the server may be."""
        text = self.features.get("PacketSize", "")
        size = int(text, 16) if re.fullmatch(r"[0-9a-fA-F]{1,8}", text) else 0x400
        return max(LEAST_PACKET, min(size, MOST_PACKET))

    def offers(self, feature: str) -> bool:
        """Whether the server said that it has a feature."""
        return self.features.get(feature) == "+"

    # One command, one answer.

    def ask(self, data: bytes, *, timeout_s: float | None = None) -> bytes:
        """The answer to a packet. ConnectionLostError if none comes."""
        seconds = self._answer_s if timeout_s is None else timeout_s
        self._deliver(data)
        answer = self._next(time.monotonic() + seconds, data)
        if answer is None:
            raise self._lose(f"no answer within {seconds:g} s to '{_shown(data)}'")
        return answer

    def command(self, data: bytes, what: str, *, timeout_s: float | None = None) -> None:
        """A packet that is answered with OK; RefusedError, saying ``what`` was asked for, if it isn't."""
        answer = self.ask(data, timeout_s=timeout_s)
        if answer != b"OK":
            raise RefusedError(f"the GDB server can't {what} (it answers '{_shown(answer) or 'nothing'}')")

    def monitor(self, command: str, *, timeout_s: float = FLASH_SECONDS) -> tuple[bool, str]:
        """Whether the server knows a command of its own, and what it prints."""
        answer = self.ask(b"qRcmd," + command.encode().hex().encode(), timeout_s=timeout_s)
        text, end = bytearray(), time.monotonic() + timeout_s
        while answer.startswith(b"O") and answer != b"OK":
            text += _hex_text(answer[1:])[: MOST_OUTPUT_BYTES - len(text)]
            following = self._next(end, b"qRcmd")
            if following is None:
                raise self._lose(f"no end of the answer to 'monitor {command}'")
            answer = following
        known = answer == b"OK" or (answer != b"" and not answer.startswith(b"E"))
        if known and answer != b"OK":
            text += _hex_text(answer)
        return known, text.decode("utf-8", errors="replace")

    def document(self, kind: str, name: str) -> str:
        """A document that the server has (qXfer), such as its memory map."""
        data, size = bytearray(), self.packet_bytes - 16
        while len(data) < MOST_DOCUMENT_BYTES:
            answer = self.ask(f"qXfer:{kind}:read:{name}:{len(data):x},{size:x}".encode())
            if answer[:1] not in (b"m", b"l"):
                raise RefusedError(f"the GDB server does not give its {kind} (it answers '{_shown(answer)}')")
            data += answer[1:]
            if answer[:1] == b"l" or len(answer) == 1:
                return data.decode("utf-8", errors="replace")
        raise RefusedError(f"the GDB server's {kind} has no end")

    # Running.

    def resume(self, command: bytes) -> None:
        """A packet that lets the core run; its answer is the next stop."""
        self._deliver(command)

    def interrupt(self) -> None:
        """Ask for the core to stop."""
        self._write(bytes((INTERRUPT,)))

    def stop(self, timeout_s: float) -> Stop | HostCall | None:
        """The next stop reply or host call; None if none comes in that time. Console output is kept for ``output``."""
        end = time.monotonic() + timeout_s
        while (answer := self._next(end, b"")) is not None:
            if answer.startswith(b"O") and answer != b"OK":
                self.keep(_hex_text(answer[1:]))
            elif (found := parse_stop(answer)) is not None:
                return found
        return None

    def reply(self, result: int, errno: int = 0) -> None:
        """Answer a host call; the core goes on."""
        sign = "-" if result < 0 else ""
        self._deliver(f"F{sign}{abs(result):x}{f',{errno:x}' if errno else ''}".encode())

    def output(self) -> bytes:
        """Console output since this was called last."""
        taken = bytes(self._output)
        self._output.clear()
        return taken

    def close(self) -> None:
        """End the connection."""
        self.lost = True
        self._socket.close()

    # Packets.

    def keep(self, text: bytes) -> None:
        """Add to the console output."""
        self._output += text[: MOST_OUTPUT_BYTES - len(self._output)]

    def _deliver(self, data: bytes) -> None:
        self._events.clear()
        self._last, self._resent = encode(data), 0
        self._write(self._last)

    def _next(self, end: float, request: bytes) -> bytes | None:
        """The next packet; None if none has come by ``end``. An empty ``request`` is not sent again."""
        bad = 0
        while (event := self._event(end)) is not None:
            match event:
                case Packet(data):
                    if self._acknowledges:
                        self._write(b"+")
                        self._drop_second_answers()
                    return data
                case Mark.NACK if self._acknowledges:
                    self._resent += 1
                    if not request or self._resent > MOST_RESENT:
                        raise self._lose("it refuses a packet")
                    self._write(self._last)
                case Mark.BAD | Mark.TOO_LONG:
                    bad += 1
                    if not self._acknowledges or bad > MOST_RESENT or event is Mark.TOO_LONG:
                        raise self._lose(f"its answer to '{_shown(request)}' is garbled")
                    self._write(b"-")
        return None

    def _drop_second_answers(self) -> None:
        """Was it the request for a packet that was garbled, then that packet was taken, and answered, twice."""
        end = time.monotonic() + QUIET_SECONDS
        while self._resent and self._event(end) is not None:
            pass
        self._resent = 0

    def _event(self, end: float) -> Event | None:
        while not self._events:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._receive(left)
        return self._events.popleft()

    def _receive(self, seconds: float) -> None:
        if self.lost:
            raise ConnectionLostError(f"the connection to the GDB server at {self._where} is closed")
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except TimeoutError:
            return
        except OSError as error:
            raise self._lose(str(error.strerror or error)) from None
        if not data:
            raise self._lose("it closed the connection")
        self._events.extend(self._decoder.feed(data))

    def _write(self, data: bytes) -> None:
        if self.lost:
            raise ConnectionLostError(f"the connection to the GDB server at {self._where} is closed")
        self._socket.settimeout(self._answer_s)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise self._lose("it reads nothing") from None
        except OSError as error:
            raise self._lose(str(error.strerror or error)) from None

    def _lose(self, reason: str) -> ConnectionLostError:
        self.close()
        return ConnectionLostError(f"the connection to the GDB server at {self._where} is lost: {reason}")


def parse_stop(answer: bytes) -> Stop | HostCall | None:
    """What a stop reply says; None if it is none."""
    try:
        match answer[:1]:
            case b"S" | b"T":
                return Stop("S", number(answer[1:3]))
            case b"W" | b"X":
                return Stop(answer[:1].decode(), number(answer[1:].partition(b";")[0]))
            case b"F":
                name, *arguments = answer[1:].split(b",")
                parts = [part.partition(b"/")[0] for part in arguments]
                return HostCall(name.decode("ascii"), tuple(_signed(part) for part in parts))
    except (ValueError, UnicodeDecodeError):
        return None
    return None


def _signed(text: bytes) -> int:
    return -number(text[1:]) if text.startswith(b"-") else number(text)


def _hex_text(digits: bytes) -> bytes:
    try:
        return from_hex(digits)
    except ValueError:
        return b""


def _shown(data: bytes) -> str:
    text = data[:40].decode("ascii", errors="replace")
    return text.partition(":")[0] if text.startswith(("X", "M", "vFlashWrite")) else text
