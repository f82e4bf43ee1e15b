"""Wait states by clock, fetch stalls by line, what misses and data accesses cost, and bounds where caches decide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vtarget.data.board import Board, Region, RegionKind
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import Insn
from vtarget.data.memorysystem import (
    Amount,
    Cache,
    DataAccess,
    FetchAccess,
    Prefetch,
    Wait,
    WaitStates,
    WaitStateStep,
)
from vtarget.logic.cost.readahead import Interface
from vtarget.logic.decode import decode_block
from vtarget.logic.memory_cost import MemoryModel, Moved, high_budget_pct, wait_states
from vtarget.logic.zones import (
    JUMP_MISS,
    SEQUENCE_MISS,
    fingerprint,
    needs_data,
    unwatched,
    zone_number,
    zones,
)
from vtarget.shell.boardlib import load_board

STEPS = (
    WaitStateStep(max_clock=20_000_000, wait_states=0),
    WaitStateStep(max_clock=40_000_000, wait_states=1),
    WaitStateStep(max_clock=60_000_000, wait_states=2),
)
WAITS = WaitStates(table=STEPS, source="test")
LOAD, STORE, PUSH, POP = (
    decode_block(bytes.fromhex(code), 0)[0] for code in ("0868", "0860", "f0b4", "f0bc")
)  # ldr r0, [r1]; str r0, [r1]; push {r4-r7}; pop {r4-r7}


def number(nominal: float, low: float | None = None, high: float | None = None) -> Amount:
    return Amount(nominal=nominal, low=low, high=high)


SLOW_RAM = DataAccess(load=number(1), next_load=number(0), multiple=number(2), store=number(3), source="test")


def art(**changes: object) -> Cache:
    facts: dict[str, object] = {
        "name": "ART",
        "regions": ("FLASH",),
        "holds": "both",
        "line": 16,
        "size": 1024,
        "ways": 64,
        "switch": "FLASH.ICEN",
        "miss": Wait(waits=number(1, 1, 2), cycles=number(1, 0, 3), source="test"),
        "source": "test",
    }
    return Cache.model_validate(facts | changes)


def board(
    *caches: Cache, waits: WaitStates | None = WAITS, prefetch: bool = False, ram: DataAccess | None = None
) -> Board:
    buffer = Prefetch(name="prefetch", line=8, switch="FLASH.PRFTEN", source="test") if prefetch else None
    flash = Region(
        name="FLASH",
        kind=RegionKind.FLASH,
        base=0x08000000,
        size=0x10000,
        wait_states=waits,
        fetch_bits=64,
        prefetch=buffer,
        source="test",
    )
    sram = Region(name="RAM", kind=RegionKind.SRAM, base=0x20000000, size=0x10000, data_access=ram, source="test")
    return load_board("nucleo-l4r5zi").model_copy(update={"regions": (flash, sram), "caches": caches})


def at_60_mhz(*caches: Cache, prefetch: bool = False, ram: DataAccess | None = None) -> MemoryModel:
    return MemoryModel(board(*caches, prefetch=prefetch, ram=ram), 60_000_000)


def stall(memory: MemoryModel, address: int, size_bytes: int, fallen_from: int | None, pace: float = 0.0) -> Cycles:
    return memory.stall(address, size_bytes, fallen_from, fallen_from is None, lambda: pace)


def load(memory: MemoryModel, region: str, insn: Insn = LOAD, before: Insn | None = None, *, missed: bool) -> Cycles:
    return memory.data(insn, before, memory.board.region(region), missed=missed)


def test_wait_states_follow_the_table() -> None:
    flash = board().region("FLASH")
    clocks = (16_000_000, 20_000_000, 20_000_001, 60_000_000, 99_000_000)
    assert [wait_states(flash, hz) for hz in clocks] == [0, 0, 1, 2, 2]
    assert wait_states(board().region("RAM"), 60_000_000) == 0


def test_a_slower_bus_counts_its_own_cycles() -> None:
    flash = board(waits=WaitStates(table=STEPS, clock_divider=2, source="test")).region("FLASH")
    assert [wait_states(flash, mhz * 1_000_000) for mhz in (40, 41, 80, 120)] == [0, 2, 2, 4]


def test_each_new_fetch_line_waits() -> None:
    memory = at_60_mhz()
    assert stall(memory, 0x08000000, 8, None) == Cycles(0, 2, 2)
    assert stall(memory, 0x08000004, 8, None) == Cycles(2, 4, 4)
    assert stall(memory, 0x08000000, 2, None) == Cycles(0, 2, 2)


def test_falling_through_inside_a_line_does_not_fetch_it_again() -> None:
    memory = at_60_mhz()
    assert stall(memory, 0x08000004, 4, 0x08000003) == NO_CYCLES
    assert stall(memory, 0x08000008, 4, 0x08000007) == Cycles(2, 2, 2)


def test_a_jump_inside_a_line_does_not_fetch_it_again() -> None:
    memory = at_60_mhz()
    assert memory.stall(0x08000000, 6, 0x08000005, True, lambda: 1.0) == NO_CYCLES
    assert memory.stall(0x08000004, 6, 0x08000007, True, lambda: 1.0) == Cycles(2, 2, 2)
    assert memory.stall(0x08000010, 6, 0x08000007, True, lambda: 1.0) == Cycles(0, 2, 2)


def test_a_prefetch_buffer_hides_what_the_line_before_takes() -> None:
    memory = at_60_mhz(prefetch=True)
    assert stall(memory, 0x08000000, 16, None, pace=0.5) == Cycles(0, 2, 4)  # four cycles a line hide three
    assert stall(memory, 0x08000000, 16, None, pace=0.25) == Cycles(0, 3, 4)  # two cycles a line leave one
    # Two of the line's eight bytes lie behind the target: one cycle hides one of three.
    assert stall(memory, 0x08000006, 10, None, pace=0.5) == Cycles(0, 2 + 2, 4)
    assert stall(memory, 0x08000006, 18, None, pace=0.5) == Cycles(0, 2 + 2, 6)  # the third line is hidden
    off = replace(memory, switches=(("FLASH.PRFTEN", False),))
    assert stall(off, 0x08000000, 16, None, pace=0.5) == Cycles(2, 4, 4)


def fetched_over_a_bus(*, shared: bool) -> MemoryModel:
    access = FetchAccess(cycles=number(2, 1, 4), shared=shared, source="test")
    ram = board().region("RAM").model_copy(update={"fetch_access": access})
    return MemoryModel(board().model_copy(update={"regions": (ram,)}), 60_000_000)


@pytest.mark.parametrize(
    ("blocks", "on", "clock_mhz", "expected"),
    [(2, True, 60, Interface(2, 8)), (2, False, 60, None), (None, True, 60, None), (2, True, 16, None)],
)
def test_a_buffer_whose_lines_are_known_follows_the_fetches(
    blocks: int | None, on: bool, clock_mhz: int, expected: Interface | None
) -> None:
    facts = board(prefetch=True)
    flash, ram = facts.regions
    assert flash.prefetch is not None
    known = flash.model_copy(update={"prefetch": flash.prefetch.model_copy(update={"blocks": blocks})})
    switches = (("FLASH.PRFTEN", on),)
    memory = MemoryModel(facts.model_copy(update={"regions": (known, ram)}), clock_mhz * 1_000_000, switches=switches)
    assert memory.read_ahead(known) == expected
    assert memory.read_ahead(ram) is None


def test_a_slow_bus_takes_its_cycles_for_each_line() -> None:
    memory = fetched_over_a_bus(shared=False)
    assert stall(memory, 0x20000000, 4, None) == Cycles(0, 2, 4)
    assert stall(memory, 0x20000000, 12, None) == Cycles(2, 6, 12)
    assert stall(memory, 0x20000004, 8, 0x20000003) == Cycles(2, 4, 8)
    assert stall(memory, 0x20000002, 2, 0x20000001) == NO_CYCLES


@pytest.mark.parametrize(
    ("size_bytes", "jumped", "pace", "transfers", "cycles"),
    [
        (16, False, 0.25, 0, Cycles(0, 8, 16)),  # four fetches of 3 cycles beside 4 of the core
        (16, False, 0.25, 3, Cycles(0, 11, 19)),  # three loads go first
        (16, False, 1.00, 0, Cycles(0, 0, 16)),  # slow code hides all of it
        (16, True, 0.25, 0, Cycles(1, 7, 16)),  # the first fetch has the cycle of refill
        (16, True, 1.00, 0, Cycles(1, 2, 16)),  # and its own latency shows in any case
    ],
)
def test_a_shared_bus_shows_what_finds_no_room(
    size_bytes: int, jumped: bool, pace: float, transfers: int, cycles: Cycles
) -> None:
    memory = fetched_over_a_bus(shared=True)
    before = None if jumped else 0x20000003
    assert memory.stall(0x20000004, size_bytes, before, jumped, lambda: pace, lambda: transfers) == cycles


def test_a_cache_stands_before_a_slow_bus() -> None:
    memory = fetched_over_a_bus(shared=True)
    cached = replace(memory, board=memory.board.model_copy(update={"caches": (art(regions=("RAM",)),)}))
    assert stall(cached, 0x20000000, 16, None) == NO_CYCLES
    assert stall(replace(cached, caches_on=False), 0x20000000, 16, None) != NO_CYCLES


def test_code_in_sram_of_a_cortex_m4_takes_the_system_bus() -> None:
    """By its address: the same SRAM2 of the STM32L4R5 is on the code bus at 0x10000000."""
    memory = MemoryModel(load_board("nucleo-l4r5zi"), 120_000_000)
    assert stall(memory, 0x20000000, 8, None, pace=0.25) == Cycles(1, 1, 2)
    assert stall(memory, 0x20030000, 8, None, pace=0.25) == Cycles(1, 1, 2)
    assert stall(memory, 0x10000000, 8, None, pace=0.25) == NO_CYCLES


def test_ram_cached_flash_and_slow_clocks_do_not_stall_here() -> None:
    assert stall(at_60_mhz(art()), 0x08000000, 64, None) == NO_CYCLES
    assert stall(at_60_mhz(), 0x20000000, 64, None) == NO_CYCLES
    assert stall(MemoryModel(board(), 20_000_000), 0x08000000, 64, None) == NO_CYCLES


def test_a_missed_line_costs_what_the_cache_says() -> None:
    memory = at_60_mhz(art(), prefetch=True)
    flash = memory.board.region("FLASH")
    assert memory.fetched(flash, JUMP_MISS, 2.0) == Cycles(2, 3, 7)
    assert memory.fetched(flash, SEQUENCE_MISS, 2.0) == Cycles(0, 2, 7)  # a read of 4 cycles, 2 of them hidden
    assert memory.fetched(flash, SEQUENCE_MISS, 0.5) == Cycles(2, 3, 7)
    assert memory.fetched(flash, SEQUENCE_MISS, 4.0) == Cycles(0, 0, 7)
    plain = at_60_mhz(art())
    assert plain.fetched(plain.board.region("FLASH"), SEQUENCE_MISS, 2.0) == Cycles(2, 3, 7)


def test_a_cache_that_is_off_is_not_there() -> None:
    memory = replace(at_60_mhz(art()), switches=(("FLASH.ICEN", False),))
    flash = memory.board.region("FLASH")
    assert memory.fetched(flash, JUMP_MISS, 0.0) == NO_CYCLES
    assert stall(memory, 0x08000000, 8, None) == Cycles(0, 2, 2)
    assert load(memory, "FLASH", missed=False) == Cycles(2, 2, 2)
    assert load(replace(memory, caches_on=True), "FLASH", missed=False) == NO_CYCLES
    forced = replace(at_60_mhz(art()), caches_on=False)
    assert stall(forced, 0x08000000, 8, None) == Cycles(0, 2, 2)


def test_data_accesses_wait_where_no_cache_serves_them() -> None:
    memory = at_60_mhz()
    assert load(memory, "FLASH", missed=False) == Cycles(2, 2, 2)
    assert load(memory, "FLASH", POP, missed=False) == Cycles(8, 8, 8)
    assert load(memory, "RAM", missed=False) == NO_CYCLES
    cached = at_60_mhz(art())
    assert load(cached, "FLASH", missed=False) == NO_CYCLES
    assert load(cached, "FLASH", missed=True) == Cycles(2, 3, 7)


def test_what_a_memory_adds_depends_on_the_kind_of_access() -> None:
    memory = at_60_mhz(ram=SLOW_RAM)
    assert load(memory, "RAM", missed=False) == Cycles(1, 1, 1)
    assert load(memory, "RAM", before=LOAD, missed=False) == NO_CYCLES
    assert load(memory, "RAM", before=STORE, missed=False) == Cycles(1, 1, 1)
    assert load(memory, "RAM", POP, missed=False) == Cycles(2, 2, 2)
    assert load(memory, "RAM", STORE, missed=False) == Cycles(3, 3, 3)


@pytest.mark.parametrize(("write", "expected"), [("around", Cycles(0, 2, 2)), ("back", Cycles(2, 3, 7))])
def test_stores_use_the_caches_that_take_them(write: str, expected: Cycles) -> None:
    assert load(at_60_mhz(art(write=write)), "FLASH", STORE, missed=True) == expected


@pytest.mark.parametrize("missed", [False, True])
@pytest.mark.parametrize(
    ("memory", "region", "same"),
    [
        (at_60_mhz(), "FLASH", False),
        (at_60_mhz(), "RAM", True),
        (at_60_mhz(ram=SLOW_RAM), "RAM", False),
        (at_60_mhz(art(write="around")), "FLASH", False),
        (at_60_mhz(art(write="back")), "FLASH", True),
        (replace(at_60_mhz(art(write="back")), simulated=False), "FLASH", True),
        (replace(at_60_mhz(art(write="back")), caches_on=False), "FLASH", False),
    ],
)
def test_some_memory_takes_the_same_of_every_access(memory: MemoryModel, region: str, same: bool, missed: bool) -> None:
    alike = memory.data_alike(memory.board.region(region), missed=missed)
    prices = {
        load(memory, region, insn, before, missed=missed)
        for insn in (LOAD, STORE, PUSH, POP)
        for before in (None, LOAD, STORE)
    }
    assert (alike is not None) == same
    assert alike is None or prices == {alike}


def test_what_was_not_watched_is_in_the_bound_and_said() -> None:
    memory = replace(at_60_mhz(art()), simulated=False)
    flash = memory.board.region("FLASH")
    assert high_budget_pct(memory, flash) == 30.0
    assert memory.notes(flash) == ["FLASH: the run didn't watch this board's caches and data accesses (bound +30 %)"]
    assert memory.fetched(flash, JUMP_MISS, 0.0) == load(memory, "FLASH", missed=True) == NO_CYCLES
    unknown = at_60_mhz(art(size=None))
    assert unknown.notes(flash) == ["FLASH: misses of ART aren't counted (bound +30 %)"]
    watched = at_60_mhz(art())
    assert (high_budget_pct(watched, flash), watched.notes(flash)) == (0.0, [])
    slow = replace(memory, clock_hz=16_000_000)
    free = replace(slow, board=board(art(miss=Wait(waits=number(1), source="test"))))
    assert (high_budget_pct(free, flash), free.notes(flash)) == (0.0, [])


def test_unknown_wait_states_are_said_to_be_unknown() -> None:
    memory = MemoryModel(board(waits=WaitStates(unknown=True, source="found nowhere")), 60_000_000)
    flash = memory.board.region("FLASH")
    assert memory.waits(flash) is None
    assert high_budget_pct(memory, flash) == 60.0
    assert "access time unknown" in memory.notes(flash)[0]


def test_placement_prices_what_lies_in_a_region_as_if_it_lay_elsewhere() -> None:
    moved = MemoryModel(board(), 60_000_000, placement=(Moved(0x08000000, 0x08010000, "RAM"),))
    assert stall(moved, 0x08000000, 64, None) == NO_CYCLES
    assert moved.moved(0x08000000, 0x0800FFFF) == moved.board.region("RAM")
    assert moved.moved(0x08000000, 0x08010000) is None
    assert moved.region_name(0x08000000) == "RAM"


def test_zones_are_the_regions_that_time_alike() -> None:
    plain = board()
    assert zones(plain) == (("FLASH",),)
    assert (zone_number(plain, plain.region("FLASH")), zone_number(plain, plain.region("RAM"))) == (1, 0)
    timed = board(ram=DataAccess(load=number(1), source="test"))
    assert zones(timed) == (("FLASH",), ("RAM",))
    alike = plain.model_copy(update={"regions": (*plain.regions, flash_at(0x09000000, "OTHER", plain))})
    assert zones(alike) == (("FLASH", "OTHER"),)
    assert not needs_data(load_board("mps2-an386"))


def flash_at(base: int, name: str, like: Board, waits: int = 2) -> Region:
    states = WaitStates(table=(WaitStateStep(max_clock=60_000_000, wait_states=waits),), source="test")
    update = {"name": name, "base": base, "wait_states": states if waits != 2 else like.region("FLASH").wait_states}
    return like.region("FLASH").model_copy(update=update)


def test_more_kinds_of_memory_than_classes_are_told() -> None:
    many = board().model_copy(
        update={"regions": tuple(flash_at(0x10000000 + (n << 20), f"F{n}", board(), waits=n + 3) for n in range(9))}
    )
    assert len(zones(many)) == 7
    assert unwatched(many) == ("F7", "F8")


def test_a_fingerprint_tells_caches_apart() -> None:
    assert fingerprint(art()) == "both of FLASH: 1024/16/64 lru around"
    assert fingerprint(art(ways=1)) != fingerprint(art())
