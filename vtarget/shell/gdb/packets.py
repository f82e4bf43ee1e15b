"""Framing of the GDB remote serial protocol (GDB manual, appendix E): packets, checksums, escapes. Pure.

Memory is bounded whatever arrives: a packet may have MOST_BYTES, the rest of a longer one is dropped as it comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

MOST_BYTES = 0x4000  # of a packet's payload, as it is on the wire
START, END, ESCAPE, INTERRUPT = ord("$"), ord("#"), ord("}"), 0x03
ACK, NACK = ord("+"), ord("-")
REPEAT, REPEAT_BASE = ord("*"), 29
_ESCAPED = frozenset(b"$#}*")
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Mark(Enum):
    """What arrives besides packets."""

    INTERRUPT = auto()  # Ctrl-C
    NACK = auto()  # the peer asks for the last packet again
    BAD = auto()  # a packet whose checksum is wrong
    TOO_LONG = auto()  # a packet longer than MOST_BYTES


@dataclass(frozen=True)
class Packet:
    """A packet's payload, unescaped."""

    data: bytes


Event = Packet | Mark


class Decoder:
    """Takes bytes as they arrive, gives events. ``expands``: runs of equal bytes may be shortened, as servers do."""

    def __init__(self, *, expands: bool = False) -> None:
        self._expands = expands
        self._payload: bytearray | None = None  # of the packet that has begun
        self._checksum: bytearray | None = None  # its digits so far, once '#' has come
        self._is_long = False

    @property
    def held_bytes(self) -> int:
        """How much it remembers of a packet that isn't complete."""
        return len(self._payload or b"") + len(self._checksum or b"")

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete; what lies between packets is skipped."""
        events: list[Event] = []
        for byte in data:
            event = self._take(byte)
            if event is not None:
                events.append(event)
        return events

    def _take(self, byte: int) -> Event | None:
        if self._payload is None:
            return self._between(byte)
        if self._checksum is not None:
            self._checksum.append(byte)
            return self._finish() if len(self._checksum) == 2 else None
        if byte == END:
            self._checksum = bytearray()
        elif byte == START:
            self._begin()
        elif len(self._payload) < MOST_BYTES:
            self._payload.append(byte)
        else:
            self._is_long = True
        return None

    def _between(self, byte: int) -> Event | None:
        if byte == START:
            self._begin()
        return {INTERRUPT: Mark.INTERRUPT, NACK: Mark.NACK}.get(byte)

    def _begin(self) -> None:
        self._payload, self._checksum, self._is_long = bytearray(), None, False

    def _finish(self) -> Event:
        assert self._payload is not None and self._checksum is not None
        payload, digits = bytes(self._payload), bytes(self._checksum)
        is_long = self._is_long
        self._payload = self._checksum = None
        if is_long:
            return Mark.TOO_LONG
        if not _HEX.issuperset(digits) or int(digits, 16) != checksum(payload):
            return Mark.BAD
        return Packet(unescape(expand(payload) if self._expands else payload))


def checksum(payload: bytes) -> int:
    """The sum of a payload's bytes as they are on the wire, modulo 256."""
    return sum(payload) & 0xFF


def encode(data: bytes) -> bytes:
    """A packet with that payload."""
    payload = escape(data)
    return b"$%s#%02x" % (payload, checksum(payload))


def escape(data: bytes) -> bytes:
    """A payload as it goes on the wire: ``$``, ``#``, ``}`` and ``*`` become ``}`` and the byte xor 0x20."""
    if _ESCAPED.isdisjoint(data):
        return data
    return b"".join(bytes((ESCAPE, b ^ 0x20)) if b in _ESCAPED else bytes((b,)) for b in data)


def unescape(payload: bytes) -> bytes:
    """The payload that was escaped; an escape with nothing behind it is dropped."""
    out, rest = bytearray(), iter(payload)
    for byte in rest:
        if byte != ESCAPE:
            out.append(byte)
        elif (escaped := next(rest, None)) is not None:
            out.append(escaped ^ 0x20)
    return bytes(out)


def expand(payload: bytes) -> bytes:
    """The payload whose runs were shortened: ``*`` and a byte of n + 29 repeat the byte before them n times more."""
    if REPEAT not in payload:
        return payload
    out, rest = bytearray(), iter(payload)
    for byte in rest:
        if byte == ESCAPE:
            out += bytes((byte, *(b for b in (next(rest, None),) if b is not None)))
        elif byte != REPEAT:
            out.append(byte)
        elif out and (count := next(rest, 0)) > REPEAT_BASE:
            out += out[-1:] * (count - REPEAT_BASE)
    return bytes(out)


def numbers(text: bytes, separators: bytes, count: int) -> tuple[int, ...]:
    """``count`` hexadecimal numbers of at most 16 digits with these separators between them. ValueError if not."""
    for separator in separators:
        text = text.replace(bytes((separator,)), b" ")
    parts = text.split(b" ")
    if len(parts) != count:
        raise ValueError(f"{len(parts)} numbers instead of {count}")
    return tuple(number(part) for part in parts)


def number(text: bytes) -> int:
    """A hexadecimal number of 1 to 16 digits. ValueError if it is none."""
    if not 0 < len(text) <= 16 or not _HEX.issuperset(text):
        raise ValueError("no hexadecimal number")
    return int(text, 16)


def from_hex(text: bytes) -> bytes:
    """Bytes written as pairs of digits. ValueError if they aren't."""
    if not _HEX.issuperset(text):
        raise ValueError("no hexadecimal digits")
    return bytes.fromhex(text.decode("ascii"))
