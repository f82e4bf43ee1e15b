"""The recorder's state as words of one buffer, shared by Python (first sight) and native code (every block).

All state lives in one zero-filled int64 buffer. Its first words are the header (``H_*``); behind it stand tables of
fixed capacity, of which only touched pages take memory:

* a *slot* caches, per block address, the edges from up to WAYS predecessors: what the next block is does not
  depend on a chain of loads, so the processor overlaps this bookkeeping with the emulated code;
* a *node* is a block in a calling context;
* an *edge* is a transition between two nodes, with its count and its live price;
* a *site* is an instruction of a node whose cost depends on its operands, on whether it executes or on what its
  data accesses find, or a line that a node's block is fetched from: with a count and a live price per class;
* a *frame* is one active call;
* a *cache* is the state of a simulated cache; *fetch records* and *access lists* say what a node does to caches;
* a *branch record* says which branch a node ends in, its *history* what the predictor knows of that branch.
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
# Memory. Time orders what caches were used for; the version counts changes of what instruction caches hold.
H_TIME = 28
H_VERSION = 29
H_LAST_LINE = 30  # the line fetched last
H_TOUCHED = 31  # how many fetch records wait for their time to be passed on to the lines (TOUCHED)
H_ZONE_TABLE = 32  # the address of the zones by page
H_ACCESSES = 33  # a function that follows a node's fetches and accesses
H_SEEN = 34  # the address of an access that was counted and will be seen again, because a debugger held the core
H_COPY_REGISTERS = 35  # registers have to be copied to H_REGISTERS before addresses are computed
H_NO_LINE = 36  # stays 0: the place of a line that was never looked up
H_NO_REGISTER = 37  # stays 0: the value of an absent register
H_NEW_BRANCH = 38  # a function that takes a branch that was taken into the predictor
H_MOST_STATE = 39  # the highest state of a branch: Y_STATE
H_CACHES = 40  # by zone: the cache in force for loads, or 0
STORES = 8  # from there to the one for stores
H_REGISTERS = 56  # r0..r15, two to a word
H_REGISTER_IDS = 64
# What the current block's lines and accesses cost is noted (NOTES) for a debugger that holds the core in it: how many
# notes, and the node and the count of instructions that they are of.
H_NOTED, H_NOTED_NODE, H_NOTED_AT = 96, 97, 98
HEADER_WORDS = 128

# H_SKIP: the block that execution goes on with is counted, and not begun or (a debugger held the core in it) begun.
NOT_BEGUN, BEGUN = 1, 2

# Slot words: a block key, a spare, then WAYS (source node, edge) pairs.
T_KEY = 0
T_PAIRS = 2
WAYS = 7
SLOT_WORDS = 16

# Node words. A block's key is its address with its size in the upper half.
N_KEY, N_CONTEXT, N_SITES, N_SP_LOW, N_FETCH, N_ACCESSES, N_HOOKED, N_BRANCH = range(8)
NODE_WORDS = 8
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
S_LOW = S_PRICES + OPERAND_CLASSES  # the lowest and the highest address of a data site
S_HIGH = S_LOW + 1
SITE_WORDS = S_HIGH + 6
NOTE_BITS = 4  # a note is a site's offset, and the class in so many bits
NEVER_ACCESSED = 1 << 62  # S_LOW at first

# Hook words (one per hooked instruction): the buffer's address and what to observe.
K_BUFFER, K_KIND, K_RN, K_RM, K_SIGNED = range(5)
HOOK_WORDS = 8
OBSERVE_EXECUTED, OBSERVE_DIVIDE, OBSERVE_LONG_MULTIPLY = range(3)

# Cache words. A line of a cache is its number in memory with the cache's own in the bits above LINE_BITS; a place is
# the offset of the word that holds a line. C_LINES words behind it is its stamp: when it was used last. C_FETCHES:
# instructions are fetched through it; C_STORES_TAKE: a store that misses takes a line.
C_SET_MASK, C_WAYS, C_POLICY, C_ENABLED, C_PLACES, C_LINES, C_STATE, C_SHIFT = range(8)
C_NUMBER, C_FETCHES, C_STORES_TAKE, C_PASSES = range(8, 12)  # PASSES: lines fetched in sequence don't take a place
CACHE_WORDS = 16
LINE_BITS = 40
LRU, ROUND_ROBIN, RANDOM = range(3)
RANDOM_SEED = 2463534242  # of Marsaglia's xorshift32
STAMP_BITS = 10  # of a stamp are for the order of a block's lines, the time stands above them

# Fetch record: the version in which all its lines were there, when the node was last entered, its last line, how many
# lines and in which cache; then for each line itself, its site and its place.
V_VERSION, V_TIME, V_LAST, V_COUNT, V_CACHE, V_LINES = range(6)
L_LINE, L_SITE, L_PLACE = range(3)
LINE_WORDS = 3

# Access list: how many, then for each: the addresses of its base and index registers; shift and offset of the address,
# size less one; which of its lowest bits cost transfers; 0 or STORES; site; the place found last; the address of the
# instruction before which the registers hold (0: the block's entry).
A_BASE, A_INDEX, A_SHIFT, A_OFFSET, A_REACH, A_UNIT, A_STORES, A_SITE, A_PLACE, A_POINT = range(10)
# The memory it was in last; the access of the load before that it may pipeline behind, and of the one that may behind
# this load but is looked at before it (both 0 if there is none).
A_MEMORY, A_BEFORE, A_AFTER = range(10, 13)
ACCESS_WORDS = 13

# Branch record: the branch's history, and the site where its mispredictions count.
B_HISTORY, B_SITE = range(2)
BRANCH_WORDS = 2

# History of a branch, the same for all nodes: the address behind it; 0 if the predictor doesn't hold it, else its
# counter plus 1; when it was executed last, in instructions of the run; its set: the histories held, 0 where free.
Y_NEXT, Y_STATE, Y_USED, Y_SET, Y_WAYS = range(5)
HISTORY_WORDS = 5

ZONE_PAGE_BITS = 12
ZONE_BITS = 3  # of a byte of the zone table; the memory stands above them
ZONE_PAGES = 1 << (32 - ZONE_PAGE_BITS)

SLOT_CAPACITY = 1 << 15
NODE_CAPACITY = 1 << 20
EDGE_CAPACITY = 1 << 21
HASH_CAPACITY = 1 << 22
SITE_CAPACITY = 1 << 20
FRAME_CAPACITY = 1 << 20
HOOK_CAPACITY = 1 << 16
TOUCHED_CAPACITY = 1 << 12
MEMORY_CAPACITY = 1 << 23
BRANCH_CAPACITY = 1 << 22
NOTE_CAPACITY = 1 << 10  # more events of one passage of a block are not noted

SLOTS = HEADER_WORDS
NODES = SLOTS + SLOT_CAPACITY * SLOT_WORDS
EDGES = NODES + NODE_CAPACITY * NODE_WORDS
SITES = EDGES + EDGE_CAPACITY * EDGE_WORDS
FRAMES = SITES + SITE_CAPACITY * SITE_WORDS
HOOKS = FRAMES + FRAME_CAPACITY * FRAME_WORDS
HASHES = HOOKS + HOOK_CAPACITY * HOOK_WORDS
TOUCHED = HASHES + HASH_CAPACITY
MEMORY = TOUCHED + TOUCHED_CAPACITY
BRANCHES = MEMORY + MEMORY_CAPACITY
NOTES = BRANCHES + BRANCH_CAPACITY
BUFFER_WORDS = NOTES + NOTE_CAPACITY
HASH_MULTIPLIER = 0x9E3779B97F4A7C15 - (1 << 64)


def new_buffer() -> NDArray[np.int64]:
    """A zeroed state buffer. Mapped by hand: numpy asks for huge pages, whose zeroing costs more than a short run."""
    return np.frombuffer(mmap.mmap(-1, BUFFER_WORDS * 8), dtype=np.int64)


def new_zone_table() -> NDArray[np.uint8]:
    """The zone and the memory of each page of the address space: 0 at first."""
    return np.frombuffer(mmap.mmap(-1, ZONE_PAGES), dtype=np.uint8)


def hash_slot_of(source: int, key: int, context: int) -> int:
    """``native.hash_slot`` for Python callers: the same 64-bit wrap-around arithmetic."""
    mixed = (source ^ (key * 31) ^ (context * 1000003)) * HASH_MULTIPLIER
    return ((mixed & 0xFFFFFFFFFFFFFFFF) >> 40) & (HASH_CAPACITY - 1)
