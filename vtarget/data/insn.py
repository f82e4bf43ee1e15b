"""One decoded Thumb instruction: what it does, as far as cycles, control flow and memory are concerned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an instruction occupies in the core."""

    ALU = "alu"
    MUL = "mul"
    MLA = "mla"
    LONG_MUL = "long_mul"
    LONG_MLA = "long_mla"
    DIVIDE = "divide"
    DSP = "dsp"
    LOAD = "load"
    STORE = "store"
    LOAD_PAIR = "load_pair"
    STORE_PAIR = "store_pair"
    LOAD_MULTIPLE = "load_multiple"
    STORE_MULTIPLE = "store_multiple"
    LOAD_EXCLUSIVE = "load_exclusive"
    STORE_EXCLUSIVE = "store_exclusive"
    BRANCH = "branch"
    CALL = "call"
    TABLE_BRANCH = "table_branch"
    IT = "it"
    NOP = "nop"
    SYSTEM = "system"
    BARRIER = "barrier"
    WAIT = "wait"
    BREAKPOINT = "breakpoint"
    SVC = "svc"
    FP_ALU = "fp_alu"
    FP_MAC = "fp_mac"
    FP_DIVIDE = "fp_divide"
    FP_MOVE = "fp_move"
    FP_LOAD = "fp_load"
    FP_STORE = "fp_store"
    FP_LOAD_MULTIPLE = "fp_load_multiple"
    FP_STORE_MULTIPLE = "fp_store_multiple"
    UNDEFINED = "undefined"


class Flow(StrEnum):
    """How control leaves an instruction. A predicated one may also just fall through."""

    NONE = "none"
    BRANCH = "branch"
    CONDITIONAL = "conditional"
    CALL = "call"
    CALL_INDIRECT = "call_indirect"
    INDIRECT = "indirect"
    RETURN = "return"
    TRAP = "trap"


class Feature(StrEnum):
    """What a core must have to execute an instruction. ``UNKNOWN``: not decodable, so no core provides it."""

    THUMB1 = "thumb1"
    BASELINE_V8 = "baseline_v8"
    THUMB2 = "thumb2"
    DSP = "dsp"
    FP_SINGLE = "fp_single"
    FP_DOUBLE = "fp_double"
    FP_V5 = "fp_v5"
    ARMV8M = "armv8m"
    UNKNOWN = "unknown"


class Dynamic(StrEnum):
    """Why the cost of an instruction depends on facts of the run."""

    DIVIDE = "divide"
    LONG_MULTIPLY = "long_multiply"
    PREDICATED = "predicated"


SP, LR, PC = 13, 14, 15
FLAGS = 1 << 48
ALWAYS = 14
FLOATS = ((1 << 32) - 1) << 16


@dataclass(frozen=True, slots=True)
class Addressing:
    """``[base + (index << shift) + offset]``; ``index`` is -1 if none; post-indexed accesses leave ``offset`` out.

    For multiple transfers ``offset`` leads to the lowest address accessed.
    """

    base: int
    index: int = -1
    shift: int = 0
    offset: int = 0
    post_indexed: bool = False


@dataclass(frozen=True, slots=True)
class Linear:
    """The sum of ``factor * R[register]`` over ``terms``, plus ``offset``, modulo 2**32.

    R15 is the instruction's address + 4, also where the instruction aligns it (the offset makes up for that).
    """

    terms: tuple[tuple[int, int], ...]
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Insn:
    """One instruction. Decoding an encoding twice gives the same object, so identity is equality.

    ``text`` is capstone's, with targets relative to the architectural pc (instruction address + 4); ``mnemonic`` is its
    mnemonic without condition and width suffix (``adds``, ``vadd.f32``). ``branch_offset`` is target - instruction
    address. ``condition`` is the condition code 0..14 (14: always). ``reads`` and ``writes`` are bit masks:
    0-15 r0-r15, 16-47 s0-s31 (a d register is both its halves), 48 the flags. ``register_count`` counts words for
    multiple and pair transfers, 1 for other memory accesses. ``accumulator`` are the registers of ``reads`` that a
    multiply-accumulate needs late. ``double``: works on double-precision values. ``sp_low`` <= 0 is the lowest SP it
    leaves relative to SP before it; ``sp_delta`` is what it adds to SP, None if that isn't fixed. ``result`` is what an
    ALU instruction leaves in the core register it writes, None if that is no linear form; MOVT's counts only where the
    register's upper half is 0.
    """

    size: int
    text: str
    mnemonic: str
    kind: Kind
    flow: Flow
    feature: Feature
    branch_offset: int | None
    predicated: bool
    condition: int
    reads: int
    writes: int
    address_reads: int
    register_count: int
    writeback: bool
    register_offset: bool
    literal: bool
    shifted_operand: bool
    sets_flags: bool
    access_bytes: int
    sp_low: int
    sp_delta: int | None
    dynamic: Dynamic | None
    operand_registers: tuple[int, int]
    address: Addressing | None
    double: bool = False
    accumulator: int = 0
    result: Linear | None = None
