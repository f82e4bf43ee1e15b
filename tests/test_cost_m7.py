"""Cortex-M7: the scoreboard pairs and waits as measured (JNK on H743, QUIN on H730) and as LLVM-M7, SLOTHY-M7 say."""

from __future__ import annotations

from pathlib import Path

import pytest
from corelib import assemble, model, needs_assembler
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.logic.cost import Block, Exit

# what, assembly, its bytes, how it is left, nominal cycles
KERNELS = [
    ("independent ALU pair", "adds r0, r0, #1; adds r1, r1, #1", "01300131", Exit.END, 1),
    ("dependent ALU pair, early and late", "adds r0, r0, #1; adds r1, r0, #1", "0130411c", Exit.END, 1),
    ("dependent pair without an early one", "eors r0, r1; adds r2, r0, #1", "4840421c", Exit.END, 2),
    (
        "four ALU in two cycles",
        "adds r0, r0, #1; adds r1, r1, #1; adds r2, r2, #1; adds r3, r3, #1",
        "0130013101320133",
        Exit.END,
        2,
    ),
    ("ALU and load", "adds r0, r0, #1; ldr r1, [r4]", "01302168", Exit.END, 1),
    ("ALU and store", "adds r0, r0, #1; str r1, [r4]", "01302160", Exit.END, 1),
    ("a store takes data of its own cycle", "adds r0, r0, #1; str r0, [r4]", "01302060", Exit.END, 1),
    ("loads of neighbouring words", "ldr r0, [r4]; ldr r1, [r4, #4]", "20686168", Exit.END, 1),
    ("loads of one bank", "ldr r0, [r4]; ldr r1, [r4, #8]", "2068a168", Exit.END, 2),
    ("store and store", "str r0, [r4]; str r1, [r4, #4]", "20606160", Exit.END, 2),
    ("load and store", "ldr r0, [r4]; str r1, [r5]", "20682960", Exit.END, 1),
    ("multiply and multiply", "mul r0, r1, r2; mul r3, r4, r5", "01fb02f004fb05f3", Exit.END, 2),
    ("multiply and store", "mul r0, r1, r2; str r3, [r4]", "01fb02f02360", Exit.END, 2),
    ("multiply and load", "mul r0, r1, r2; ldr r3, [r4]", "01fb02f02368", Exit.END, 1),
    (
        "accumulator chain",
        "mla r0, r1, r2, r0; mla r0, r3, r4, r0; mla r0, r5, r6, r0",
        "01fb020003fb040005fb0600",
        Exit.END,
        3,
    ),
    ("load-use by the late ALU", "ldr r0, [r4]; adds r0, r0, #1", "20680130", Exit.END, 2),
    ("byte load-use", "ldrb r0, [r4]; adds r0, r0, #1", "20780130", Exit.END, 3),
    ("early ALU to address is 1", "adds r4, r4, #4; ldr r0, [r4]", "04342068", Exit.END, 2),
    ("late ALU to address is 2", "eors r4, r1; ldr r0, [r4]", "4c402068", Exit.END, 3),
    ("load to address is 2", "ldr r4, [r4]; ldr r0, [r4]", "24682068", Exit.END, 3),
    ("LDM takes N/2", "ldmia r0!, {r1, r2, r3, r4}; stmia r5!, {r1, r2, r3}", "1ec80ec5", Exit.END, 4),
    ("bit-field only in the older slot", "adds r0, r0, #1; ubfx r1, r2, #3, #4", "0130c2f3c301", Exit.END, 2),
    ("bit-field first", "ubfx r1, r2, #3, #4; adds r0, r0, #1", "c2f3c3010130", Exit.END, 1),
    ("decrement and branch back", "subs r2, r2, #1; bne .-2", "013afdd1", Exit.TAKEN, 1),
    ("leaving a loop is mispredicted", "subs r2, r2, #1; bne .-2", "013afdd1", Exit.FALLTHROUGH, 9),
    ("FP add chain", "vadd.f32 s0, s1, s2; vadd.f32 s0, s0, s3", "30ee810a30ee210a", Exit.END, 4),
    (
        "VFMA accumulator chain",
        "vfma.f32 s0, s1, s2; vfma.f32 s0, s3, s4; vfma.f32 s0, s5, s6",
        "a0ee810aa1ee820aa2ee830a",
        Exit.END,
        7,
    ),
    (
        "three accumulators",
        "vfma.f32 s0, s1, s2; vfma.f32 s3, s1, s4; vfma.f32 s5, s1, s6; vfma.f32 s0, s7, s8",
        "a0ee810ae0ee821ae0ee832aa3ee840a",
        Exit.END,
        4,
    ),
    ("FP load beside FP add", "vldr s0, [r0]; vadd.f32 s1, s2, s3", "90ed000a71ee210a", Exit.END, 1),
]


@pytest.mark.parametrize(("name", "assembly", "code", "leaving", "cycles"), KERNELS, ids=[k[0] for k in KERNELS])
def test_a_kernel_takes_the_measured_cycles(name: str, assembly: str, code: str, leaving: Exit, cycles: int) -> None:
    target = None if leaving is Exit.END else Block(0x9000, bytes.fromhex("00bf"))
    assert model("m7").edge(Block(0x8000, bytes.fromhex(code)), leaving, target).nominal == cycles


@needs_assembler
def test_the_kernels_bytes_are_their_assembly(tmp_path: Path) -> None:
    assert [assemble(k[1], tmp_path).hex() for k in KERNELS] == [k[2] for k in KERNELS]


def test_pairs_across_blocks_when_a_branch_falls_through() -> None:
    """adds r0, r0, #1 | adds r1, r1, #1."""
    first, second = Block(0x8000, bytes.fromhex("0130")), Block(0x8002, bytes.fromhex("0131"))
    assert model("m7").edge(first, Exit.FALLTHROUGH, second).nominal == 0


@pytest.mark.parametrize(("code", "overlap"), [("0130", Cycles(1, 1, 0)), ("0131", NO_CYCLES)])
def test_a_block_waits_for_what_it_reads_alone(code: str, overlap: Cycles) -> None:
    """Behind ``ldrb r0, [r4]; b``, whose gap is 0 to 1: ``adds r0, #1`` feels the load, ``adds r1, #1`` doesn't."""
    first, second = Block(0x8000, bytes.fromhex("2078fee7")), Block(0x8004, bytes.fromhex(code))
    assert model("m7").terms(first, Exit.TAKEN, second).overlap == overlap


def test_bounds_are_wide_where_prediction_decides() -> None:
    """bx lr: JNK has 6 to 8 for a misprediction."""
    cycles = model("m7").edge(Block(0x8000, bytes.fromhex("7047")), Exit.TAKEN, Block(0x9000, bytes.fromhex("00bf")))
    assert (cycles.low, cycles.high) == (1, 9)


def test_a_divides_bounds_hold_both_compilers_figures() -> None:
    """GCC-M7 4, LLVM-M7 7; udiv r0, r1, r2."""
    for operands in range(10):
        cycles = model("m7").site(Block(0x8000, bytes.fromhex("b1fbf2f0")), 0, operands)
        assert cycles.low <= 4 <= 7 <= cycles.high


@given(st.binary(min_size=2, max_size=40), st.binary(min_size=2, max_size=8), st.sampled_from(list(Exit)))
def test_bounds_are_in_order_for_any_bytes(code: bytes, after: bytes, leaving: Exit) -> None:
    target = Block(0x9000, after[: len(after) & ~1])
    cycles = model("m7").edge(Block(0x8000, code[: len(code) & ~1]), leaving, target)
    assert 0 <= cycles.low <= cycles.nominal <= cycles.high
