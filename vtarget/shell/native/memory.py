"""What fetches and data accesses find in caches and slow memory: followed block by block, without Python.

``follow`` is called when a block begins. Its fetch record holds as long as no instruction cache takes another line:
then entering the block only notes the time, which is passed on to the lines (for LRU) before the next line is taken.
Data accesses are followed at the block's entry where its registers tell their addresses, the others by ``on_access``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from vtarget.shell.layout import (
    A_AFTER,
    A_BASE,
    A_BEFORE,
    A_INDEX,
    A_MEMORY,
    A_OFFSET,
    A_PLACE,
    A_POINT,
    A_REACH,
    A_SHIFT,
    A_SITE,
    A_STORES,
    A_UNIT,
    ACCESS_WORDS,
    C_ENABLED,
    C_FETCHES,
    C_LINES,
    C_NUMBER,
    C_PASSES,
    C_PLACES,
    C_POLICY,
    C_SET_MASK,
    C_SHIFT,
    C_STATE,
    C_STORES_TAKE,
    C_WAYS,
    H_CACHES,
    H_COPY_REGISTERS,
    H_CURRENT,
    H_CYCLES,
    H_INSTRUCTIONS,
    H_LAST_LINE,
    H_NOTED,
    H_NOTED_AT,
    H_NOTED_NODE,
    H_REGISTER_IDS,
    H_REGISTERS,
    H_SEEN,
    H_TIME,
    H_TOUCHED,
    H_VERSION,
    H_ZONE_TABLE,
    K_BUFFER,
    L_LINE,
    L_PLACE,
    L_SITE,
    LINE_WORDS,
    LRU,
    N_ACCESSES,
    N_FETCH,
    N_HOOKED,
    NOTE_BITS,
    NOTE_CAPACITY,
    NOTES,
    ROUND_ROBIN,
    S_COUNTS,
    S_HIGH,
    S_LOW,
    S_PRICES,
    STAMP_BITS,
    TOUCHED,
    TOUCHED_CAPACITY,
    V_CACHE,
    V_COUNT,
    V_LAST,
    V_LINES,
    V_TIME,
    V_VERSION,
    ZONE_BITS,
    ZONE_PAGE_BITS,
)
from vtarget.shell.native.calls import load_byte, load_half, pointer, read_register
from vtarget.shell.native.compiling import Recipe

CHANGED, UNALIGNED, JUMP_MISS, SEQUENCE_MISS = 0, 1, 1, 2  # classes, as logic.zones names them


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _count(s: Any, site: int, event: int) -> int:
    """Count one event, and note it if it costs anything; its live price."""
    s[site + S_COUNTS + event] += 1
    price = s[site + S_PRICES + event]
    if price != 0 and s[H_NOTED] < NOTE_CAPACITY:
        s[NOTES + s[H_NOTED]] = site << NOTE_BITS | event
        s[H_NOTED] += 1
    return int(price)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _find(s: Any, cache: int, line: int) -> int:
    """The place of a line, 0 if it isn't there."""
    ways = s[cache + C_WAYS]
    first = s[cache + C_PLACES] + (line & s[cache + C_SET_MASK]) * ways
    for place in range(first, first + ways):
        if s[place] == line:
            return int(place)
    return 0


@numba.njit  # type: ignore[untyped-decorator]
def _pass_on_times(s: Any) -> None:
    """Stamp the lines of all records that were entered since their lines were looked up."""
    for i in range(s[H_TOUCHED]):
        record = s[TOUCHED + i]
        lines = s[s[record + V_CACHE] + C_LINES]
        stamp = s[record + V_TIME] << STAMP_BITS
        for k in range(s[record + V_COUNT]):
            place = s[record + V_LINES + k * LINE_WORDS + L_PLACE]
            s[place + lines] = max(s[place + lines], stamp | k)
    s[H_TOUCHED] = 0


@numba.njit  # type: ignore[untyped-decorator]
def _victim(s: Any, cache: int, line: int) -> int:
    """The place that a line takes."""
    ways, policy = s[cache + C_WAYS], s[cache + C_POLICY]
    index = line & s[cache + C_SET_MASK]
    first = s[cache + C_PLACES] + index * ways
    if policy == LRU:
        stamps, oldest = s[cache + C_LINES], first
        for place in range(first + 1, first + ways):
            if s[place + stamps] < s[oldest + stamps]:
                oldest = place
        return int(oldest)
    if policy == ROUND_ROBIN:
        turn = s[cache + C_STATE] + index
        way = s[turn]
        s[turn] = way + 1 if way + 1 < ways else 0
        return int(first + way)
    for place in range(first, first + ways):
        if s[place] == 0:
            return int(place)
    x = s[s[cache + C_STATE]]
    x = (x ^ (x << 13)) & 0xFFFFFFFF
    x ^= x >> 17
    x = (x ^ (x << 5)) & 0xFFFFFFFF
    s[s[cache + C_STATE]] = x
    return int(first + x % ways)


@numba.njit  # type: ignore[untyped-decorator]
def _take_line(s: Any, cache: int, line: int) -> int:
    """Bring a line into the cache; its place."""
    if s[cache + C_FETCHES] != 0:
        _pass_on_times(s)
        s[H_VERSION] += 1
    place = _victim(s, cache, line)
    s[place] = line
    return int(place)


@numba.njit  # type: ignore[untyped-decorator]
def _fetch(s: Any, record: int) -> int:
    """Look up the lines of a block; what misses cost."""
    cache, last = s[record + V_CACHE], s[H_LAST_LINE]
    time = s[H_TIME] + 1
    s[H_TIME] = time
    s[H_LAST_LINE] = s[record + V_LAST]
    cycles, absent = 0, 0
    if s[cache + C_ENABLED] == 0:
        s[record + V_VERSION] = s[H_VERSION]
        return 0
    lines, end = s[cache + C_LINES], record + V_LINES + s[record + V_COUNT] * LINE_WORDS
    stamp = time << STAMP_BITS
    for entry in range(record + V_LINES, end, LINE_WORDS):
        line, place = s[entry + L_LINE], s[entry + L_PLACE]
        if s[place] != line:
            place = _find(s, cache, line)
            if place == 0:
                absent = 1
                if line == last + 1:
                    if s[cache + C_PASSES] == 0:
                        place = _take_line(s, cache, line)
                    cycles += _count(s, s[entry + L_SITE], SEQUENCE_MISS)
                elif line != last:
                    place = _take_line(s, cache, line)
                    cycles += _count(s, s[entry + L_SITE], JUMP_MISS)
        if place != 0:
            s[entry + L_PLACE] = place
            s[place + lines] = stamp
        stamp += 1
        last = line
    if absent != 0:
        for entry in range(record + V_LINES, end, LINE_WORDS):
            if s[s[entry + L_PLACE]] != s[entry + L_LINE]:
                s[record + V_VERSION] = -1
                return cycles
    _remember(s, record, time)
    return cycles


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _remember(s: Any, record: int, time: int) -> None:
    """All lines of the record are there."""
    if s[H_TOUCHED] == TOUCHED_CAPACITY:
        _pass_on_times(s)
        s[H_VERSION] += 1
    s[TOUCHED + s[H_TOUCHED]] = record
    s[H_TOUCHED] += 1
    s[record + V_VERSION], s[record + V_TIME] = s[H_VERSION], time


@numba.njit  # type: ignore[untyped-decorator]
def _copy_registers(s: Any, uc: int) -> None:
    for number in range(0, 16, 2):
        low = read_register(s, uc, s[H_REGISTER_IDS + number])
        high = read_register(s, uc, s[H_REGISTER_IDS + number + 1])
        s[H_REGISTERS + (number >> 1)] = low | high << 32


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _access(s: Any, a: int) -> int:
    """One access: count what it finds; what that costs."""
    address = load_half(s[a + A_BASE]) + (load_half(s[a + A_INDEX]) << s[a + A_SHIFT]) + s[a + A_OFFSET] & 0xFFFFFFFF
    site, last = s[a + A_SITE], address + s[a + A_REACH]
    s[site + S_LOW] = min(s[site + S_LOW], address)
    s[site + S_HIGH] = max(s[site + S_HIGH], last)
    cycles = 0
    if address & s[a + A_UNIT] != 0:
        cycles = _count(s, site, UNALIGNED)
        if address & s[a + A_UNIT] & 1 and s[a + A_UNIT] != 1:
            cycles += _count(s, site, UNALIGNED)
    zone = load_byte(s[H_ZONE_TABLE] + (address >> ZONE_PAGE_BITS))
    s[a + A_MEMORY] = zone >> ZONE_BITS
    if s[a + A_BEFORE] != 0:
        cycles += _changed(s, s[a + A_BEFORE], a)
    if s[a + A_AFTER] != 0:
        cycles += _changed(s, a, s[a + A_AFTER])
    zone &= (1 << ZONE_BITS) - 1
    if zone == 0:
        return cycles
    cache = s[H_CACHES + zone + s[a + A_STORES]]
    if cache == 0:
        return int(cycles + _count(s, site, 2 * zone))
    shift = s[cache + C_SHIFT]
    first, end = address >> shift | s[cache + C_NUMBER], last >> shift | s[cache + C_NUMBER]
    place = s[a + A_PLACE]
    if first == end and s[place] == first:
        s[H_TIME] += 1
        s[place + s[cache + C_LINES]] = s[H_TIME] << STAMP_BITS
        return int(cycles + _count(s, site, 2 * zone))
    return int(cycles + _look_up(s, a, cache, first, end, 2 * zone))


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _changed(s: Any, load: int, behind: int) -> int:
    """What it costs if both accesses, the one behind the other, went to different memories."""
    if s[load + A_MEMORY] == s[behind + A_MEMORY] or s[load + A_MEMORY] == 0 or s[behind + A_MEMORY] == 0:
        return 0
    return int(_count(s, s[behind + A_SITE], CHANGED))


@numba.njit  # type: ignore[untyped-decorator]
def _look_up(s: Any, a: int, cache: int, first: int, end: int, event: int) -> int:
    cycles = 0
    for line in range(first, end + 1):
        s[H_TIME] += 1
        place = _find(s, cache, line)
        missed = place == 0
        if missed and (s[a + A_STORES] == 0 or s[cache + C_STORES_TAKE] != 0):
            place = _take_line(s, cache, line)
        if place != 0:
            s[a + A_PLACE] = place
            s[place + s[cache + C_LINES]] = s[H_TIME] << STAMP_BITS
        cycles += _count(s, s[a + A_SITE], event + missed)
    return cycles


@numba.njit  # type: ignore[untyped-decorator]
def follow(s: Any, uc: int, node: int) -> None:
    """A block begins: what fetching it, and its accesses whose addresses are known by now, find."""
    cycles = 0
    s[H_NOTED], s[H_NOTED_NODE], s[H_NOTED_AT] = 0, node, s[H_INSTRUCTIONS]
    record, accesses = s[node + N_FETCH], s[node + N_ACCESSES]
    if record != 0:
        if s[record + V_VERSION] == s[H_VERSION]:
            s[H_TIME] += 1
            s[record + V_TIME] = s[H_TIME]
            s[H_LAST_LINE] = s[record + V_LAST]
        else:
            cycles = _fetch(s, record)
    if accesses != 0:
        if s[H_COPY_REGISTERS] != 0:
            _copy_registers(s, uc)
        for a in range(accesses + 1, accesses + 1 + s[accesses] * ACCESS_WORDS, ACCESS_WORDS):
            cycles += _access(s, a)
    s[H_CYCLES] += cycles


def _on_accesses(uc: int, node: int, buffer: int) -> int:
    follow(pointer(buffer), uc, node)
    return 0


def _on_access(uc: int, address: int, size: int, data: Any) -> None:
    """A load or store is about to execute whose address the block's entry didn't tell."""
    s = pointer(data[K_BUFFER])
    seen = s[H_SEEN]
    s[H_SEEN] = 0
    hooked = s[s[H_CURRENT] + N_HOOKED]
    if hooked == 0 or seen == np.int64(address):
        return
    a, end = hooked + 1, hooked + 1 + s[hooked] * ACCESS_WORDS
    while a < end and s[a + A_POINT] != np.int64(address):
        a += ACCESS_WORDS
    if a < end and s[H_COPY_REGISTERS] != 0:
        _copy_registers(s, np.int64(uc))
    cycles = 0
    while a < end and s[a + A_POINT] == np.int64(address):
        cycles += _access(s, a)
        a += ACCESS_WORDS
    s[H_CYCLES] += cycles


on_accesses = Recipe(types.int64(types.int64, types.int64, types.int64), _on_accesses)
_ON_CODE = types.void(types.intp, types.uint64, types.uint32, types.CPointer(types.int64))
on_access = Recipe(_ON_CODE, _on_access)
