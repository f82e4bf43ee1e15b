"""Decodes the byte stream of an ITM and DWT, as it leaves a chip on SWO (Armv7-M ARM, DDI 0403, appendix D4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SYNC_ZEROS = 5  # at least 47 zero bits, then a one: five zero bytes and 0x80
OVERFLOW = 0x70
GLOBAL_LOW, GLOBAL_HIGH = 0x94, 0xB4
PORTS_PER_PAGE = 32
MOST_CONTINUED = {GLOBAL_HIGH: 6}
MOST_CONTINUED_OTHERS = 4


@dataclass(frozen=True)
class Sync:
    """A synchronization packet: whatever came before, a header follows."""


@dataclass(frozen=True)
class Overflow:
    """Packets were lost at the source."""


@dataclass(frozen=True)
class Stimulus:
    """A software source packet: 1, 2 or 4 bytes written to a stimulus port."""

    port: int
    data: bytes


@dataclass(frozen=True)
class Hardware:
    """A hardware source packet of the DWT, by its discriminator (0 event counters, 1 exceptions, 2 PC samples, …)."""

    discriminator: int
    data: bytes


@dataclass(frozen=True)
class LocalTimestamp:
    """Ticks since the last one. ``relation``: 0 in time, 1 stamp delayed, 2 packet delayed, 3 both."""

    ticks: int
    relation: int = 0


@dataclass(frozen=True)
class GlobalTimestamp:
    """Part of an absolute time: bits 0 to 25 (``low``; only those that changed need be there), or the bits above."""

    value: int
    low: bool
    wrapped: bool = False
    clock_changed: bool = False


@dataclass(frozen=True)
class StimulusPage:
    """An extension packet: ports of the packets that follow count from ``page`` times 32."""

    page: int


@dataclass(frozen=True)
class Malformed:
    """Bytes that are no packet: reserved headers, endless continuations."""

    data: bytes


Packet = Sync | Overflow | Stimulus | Hardware | LocalTimestamp | GlobalTimestamp | StimulusPage | Malformed


class Decoder:
    """Takes a stream in pieces of any size. Never raises; finds its way again at the next synchronization packet."""

    def __init__(self) -> None:
        self._zeros = 0
        self._packet = bytearray()
        self._wanted = 0  # bytes of the packet; 0: until one without a continuation bit
        self._page = 0

    def feed(self, data: Iterable[int]) -> list[Packet]:
        """The packets that these bytes complete."""
        packets: list[Packet] = []
        for byte in data:
            packets += self._take(byte)
        return packets

    def _take(self, byte: int) -> list[Packet]:
        if byte == 0x80 and self._zeros >= SYNC_ZEROS:
            lost = bytes(self._packet) if len(self._packet) > 1 else b""
            self._zeros = self._page = 0
            self._packet.clear()
            return [*([Malformed(lost)] if lost else []), Sync()]
        self._zeros = self._zeros + 1 if byte == 0 else 0
        if not self._packet:
            return self._take_header(byte)
        if self._packet[0] == 0:
            return self._take_after_zeros(byte)
        self._packet.append(byte)
        return self._take_payload(byte)

    def _take_header(self, byte: int) -> list[Packet]:
        self._packet.append(byte)
        if byte == 0:
            return []
        if byte & 3:
            self._wanted = 1 + (1, 2, 4)[(byte & 3) - 1]
            return []
        if byte & 0x80:
            self._wanted = 0
            return []
        return [self._finish()]

    def _take_after_zeros(self, byte: int) -> list[Packet]:
        """Zero bytes begin a synchronization packet and nothing else."""
        if byte == 0:
            return []
        self._packet.clear()
        return [Malformed(b"\0"), *self._take_header(byte)]

    def _take_payload(self, byte: int) -> list[Packet]:
        if self._wanted:
            return [self._finish()] if len(self._packet) == self._wanted else []
        if not byte & 0x80:
            return [self._finish()]
        # The last of the most bytes that a packet may have carries no continuation bit.
        if len(self._packet) > MOST_CONTINUED.get(self._packet[0], MOST_CONTINUED_OTHERS):
            return [self._drop()]
        return []

    def _drop(self) -> Packet:
        lost = bytes(self._packet)
        self._packet.clear()
        return Malformed(lost)

    def _finish(self) -> Packet:
        header, payload = self._packet[0], bytes(self._packet[1:])
        self._packet.clear()
        if header & 3:
            number = header >> 3
            if header & 4:
                return Hardware(number, payload)
            return Stimulus(self._page * PORTS_PER_PAGE + number, payload)
        return self._protocol(header, payload)

    def _protocol(self, header: int, payload: bytes) -> Packet:
        if header == OVERFLOW:
            return Overflow()
        if header & 0x8F == 0:
            return LocalTimestamp(header >> 4 & 7)
        if header & 0xCF == 0xC0:
            return LocalTimestamp(_joined(payload), header >> 4 & 3)
        if header == GLOBAL_LOW:
            return _global_low(payload)
        if header == GLOBAL_HIGH:
            return GlobalTimestamp(_joined(payload), low=False)
        if header & 0x8F == 0x08:
            self._page = header >> 4 & 7
            return StimulusPage(self._page)
        return Malformed(bytes([header]) + payload)


def _joined(payload: bytes) -> int:
    return sum((byte & 0x7F) << 7 * index for index, byte in enumerate(payload))


def _global_low(payload: bytes) -> GlobalTimestamp:
    """The fourth byte has five bits of time, then ClkCh and Wrap (D4.2.5)."""
    if len(payload) < 4:
        return GlobalTimestamp(_joined(payload), low=True)
    value = _joined(payload[:3]) | (payload[3] & 0x1F) << 21
    return GlobalTimestamp(value, True, wrapped=bool(payload[3] & 0x40), clock_changed=bool(payload[3] & 0x20))


def port_bytes(packets: Iterable[Packet]) -> dict[int, bytes]:
    """What was written to each stimulus port, in order."""
    ports: dict[int, bytearray] = {}
    for packet in packets:
        if isinstance(packet, Stimulus):
            ports.setdefault(packet.port, bytearray()).extend(packet.data)
    return {port: bytes(data) for port, data in sorted(ports.items())}
