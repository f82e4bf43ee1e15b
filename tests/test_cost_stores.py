"""A load waits for the store before it that wrote what it reads: 4 cycles on a Cortex-M7, 3 on a Cortex-M85 (LLVM's
ARMLatencyMutations.cpp), where the code tells that both go to the same address. A store issues in cycle 0 here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from corelib import assemble, core, model, needs_assembler
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.core import Latency
from vtarget.data.cycles import Cycles
from vtarget.data.waterfall import CyclePart
from vtarget.logic.addresses import Access, accesses
from vtarget.logic.attribution import Attribution, Cause
from vtarget.logic.cost import Block, CostModel, Exit
from vtarget.logic.cost.stores import StoreRule
from vtarget.shell.boardlib import load_core

# What, assembly, its bytes, cycles. In brackets the cycles in which the instructions issue: low; nominal; high, if they
# differ.
PATTERNS = [
    ("of the same word [0, 1; 0, 4]", "str r0, [r4]; ldr r1, [r4]", "20602168", Cycles(2, 5, 5)),
    ("of its neighbour, at worst [0, 0; 0, 0; 0, 4]", "str r0, [r4]; ldr r1, [r4, #4]", "20606168", Cycles(1, 1, 5)),
    ("8 bytes away [0, 0]", "str r0, [r4]; ldr r1, [r4, #8]", "2060a168", Cycles(1, 1, 1)),
    ("behind another register [0, 0]", "str r0, [r4]; ldr r1, [r5]", "20602968", Cycles(1, 1, 1)),
    (
        "two cycles later [0, 0, 1, 1, 2; 0, 0, 1, 1, 4]",
        *("str r0, [r4]; nop; nop; nop; ldr r1, [r4]", "206000bf00bf00bf2168", Cycles(3, 5, 5)),
    ),
    (
        "four cycles later [0, 0, 1, 1, 2, 2, 3, 3, 4]",
        *(f"str r0, [r4]; {'nop; ' * 7}ldr r1, [r4]", f"2060{'00bf' * 7}2168", Cycles(5, 5, 5)),
    ),
    ("a byte [0, 1; 0, 4]", "strb r0, [r4]; ldrb r1, [r4]", "20702178", Cycles(2, 5, 5)),
    ("a byte of the word [0, 1; 0, 4]", "strb r0, [r4, #1]; ldr r1, [r4]", "60702168", Cycles(2, 5, 5)),
    ("another byte [0, 0; 0, 0; 0, 4]", "strb r0, [r4]; ldrb r1, [r4, #1]", "20706178", Cycles(1, 1, 5)),
    (
        "the base moved by a constant [0, 0, 2; 0, 0, 4]",
        *("str r0, [r4, #4]; adds r4, #4; ldr r1, [r4]", "606004342168", Cycles(3, 5, 5)),
    ),
    (
        "the base moved away [0, 0, 2; the address waits 3 at worst]",
        *("str r0, [r4]; eors r4, r5; ldr r1, [r4]", "20606c402168", Cycles(3, 3, 4)),
    ),
    (
        "the base is loaded from there [0, 1, 3; 0, 4, 6; 0, 4, 7]",
        *("str r0, [r4]; ldr r4, [r4]; ldr r1, [r4]", "206024682168", Cycles(4, 7, 8)),
    ),
    ("post-indexed [0, 1; 0, 4]", "str r0, [r4], #4; ldr r1, [r4, #-4]", "44f8040b54f8041c", Cycles(2, 5, 5)),
    ("pre-indexed [0, 1; 0, 4]", "str r0, [r4, #4]!; ldr r1, [r4]", "44f8040f2168", Cycles(2, 5, 5)),
    ("with one index [0, 1; 0, 4]", "str r0, [r4, r5]; ldr r1, [r4, r5]", "60516159", Cycles(2, 5, 5)),
    (
        "the index moved [0, 0, 2; the address waits 3 at worst]",
        *("str r0, [r4, r5]; adds r5, #4; ldr r1, [r4, r5]", "605104356159", Cycles(3, 3, 4)),
    ),
    ("PUSH and POP N/2 (JNK) [0, 1; 0 and 1, 5]", "push {r0, r1}; pop {r2, r3}", "03b40cbc", Cycles(2, 2, 6)),
    ("the second [0, 1; 0, 4; 0 and 1, 5]", "strd r0, r1, [r4]; ldr r2, [r4, #4]", "c4e900016268", Cycles(2, 5, 6)),
    ("beyond them [0, 1; 0, 1; 0 and 1, 2]", "push {r0, r1}; ldr r2, [sp, #16]", "03b4049a", Cycles(2, 2, 3)),
    (
        "the stack grew [0, 0, 2; 0, 0, 4]",
        *("str r0, [sp, #4]; sub sp, #8; ldr r1, [sp, #12]", "019082b00399", Cycles(3, 5, 5)),
    ),
    ("of the FPU [0, 1; 0, 4]", "vstr s0, [r4]; vldr s1, [r4]", "84ed000ad4ed000a", Cycles(2, 5, 5)),
    ("a store between [0, 1, 1; 0, 1, 4]", "str r0, [r4]; str r1, [r5]; ldr r2, [r4]", "206029602268", Cycles(2, 5, 5)),
    ("a false store [0, 0, 1]", "it eq; streq r0, [r4]; ldr r1, [r4]", "08bf20602168", Cycles(2, 2, 2)),
    ("a false load [0, 0, 1]", "str r0, [r4]; it eq; ldreq r1, [r4]", "206008bf2168", Cycles(2, 2, 2)),
    (
        "behind a divide, whose cycles come on top [0, 0, 1]",
        *("str r0, [r4]; udiv r2, r2, r3; ldr r1, [r4]", "2060b2fbf3f22168", Cycles(2, 2, 2)),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "assembly", "code", "cycles"), PATTERNS, ids=[p[0] for p in PATTERNS])
def test_a_load_behind_a_store(name: str, assembly: str, code: str, cycles: Cycles) -> None:
    assert model("m7").edge(Block(0x8000, bytes.fromhex(code)), Exit.END, None) == cycles


@needs_assembler
def test_the_patterns_bytes_are_their_assembly(tmp_path: Path) -> None:
    assert [assemble(p[1], tmp_path).hex() for p in PATTERNS] == [p[2] for p in PATTERNS]


def test_executing_a_predicated_load_waits_too() -> None:
    """str r0, [r4]; it eq; ldreq r1, [r4]: from cycle 1 to 4."""
    block = Block(0x8000, bytes.fromhex("206008bf2168"))
    assert model("m7").site(block, 2, 0).nominal == 3


@pytest.mark.parametrize(("name", "cycles"), [("m85", 4), ("m55", 2), ("m33", 2)])
def test_other_cores(name: str, cycles: int) -> None:
    """str r0, [r4]; ldr r1, [r4]: LLVM has 3 for the Cortex-M85 and no such latency for the others."""
    other = CostModel(load_core(f"cortex-{name}").configured(fpu=None, dsp=True))
    assert other.edge(Block(0x8000, bytes.fromhex("20602168")), Exit.END, None).nominal == cycles


# The block before, how it is left, the next one, and cycles of the first with what the second waits.
BORDERS = [
    ("str r0, [r4] | ldr r1, [r4]", "2060", Exit.FALLTHROUGH, "2168", 1 + 3),
    ("str r0, [r4] | ldr r1, [r5]", "2060", Exit.FALLTHROUGH, "2968", 0),  # they pair
    ("str r0, [r4] | str r1, [r5]; ldr r2, [r4]", "2060", Exit.FALLTHROUGH, "29602268", 1 + 3),
    ("str r0, [r4]; b | ldr r1, [r4]", "2060fee7", Exit.TAKEN, "2168", 1 + 3),
    (
        "str r0, [r4]; nop; nop; nop | nop; ldr r1, [r4]",
        "206000bf00bf00bf",
        Exit.FALLTHROUGH,
        "00bf2168",
        2 + 2 - 1 + 1,
    ),
    ("str r0, [sp]; bl | push {r4, lr}; ldr r0, [sp, #8]", "0090fff7feff", Exit.TAKEN, "10b50298", 1 + 2),
    ("str r0, [sp, #4]; bl | push {r4, lr}; ldr r0, [sp, #8]", "0190fff7feff", Exit.TAKEN, "10b50298", 1),
    ("str r0, [r4]; eors r4, r5 | ldr r1, [r4]", "20606c40", Exit.FALLTHROUGH, "2168", 1 + 1),  # for its address
]


@pytest.mark.parametrize(("code", "first", "leaving", "second", "cycles"), BORDERS, ids=[b[0] for b in BORDERS])
def test_a_load_of_the_next_block(code: str, first: str, leaving: Exit, second: str, cycles: int) -> None:
    source = Block(0x8000, bytes.fromhex(first))
    target = Block(0x8000 + source.size, bytes.fromhex(second))
    assert model("m7").edge(source, leaving, target).nominal == cycles


def test_a_block_that_follows_itself() -> None:
    """ldr r1, [r4]; adds r1, #1; str r1, [r4]; b: the load issues 4 behind the store, which is 1 behind the load and
    in the cycle of the addition."""
    loop = Block(0x8000, bytes.fromhex("216801312160fbe7"))
    assert model("m7").edge(loop, Exit.TAKEN, loop).nominal == 1 + 4


def test_what_a_wait_is_charged_to() -> None:
    """Inside a block, and at its border."""
    block, target = Block(0x8000, bytes.fromhex("20602168")), Block(0x8004, bytes.fromhex("2168"))
    attribution, source = Attribution(model("m7")), Block(0x8000, bytes.fromhex("2060"))
    inside = [c for c in attribution.edge(block, Exit.END, None, 5) if c.cause is Cause.RESULT]
    assert [(c.index, c.part, c.cycles, c.other) for c in inside] == [(1, CyclePart.LOAD_STORE, 3, block.insns[0])]
    nominal = model("m7").edge(source, Exit.FALLTHROUGH, target).nominal
    over = [c for c in attribution.edge(source, Exit.FALLTHROUGH, target, nominal) if c.cause is Cause.NEXT_WAITS]
    assert [(c.index, c.part, c.cycles, c.other) for c in over] == [(0, CyclePart.LOAD_STORE, 3, source.insns[0])]


# Loads and stores of r4, r5 and the stack, what moves these and what doesn't: halfwords of 16-bit Thumb.
WORDS = [
    f"{0x6000 | load << 11 | word << 6 | base << 3 | 1:04x}" for load in (0, 1) for word in range(4) for base in (4, 5)
]
WORDS += [f"{0x7000 | load << 11 | byte << 6 | 4 << 3 | 2:04x}" for load in (0, 1) for byte in (0, 1, 5)]
WORDS += [f"{0x9000 | load << 11 | 3 << 8 | word:04x}" for load in (0, 1) for word in range(4)]
WORDS += ["3404", "3c04", "3508", "4065", "b082", "b002", "b407", "bc07", "c40c", "cc0c", "bf00", "3001", "4341"]
PROGRAMS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(
    lambda words: b"".join(bytes.fromhex(word)[::-1] for word in words)
)


@cache
def without() -> CostModel:
    """The Cortex-M7 without the rule."""
    rows = {key: figure for key, figure in core("m7").latency.items() if not key.startswith("store_to_load")}
    assert len(rows) == len(core("m7").latency) - 2
    return CostModel(core("m7").model_copy(update={"latency": rows}))


@given(PROGRAMS)
def test_never_fewer_cycles_than_without_the_rule(code: bytes) -> None:
    with_rule, free = (costs.edge(Block(0x8000, code), Exit.END, None) for costs in (model("m7"), without()))
    assert all(one >= other for one, other in zip(with_rule.bounds, free.bounds, strict=True))


@given(PROGRAMS, PROGRAMS)
def test_nor_over_a_border(code: bytes, after: bytes) -> None:
    """But for one cycle: what two blocks gain beside each other is told by the second one's first four instructions."""
    source, target = Block(0x8000, code), Block(0x8000 + len(code), after)
    with_rule, free = (
        costs.edge(source, Exit.FALLTHROUGH, target) + costs.edge(target, Exit.END, None)
        for costs in (model("m7"), without())
    )
    assert all(one >= other - 1 for one, other in zip(with_rule.bounds, free.bounds, strict=True))


@given(PROGRAMS)
def test_what_it_knows_of_addresses_is_what_symbolic_evaluation_says(code: bytes) -> None:
    """Where a register is written by nothing but constants, they know the same of single loads and stores."""
    block, rule = Block(0x8000, code), StoreRule(core("m7"))
    found = {
        (at, index)
        for index, reads in rule.trace(block.insns, frozenset()).loads.items()
        for at, bit in rule.trace(block.insns, frozenset()).stores.items()
        if at < index < at + 8 and bit & reads.written
    }
    known = [access for access in accesses(block) if access.at_entry and access.size_bytes <= 4]
    expected = {
        (store.index, load.index)
        for store in known
        for load in known
        if store.write and not load.write and store.index < load.index < store.index + 8 and overlap(store, load)
    }
    moved = {access.index for access in accesses(block) if not access.at_entry}
    assert {pair for pair in found if not moved & set(pair)} == expected


def overlap(one: Access, other: Access) -> bool:
    same = (one.base, one.register, one.shift) == (other.base, other.register, other.shift)
    return same and one.offset < other.offset + other.size_bytes and other.offset < one.offset + one.size_bytes


def test_without_a_figure_there_is_no_rule() -> None:
    assert StoreRule(core("m7"))
    assert not StoreRule(core("m33"))
    assert core("m7").latency[Latency.STORE_TO_LOAD].nominal == 4
