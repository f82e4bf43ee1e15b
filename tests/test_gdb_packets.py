"""Framing of the remote serial protocol: what is sent arrives, and whatever arrives is taken in bounded memory."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtarget.shell.gdb.packets import (
    MOST_BYTES,
    Decoder,
    Event,
    Mark,
    Packet,
    checksum,
    encode,
    escape,
    from_hex,
    number,
    numbers,
    unescape,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


def events(data: bytes, cuts: list[int] = []) -> list[Event]:  # noqa: B006
    decoder = Decoder()
    return [event for piece in pieces(data, cuts) for event in decoder.feed(piece)]


def test_a_packet_of_the_manual() -> None:
    assert encode(b"OK") == b"$OK#9a"
    assert encode(b"m0,4") == b"$m0,4#fd"
    assert encode(b"#$}*") == b"$}\x03}\x04}]}\x0a#%02x" % checksum(b"}\x03}\x04}]}\x0a")


@given(st.lists(st.binary(max_size=200), max_size=5), st.lists(st.integers(0, 2000), max_size=8))
@example([b"}", b"}}", b"$#", b"\x03", b""], [3])
def test_what_is_sent_arrives_however_it_is_cut(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"+".join(encode(payload) for payload in payloads)
    assert events(stream, cuts) == [Packet(payload) for payload in payloads]


@given(st.binary(max_size=300))
def test_escapes_undo_each_other(data: bytes) -> None:
    assert unescape(escape(data)) == data
    assert not {ord("$"), ord("#"), ord("*")} & set(escape(data))


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_garbage_is_taken_and_a_packet_behind_it_arrives(garbage: bytes, cuts: list[int]) -> None:
    # A packet that the garbage has begun is cut short by the dollar sign, unless that stands where its checksum does.
    found = events(garbage + b"#00#00" + encode(b"?"), cuts)
    assert found[-1] == Packet(b"?")


def test_bad_checksums_are_told_apart_from_packets() -> None:
    assert events(b"$g#68$g#67$g#zz$g#6") == [Mark.BAD, Packet(b"g"), Mark.BAD]


def test_interrupts_and_refusals_count_between_packets_only() -> None:
    assert events(b"\x03-$X\x03-#%02x+\x03" % checksum(b"X\x03-")) == [
        Mark.INTERRUPT,
        Mark.NACK,
        Packet(b"X\x03-"),
        Mark.INTERRUPT,
    ]


def test_an_endless_packet_takes_bounded_memory_and_is_named() -> None:
    decoder = Decoder()
    assert decoder.feed(b"$") == []
    for _ in range(100):
        assert decoder.feed(b"a" * 4096) == []
        assert decoder.held_bytes <= MOST_BYTES + 2
    assert decoder.feed(b"#00") == [Mark.TOO_LONG]
    assert decoder.held_bytes == 0
    assert decoder.feed(encode(b"a" * MOST_BYTES)) == [Packet(b"a" * MOST_BYTES)]


def test_a_dollar_sign_begins_a_packet_anew() -> None:
    assert events(b"$mffff" + encode(b"g")) == [Packet(b"g")]


def test_numbers() -> None:
    assert numbers(b"20000000,4", b",", 2) == (0x20000000, 4)
    assert numbers(b"1,8000000,2", b",", 3) == (1, 0x8000000, 2)
    assert number(b"F" * 16) == (1 << 64) - 1


@pytest.mark.parametrize("text", [b"", b"-1", b"0x10", b" 1", b"1_0", b"f" * 17, b"\xff"])
def test_what_is_no_number(text: bytes) -> None:
    with pytest.raises(ValueError):
        number(text)


@pytest.mark.parametrize("text", [b"1", b"zz", b"1 2 ", b"\xc3\xa9"])
def test_what_is_no_hexadecimal(text: bytes) -> None:
    with pytest.raises(ValueError):
        from_hex(text)


@given(st.binary(max_size=40))
def test_hexadecimal(data: bytes) -> None:
    assert from_hex(data.hex().encode()) == data
