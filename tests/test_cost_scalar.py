"""The scalar cores land on their manuals' cycles, kernel by kernel (sources stand with the kernels)."""

from __future__ import annotations

from pathlib import Path

import pytest
from branch_kernels import BRANCH_KERNELS
from corelib import assemble, model, needs_assembler
from hypothesis import assume, given
from hypothesis import strategies as st
from kernels import KERNELS, Kernel

from vtarget.data.cycles import Cycles
from vtarget.logic.cost import Block, Exit

SCALAR = ("m0", "m0plus", "m3", "m4")
NOP_AT_9000 = Block(0x9000, bytes.fromhex("00bf"))
ALL = KERNELS + BRANCH_KERNELS
CASES = [pytest.param(k, core, id=f"{core}-{k.name}") for k in ALL for core in k.cycles]


def block(code: str, address: int = 0x8000) -> Block:
    return Block(address, bytes.fromhex(code))


@pytest.mark.parametrize(("kernel", "core"), CASES)
def test_a_kernel_takes_the_manuals_cycles(kernel: Kernel, core: str) -> None:
    target = NOP_AT_9000 if kernel.exit is not Exit.END else None
    assert model(core).edge(block(kernel.code), kernel.exit, target).nominal == kernel.cycles[core]


@needs_assembler
def test_the_kernels_bytes_are_their_assembly(tmp_path: Path) -> None:
    assert {k.name: assemble(k.assembly, tmp_path).hex() for k in ALL} == {k.name: k.code for k in ALL}


@pytest.mark.parametrize(("core", "cycles"), [("m0", 3), ("m0plus", 2), ("m3", 3), ("m4", 3)])
def test_a_32_bit_target_across_a_word_costs_one_more(core: str, cycles: int) -> None:
    """COMP: +1 on the cores with a 32-bit instruction set; b .+16 to movw r3, #0x1234 or (M0, M0+) a call."""
    target = Block(0x8012, bytes.fromhex("41f23423" if core in ("m3", "m4") else "00f008f8"))
    assert model(core).edge(block("06e0"), Exit.TAKEN, target).nominal == cycles


def test_bounds_of_a_taken_branch_cover_the_refill_that_no_manual_fixes() -> None:
    """TRM-M4: P is 1 to 3; for branches to fixed targets the tables of pqm4 leave only 1 (docs/accuracy.md)."""
    assert model("m4").edge(block("06e0"), Exit.TAKEN, NOP_AT_9000) == Cycles(2, 2, 2)
    assert model("m3").edge(block("06e0"), Exit.TAKEN, NOP_AT_9000) == Cycles(2, 2, 3)
    assert model("m4").edge(block("7047"), Exit.TAKEN, NOP_AT_9000) == Cycles(2, 2, 3)
    assert model("m4").edge(block("1847"), Exit.TAKEN, NOP_AT_9000) == Cycles(2, 3, 4)


def test_a_literal_load_may_lose_a_cycle_to_the_fetch() -> None:
    """TRM-M4 section 3.3.2; ldr r0, [pc, #4]."""
    assert model("m4").edge(block("0148"), Exit.END, None) == Cycles(2, 2, 3)


def test_a_run_of_loads_pipelines_across_a_cut_between_blocks() -> None:
    """ldr r0, [r4] | ldr r1, [r5]: 3 together on M4 (TRM-M4 section 3.3.2), 4 on M0+."""
    first, second = block("2068"), block("2968", 0x8002)
    assert model("m4").edge(first, Exit.FALLTHROUGH, second).nominal == 1
    assert model("m4").edge(second, Exit.END, None).nominal == 2
    assert model("m0plus").edge(first, Exit.FALLTHROUGH, second).nominal == 2


def test_an_it_folds_across_a_branch_that_falls_through() -> None:
    """beq .+16 | it eq; moveq r1, #1: the branch's 16 bits are before the IT."""
    branch, conditional = block("06d0"), block("08bf0121", 0x8002)
    assert model("m4").edge(branch, Exit.FALLTHROUGH, conditional).nominal == 0
    assert model("m4").edge(conditional, Exit.END, None).nominal == 2


@pytest.mark.parametrize(
    ("operands", "cycles"), [(0, 2), (1, 3), (2, 5), (3, 6), (4, 7), (5, 8), (6, 9), (7, 10), (8, 11), (9, 12)]
)
def test_a_divide_costs_by_its_operands(operands: int, cycles: int) -> None:
    """COMP, inside the 2 to 12 of TRM-M4 Table 3-1; udiv r0, r1, r2."""
    divide = block("b1fbf2f0")
    assert model("m4").edge(divide, Exit.END, None) == Cycles(0, 0, 0)
    assert model("m4").site(divide, 0, operands) == Cycles(cycles, cycles, cycles)
    bounds = model("m3").site(divide, 0, operands)
    assert bounds.nominal == cycles
    assert (bounds.low, bounds.high) == (max(2, cycles - 1), min(12, cycles + 1))


def test_long_multiplies_take_one_cycle_on_m4_and_a_range_on_m3() -> None:
    """TRM-M4 Table 3-1: 1; TRM-M3 section 3.3: UMULL 3 to 5, UMLAL 4 to 7. umull / umlal r0, r1, r2, r3."""
    multiply, accumulate = block("a2fb0301"), block("e2fb0301")
    assert model("m4").site(multiply, 0, 4) == model("m4").site(accumulate, 0, 0) == Cycles(1, 1, 1)
    assert [model("m3").site(multiply, 0, k) for k in (0, 4)] == [Cycles(3, 3, 5), Cycles(3, 5, 5)]
    assert [model("m3").site(accumulate, 0, k) for k in (0, 4)] == [Cycles(4, 4, 7), Cycles(4, 7, 7)]


def test_a_predicated_divide_costs_its_slot_in_the_edge() -> None:
    """it eq; udiveq r0, r1, r2."""
    divide = block("08bfb1fbf2f0")
    assert model("m4").edge(divide, Exit.END, None).nominal == 2
    assert model("m4").site(divide, 1, 9).nominal == 11


def test_predicated_loads_of_one_condition_pipeline_when_executed() -> None:
    """itt eq; ldreq r0, [r4]; ldreq r1, [r5]: 1 + 2 slots when false, 1 + 3 when true."""
    loads = block("04bf20682968")
    assert model("m4").edge(loads, Exit.END, None).nominal == 3
    assert [model("m4").site(loads, k, 0).nominal for k in (1, 2)] == [1, 0]


def test_a_site_must_be_dynamic() -> None:
    with pytest.raises(ValueError, match="no dynamic cost"):
        model("m4").site(block("2068"), 0, 0)


def test_the_prefix_counts_what_ran_before() -> None:
    """ldr r0, [r4]; ldr r1, [r5]; adds r0, r0, r1."""
    loads = block("206829684018")
    assert [model("m4").prefix(loads, k) for k in range(4)] == [0, 2, 3, 4]


def test_an_empty_block_is_free() -> None:
    assert model("m4").edge(Block(0x8000, b""), Exit.END, None) == Cycles(0, 0, 0)


# ldr, ldr (dependent), ldr post-indexed, str, str register-offset, ldm, push, add, add.w, mul, vadd, vfma, vldr, nop, …
PALETTE = [
    *("2068", "0168", "54f8040b", "2060", "6051", "0ec8", "f0b5", "4018", "00eb0800", "4843", "30ee200a", "a0ee810a"),
    *("90ed000a", "00bf", "0148", "d4e90001", "06d0", "bff35f8f"),
]
CONDITIONAL = "06d0"
codes = st.lists(st.sampled_from(PALETTE), min_size=1, max_size=8)


@given(codes, codes, st.sampled_from(SCALAR), st.booleans())
def test_pricing_two_halves_equals_pricing_the_whole(first: list[str], second: list[str], core: str, odd: bool) -> None:
    # The queue sees that a conditional branch fetched its target only at the end of a block, where branches stand.
    assume(first[-1] != CONDITIONAL)
    address = 0x8002 if odd else 0x8000
    a = block("".join(first), address)
    b = block("".join(second), address + a.size)
    whole = block("".join(first + second), address)
    halves = model(core).edge(a, Exit.FALLTHROUGH, b) + model(core).edge(b, Exit.END, None)
    assert halves.nominal == model(core).edge(whole, Exit.END, None).nominal


@given(st.binary(min_size=2, max_size=40), st.sampled_from(SCALAR), st.sampled_from(list(Exit)))
def test_bounds_are_in_order_for_any_bytes(code: bytes, core: str, leaving: Exit) -> None:
    cycles = model(core).edge(Block(0x8000, code[: len(code) & ~1]), leaving, NOP_AT_9000)
    assert 0 <= cycles.low <= cycles.nominal <= cycles.high
