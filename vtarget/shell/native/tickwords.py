"""The buffer of words that ``ticks`` works on, and what stands for what in it."""

from __future__ import annotations

from vtarget.shell.layout import FRAME_WORDS

# What the machine lends, by address. A set of registers is four words: numbers, places of values, values, count.
W_BUFFER, W_UC, W_START, W_READ_BATCH, W_WRITE_BATCH, W_READ_MEMORY, W_WRITE_MEMORY, W_FRAME_BUFFER = range(8)
W_STOPPED_SET, W_ENTRY_SET, W_LEAVING_SET, W_RETURN_SET, W_FP_SET = 8, 12, 16, 20, 24
# The place of the WFI (W_NODE 0: none): its node, the pc behind it, the edges that leave it and that come back to it.
W_NODE, W_PC, W_LEAVE_EDGE, W_RESUME_EDGE, W_UNTIL = range(28, 33)
# The next tick, in ticks of SysTick's clock since its base; the clock's cycles per tick as a fraction.
W_TICK, W_PERIOD, W_CYCLES_NUMERATOR, W_CYCLES_DENOMINATOR, W_BASE_CYCLE, W_HORIZON = range(33, 39)
# Rules of exception entry: the frame's address is a multiple of 8 (or W_ALIGNMENT is -1), inside the RAM, none of
# those in use; EXC_RETURN for a basic frame; whether floating-point registers are stacked, and lazily.
W_ALIGNMENT, W_RAM_LOW, W_RAM_HIGH, W_VECTOR, W_EXC_RETURN, W_LAZY_FP, W_USED = range(39, 46)
# The stack in use (SPSEL) and how far up it goes; the main stack, and the low point of the stack not in use.
W_SPSEL, W_TOP, W_MSP_TOP, W_OTHER_LOW = range(46, 50)
# What has happened: exceptions entered and returned from, wake-ups, cycles slept, floating-point frames' FPCAR; in
# which part of a round the emulator stopped, and why; whether Python has taken over.
W_MOST, W_ENTRIES, W_RETURNS, W_WAKEUPS, W_ASLEEP, W_SLEPT, W_FPCAR, W_STAGE, W_ERROR, W_TAKEN_OVER = range(50, 60)
# What is interrupted: the node, whether it is entered but not executed, the pc, the stacked frame, EXC_RETURN, and the
# recorder's frames.
W_CURRENT, W_SKIP, W_RETURN_PC, W_FRAME, W_FRAME_BYTES, W_LR, W_FRAMES = range(60, 67)
SAVED, MOST_FRAMES = 72, 64
USED, MOST_USED = SAVED + MOST_FRAMES * FRAME_WORDS, 64
# When it happened, in cycles since reset: per round the start of the sleep before it (-1: none), entry and return.
ROUNDS, MOST_ROUNDS, ROUND_WORDS = USED + MOST_USED, 1000, 3
WORDS = ROUNDS + MOST_ROUNDS * ROUND_WORDS

# Stages: the thread has stopped (at first, and after a round, in its WFI), the handler has, or neither has been
# started yet since the handler returned.
IN_THREAD, IN_HANDLER, RETURNED = range(3)

# The registers of the sets, in order.
R0_LR, XPSR, SP, CONTROL, PRIMASK, BASEPRI, FAULTMASK, PC, MSP = 0, 6, 7, 8, 9, 10, 11, 12, 13
L_XPSR, L_CONTROL, L_SP, L_PSP, L_FAULTMASK = range(5)

EXCEPTION_EXIT, PREFETCH_ABORT, FETCH_UNMAPPED, EXC_RETURN_FIRST = 8, 3, 8, 0xFFFFFF00
SYSTICK, NUMBER, ALIGNED, THUMB, FLAGS = 15, 0x1FF, 1 << 9, 1 << 24, 0xF80F0000
NPRIV, SPSEL, FPCA, SFPA = 1, 2, 4, 8
BASIC_FRAME, RETURN_TO_PSP = 1 << 4, 1 << 2
BASIC_BYTES, EXTENDED_BYTES, BASIC_WORDS, FP_WORDS, FRAME_BUFFER_WORDS = 32, 104, 8, 17, 26
