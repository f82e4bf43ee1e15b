"""Arm build attributes (section .ARM.attributes), as far as loading needs them.

Format: Arm, "Addenda to, and Errata in, the ABI for the Arm Architecture", IHI 0045, chapter 3.
"""

from __future__ import annotations

import struct

_TAG_FILE = 1
_TAG_CPU_PROFILE = 7
_TAG_COMPATIBILITY = 32
_STRING_TAGS = frozenset({4, 5})


def cpu_profile(blob: bytes) -> str | None:
    """The architecture profile the file was built for: ``"M"``, ``"A"``, ``"R"`` or ``"S"``; None if it doesn't say.

    Anything malformed reads as "doesn't say".
    """
    if blob[:1] != b"A":
        return None
    at = 1
    while at + 4 <= len(blob):
        (length,) = struct.unpack_from("<I", blob, at)
        if length < 5:
            return None
        vendor, _, rest = blob[at + 4 : at + length].partition(b"\0")
        if vendor == b"aeabi":
            return _profile_in_subsection(rest)
        at += length
    return None


def _profile_in_subsection(blob: bytes) -> str | None:
    at = 0
    while at + 5 <= len(blob):
        tag, size = struct.unpack_from("<BI", blob, at)
        if size < 5:
            return None
        if tag == _TAG_FILE:
            return _profile_in_attributes(blob[at + 5 : at + size])
        at += size
    return None


def _profile_in_attributes(blob: bytes) -> str | None:
    at = 0
    while at < len(blob):
        tag, at = _uleb128(blob, at)
        if tag == _TAG_COMPATIBILITY:
            _, at = _uleb128(blob, at)
        if tag in _STRING_TAGS or (tag >= _TAG_COMPATIBILITY and (tag % 2 == 1 or tag == _TAG_COMPATIBILITY)):
            end = blob.find(b"\0", at)
            at = len(blob) if end < 0 else end + 1
            continue
        value, at = _uleb128(blob, at)
        if tag == _TAG_CPU_PROFILE:
            return {0x41: "A", 0x4D: "M", 0x52: "R", 0x53: "S"}.get(value)
    return None


def _uleb128(blob: bytes, at: int) -> tuple[int, int]:
    """The number at ``at`` (low 35 bits) and where the next one starts; past the end it reads as 0."""
    value = shift = 0
    while at < len(blob):
        byte = blob[at]
        at += 1
        if shift < 35:
            value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, at
