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
from vtarget.logic.zones import MISPREDICTED
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


def test_behind_a_block_that_cannot_be_decoded_the_line_before_it_is_there() -> None:
    """It has no code, and where it begins nothing may be fetched."""
    empty = Passage(0x120, 0x11F, 0.0)
    on, away = Passage(0x118, 0x11F, 1.0), Passage(0x200, 0x207, 1.0)
    assert FLASH.waits(empty, on, jumped=True, kept=True) == 0
    assert FLASH.waits(empty, away, jumped=True, kept=True) == 9


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


@pytest.mark.parametrize(
    ("loop", "cycles"),
    [(0x10E, 17), (0x110, 16), (0x112, 16), (0x114, 16), (0x116, 16), (0x118, 15), (0x11A, 15)],
)
def test_two_bursts_a_turn_take_what_was_measured(loop: int, cycles: int) -> None:
    # STM32F767 without wait states and caches, its branches predicted statically: SUBS and BNE, and a burst behind them
    # in vain (dwelch67/stm32_samples, NUCLEO-F767ZI/perf01: 0x10FFC to 0xEFFA cycles for 0x1000 turns).
    flash = Bursts(first=6, beat=1, line_bytes=8, size_bytes=32)
    turn, in_vain = code(loop, 4), code(0x120, 2)
    back = flash.waits(in_vain, turn, jumped=True, kept=True)
    assert back + flash.waits(turn, in_vain, jumped=False, kept=True) == cycles
    access = load_board("nucleo-f746zg").region("FLASH").fetch_access
    assert access is not None and access.burst == Burst(size=32, beat=1) and access.cycles.nominal == flash.first


def stall(clock_hz: int, **options: bool | int) -> Cycles:
    memory = MemoryModel(load_board("nucleo-h743zi"), clock_hz, **options)  # type: ignore[arg-type]
    return memory.stall(0x08000100, 4, 0x080000FF, True, lambda: 0.0, source=lambda: code(0x080000E0, 32, 0.25))


def test_the_h743s_flash_without_caches_has_its_wait_states_in_the_first_line() -> None:
    assert stall(400_000_000) == NO_CYCLES
    assert stall(400_000_000, caches_on=False) == Cycles(4 + 4 + 6 - 8, round(6.5 + 4 + 6 - 8), 9 + 4 + 6)
    assert stall(120_000_000, caches_on=False).nominal == round(6.5 + 6 - 8)
    assert stall(400_000_000, caches_on=False, wait_states_override=8).nominal == round(6.5 + 8 + 6 - 8)


def test_a_loop_inside_one_burst_runs_as_from_itcm() -> None:
    pricer = vtarget.pricer_for("nucleo-h743zi").supposing(caches_on=False)
    loop, other = (Block(address, NOP * 3 + bytes.fromhex("fbe7")) for address in (0x08000106, 0x00000106))
    assert pricer.edge(loop, Exit.TAKEN, loop).nominal == pricer.edge(other, Exit.TAKEN, other).nominal
    longer, other = (Block(address, NOP * 7 + bytes.fromhex("f7e7")) for address in (0x08000118, 0x00000118))
    assert pricer.edge(longer, Exit.TAKEN, longer).nominal > pricer.edge(other, Exit.TAKEN, other).nominal + 20


def test_a_burst_of_the_wrong_path_is_waited_for() -> None:
    # NOP, and BNE back to it
    flash, itcm = (Block(address, NOP + bytes.fromhex("fdd1")) for address in (0x08000100, 0x00000100))
    cached = vtarget.pricer_for("nucleo-h743zi")
    penalty = cached.branch(flash, 1, MISPREDICTED)
    uncached = cached.supposing(caches_on=False)
    assert uncached.branch(itcm, 1, MISPREDICTED) == penalty
    assert uncached.branch(flash, 1, 0) == NO_CYCLES
    most = 9 + 4 + 6 - penalty.low
    half = round((6.5 + 4 + 6 - penalty.nominal) / 2)
    assert uncached.branch(flash, 1, MISPREDICTED) == penalty + Cycles(0, half, most)
