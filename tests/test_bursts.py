"""Fetches in bursts: with the line that is wanted comes the rest of its burst, and the next one waits for that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vtarget
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.memorysystem import Amount, Burst, FetchAccess
from vtarget.logic.bursts import Bursts, Passage
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.logic.memory_cost import MemoryModel
from vtarget.shell.boardlib import load_board

# Four lines of 8 bytes: the wanted one after 9 cycles, each further one 2 cycles later.
FLASH = Bursts(first=9, beat=2, line_bytes=8, size_bytes=32)
NOP = bytes.fromhex("00bf")
addresses = st.integers(0, 255).map(lambda halfword: 2 * halfword)
passages = st.builds(
    lambda first, size, pace: Passage(first, first + size - 1, pace), addresses, st.integers(2, 100), st.floats(0, 4)
)


def code(first: int, size_bytes: int, pace: float = 0.0) -> Passage:
    return Passage(first, first + size_bytes - 1, pace)


def waits(source: Passage, target: Passage, *, jumped: bool, kept: bool = False) -> float:
    return FLASH.waits(source, target, jumped=jumped, kept=kept)


def test_a_jump_waits_for_the_rest_of_the_burst_and_the_first_line_of_its_own() -> None:
    assert waits(code(0, 2), code(64, 2), jumped=True) == 9 + 3 * 2
    assert waits(code(8, 2), code(64, 2), jumped=True) == 9 + 2 * 2
    assert waits(code(30, 2), code(64, 2), jumped=True) == 9


def test_what_executes_meanwhile_hides_a_part() -> None:
    assert waits(code(0, 8, 0.5), code(64, 2), jumped=True) == 9 + 3 * 2 - 4
    assert waits(code(0, 32, 1.0), code(64, 2), jumped=True) == 0
    assert FLASH.waits(code(0, 32, 1.0), code(64, 2), jumped=True, kept=False, hidden=False) == 9 + 3 * 2


def test_straight_code_waits_at_each_burst() -> None:
    assert waits(code(0, 4), code(4, 28), jumped=False) == 0
    assert waits(code(0, 32), code(32, 32), jumped=False) == 9 + 3 * 2
    # The second one waits for the rest of the first, which executes in 8 cycles meanwhile.
    assert waits(code(0, 32, 1.0), code(32, 64, 0.25), jumped=False) == 9 + 3 * 2 - 8


def test_only_the_line_that_was_fetched_last_outlives_a_jump() -> None:
    assert waits(code(8, 8), code(8, 8), jumped=True) == 0
    assert waits(code(8, 8), code(0, 8), jumped=True) == 9 + 2 * 2
    assert waits(code(8, 8), code(0, 8), jumped=True, kept=True) == 0


@given(passages, passages, st.booleans())
def test_waits_lie_between_those_of_the_best_and_the_worst(source: Passage, target: Passage, jumped: bool) -> None:
    shown = waits(source, target, jumped=jumped)
    assert 0 <= waits(source, target, jumped=jumped, kept=True) <= shown
    assert shown <= FLASH.waits(source, target, jumped=jumped, kept=False, hidden=False)
    crossed = target.last // 32 - target.first // 32 + 1
    assert shown <= crossed * (9 + 3 * 2)


def test_a_shared_bus_has_no_bursts() -> None:
    with pytest.raises(ValueError, match="a shared bus has no bursts"):
        FetchAccess(cycles=Amount(nominal=1), shared=True, burst=Burst(size=32, beat=1), source="test")


def stall(clock_hz: int, **options: bool | int) -> Cycles:
    memory = MemoryModel(load_board("nucleo-h743zi"), clock_hz, **options)  # type: ignore[arg-type]
    return memory.stall(0x08000100, 4, 0x080000FF, True, lambda: 0.0, source=lambda: code(0x080000E0, 32, 0.25))


def test_the_h743s_flash_without_caches_has_its_wait_states_in_the_first_line() -> None:
    assert stall(400_000_000) == NO_CYCLES
    assert stall(400_000_000, caches_on=False) == Cycles(3 + 4 + 6 - 8, 9 + 6 - 8, 7 + 4 + 6)
    assert stall(120_000_000, caches_on=False).nominal == 5 + 6 - 8
    assert stall(400_000_000, caches_on=False, wait_states_override=8).nominal == 5 + 8 + 6 - 8


def test_a_loop_inside_one_line_runs_as_from_itcm() -> None:
    pricer = vtarget.pricer_for("nucleo-h743zi").supposing(caches_on=False)
    loop, other = (Block(address, NOP * 3 + bytes.fromhex("fbe7")) for address in (0x08000100, 0x00000100))
    assert pricer.edge(loop, Exit.TAKEN, loop) == pricer.edge(other, Exit.TAKEN, other)
    longer = Block(0x08000100, NOP * 7 + bytes.fromhex("f7e7"))
    assert pricer.edge(longer, Exit.TAKEN, longer).nominal > pricer.edge(other, Exit.TAKEN, other).nominal + 9
