"""Arm build attributes: the profile, and damaged sections read as 'doesn't say'."""

from __future__ import annotations

import struct

import pytest
from elfwriter import arm_attributes
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.buildattributes import cpu_profile


def attributes(tags: bytes, vendor: bytes = b"aeabi\0") -> bytes:
    body = vendor + b"\1" + struct.pack("<I", 5 + len(tags)) + tags
    return b"A" + struct.pack("<I", 4 + len(body)) + body


@pytest.mark.parametrize("profile", ["M", "A", "R", "S"])
def test_profile(profile: str) -> None:
    assert cpu_profile(arm_attributes(profile)) == profile


def test_section_as_gcc_writes_it_for_cortex_m4() -> None:
    section = bytes.fromhex("41 29 00 00 00 61 65 61 62 69 00 01 1f 00 00 00 05 37 45 2d 4d 00 06 0d 07 4d 09 02 12 04")
    assert cpu_profile(section) == "M"


@pytest.mark.parametrize(
    ("blob", "expected"),
    [
        (b"", None),
        (b"B", None),
        (attributes(b"\x06\x0d"), None),
        (attributes(b"\x07\x00"), None),
        (attributes(b"\x07\xff\xff\x7f"), None),
        (attributes(b"\x20\x01gnu\0\x07M"), "M"),
        (attributes(b"\x43" + b"2.09\0\x07M"), "M"),
        (attributes(b"\x40\x00\x07R"), "R"),
        (attributes(b"\x07M", vendor=b"other\0"), None),
        (attributes(b"\x07A", vendor=b"other\0") + attributes(b"\x07M")[1:], "M"),
        (b"A" + bytes(16), None),
    ],
)
def test_other_tags_and_damage(blob: bytes, expected: str | None) -> None:
    assert cpu_profile(blob) == expected


@given(st.binary(max_size=64))
def test_any_bytes_give_a_profile_or_none(tail: bytes) -> None:
    assert cpu_profile(b"A" + tail) in (None, "A", "M", "R", "S")
    assert cpu_profile(attributes(tail)) in (None, "A", "M", "R", "S")
