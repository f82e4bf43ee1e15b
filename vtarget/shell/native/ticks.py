"""Exceptions without Python: returns from handlers are noticed, and SysTick is served.

``repeat_ticks`` does what ``waiting``, ``exceptions``, ``interruption`` and ``systick`` do for a thread that sleeps in
WFI, or computes, and that nothing but SysTick interrupts. It works on one buffer of words (``W_*``),
which ``shell/ticking.py`` fills and reads, and hands over to Python before the first thing that it doesn't know.
Caches go on as the last block left them: they are followed by the block callback.
"""

from __future__ import annotations

from typing import Any

from numba import carray, int64, njit, types

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
    N_KEY,
    NODE_WORDS,
    NODES,
    RETURN_KEY,
)
from vtarget.shell.native.blocks import find_edge
from vtarget.shell.native.calls import call3, call5, half_pointer, pointer, read_register
from vtarget.shell.native.compiling import Recipe
from vtarget.shell.native.tickwords import (
    ALIGNED,
    BASEPRI,
    BASIC_BYTES,
    BASIC_FRAME,
    BASIC_WORDS,
    CONTROL,
    EXC_RETURN_FIRST,
    EXCEPTION_EXIT,
    EXTENDED_BYTES,
    FAULTMASK,
    FETCH_UNMAPPED,
    FLAGS,
    FP_WORDS,
    FPCA,
    FRAME_BUFFER_WORDS,
    IN_HANDLER,
    IN_THREAD,
    L_CONTROL,
    L_FAULTMASK,
    L_PSP,
    L_SP,
    L_XPSR,
    MOST_FRAMES,
    MSP,
    NPRIV,
    NUMBER,
    PC,
    PREFETCH_ABORT,
    PRIMASK,
    R0_LR,
    RETURN_TO_PSP,
    RETURNED,
    ROUND_WORDS,
    ROUNDS,
    SAVED,
    SFPA,
    SP,
    SPSEL,
    SYSTICK,
    THUMB,
    USED,
    W_ALIGNMENT,
    W_ASLEEP,
    W_BASE_CYCLE,
    W_BUFFER,
    W_CURRENT,
    W_CYCLES_DENOMINATOR,
    W_CYCLES_NUMERATOR,
    W_ENTRIES,
    W_ENTRY_SET,
    W_ERROR,
    W_EXC_RETURN,
    W_FP_SET,
    W_FPCAR,
    W_FRAME,
    W_FRAME_BUFFER,
    W_FRAME_BYTES,
    W_FRAMES,
    W_HORIZON,
    W_LAZY_FP,
    W_LEAVE_EDGE,
    W_LEAVING_SET,
    W_LR,
    W_MOST,
    W_MSP_TOP,
    W_NODE,
    W_OTHER_LOW,
    W_PC,
    W_PERIOD,
    W_RAM_HIGH,
    W_RAM_LOW,
    W_READ_BATCH,
    W_READ_MEMORY,
    W_RESUME_EDGE,
    W_RETURN_PC,
    W_RETURN_SET,
    W_RETURNS,
    W_SKIP,
    W_SLEPT,
    W_SPSEL,
    W_STAGE,
    W_START,
    W_STOPPED_SET,
    W_TAKEN_OVER,
    W_TICK,
    W_TOP,
    W_UC,
    W_UNTIL,
    W_USED,
    W_VECTOR,
    W_WAKEUPS,
    W_WRITE_BATCH,
    W_WRITE_MEMORY,
    WORDS,
    XPSR,
)


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
def _cycle_of(w: Any, tick: int) -> int:
    """The cycle at which a tick comes."""
    numerator, denominator = w[W_CYCLES_NUMERATOR], w[W_CYCLES_DENOMINATOR]
    return int(w[W_BASE_CYCLE] + (tick * numerator + denominator - 1) // denominator)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _values(w: Any, registers: int) -> Any:
    return carray(half_pointer(w[registers + 2]), (FRAME_BUFFER_WORDS,))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _move(w: Any, function: int, registers: int) -> Any:
    """Read or write a set of registers; its values."""
    call5(w[function], w[W_UC], w[registers], w[registers + 1], w[registers + 3], 0)
    return _values(w, registers)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _buffer(w: Any) -> Any:
    return carray(half_pointer(w[W_FRAME_BUFFER]), (FRAME_BUFFER_WORDS,))


@njit  # type: ignore[untyped-decorator]
def _handler(w: Any) -> int:
    """The handler by the vector table; 0 if it has none."""
    stacked = _buffer(w)
    stacked[0] = 0
    call5(w[W_READ_MEMORY], w[W_UC], w[W_VECTOR], w[W_FRAME_BUFFER], 4, 0)
    return int64(stacked[0]) & ~1 if stacked[0] & 1 else 0


@njit  # type: ignore[untyped-decorator]
def _swap_stacks(s: Any, w: Any, sp: int) -> None:
    """A thread on the process stack is left or gone on with: the other stack's low point counts."""
    if w[W_SPSEL] != 0:
        low = w[W_OTHER_LOW]
        w[W_OTHER_LOW] = s[H_SP_LOW]
        s[H_SP_LOW] = min(low, sp)


@njit  # type: ignore[untyped-decorator]
def _is_free(w: Any, frame: int, size_bytes: int) -> bool:
    """Whether a frame may stand there."""
    for i in range(w[W_USED]):
        if w[USED + i] == frame:
            return False
    return bool(frame >= w[W_RAM_LOW] and frame + size_bytes <= w[W_RAM_HIGH])


@njit  # type: ignore[untyped-decorator]
def _note_return(s: Any, w: Any) -> None:
    """Emulated Armv6-M cores fail to fetch from EXC_RETURN: that is a return from the handler too."""
    pc = read_register(s, w[W_UC], s[H_PC_ID])
    if pc >= EXC_RETURN_FIRST and read_register(s, w[W_UC], s[H_IPSR_ID]) & NUMBER:
        s[H_EXC_RETURN] = pc
        w[W_ERROR] = 0


@njit  # type: ignore[untyped-decorator]
def _run(s: Any, w: Any, pc: int) -> bool:
    """Run the emulator to the next tick; False if Python has taken over, or must."""
    s[H_CYCLE_LIMIT] = max(min(_cycle_of(w, w[W_TICK]), w[W_HORIZON]) - w[W_ASLEEP], 0)
    s[H_FAST_LIMIT] = 0
    w[W_ERROR] = call5(w[W_START], w[W_UC], pc | 1, w[W_UNTIL], 0, 0) & 0xFFFFFFFF
    if w[W_ERROR] == FETCH_UNMAPPED and w[W_TAKEN_OVER] == 0 and w[W_STAGE] == IN_HANDLER:
        _note_return(s, w)
    return bool(w[W_TAKEN_OVER] == 0 and w[W_ERROR] == 0 and s[H_TRAPPED] == 0)


@njit  # type: ignore[untyped-decorator]
def _is_tick_next(s: Any, w: Any) -> bool:
    """Whether the thread has stopped for nothing but the next tick: it sleeps, or the tick is due."""
    if w[W_ENTRIES] >= w[W_MOST] or s[H_INSTRUCTIONS] >= s[H_INSTRUCTION_LIMIT] or s[H_FRAMES] > MOST_FRAMES:
        return False
    following, now = _cycle_of(w, w[W_TICK]), s[H_CYCLES] + w[W_ASLEEP]
    if s[H_SKIP] == 0:
        if s[H_CURRENT] != w[W_NODE] or w[W_NODE] == 0:
            return False
        return bool(now + (s[w[W_LEAVE_EDGE] + E_FLAGS] >> CYCLES_SHIFT) < following < w[W_HORIZON])
    return bool(following <= now < min(w[W_HORIZON], _cycle_of(w, w[W_TICK] + w[W_PERIOD])))


@njit  # type: ignore[untyped-decorator]
def _enter(s: Any, w: Any) -> int:
    """The thread has stopped: take the tick's exception. The handler's address; 0 if Python must see to it."""
    if not _is_tick_next(s, w):
        return 0
    r = _move(w, W_READ_BATCH, W_STOPPED_SET)
    xpsr, sp, pc, control = int64(r[XPSR]), int64(r[SP]), int64(r[PC]) & ~1, int64(r[CONTROL])
    if xpsr & NUMBER or control & NPRIV or r[PRIMASK] & 1 or r[BASEPRI] & 0xFF or r[FAULTMASK] & 1:
        return 0
    if pc != (s[s[H_CURRENT] + N_KEY] & 0xFFFFFFFF if s[H_SKIP] else w[W_PC]) or pc == w[W_UNTIL]:
        return 0
    if control & SPSEL != w[W_SPSEL] or sp > w[W_TOP] or int64(r[MSP]) > w[W_MSP_TOP]:
        return 0
    extended = control & FPCA != 0
    size_bytes = EXTENDED_BYTES if extended else BASIC_BYTES
    frame = sp - size_bytes & w[W_ALIGNMENT]
    if (extended and w[W_LAZY_FP] == 0) or not _is_free(w, frame, size_bytes):
        return 0
    handler = _handler(w)
    if handler == 0:
        return 0
    _suspend(s, w, pc)
    stacked = _buffer(w)
    for i in range(R0_LR, XPSR):
        stacked[i] = r[i]
    stacked[6] = pc
    stacked[7] = xpsr & ~ALIGNED | (ALIGNED if sp & ~w[W_ALIGNMENT] else 0)
    if extended:
        fp = _move(w, W_READ_BATCH, W_FP_SET)
        for i in range(FP_WORDS):
            stacked[BASIC_WORDS + i] = fp[i]
        stacked[BASIC_WORDS + FP_WORDS] = 0
        w[W_FPCAR] = frame + BASIC_BYTES
    call5(w[W_WRITE_MEMORY], w[W_UC], frame, w[W_FRAME_BUFFER], size_bytes, 0)
    s[H_SP_LOW] = min(s[H_SP_LOW], frame)
    w[W_FRAME], w[W_FRAME_BYTES] = frame, size_bytes
    w[W_LR] = (w[W_EXC_RETURN] & ~BASIC_FRAME if extended else w[W_EXC_RETURN]) | (RETURN_TO_PSP if w[W_SPSEL] else 0)
    entry = _values(w, W_ENTRY_SET)
    entry[0], entry[1], entry[2], entry[3] = frame, 0, xpsr & FLAGS | THUMB | SYSTICK, w[W_LR]
    msp = int64(r[MSP])
    _move(w, W_WRITE_BATCH, W_ENTRY_SET)
    _swap_stacks(s, w, msp)
    s[H_CURRENT] = NODES + FROM_ENTRY * NODE_WORDS
    w[W_STAGE] = IN_HANDLER
    return int(handler)


@njit  # type: ignore[untyped-decorator]
def _suspend(s: Any, w: Any, pc: int) -> None:
    """The tick comes: wake the thread if it sleeps, and leave it."""
    w[W_CURRENT], w[W_SKIP], w[W_RETURN_PC], w[W_FRAMES] = s[H_CURRENT], s[H_SKIP], pc, s[H_FRAMES]
    noted = ROUNDS + w[W_ENTRIES] * ROUND_WORDS
    w[noted] = -1
    if s[H_SKIP] == 0:
        _take(s, w[W_LEAVE_EDGE])  # the block comes before the sleep
        w[noted] = s[H_CYCLES] + w[W_ASLEEP]
        passed = _cycle_of(w, w[W_TICK]) - w[noted]
        w[W_ASLEEP] += passed
        w[W_SLEPT] += passed
        w[W_WAKEUPS] += 1
    w[noted + 1] = s[H_CYCLES] + w[W_ASLEEP]
    w[W_ENTRIES] += 1
    w[W_TICK] += w[W_PERIOD]
    for i in range(s[H_FRAMES] * FRAME_WORDS):
        w[SAVED + i] = s[FRAMES + i]
    s[H_FRAMES] = s[H_SKIP] = 0


@njit  # type: ignore[untyped-decorator]
def _leave(s: Any, w: Any) -> bool:
    """The handler has returned: go back to the thread; False if Python must."""
    if s[H_EXC_RETURN] | 1 != w[W_LR] | 1:
        return False
    edge = find_edge(s, s[H_CURRENT], RETURN_KEY, -1)
    r = _move(w, W_READ_BATCH, W_LEAVING_SET)
    frame = int64(r[L_PSP]) if w[W_SPSEL] else int64(r[L_SP])
    extended = w[W_FRAME_BYTES] == EXTENDED_BYTES
    if edge == 0 or r[L_XPSR] & NUMBER != SYSTICK or r[L_FAULTMASK] & 1 or frame != w[W_FRAME]:
        return False
    if r[L_CONTROL] & NPRIV or (extended and r[L_CONTROL] & FPCA):
        return False
    stacked = _buffer(w)
    if call5(w[W_READ_MEMORY], w[W_UC], frame, w[W_FRAME_BUFFER], w[W_FRAME_BYTES], 0) & 0xFFFFFFFF:
        return False
    xpsr = int64(stacked[7])
    if stacked[6] != w[W_RETURN_PC] or xpsr & NUMBER or xpsr & THUMB == 0:
        return False
    s[H_EXC_RETURN] = 0
    _take(s, edge)
    if extended:
        fp = _values(w, W_FP_SET)
        for i in range(FP_WORDS):
            fp[i] = stacked[BASIC_WORDS + i]
        _move(w, W_WRITE_BATCH, W_FP_SET)
    back = _values(w, W_RETURN_SET)
    for i in range(R0_LR, XPSR):
        back[i] = stacked[i]
    sp = frame + w[W_FRAME_BYTES] + (4 if xpsr & ALIGNED else 0)
    back[6], back[7] = 0, xpsr & ~ALIGNED | THUMB
    back[8], back[9] = w[W_SPSEL] | (FPCA | SFPA if extended else 0), sp
    _move(w, W_WRITE_BATCH, W_RETURN_SET)
    w[ROUNDS + w[W_RETURNS] * ROUND_WORDS + 2] = s[H_CYCLES] + w[W_ASLEEP]
    _resume(s, w)
    _swap_stacks(s, w, sp)
    w[W_RETURNS] += 1
    w[W_STAGE] = RETURNED
    return True


@njit  # type: ignore[untyped-decorator]
def _resume(s: Any, w: Any) -> None:
    """The thread is taken up where it was left."""
    s[H_CURRENT], s[H_SKIP], s[H_FRAMES] = w[W_CURRENT], w[W_SKIP], w[W_FRAMES]
    if w[W_SKIP] == 0:
        _take(s, w[W_RESUME_EDGE])
        s[H_CURRENT] = s[w[W_RESUME_EDGE] + E_TARGET]
    for i in range(w[W_FRAMES] * FRAME_WORDS):
        s[FRAMES + i] = w[SAVED + i]


def _repeat_ticks(words: int) -> None:
    """Thread, tick, handler, until something else happens; where it stopped is in W_STAGE."""
    w = carray(pointer(words), (WORDS,))
    s = carray(pointer(w[W_BUFFER]), (BUFFER_WORDS,))
    while True:
        handler = _enter(s, w)
        if handler == 0 or not _run(s, w, handler) or s[H_SKIP] != 0 or s[H_EXC_RETURN] == 0 or not _leave(s, w):
            return
        if s[H_CYCLES] + w[W_ASLEEP] >= min(_cycle_of(w, w[W_TICK]), w[W_HORIZON]):
            return
        w[W_STAGE] = IN_THREAD
        if not _run(s, w, w[W_RETURN_PC]) or s[H_EXC_RETURN] != 0:
            return


_ON_INTERRUPT = types.void(types.intp, types.uint32, types.CPointer(types.int64))
on_interrupt = Recipe(_ON_INTERRUPT, _on_interrupt)
repeat = Recipe(types.void(types.int64), _repeat_ticks)
