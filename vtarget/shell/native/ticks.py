"""Exceptions without Python: returns from handlers are noticed, and a core that only SysTick wakes is kept ticking.

``repeat_ticks`` does what ``waiting``, ``exceptions``, ``interruption`` and ``systick`` do for a core that sleeps in
WFI, is woken by SysTick, handles it and sleeps at the same place again. It works on one buffer of words (``W_*``),
which ``shell/ticking.py`` fills and reads, and hands over to Python before the first thing that it doesn't know.
"""

from __future__ import annotations

import ctypes
from typing import Any

from numba import carray, cfunc, int64, njit, types

from vtarget.shell.layout import (
    BUFFER_WORDS,
    CYCLES_SHIFT,
    E_COUNT,
    E_FLAGS,
    E_INSTRUCTIONS,
    E_TARGET,
    FRAME_WORDS,
    FRAMES,
    FROM_ENTRY,
    H_CURRENT,
    H_CYCLE_LIMIT,
    H_CYCLES,
    H_EXC_RETURN,
    H_FAST_LIMIT,
    H_FRAMES,
    H_INSTRUCTION_LIMIT,
    H_INSTRUCTIONS,
    H_INTERRUPT,
    H_IPSR_ID,
    H_PC_ID,
    H_SKIP,
    H_SP_LOW,
    H_STOP_FUNCTION,
    H_TRAPPED,
    NODE_WORDS,
    NODES,
    RETURN_KEY,
)
from vtarget.shell.native import find_edge
from vtarget.shell.native.calls import call3, call5, half_pointer, pointer, read_register

# What the machine lends, by address. A set of registers is four words: numbers, places of values, values, count.
W_BUFFER, W_UC, W_START, W_READ_BATCH, W_WRITE_BATCH, W_READ_MEMORY, W_WRITE_MEMORY, W_FRAME_BUFFER = range(8)
W_ASLEEP_SET, W_ENTRY_SET, W_LEAVING_SET, W_RETURN_SET = 8, 12, 16, 20
# The place of the WFI: its node, the pc behind it, the edges that leave it and that come back to it.
W_NODE, W_PC, W_LEAVE_EDGE, W_RESUME_EDGE, W_UNTIL = range(24, 29)
# The next tick, in ticks of SysTick's clock since its base; the clock's cycles per tick as a fraction.
W_TICK, W_PERIOD, W_CYCLES_NUMERATOR, W_CYCLES_DENOMINATOR, W_BASE_CYCLE, W_HORIZON = range(29, 35)
# How the core sleeps, so where its registers are stacked: on which stack, and what the other stack's low point is.
W_SP, W_MSP, W_FRAME, W_MOVED, W_CONTROL, W_OTHER_LOW, W_VECTOR, W_EXC_RETURN = range(35, 43)
# What has happened: rounds begun and ended, cycles slept, in which part of a round the emulator stopped, and why.
W_MOST, W_ENTRIES, W_RETURNS, W_ASLEEP, W_SLEPT, W_STAGE, W_ERROR, W_TAKEN_OVER, W_FRAMES = range(43, 52)
SAVED = 64
MOST_FRAMES = 64
WORDS = SAVED + MOST_FRAMES * FRAME_WORDS

# Stages: the thread has stopped (at first, and after a round, in its WFI), the handler has, or neither has been
# started yet since the handler returned.
IN_THREAD, IN_HANDLER, RETURNED = range(3)

# The registers of the sets, in order.
R0_LR, XPSR, SP, CONTROL, PRIMASK, BASEPRI, FAULTMASK, PC, MSP = 0, 6, 7, 8, 9, 10, 11, 12, 13
L_XPSR, L_CONTROL, L_SP, L_PSP, L_FAULTMASK = range(5)

EXCEPTION_EXIT, PREFETCH_ABORT, EXC_RETURN_FIRST = 8, 3, 0xFFFFFF00
SYSTICK, NUMBER, ALIGNED, THUMB, FLAGS, SPSEL = 15, 0x1FF, 1 << 9, 1 << 24, 0xF80F0000, 2
FRAME_BYTES = 32


def _on_interrupt(uc: int, number: int, data: Any) -> None:
    """The emulator raises an exception of its own: the return from a handler is noted, of others Python is told."""
    s = carray(data, (BUFFER_WORDS,))
    handle = int64(uc)
    pc = read_register(s, handle, s[H_PC_ID])
    returns = number == EXCEPTION_EXIT
    if number == PREFETCH_ABORT and pc >= EXC_RETURN_FIRST:
        returns = read_register(s, handle, s[H_IPSR_ID]) & NUMBER != 0
    if returns:
        s[H_EXC_RETURN] = pc
        call3(s[H_STOP_FUNCTION], handle, 0, 0)
    else:
        call3(s[H_INTERRUPT], int64(number), pc, 0)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _take(s: Any, edge: int) -> None:
    s[edge + E_COUNT] += 1
    s[H_CYCLES] += s[edge + E_FLAGS] >> CYCLES_SHIFT
    s[H_INSTRUCTIONS] += s[edge + E_INSTRUCTIONS]
    s[H_FAST_LIMIT] = 0


@njit(inline="always")  # type: ignore[untyped-decorator]
def _next_cycle(w: Any) -> int:
    """The cycle of the next tick."""
    numerator, denominator = w[W_CYCLES_NUMERATOR], w[W_CYCLES_DENOMINATOR]
    return int(w[W_BASE_CYCLE] + (w[W_TICK] * numerator + denominator - 1) // denominator)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _move_set(w: Any, function: int, registers: int) -> Any:
    """Read or write a set of registers; its values."""
    call5(w[function], w[W_UC], w[registers], w[registers + 1], w[registers + 3], 0)
    return carray(half_pointer(w[registers + 2]), (16,))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _set_values(w: Any, registers: int) -> Any:
    return carray(half_pointer(w[registers + 2]), (16,))


@njit  # type: ignore[untyped-decorator]
def _read_word(w: Any, address: int) -> int:
    """A word of memory; 0 if there is none."""
    values = carray(half_pointer(w[W_FRAME_BUFFER]), (8,))
    values[0] = 0
    call5(w[W_READ_MEMORY], w[W_UC], address, w[W_FRAME_BUFFER], 4, 0)
    return int(values[0])


@njit  # type: ignore[untyped-decorator]
def _swap_stacks(s: Any, w: Any, sp: int) -> None:
    """A thread on the process stack is left or gone on with: the other stack's low point counts."""
    if w[W_CONTROL] & SPSEL:
        low = w[W_OTHER_LOW]
        w[W_OTHER_LOW] = s[H_SP_LOW]
        s[H_SP_LOW] = min(low, sp)


@njit  # type: ignore[untyped-decorator]
def _run(s: Any, w: Any, pc: int) -> bool:
    """Run the emulator to the next tick; False if Python has taken over, or must."""
    s[H_CYCLE_LIMIT] = max(min(_next_cycle(w), w[W_HORIZON]) - w[W_ASLEEP], 0)
    s[H_FAST_LIMIT] = 0
    w[W_ERROR] = call5(w[W_START], w[W_UC], pc | 1, w[W_UNTIL], 0, 0) & 0xFFFFFFFF
    return bool(w[W_TAKEN_OVER] == 0 and w[W_ERROR] == 0 and s[H_SKIP] == 0 and s[H_TRAPPED] == 0)


@njit  # type: ignore[untyped-decorator]
def _enter(s: Any, w: Any) -> int:
    """The core sleeps: wake it by the next tick and enter the handler, whose address it is; 0 if Python must."""
    following = _next_cycle(w)
    now = s[H_CYCLES] + w[W_ASLEEP]
    if w[W_ENTRIES] >= w[W_MOST] or following <= now or following >= w[W_HORIZON]:
        return 0
    count = s[H_FRAMES]
    if s[H_INSTRUCTIONS] >= s[H_INSTRUCTION_LIMIT] or s[H_CURRENT] != w[W_NODE] or count > MOST_FRAMES:
        return 0
    r = _move_set(w, W_READ_BATCH, W_ASLEEP_SET)
    xpsr, frame = int64(r[XPSR]), w[W_FRAME]
    if xpsr & NUMBER or r[PRIMASK] & 1 or r[BASEPRI] & 0xFF or r[FAULTMASK] & 1 or int64(r[PC]) & ~1 != w[W_PC]:
        return 0
    if r[CONTROL] != w[W_CONTROL] or r[SP] != w[W_SP] or r[MSP] != w[W_MSP]:
        return 0
    handler = _read_word(w, w[W_VECTOR])
    if handler & 1 == 0:
        return 0
    w[W_ASLEEP] += following - now
    w[W_SLEPT] += following - now
    w[W_ENTRIES] += 1
    w[W_TICK] += w[W_PERIOD]
    _take(s, w[W_LEAVE_EDGE])
    w[W_FRAMES] = count
    for i in range(count * FRAME_WORDS):
        w[SAVED + i] = s[FRAMES + i]
    s[H_FRAMES] = 0
    stacked = carray(half_pointer(w[W_FRAME_BUFFER]), (8,))
    for i in range(R0_LR, XPSR):
        stacked[i] = r[i]
    stacked[6] = w[W_PC]
    stacked[7] = xpsr & ~ALIGNED | w[W_MOVED]
    call5(w[W_WRITE_MEMORY], w[W_UC], frame, w[W_FRAME_BUFFER], FRAME_BYTES, 0)
    s[H_SP_LOW] = min(s[H_SP_LOW], frame)
    entry = _set_values(w, W_ENTRY_SET)
    entry[0], entry[1], entry[3] = frame, 0, w[W_EXC_RETURN]
    entry[2] = xpsr & FLAGS | THUMB | SYSTICK
    _move_set(w, W_WRITE_BATCH, W_ENTRY_SET)
    _swap_stacks(s, w, w[W_MSP])
    s[H_CURRENT] = NODES + FROM_ENTRY * NODE_WORDS
    w[W_STAGE] = IN_HANDLER
    return int(handler & ~1)


@njit  # type: ignore[untyped-decorator]
def _leave(s: Any, w: Any) -> bool:
    """The handler has returned: go back to the thread; False if Python must."""
    if s[H_EXC_RETURN] | 1 != w[W_EXC_RETURN] | 1:
        return False
    edge = find_edge(s, s[H_CURRENT], RETURN_KEY, -1)
    r = _move_set(w, W_READ_BATCH, W_LEAVING_SET)
    frame = int64(r[L_PSP]) if w[W_CONTROL] & SPSEL else int64(r[L_SP])
    if edge == 0 or r[L_XPSR] & NUMBER != SYSTICK or r[L_FAULTMASK] & 1 or r[L_CONTROL] & 1 or frame != w[W_FRAME]:
        return False
    stacked = carray(half_pointer(w[W_FRAME_BUFFER]), (8,))
    if call5(w[W_READ_MEMORY], w[W_UC], frame, w[W_FRAME_BUFFER], FRAME_BYTES, 0) & 0xFFFFFFFF:
        return False
    xpsr = int64(stacked[7])
    if stacked[6] != w[W_PC] or xpsr & NUMBER or xpsr & THUMB == 0:
        return False
    s[H_EXC_RETURN] = 0
    _take(s, edge)
    back = _set_values(w, W_RETURN_SET)
    for i in range(R0_LR, XPSR):
        back[i] = stacked[i]
    sp = frame + FRAME_BYTES + (4 if xpsr & ALIGNED else 0)
    back[6], back[7] = 0, xpsr & ~ALIGNED | THUMB
    back[8], back[9] = w[W_CONTROL], sp
    _move_set(w, W_WRITE_BATCH, W_RETURN_SET)
    _take(s, w[W_RESUME_EDGE])
    s[H_CURRENT] = s[w[W_RESUME_EDGE] + E_TARGET]
    for i in range(w[W_FRAMES] * FRAME_WORDS):
        s[FRAMES + i] = w[SAVED + i]
    s[H_FRAMES] = w[W_FRAMES]
    _swap_stacks(s, w, sp)
    w[W_RETURNS] += 1
    w[W_STAGE] = RETURNED
    return True


def _repeat_ticks(words: int) -> None:
    """Sleep, wake, handle, until something else happens; where it stopped is in W_STAGE."""
    w = carray(pointer(words), (WORDS,))
    s = carray(pointer(w[W_BUFFER]), (BUFFER_WORDS,))
    while True:
        handler = _enter(s, w)
        if handler == 0 or not _run(s, w, handler) or s[H_EXC_RETURN] == 0 or not _leave(s, w):
            return
        if s[H_CYCLES] + w[W_ASLEEP] >= min(_next_cycle(w), w[W_HORIZON]):
            return
        w[W_STAGE] = IN_THREAD
        if not _run(s, w, w[W_PC]) or s[H_EXC_RETURN] != 0:
            return


on_interrupt = cfunc(types.void(types.intp, types.uint32, types.CPointer(types.int64)), cache=True)(_on_interrupt)
_repeat = cfunc(types.void(types.int64), cache=True)(_repeat_ticks)
repeat_ticks = ctypes.CFUNCTYPE(None, ctypes.c_int64)(_repeat.address)
