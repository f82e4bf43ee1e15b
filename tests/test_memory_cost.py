"""Wait states by clock, fetch stalls by line, and the bounds where caches decide."""

from __future__ import annotations

from vtarget.data.board import Accelerator, Board, Region, RegionKind, WaitStates, WaitStateStep
from vtarget.data.cycles import Cycles
from vtarget.logic.memory_cost import FetchModel, high_budget_pct, wait_states
from vtarget.shell.boardlib import load_board

STEPS = (
    WaitStateStep(max_clock=20_000_000, wait_states=0),
    WaitStateStep(max_clock=40_000_000, wait_states=1),
    WaitStateStep(max_clock=60_000_000, wait_states=2),
)


def board(accelerator: Accelerator | None = None, waits: WaitStates | None = None) -> Board:
    flash = Region(
        name="FLASH",
        kind=RegionKind.FLASH,
        base=0x08000000,
        size=0x10000,
        wait_states=waits or WaitStates(table=STEPS, source="test"),
        fetch_bits=64,
        accelerator=accelerator,
        source="test",
    )
    ram = Region(name="RAM", kind=RegionKind.SRAM, base=0x20000000, size=0x10000, source="test")
    return load_board("nucleo-l4r5zi").model_copy(update={"regions": (flash, ram)})


def test_wait_states_follow_the_table() -> None:
    flash = board().region("FLASH")
    clocks = (16_000_000, 20_000_000, 20_000_001, 60_000_000, 99_000_000)
    assert [wait_states(flash, hz) for hz in clocks] == [0, 0, 1, 2, 2]
    assert wait_states(board().region("RAM"), 60_000_000) == 0


def test_each_new_fetch_line_waits() -> None:
    fetch = FetchModel(board(), 60_000_000)
    assert fetch.stall(0x08000000, 8, None) == Cycles(0, 2, 2)
    assert fetch.stall(0x08000004, 8, None) == Cycles(0, 4, 4)
    assert fetch.stall(0x08000000, 2, None) == Cycles(0, 2, 2)


def test_falling_through_inside_a_line_does_not_fetch_it_again() -> None:
    fetch = FetchModel(board(), 60_000_000)
    assert fetch.stall(0x08000004, 4, 0x08000003) == Cycles(0, 0, 0)
    assert fetch.stall(0x08000008, 4, 0x08000007) == Cycles(0, 2, 2)


def test_ram_and_accelerated_flash_do_not_stall_in_the_estimate() -> None:
    art = Accelerator(name="ART", source="test")
    assert FetchModel(board(art), 60_000_000).stall(0x08000000, 64, None) == Cycles(0, 0, 0)
    assert FetchModel(board(), 60_000_000).stall(0x20000000, 64, None) == Cycles(0, 0, 0)
    assert FetchModel(board(), 20_000_000).stall(0x08000000, 64, None) == Cycles(0, 0, 0)


def test_what_misses_may_cost_is_in_the_bound_and_said() -> None:
    fetch = FetchModel(board(Accelerator(name="ART", source="test")), 60_000_000)
    flash = fetch.board.region("FLASH")
    assert high_budget_pct(fetch, flash) == 30.0
    assert fetch.notes(flash) == ["FLASH: 2 wait states behind ART, misses not modelled (bound +30 %)"]
    slow = FetchModel(fetch.board, 16_000_000)
    assert high_budget_pct(slow, flash) == 0.0
    assert slow.notes(flash) == []


def test_unknown_wait_states_are_said_to_be_unknown() -> None:
    fetch = FetchModel(board(waits=WaitStates(unknown=True, source="found nowhere")), 60_000_000)
    flash = fetch.board.region("FLASH")
    assert fetch.waits(flash) is None
    assert high_budget_pct(fetch, flash) == 60.0
    assert "access time unknown" in fetch.notes(flash)[0]


def test_placement_prices_code_as_if_it_lay_elsewhere() -> None:
    moved = FetchModel(board(), 60_000_000, placement=(("FLASH", "RAM"),))
    assert moved.stall(0x08000000, 64, None) == Cycles(0, 0, 0)
    assert moved.region_name(0x08000000) == "RAM"
    assert moved.what_if
    assert FetchModel(board(), 60_000_000, wait_states_override=1).stall(0x08000000, 8, None) == Cycles(0, 1, 1)
