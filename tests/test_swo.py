"""The SWO decoder: literal packets of DDI 0403 appendix D4, round trips, and streams that are broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.swo import (
    Decoder,
    GlobalTimestamp,
    Hardware,
    LocalTimestamp,
    Malformed,
    Overflow,
    Packet,
    Stimulus,
    StimulusPage,
    Sync,
    port_bytes,
)

SYNC = bytes([0, 0, 0, 0, 0, 0x80])


@pytest.mark.parametrize(
    ("stream", "packet"),
    [
        (SYNC, Sync()),
        (b"\x70", Overflow()),
        (b"\x01A", Stimulus(0, b"A")),
        (b"\x02AB", Stimulus(0, b"AB")),
        (b"\x03ABCD", Stimulus(0, b"ABCD")),
        (b"\x09A", Stimulus(1, b"A")),
        (b"\xf9A", Stimulus(31, b"A")),
        (b"\x03\0\0\0\0", Stimulus(0, b"\0\0\0\0")),
        (b"\x05\x04", Hardware(0, b"\x04")),
        (b"\x0e\x0f\x10", Hardware(1, b"\x0f\x10")),
        (b"\x17\x00\x01\x00\x08", Hardware(2, b"\x00\x01\x00\x08")),
        (b"\x10", LocalTimestamp(1)),
        (b"\x60", LocalTimestamp(6)),
        (b"\xc0\x07", LocalTimestamp(7)),
        (b"\xd0\x80\x01", LocalTimestamp(128, 1)),
        (b"\xf0\xff\xff\xff\x7f", LocalTimestamp(0xFFFFFFF, 3)),
        (b"\x94\x05", GlobalTimestamp(5, low=True)),
        (b"\x94\xff\xff\xff\x7f", GlobalTimestamp(0x3FFFFFF, True, wrapped=True, clock_changed=True)),
        (b"\x94\x80\x80\x80\x41", GlobalTimestamp(1 << 21, True, wrapped=True)),
        (b"\xb4\x81\x80\x80\x01", GlobalTimestamp(1 | 1 << 21, low=False)),
        (b"\xb4\x80\x80\x80\x80\x80\x07", GlobalTimestamp(7 << 35, low=False)),
        (b"\x18", StimulusPage(1)),
        (b"\x04", Malformed(b"\x04")),
        (b"\xc4\x01", Malformed(b"\xc4\x01")),
    ],
)
def test_packets(stream: bytes, packet: Packet) -> None:
    assert Decoder().feed(stream) == [packet]
    assert Decoder().feed(stream + b"\x01x") == [packet, Stimulus(32 if stream == b"\x18" else 0, b"x")]


def encode(packet: Packet) -> bytes:
    """The bytes of a packet, by the tables of D4."""
    match packet:
        case Sync():
            return SYNC
        case Overflow():
            return b"\x70"
        case Stimulus(port, data):
            return bytes([port % 32 << 3 | data_size(data)]) + data
        case Hardware(number, data):
            return bytes([number << 3 | 4 | data_size(data)]) + data
        case LocalTimestamp(ticks, 0) if 1 <= ticks <= 6:
            return bytes([ticks << 4])
        case LocalTimestamp(ticks, relation):
            return bytes([0xC0 | relation << 4]) + continued(ticks)
        case GlobalTimestamp(value, True, wrapped, changed):
            last = value >> 21 | changed << 5 | wrapped << 6
            return b"\x94" + bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80, last])
        case GlobalTimestamp(value, False):
            return b"\xb4" + bytes([value >> 7 * i & 0x7F | 0x80 for i in range(5)]) + bytes([value >> 35])
        case StimulusPage(page):
            return bytes([page << 4 | 8])
    raise AssertionError(packet)


def data_size(data: bytes) -> int:
    return {1: 1, 2: 2, 4: 3}[len(data)]


def continued(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def packets() -> st.SearchStrategy[Packet]:
    data = st.one_of(*(st.binary(min_size=size, max_size=size) for size in (1, 2, 4)))
    return st.one_of(
        st.just(Sync()),
        st.just(Overflow()),
        st.builds(Stimulus, st.integers(0, 31), data),
        st.builds(Hardware, st.integers(0, 31), data),
        st.builds(LocalTimestamp, st.integers(0, (1 << 28) - 1), st.integers(0, 3)),
        st.builds(GlobalTimestamp, st.integers(0, (1 << 26) - 1), st.just(True), st.booleans(), st.booleans()),
        st.builds(GlobalTimestamp, st.integers(0, (1 << 38) - 1), st.just(False)),
    )


@given(st.lists(packets(), max_size=20), st.data())
def test_what_is_encoded_is_decoded(sequence: list[Packet], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sequence))
    decoder, decoded, at = Decoder(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 7))
        decoded += decoder.feed(stream[at : at + size])
        at += size
    assert decoded == sequence


@given(st.binary(max_size=64), st.lists(packets(), max_size=5))
def test_it_finds_its_way_after_any_garbage(garbage: bytes, sequence: list[Packet]) -> None:
    decoder = Decoder()
    decoder.feed(garbage)
    after = decoder.feed(SYNC + b"".join(map(encode, sequence)))
    assert after[after.index(Sync()) + 1 :] == sequence


def test_pages_of_ports() -> None:
    stream = b"".join(map(encode, [StimulusPage(2), Stimulus(3, b"a"), StimulusPage(0), Stimulus(3, b"b")]))
    assert port_bytes(Decoder().feed(stream)) == {3: b"b", 67: b"a"}


def test_text_of_ports() -> None:
    stream = b"\x01H\x10\x01i\x09x\x70\x02!\n" + SYNC + b"\xf9z"
    assert port_bytes(Decoder().feed(stream)) == {0: b"Hi!\n", 1: b"x", 31: b"z"}


def test_endless_continuations_are_given_up() -> None:
    assert Decoder().feed(b"\xc0\xff\xff\xff\xff\x01A") == [Malformed(b"\xc0\xff\xff\xff\xff"), Stimulus(0, b"A")]
    decoder = Decoder()
    assert len(decoder.feed(b"\xff\xc0" * 5000)) < 10_000


def test_zeros_that_are_no_synchronization() -> None:
    assert Decoder().feed(b"\0\0\x01A") == [Malformed(b"\0"), Stimulus(0, b"A")]
    assert Decoder().feed(bytes(100) + b"\x80\x01A") == [Sync(), Stimulus(0, b"A")]
