"""The recorder's state as words of one buffer, shared by Python (first sight) and native code (every block).

All state lives in one zero-filled int64 buffer. Its first words are the header (``H_*``); behind it stand tables of
fixed capacity, of which only touched pages take memory:

* a *slot* caches, per block address, the edges from up to WAYS predecessors: what the next block is does not
  depend on a chain of loads, so the processor overlaps this bookkeeping with the emulated code;
* a *node* is a block in a calling context;
* an *edge* is a transition between two nodes, with its count and its live price;
* a *site* is an instruction of a node whose cost depends on its operands or on whether it executes;
* a *frame* is one active call.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Header words.
H_CURRENT = 0
H_CYCLES = 1
H_INSTRUCTIONS = 2
H_CYCLE_LIMIT = 3
H_INSTRUCTION_LIMIT = 4
H_SKIP = 5
H_FRAMES = 6
H_STOPPED = 7
H_SP_LOW = 8
H_MISS = 9
H_EVENT = 10
H_STOP_FUNCTION = 11
H_READ_FUNCTION = 12
H_SP_ID = 13
H_SCRATCH = 14
H_SCRATCH_ADDRESS = 15
H_LOST_SITES = 16
H_RARE = 17
H_BUFFER = 18
H_SPAN = 19
H_FAST_LIMIT = 20
H_PENDING = 21  # an exception is pending that may be masked
H_DIVIDE_TRAP = 22  # CCR.DIV_0_TRP
H_TRAPPED = 23  # a divide by zero stopped the run
H_EXC_RETURN = 24  # the EXC_RETURN value (but for its lowest bit) that stopped the run, else 0
H_INTERRUPT = 25  # a function that is told of other exceptions of the emulator
H_PC_ID = 26
H_IPSR_ID = 27
HEADER_WORDS = 64

# Slot words: a block key, a spare, then WAYS (source node, edge) pairs.
T_KEY = 0
T_PAIRS = 2
WAYS = 7
SLOT_WORDS = 16

# Node words. A block's key is its address with its size in the upper half.
N_KEY, N_CONTEXT, N_SITES, N_SP_LOW = range(4)
NODE_WORDS = 4
# Where execution comes from when it comes from no node: the first rows of the node table, by kind.
START, FROM_ENTRY, FROM_ENTRY_FP, FROM_TAIL_CHAIN = range(4)
SOURCES = 4

# Edge words. The fast path adds E_FAST: the cycles, or SPECIAL where flags call for the rare path.
E_COUNT, E_TARGET, E_FAST, E_INSTRUCTIONS, E_FLAGS, E_SOURCE, E_RETURN, E_KEY = range(8)
EDGE_WORDS = 8
SPECIAL = 1 << 61
# E_FLAGS holds the flags in its low bits and the cycles above them.
CYCLES_SHIFT = 8
# No modelled core retires more instructions than this per cycle: how far the fast path may go without looking at the
# instruction limit.
MOST_PER_CYCLE_SHIFT = 2

# Edge flags.
CALL = 1
RETURN = 2
READ_SP = 4
EVENT = 8
UNMASK = 32  # the source may have unmasked exceptions
DYNAMIC = 16  # the source ends in an indirect jump or return: its target's context depends on the frames

# Key of the edge by which a node is left when its exception returns; no block has it.
RETURN_KEY = -1

# Frame words.
F_RETURN, F_CONTEXT, F_SP, F_SPAN = range(4)
FRAME_WORDS = 4

# Site words: address, then a count and a live price per operand class.
OPERAND_CLASSES = 16
S_ADDRESS = 0
S_COUNTS = 1
S_PRICES = S_COUNTS + OPERAND_CLASSES
SITE_WORDS = S_PRICES + OPERAND_CLASSES + 7

# Hook words (one per hooked instruction): the buffer's address and what to observe.
K_BUFFER, K_KIND, K_RN, K_RM, K_SIGNED = range(5)
HOOK_WORDS = 8
OBSERVE_EXECUTED, OBSERVE_DIVIDE, OBSERVE_LONG_MULTIPLY = range(3)

SLOT_CAPACITY = 1 << 15
NODE_CAPACITY = 1 << 20
EDGE_CAPACITY = 1 << 21
HASH_CAPACITY = 1 << 22
SITE_CAPACITY = 1 << 18
FRAME_CAPACITY = 1 << 20
HOOK_CAPACITY = 1 << 16

SLOTS = HEADER_WORDS
NODES = SLOTS + SLOT_CAPACITY * SLOT_WORDS
EDGES = NODES + NODE_CAPACITY * NODE_WORDS
SITES = EDGES + EDGE_CAPACITY * EDGE_WORDS
FRAMES = SITES + SITE_CAPACITY * SITE_WORDS
HOOKS = FRAMES + FRAME_CAPACITY * FRAME_WORDS
HASHES = HOOKS + HOOK_CAPACITY * HOOK_WORDS
BUFFER_WORDS = HASHES + HASH_CAPACITY
HASH_MULTIPLIER = 0x9E3779B97F4A7C15 - (1 << 64)


def new_buffer() -> NDArray[np.int64]:
    """A zeroed state buffer. Mapped by hand: numpy asks for huge pages, whose zeroing costs more than a short run."""
    return np.frombuffer(mmap.mmap(-1, BUFFER_WORDS * 8), dtype=np.int64)


def hash_slot_of(source: int, key: int, context: int) -> int:
    """``native.hash_slot`` for Python callers: the same 64-bit wrap-around arithmetic."""
    mixed = (source ^ (key * 31) ^ (context * 1000003)) * HASH_MULTIPLIER
    return ((mixed & 0xFFFFFFFFFFFFFFFF) >> 40) & (HASH_CAPACITY - 1)
