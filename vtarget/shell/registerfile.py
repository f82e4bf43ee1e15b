"""Where the emulator keeps r0..r15, found in this process's memory: native code then reads a register as one word."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from pathlib import Path

MAPS = Path("/proc/self/maps")
HANDLE_BYTES = 8192  # of the emulator's own structure, in which a pointer leads to the core's
CORE_BYTES = 0x40000  # of the core's structure
SEARCHED = 13  # r0..r12; what stands behind them is checked by sp and lr
_PATTERN, _OTHER = 0xA5000001, 0x5A0F0203
_STEP = 0x01010101

_known: list[tuple[int, int]] = []  # the way found last: the offset of a pointer, and of r0 from where it points


def find(handle: int, registers: Callable[[], list[int]], write: Callable[[int, int], None]) -> int | None:
    """The address of r0..r15 (32 bits each) of the emulator at ``handle``; None where it can't be found.

    ``registers`` reads r0..r15, ``write(number, value)`` sets one of them; all are left as they were.
    """
    mapped = list(_writable())
    before = registers()
    try:
        return _search(handle, _known, mapped, write) or _search(
            handle, sorted(_candidates(handle, mapped, write), key=lambda way: way[1]), mapped, write
        )
    finally:
        for number in range(15):
            write(number, before[number])


def _search(
    handle: int, ways: list[tuple[int, int]], mapped: list[tuple[int, int]], write: Callable[[int, int], None]
) -> int | None:
    for pointer, offset in ways:
        start = _word(handle + pointer, mapped)
        if start is not None and _is_there(start + offset, mapped, write):
            _known[:] = [(pointer, offset)]
            return start + offset
    return None


def _writable() -> Iterator[tuple[int, int]]:
    """The stretches of memory that this process may read and write; none where the system doesn't tell."""
    try:
        text = MAPS.read_text()
    except OSError:
        return
    for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", text, re.MULTILINE):
        yield int(start, 16), int(end, 16)


def _room(address: int, mapped: list[tuple[int, int]]) -> int:
    """How many bytes may be read from there on."""
    return next((end - address for start, end in mapped if start <= address < end), 0)


def _word(address: int, mapped: list[tuple[int, int]]) -> int | None:
    return ctypes.c_uint64.from_address(address).value if _room(address, mapped) >= 8 else None


def _candidates(
    handle: int, mapped: list[tuple[int, int]], write: Callable[[int, int], None]
) -> Iterator[tuple[int, int]]:
    needle = _fill(write, _PATTERN)[: 4 * SEARCHED]
    seen = set()
    for pointer in range(0, min(HANDLE_BYTES, _room(handle, mapped)) - 7, 8):
        start = ctypes.c_uint64.from_address(handle + pointer).value
        size = min(CORE_BYTES, _room(start, mapped)) if start % 8 == 0 and start not in seen else 0
        seen.add(start)
        at = ctypes.string_at(start, size).find(needle) if size else -1
        if at >= 0:
            yield pointer, at


def _is_there(address: int, mapped: list[tuple[int, int]], write: Callable[[int, int], None]) -> bool:
    """Whether the registers show there, whatever they are."""
    if _room(address, mapped) < 64:
        return False
    return all(_fill(write, first) == ctypes.string_at(address, 60) for first in (_OTHER, _PATTERN))


def _fill(write: Callable[[int, int], None], first: int) -> bytes:
    """Give r0..r14 distinct values; what they look like in memory. The lowest bits of sp are zero."""
    values = [first + number * _STEP & (0xFFFFFFFC if number == 13 else 0xFFFFFFFF) for number in range(15)]
    for number, value in enumerate(values):
        write(number, value)
    return b"".join(value.to_bytes(4, "little") for value in values)
