"""Fetches through a buffer that reads ahead: cycles derived by hand from what the manuals say, and those of loops that
people measured on STM32F103 and STM32F303."""

from __future__ import annotations

import pytest
from corelib import model
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.core import FetchQueue
from vtarget.logic.cost import Block, Exit
from vtarget.logic.cost.readahead import Interface, Leg, leave, stall, stall_of_queue
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardlib import load_board, load_core

QUEUE = FetchQueue(words=3, refill=3, streaming=2, source="test")
NOP, WIDE = "00bf", "aff30080"  # nop; nop.w
LOOP = "0138fdd1"  # subs r0, #1; bne to it
JUMP = 1  # cycles of refill


def leg(address: int, code: str, each: int = 1) -> Leg:
    """A block whose instructions take ``each`` cycles."""
    block = Block(address, bytes.fromhex(code))
    return Leg.of(block.insns, block.addresses, [each] * len(block.insns))


def waited(waits: int, source: Leg, target: Leg, gap: int | None, line_bytes: int = 8) -> int:
    return stall(leave(QUEUE, Interface(waits, line_bytes), source), target, gap)


def after_jump(target: Leg, waits: int) -> int:
    """What ``target`` waits behind a branch (b.w) to it from another line."""
    return waited(waits, leg(0x100, "00f07eb8"), target, JUMP)


@pytest.mark.parametrize(
    ("clock_mhz", "expected"), [(24, [3, 3, 3, 3]), (48, [4, 4, 4, 5]), (72, [6, 6, 6, 7])], ids=["0", "1", "2"]
)
def test_a_loop_of_two_instructions_takes_what_was_measured(clock_mhz: int, expected: list[int]) -> None:
    """3, 4 and 6 cycles a turn with 0, 1 and 2 wait states: delay loops of libmaple, of a header in many projects and
    of modm (issue 495).

    When its word comes, in cycle 0, the next line is read, in cycles 1 to W + 1, and the core fetches from it; its
    branch's fetch is taken when that ends. So the loop's line, which made room, is wanted in cycle max(3, W + 2) and
    comes W later. At 6 it lies in two lines: nothing of the core's is under way when it branches, but its second line
    is waited for."""
    pricer = Pricer.of(load_core("cortex-m3"), load_board("nucleo-f103rb"), clock_hz=clock_mhz * 1_000_000)
    loops = [Block(0x08000100 + offset, bytes.fromhex(LOOP)) for offset in (0, 2, 4, 6)]
    assert [pricer.edge(loop, Exit.TAKEN, loop).nominal for loop in loops] == expected


@pytest.mark.parametrize("waits", [1, 2, 5])
def test_a_jump_to_another_line_waits_for_its_read(waits: int) -> None:
    assert after_jump(leg(0x200, NOP * 4), waits) == waits
    assert after_jump(leg(0x206, NOP), waits) == waits


def test_a_jump_into_the_next_line_finds_it_there_or_being_read() -> None:
    """The branch at 0x100 takes its own read's end for cycle 0; that of 0x108 is from 1 to 3, wanted in 2."""
    near = leg(0x108, NOP * 2)
    assert waited(2, leg(0x100, "00f002b8"), near, JUMP) == 1
    assert waited(2, leg(0x100, NOP * 3 + "00e0"), near, JUMP) == 0


def test_wide_instructions_outrun_the_flash() -> None:
    """A line of two lasts two cycles, its read with two wait states three: one more to wait for each line behind the
    first; with one wait state reads are as fast."""
    assert [after_jump(leg(0x200, WIDE * 6), waits) for waits in (1, 2)] == [1, 2 + 2]
    assert [after_jump(leg(0x200, WIDE * 10), waits) for waits in (1, 2)] == [1, 2 + 4]


def test_narrow_instructions_do_not() -> None:
    """A line of four lasts four cycles."""
    assert [after_jump(leg(0x200, NOP * 20), waits) for waits in (1, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize(("branch", "expected"), [("7ed1", 2), ("03d1", 0), ("7ee0", 0)], ids=["far", "near", "always"])
def test_a_branch_not_taken_makes_the_flash_read_elsewhere(branch: str, expected: int) -> None:
    """Behind 6 cycles the core has words up to 0x10b and the bus is free, so the far target's line is read in cycles 8
    to 10 while the branch is decoded. The word at 0x10c, for which decode makes room in cycle 8, is then wanted in 11
    and comes in 13, 2 cycles late. A target in the line that was fetched from last reads nothing, and a branch that
    isn't conditional fetches only where it goes."""
    block = Block(0x100, bytes.fromhex(NOP + branch))
    source = Leg.of(block.insns, block.addresses, [6, 1])
    assert waited(2, source, leg(0x104, NOP * 6), None) == expected


codes = st.lists(st.sampled_from([NOP, WIDE]), min_size=1, max_size=12).map("".join)


@given(codes, codes, st.integers(0, 15), st.sampled_from([4, 8, 16]), st.integers(0, 6))
def test_slow_code_never_waits_in_sequence(first: str, second: str, place: int, line_bytes: int, waits: int) -> None:
    """Each instruction takes longer than two reads."""
    source = leg(0x100 + 2 * place, first, 2 * waits + 4)
    target = leg(0x100 + 2 * place + len(first) // 2, second, 2 * waits + 4)
    assert waited(waits, source, target, None, line_bytes) == 0


@given(codes, codes, st.integers(0, 15), st.integers(0, 15), st.booleans(), st.integers(0, 6))
def test_waits_are_those_of_the_lines(first: str, second: str, place: int, to: int, jumps: bool, waits: int) -> None:
    """None without wait states beyond the edge's own; at most a read for each line, and one under way before it."""
    source = Block(0x100 + 2 * place, bytes.fromhex(first))
    target = Block(0x300 + 2 * to if jumps else source.address + source.size, bytes.fromhex(second))
    leaving = Exit.TAKEN if jumps else Exit.FALLTHROUGH
    found = model("m3").fetched(source, leaving, target, Interface(waits, 8))
    lines = (target.address + target.size - 1) // 8 - target.address // 8 + 1
    assert 0 <= found <= lines * (2 * waits + 1)


@given(codes, codes, st.integers(0, 15), st.integers(0, 15), st.integers(1, 3), st.integers(1, 5))
def test_without_wait_states_it_does_not_matter_where_a_jump_came_from(
    first: str, second: str, place: int, to: int, each: int, gap: int
) -> None:
    source, target = leg(0x100 + 2 * place, first, each), leg(0x300 + 2 * to, second, each)
    assert waited(0, source, target, gap) == stall_of_queue(QUEUE, target)


@given(codes, st.lists(codes, min_size=2, max_size=4), st.integers(0, 15), st.integers(0, 5), st.data())
def test_a_block_can_be_gone_on_from_many_times(
    first: str, others: list[str], place: int, waits: int, data: st.DataObject
) -> None:
    source = leg(0x100 + 2 * place, first)
    left = leave(QUEUE, Interface(waits, 8), source)
    behind = 0x100 + 2 * place + len(first) // 2
    for code in others:
        gap = data.draw(st.sampled_from([None, 1, 3]))
        target = leg(behind if gap is None else 0x300, code)
        assert stall(left, target, gap) == waited(waits, source, target, gap)
