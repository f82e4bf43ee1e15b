"""Cortex-M33: the scoreboard gives what was measured on silicon (JNK, RP2350; MULS: KA001260); no manual has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from corelib import assemble, model, needs_assembler
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.cycles import Cycles
from vtarget.logic.cost import Block, Exit

# what, assembly, its bytes, how it is left, nominal cycles
KERNELS = [
    ("load-use is 2", "ldr r0, [r4]; adds r0, r0, #1", "20680130", Exit.END, 3),
    ("independent after a load", "ldr r0, [r4]; adds r1, r1, #1", "20680131", Exit.END, 2),
    ("load to accumulator is 1", "ldr r3, [r4]; mla r0, r1, r2, r3", "236801fb0230", Exit.END, 2),
    ("load to factor is 2", "ldr r2, [r4]; mla r0, r1, r2, r3", "226801fb0230", Exit.END, 3),
    ("load to store data is 1", "ldr r0, [r4]; str r0, [r5]", "20682860", Exit.END, 2),
    ("LDM and STM take N", "ldmia r0!, {r1, r2, r3, r4}; stmia r5!, {r1, r2}", "1ec806c5", Exit.END, 6),
    ("LDRD and STRD take 2", "ldrd r0, r1, [r4]; strd r2, r3, [r5]", "d4e90001c5e90023", Exit.END, 4),
    ("product is 2 late", "mul r0, r1, r2; add.w r3, r0, r3", "01fb02f000eb0303", Exit.END, 3),
    (
        "accumulator chain",
        "mla r0, r1, r2, r0; mla r0, r3, r4, r0; mla r0, r5, r6, r0",
        "01fb020003fb040005fb0600",
        Exit.END,
        3,
    ),
    ("16-bit MULS stalls 1", "muls r0, r1, r0", "4843", Exit.END, 2),
    ("shifted operand is 2 late", "add.w r0, r1, r2, lsl #2; adds r3, r0, #1", "01eb8200431c", Exit.END, 3),
    ("DSP is 2 late", "qadd r0, r1, r2; adds r3, r0, #1", "82fa81f0431c", Exit.END, 3),
    ("a NOP pairs", "adds r0, r0, #1; nop", "013000bf", Exit.END, 1),
    ("ALU and ALU never pair", "adds r0, r0, #1; adds r1, r1, #1", "01300131", Exit.END, 2),
    ("a load and an ALU never pair", "adds r0, r0, #1; ldr r1, [r4]", "01302168", Exit.END, 2),
    ("IT pairs with its predecessor", "adds r0, r0, #1; it eq; moveq r1, #1", "013008bf0121", Exit.END, 2),
    ("a branch not taken pairs", "cmp r0, r1; beq .+16", "884206d0", Exit.FALLTHROUGH, 1),
    ("taken after a 16-bit instruction without flags", "mov r0, r1; beq .+16", "084606d0", Exit.TAKEN, 2),
    ("taken after a compare", "cmp r0, r1; beq .+16", "884206d0", Exit.TAKEN, 3),
    (
        "FP add chain",
        "vadd.f32 s0, s1, s2; vadd.f32 s0, s0, s3; vadd.f32 s0, s0, s4",
        "30ee810a30ee210a30ee020a",
        Exit.END,
        4,  # and the last waits another inside the FPU
    ),
    ("FP add, independent", "vadd.f32 s0, s1, s2; vadd.f32 s3, s4, s5", "30ee810a72ee221a", Exit.END, 2),
    (
        "VFMA blocks the FPU for 2",
        "vfma.f32 s0, s1, s2; vfma.f32 s3, s4, s5; vfma.f32 s6, s7, s8",
        "a0ee810ae2ee221aa3ee843a",
        Exit.END,
        7,
    ),
    (
        "VFMA leaves integer instructions alone",
        "vfma.f32 s0, s1, s2; adds r0, r0, #1; adds r1, r1, #1",
        "a0ee810a01300131",
        Exit.END,
        3,
    ),
    ("VLDR load-use is 1", "vldr s0, [r0]; vadd.f32 s1, s0, s2", "90ed000a70ee010a", Exit.END, 2),
    ("FP to core is 2 late", "vmov r0, s0; adds r0, r0, #1", "10ee100a0130", Exit.END, 3),
]


@pytest.mark.parametrize(("name", "assembly", "code", "leaving", "cycles"), KERNELS, ids=[k[0] for k in KERNELS])
def test_a_kernel_takes_the_measured_cycles(name: str, assembly: str, code: str, leaving: Exit, cycles: int) -> None:
    target = None if leaving is Exit.END else Block(0x9000, bytes.fromhex("00bf"))
    assert model("m33").edge(Block(0x8000, bytes.fromhex(code)), leaving, target).nominal == cycles


@needs_assembler
def test_the_kernels_bytes_are_their_assembly(tmp_path: Path) -> None:
    assert [assemble(k[1], tmp_path).hex() for k in KERNELS] == [k[2] for k in KERNELS]


def test_a_loads_result_is_waited_for_in_the_next_block() -> None:
    """ldr r0, [r4] | adds r0, r0, #1."""
    load, use = Block(0x8000, bytes.fromhex("2068")), Block(0x8002, bytes.fromhex("0130"))
    assert model("m33").edge(load, Exit.FALLTHROUGH, use).nominal == 2


def test_a_divide_says_that_its_rule_is_unknown() -> None:
    """RECALLED: 2 to 11."""
    divide = Block(0x8000, bytes.fromhex("b1fbf2f0"))
    assert model("m33").site(divide, 0, 3) == Cycles(2, 6, 11)


def test_vdiv_is_charged_at_the_end_of_its_block_at_the_latest() -> None:
    """Assumed 14 as on Cortex-M4, 8 to 20; vdiv.f32 s0, s1, s2."""
    cycles = model("m33").edge(Block(0x8000, bytes.fromhex("80ee810a")), Exit.END, None)
    assert cycles == Cycles(1, 14, 20)


@given(st.binary(min_size=2, max_size=40), st.binary(min_size=2, max_size=8), st.sampled_from(list(Exit)))
def test_bounds_are_in_order_for_any_bytes(code: bytes, after: bytes, leaving: Exit) -> None:
    target = Block(0x9000, after[: len(after) & ~1])
    cycles = model("m33").edge(Block(0x8000, code[: len(code) & ~1]), leaving, target)
    assert 0 <= cycles.low <= cycles.nominal <= cycles.high
