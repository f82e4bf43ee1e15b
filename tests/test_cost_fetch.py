"""The prefetch queue of the Cortex-M3 and M4: what was measured of it (COMP, JNK), and what it must never do."""

from __future__ import annotations

import pytest
from corelib import model
from hypothesis import given
from hypothesis import strategies as st

from vtarget.logic.cost import Block, Exit

NOP, WIDE, LOAD = "00bf", "00eb0800", "d4f80400"  # nop; add.w r0, r0, r8; ldr.w r0, [r4, #4]
CORES = pytest.mark.parametrize("core", ["m3", "m4"])


def cycles(core: str, code: str, address: int = 0x8000) -> int:
    return model(core).edge(Block(address, bytes.fromhex(code)), Exit.END, None).nominal


@CORES
@pytest.mark.parametrize(("count", "extra"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1)])
def test_three_misaligned_wide_instructions_lose_a_cycle(core: str, count: int, extra: int) -> None:
    """COMP: groups of three or more cost one cycle; seven 16-bit instructions before them fill the queue."""
    assert cycles(core, NOP * 7 + WIDE * count) == 7 + count + extra


@CORES
@pytest.mark.parametrize("count", [3, 4, 17])
def test_aligned_wide_instructions_lose_none(core: str, count: int) -> None:
    """JNK's template: a loop of wide NOPs on word borders takes a cycle each."""
    assert cycles(core, NOP * 8 + WIDE * count) == 8 + count


@CORES
def test_the_queue_fills_again_while_loads_wait(core: str) -> None:
    """COMP: mixes of memory and other instructions lose more than one cycle; JNK: also behind a multi-cycle one.

    The first group loses none: the second cycle of its load is what the queue needs.
    """
    group = LOAD + WIDE * 3
    assert cycles(core, NOP * 7 + group * 3) == 7 + 3 * 5 + 2


@CORES
@pytest.mark.parametrize("count", [6, 9, 40])
def test_long_misaligned_runs_lose_no_more(core: str, count: int) -> None:
    """COMP: one cycle a group. Once the words stream, one a cycle is enough."""
    assert cycles(core, NOP * 7 + WIDE * count) == 7 + count + 1


@CORES
@pytest.mark.parametrize(("behind", "expected"), [(NOP * 2, 1), ("", 2)])
def test_a_branch_not_taken_costs_the_fetch_a_cycle(core: str, behind: str, expected: int) -> None:
    """JNK: not taken takes 2 as well with fewer than two 16-bit instructions; DDI0337G 1.4: a slot of the bus."""
    branch = Block(0x8000, bytes.fromhex(NOP * 8 + WIDE * 8 + "40f00480"))  # bne.w
    after = Block(branch.address + branch.size, bytes.fromhex(behind + WIDE * 4))
    whole = model(core).edge(branch, Exit.FALLTHROUGH, after) + model(core).edge(after, Exit.END, None)
    assert whole.nominal == 8 + 8 + expected + len(behind) // 4 + 4


@CORES
def test_compare_and_branch_not_taken_fetches_nothing(core: str) -> None:
    """DDI0337G Table 15-3: CBZ shows its target when it executes."""
    branch = Block(0x8000, bytes.fromhex(NOP * 7 + "30b1"))
    after = Block(branch.address + branch.size, bytes.fromhex(WIDE * 4))
    whole = model(core).edge(branch, Exit.FALLTHROUGH, after) + model(core).edge(after, Exit.END, None)
    assert whole.nominal == 8 + 4


code = st.lists(st.sampled_from([NOP, WIDE, LOAD, "2068", "2060"]), min_size=1, max_size=30)


@given(code, st.sampled_from(["m3", "m4"]), st.booleans())
def test_fetching_never_costs_more_than_a_cycle_an_instruction(parts: list[str], core: str, odd: bool) -> None:
    """It can only add to the manual's figures, and a word arrives every cycle."""
    block = Block(0x8002 if odd else 0x8000, bytes.fromhex("".join(parts)))
    total = model(core).edge(block, Exit.END, None)
    assert total.low <= total.nominal <= total.low + len(parts) * 2


@given(code, st.booleans())
def test_cores_without_the_queue_ignore_alignment(parts: list[str], odd: bool) -> None:
    narrow = "".join(part for part in parts if len(part) == 4) or NOP
    assert cycles("m0plus", narrow, 0x8002 if odd else 0x8000) == cycles("m0plus", narrow)
