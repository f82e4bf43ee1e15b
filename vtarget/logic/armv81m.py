"""Instructions that Armv8.1-M added: what a core may have and the emulator doesn't.

Several of them are encoded as an older instruction with registers that it can't have, so the decoder doesn't tell.
Encodings: Armv8-M ARM (DDI 0553) C2.3 and C2.4.
"""

from __future__ import annotations

from struct import unpack

HELIUM, LOOPS = "Helium", "low-overhead branches"
SELECTS, CLEARS, SHIFTS, HALF = (
    "conditional selects", "CLRM", "64-bit and saturating shifts", "half-precision floating point",
)  # fmt: skip


def armv81m_extension(code: bytes) -> str | None:
    """What the 32-bit instruction in ``code`` (4 bytes) belongs to; None for what Armv8.0-M has or nobody."""
    first, second = unpack("<HH", code)
    if first & 0xEC00 == 0xEC00:
        return _coprocessor_space(first, second)
    if first & 0xF800 == 0xF000 and second & 0xD000 == 0xC000:  # BLX with an immediate elsewhere
        return HELIUM if first & 0xFFC0 == 0xF000 and second & 0xF800 == 0xE800 else LOOPS
    if first & 0xFFF0 == 0xEA50:  # ORRS; bit 15 of its second halfword is 0, and Rm isn't SP or PC
        if second & 0xC000 == 0x8000:
            return SELECTS
        return SHIFTS if second & 0x800D == 0x000D else None
    return CLEARS if first == 0xE89F else None  # LDM from the pc


def _coprocessor_space(first: int, second: int) -> str | None:
    number = second >> 8 & 15
    if first & 0xEF00 == 0xEF00 or number in (14, 15):
        return HELIUM
    if first & 0xFF00 == 0xEE00 and second & 0xF5F == 0xB10 and first & 0x90 == 0x80:  # VDUP
        return HELIUM
    return HALF if number == 9 else None
