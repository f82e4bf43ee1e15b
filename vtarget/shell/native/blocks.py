"""Blocks after transitions that ``fastpath`` leaves: uncached, special or last ones; and instructions looked at."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import carray, types

from vtarget.shell.layout import (
    BEGUN,
    BUFFER_WORDS,
    CALL,
    CYCLES_SHIFT,
    DYNAMIC,
    E_COUNT,
    E_FAST,
    E_FLAGS,
    E_INSTRUCTIONS,
    E_KEY,
    E_RETURN,
    E_SOURCE,
    E_TARGET,
    EVENT,
    F_CONTEXT,
    F_RETURN,
    F_SP,
    F_SPAN,
    FRAME_CAPACITY,
    FRAME_WORDS,
    FRAMES,
    H_ACCESSES,
    H_CURRENT,
    H_CYCLE_LIMIT,
    H_CYCLES,
    H_DIVIDE_TRAP,
    H_EVENT,
    H_FAST_LIMIT,
    H_FRAMES,
    H_INSTRUCTION_LIMIT,
    H_INSTRUCTIONS,
    H_LOST_SITES,
    H_MISS,
    H_PENDING,
    H_SKIP,
    H_SP_ID,
    H_SP_LOW,
    H_SPAN,
    H_STOP_FUNCTION,
    H_STOPPED,
    H_TRAPPED,
    HASH_CAPACITY,
    HASH_MULTIPLIER,
    HASHES,
    HOOK_WORDS,
    K_BUFFER,
    K_KIND,
    K_RM,
    K_RN,
    K_SIGNED,
    MOST_PER_CYCLE_SHIFT,
    N_CONTEXT,
    N_SITES,
    N_SP_LOW,
    NOT_BEGUN,
    OBSERVE_DIVIDE,
    OBSERVE_EXECUTED,
    READ_SP,
    RETURN,
    S_ADDRESS,
    S_COUNTS,
    S_PRICES,
    SITE_WORDS,
    SLOT_CAPACITY,
    SLOT_WORDS,
    SLOTS,
    SPECIAL,
    T_KEY,
    T_PAIRS,
    UNMASK,
    WAYS,
)
from vtarget.shell.native.branches import predict
from vtarget.shell.native.calls import call3, pointer, read_register
from vtarget.shell.native.compiling import Recipe


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def hash_slot(source: int, key: int, context: int) -> int:
    """First slot to look at for an edge from ``source`` to block ``key`` in ``context`` (-1: any)."""
    mixed = (source ^ (key * 31) ^ (context * 1000003)) * HASH_MULTIPLIER
    return int((mixed >> 40) & (HASH_CAPACITY - 1))


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def find_edge(s: Any, source: int, key: int, context: int) -> int:
    """Offset of the known edge, or 0."""
    slot = hash_slot(source, key, context)
    while True:
        edge = s[HASHES + slot]
        if edge == 0:
            return 0
        if s[edge + E_SOURCE] == source and s[edge + E_KEY] == key:
            if context < 0:
                if s[edge + E_FLAGS] & RETURN == 0:
                    return int(edge)
            elif s[edge + E_FLAGS] & RETURN and s[s[edge + E_TARGET] + N_CONTEXT] == context:
                return int(edge)
        slot = (slot + 1) & (HASH_CAPACITY - 1)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _stop(s: Any, uc: int) -> None:
    s[H_STOPPED] = 1
    call3(s[H_STOP_FUNCTION], uc, 0, 0)


@numba.njit  # type: ignore[untyped-decorator]
def _remember(s: Any, current: int, key: int, edge: int) -> None:
    """Cache an edge in the first free way of its slot; when all are taken, in the last."""
    slot = SLOTS + ((key >> 1) & (SLOT_CAPACITY - 1)) * SLOT_WORDS
    if s[slot + T_KEY] != key:
        s[slot + T_KEY] = key
        for way in range(WAYS):
            s[slot + T_PAIRS + 2 * way] = 0
    way = 0
    while way < WAYS - 1 and s[slot + T_PAIRS + 2 * way] != 0 and s[slot + T_PAIRS + 2 * way] != current:
        way += 1
    s[slot + T_PAIRS + 2 * way] = current
    s[slot + T_PAIRS + 2 * way + 1] = edge


@numba.njit  # type: ignore[untyped-decorator]
def _look_up(s: Any, uc: int, current: int, key: int) -> int:
    """The edge from ``current`` to block ``key`` in the light of the frames; asks Python if it is new. 0: stop."""
    edge = 0
    frames = s[H_FRAMES]
    if frames > 0:
        top = FRAMES + (frames - 1) * FRAME_WORDS
        edge = find_edge(s, current, key, s[top + F_CONTEXT])
        if edge != 0 and s[edge + E_RETURN] != s[top + F_RETURN]:
            edge = 0
    if edge == 0:
        edge = find_edge(s, current, key, -1)
        if edge != 0 and s[edge + E_FLAGS] & DYNAMIC and frames > 0 and s[top + F_RETURN] == key & 0xFFFFFFFF:
            edge = 0
    if edge == 0:
        edge = call3(s[H_MISS], current, key, 0)
    if edge != 0:
        _remember(s, current, key, edge)
    return edge


@numba.njit  # type: ignore[untyped-decorator]
def _special(s: Any, uc: int, current: int, edge: int, key: int) -> int:
    """Handle an edge that moves frames, reads SP or is an event. Returns the edge really taken, 0 to stop."""
    flags = s[edge + E_FLAGS]
    if flags & (RETURN | DYNAMIC):
        frames = s[H_FRAMES]
        top = FRAMES + (frames - 1) * FRAME_WORDS
        if flags & RETURN:
            wrong = (
                frames == 0
                or s[top + F_RETURN] != s[edge + E_RETURN]
                or s[top + F_CONTEXT] != s[s[edge + E_TARGET] + N_CONTEXT]
            )
        else:
            wrong = frames > 0 and s[top + F_RETURN] == key & 0xFFFFFFFF
        if wrong:
            edge = _look_up(s, uc, current, key)
            if edge == 0:
                return 0
            flags = s[edge + E_FLAGS]
    if flags & EVENT:
        edge = call3(s[H_EVENT], edge, key, 0)
        if edge == 0:
            return 0
        flags = s[edge + E_FLAGS]
    if flags & RETURN:
        if s[FRAMES + (s[H_FRAMES] - 1) * FRAME_WORDS + F_SPAN] != 0 and call3(s[H_EVENT], edge, key, 1) == 0:
            return 0
        s[H_FRAMES] -= 1
    if flags & (CALL | READ_SP):
        sp = read_register(s, uc, s[H_SP_ID])
        if flags & CALL:
            top = FRAMES + s[H_FRAMES] * FRAME_WORDS
            s[top + F_RETURN] = s[edge + E_RETURN]
            s[top + F_CONTEXT] = s[current + N_CONTEXT]
            s[top + F_SP] = sp
            s[top + F_SPAN] = s[H_SPAN]
            s[H_SPAN] = 0
            s[H_FRAMES] += 1
            if s[H_FRAMES] >= FRAME_CAPACITY - 1:
                s[H_INSTRUCTION_LIMIT] = 0
        low = sp + s[s[edge + E_TARGET] + N_SP_LOW]
        if low < s[H_SP_LOW]:
            s[H_SP_LOW] = low
    return edge


@numba.njit  # type: ignore[untyped-decorator]
def _follow(s: Any, uc: int, buffer: int) -> None:
    """The block that begins, where memory is followed. By its address: without, it need not be compiled."""
    if s[H_ACCESSES] != 0:
        call3(s[H_ACCESSES], uc, s[H_CURRENT], buffer)


def _on_rare_block(uc: int, key: int, buffer: int) -> int:
    """A block after an uncached, special or last transition."""
    s = carray(pointer(buffer), (BUFFER_WORDS,))
    if s[H_SKIP] != 0:
        if s[H_SKIP] != BEGUN:
            _follow(s, uc, buffer)
        s[H_SKIP] = 0
        return 0
    current = s[H_CURRENT]
    edge = _look_up(s, uc, current, key)
    if edge != 0 and s[edge + E_FAST] == SPECIAL:
        edge = _special(s, uc, current, edge, key)
    if edge == 0:
        return 0
    s[edge + E_COUNT] += 1
    s[H_CURRENT] = s[edge + E_TARGET]
    s[H_CYCLES] += s[edge + E_FLAGS] >> CYCLES_SHIFT
    s[H_INSTRUCTIONS] += s[edge + E_INSTRUCTIONS]
    predict(s, current, key & 0xFFFFFFFF)
    unmasked = s[edge + E_FLAGS] & UNMASK and s[H_PENDING] != 0
    if unmasked or s[H_CYCLES] >= s[H_CYCLE_LIMIT] or s[H_INSTRUCTIONS] >= s[H_INSTRUCTION_LIMIT]:
        s[H_SKIP] = NOT_BEGUN
        _stop(s, uc)
        return 0
    _follow(s, uc, buffer)
    ahead = (s[H_INSTRUCTION_LIMIT] - s[H_INSTRUCTIONS]) >> MOST_PER_CYCLE_SHIFT
    s[H_FAST_LIMIT] = min(s[H_CYCLE_LIMIT], s[H_CYCLES] + ahead)
    return 0


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _bits(value: int) -> int:
    """Index of the highest set bit plus one."""
    bits = 0
    while value != 0:
        value >>= 1
        bits += 1
    return bits


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _magnitude(value: int, signed: int) -> int:
    if signed != 0 and value & 0x80000000:
        return (1 << 32) - value
    return value


@numba.njit  # type: ignore[untyped-decorator]
def observed_class(kind: int, rn: int, rm: int, signed: int) -> int:
    """Operand class as ``logic.cost`` defines it; ``kind`` is one of OBSERVE_*."""
    if kind == OBSERVE_EXECUTED:
        return 0
    n = _bits(_magnitude(rn, signed))
    m = _bits(_magnitude(rm, signed))
    if kind == OBSERVE_DIVIDE:
        if n == 0 or m == 0:
            return 0
        if n < m:
            return 1
        return int(2 + (n - m) // 4)
    return int((min(n, m) + 7) // 8)


def _on_site(uc: int, address: int, size: int, data: Any) -> None:
    k = carray(data, (HOOK_WORDS,))
    s = carray(pointer(k[K_BUFFER]), (BUFFER_WORDS,))
    site = s[s[H_CURRENT] + N_SITES]
    if site == 0:
        s[H_LOST_SITES] += 1
        return
    while s[site + S_ADDRESS] != np.int64(address):
        if s[site + S_ADDRESS] == 0:
            s[H_LOST_SITES] += 1
            return
        site += SITE_WORDS
    operands = 0
    if k[K_KIND] != OBSERVE_EXECUTED:
        rn = read_register(s, np.int64(uc), k[K_RN])
        rm = read_register(s, np.int64(uc), k[K_RM])
        operands = observed_class(k[K_KIND], rn, rm, k[K_SIGNED])
        if rm == 0 and k[K_KIND] == OBSERVE_DIVIDE and s[H_DIVIDE_TRAP] != 0:
            s[H_TRAPPED] = 1
            _stop(s, np.int64(uc))
            return
    s[site + S_COUNTS + operands] += 1
    s[H_CYCLES] += s[site + S_PRICES + operands]


_SIGNATURE = types.void(types.intp, types.uint64, types.uint32, types.CPointer(types.int64))
on_rare_block = Recipe(types.int64(types.int64, types.int64, types.int64), _on_rare_block)
on_site = Recipe(_SIGNATURE, _on_site)
