"""Weights and arena on a board's regions: chosen, named, refused with numbers."""

from __future__ import annotations

import pytest

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Boot, Clock, Region, RegionKind
from vtarget.data.memorysystem import Amount, Cache, DataAccess, Wait, WaitStates, WaitStateStep
from vtarget.data.plan import Need, Plan
from vtarget.logic.memoryfit import place
from vtarget.shell.boardlib import load_board


def region(name: str, kind: RegionKind, base: int, size: int, alias_of: str | None = None) -> Region:
    return Region(name=name, kind=kind, base=base, size=size, alias_of=alias_of, source="test")


BOARD = Board(
    name="testboard",
    title="Test board",
    core="cortex-m4",
    clock=Clock(typical=80_000_000, max=80_000_000, source="test"),
    boot=Boot(region="boot", source="test"),
    regions=(
        region("boot", RegionKind.FLASH, 0x0000_0000, 0x1000, "flash"),
        region("flash", RegionKind.FLASH, 0x0800_0000, 0x1000),
        region("xip", RegionKind.XIP, 0x9000_0000, 0x8000),
        region("sram", RegionKind.SRAM, 0x2000_0000, 0x2000),
        region("ccm", RegionKind.CCM, 0x1000_0000, 0x1800),
    ),
)


def plan(arena_bytes: int) -> Plan:
    return Plan(arena_bytes, 16, arena_bytes, ())


def test_what_fits_goes_to_boot_and_data_region() -> None:
    placement = place(plan(1000), 2000, BOARD, code_bytes=500, data_bytes=24)
    assert (placement.weights_region, placement.arena_region) == ("flash", "sram")
    assert [(r.region, r.have_bytes, r.need_bytes) for r in placement.regions] == [
        ("flash", 4096, 2500),
        ("sram", 8192, 5120),
    ]
    assert placement.regions[1].needs == (Need("data", 24), Need("stack", 4096), Need("arena", 1000))


def test_what_does_not_fit_goes_elsewhere() -> None:
    placement = place(plan(5000), 5000, BOARD)
    assert (placement.weights_region, placement.arena_region) == ("xip", "ccm")


def test_named_regions_are_taken_and_aliases_stand_for_the_real_ones() -> None:
    placement = place(plan(1000), 1000, BOARD, "boot", "ccm")
    assert (placement.weights_region, placement.arena_region) == ("flash", "ccm")
    assert place(plan(1000), 1000, BOARD, "xip").weights_region == "xip"


def test_weights_in_ram_are_kept_in_the_boot_region_too() -> None:
    placement = place(plan(16), 1000, BOARD, "ccm", "ccm")
    needs = {row.region: row.needs for row in placement.regions}
    assert needs["flash"] == (Need("weights to copy", 1000),)
    assert needs["ccm"] == (Need("weights", 1000), Need("arena", 16))


@pytest.mark.parametrize(
    ("arena_bytes", "weights_bytes", "regions", "line"),
    [
        (
            9000,
            100,
            ("auto", "auto"),
            "the model doesn't fit board testboard: ccm needs 9000 of 6144 bytes (arena 9000), 2856 too many; "
            "flash needs 100 of 4096 bytes (weights 100); sram needs 4096 of 8192 bytes (stack 4096)",
        ),
        (
            5000,
            100,
            ("auto", "sram"),
            "the model doesn't fit board testboard: sram needs 9096 of 8192 bytes (stack 4096, arena 5000), "
            "904 too many; flash needs 100 of 4096 bytes (weights 100)",
        ),
        (
            16,
            40000,
            ("auto", "auto"),
            "the model doesn't fit board testboard: xip needs 40000 of 32768 bytes (weights 40000), 7232 too many; "
            "sram needs 4112 of 8192 bytes (stack 4096, arena 16)",
        ),
        (
            16,
            5000,
            ("ccm", "auto"),
            "the model doesn't fit board testboard: flash needs 5000 of 4096 bytes (weights to copy 5000), "
            "904 too many; sram needs 4112 of 8192 bytes (stack 4096, arena 16); "
            "ccm needs 5000 of 6144 bytes (weights 5000)",
        ),
        (
            16,
            16,
            ("auto", "flash"),
            "region flash of board testboard is flash: no arena there (hint: it can be in sram, ccm)",
        ),
        (16, 16, ("xpi", "auto"), "board testboard has no region 'xpi' (hint: did you mean 'xip'?)"),
        (
            16,
            16,
            ("auto", "sramm\n"),
            "board testboard has no region 'sramm\\n' (hint: did you mean 'sram'?)",
        ),
    ],
)
def test_what_does_not_fit_anywhere_is_one_line(
    arena_bytes: int, weights_bytes: int, regions: tuple[str, str], line: str
) -> None:
    with pytest.raises(InputError) as caught:
        place(plan(arena_bytes), weights_bytes, BOARD, *regions)
    assert caught.value.one_line() == line


def slow(one: Region) -> Region:
    return one.model_copy(update={"data_access": DataAccess(load=Amount(nominal=1), source="test")})


def board_of(*regions: Region, caches: tuple[Cache, ...] = ()) -> Board:
    """The board with other RAM: 8 KiB at 0x20000000 that is slow, and what is given."""
    sram = slow(BOARD.regions[3])
    return BOARD.model_copy(update={"regions": (*BOARD.regions[:3], sram, *regions), "caches": caches})


FAST = region("fast", RegionKind.SRAM, 0x2001_0000, 0x1C00)
CODE_TCM = region("code_tcm", RegionKind.TCM, 0x0001_0000, 0x1E00)


@pytest.mark.parametrize(
    ("arena_bytes", "arena_region", "data", "arena"),
    [
        (2048, "auto", "fast", "fast"),  # 2048 + 4096 + 1024 for data of 7168
        (2049, "auto", "code_tcm", "code_tcm"),
        (2561, "auto", "sram", "sram"),  # of 7680 there
        (4096, "auto", "sram", "sram"),
        (4097, "auto", "sram", "code_tcm"),  # the largest of the others
        (5000, "sram", "fast", "sram"),
        (3072, "fast", "code_tcm", "fast"),
    ],
)
def test_data_goes_where_it_is_fast_if_all_of_it_fits(
    arena_bytes: int, arena_region: str, data: str, arena: str
) -> None:
    placement = place(plan(arena_bytes), 100, board_of(FAST, CODE_TCM), "auto", arena_region)
    assert (placement.data_region, placement.arena_region) == (data, arena)
    stack = next(row for row in placement.regions if Need("stack", 4096) in row.needs)
    assert stack.region == data and all(row.fits for row in placement.regions)


def test_the_largest_keeps_the_data_if_none_is_faster() -> None:
    assert place(plan(100), 100, board_of(slow(FAST))).data_region == "sram"
    fast = BOARD.regions[3].model_copy(update={"name": "same", "base": 0x2002_0000, "size": 0x1000})
    same = BOARD.model_copy(update={"regions": (*BOARD.regions[:4], fast)})
    assert place(plan(100), 100, same).data_region == "sram"


def test_what_a_data_cache_or_wait_states_are_before_is_not_fast() -> None:
    miss = Wait(cycles=Amount(nominal=10), source="test")
    unit = Cache(name="L1", regions=("fast",), holds="data", line=32, size=1024, ways=4, miss=miss, source="test")
    assert place(plan(100), 100, board_of(FAST, caches=(unit,))).data_region == "sram"
    waiting = WaitStates(table=(WaitStateStep(max_clock=80_000_000, wait_states=1),), source="test")
    assert place(plan(100), 100, board_of(FAST.model_copy(update={"wait_states": waiting}))).data_region == "sram"
    unknown = WaitStates(unknown=True, source="test")
    assert place(plan(100), 100, board_of(FAST.model_copy(update={"wait_states": unknown}))).data_region == "sram"


@pytest.mark.parametrize(
    ("board", "arena_bytes", "data"),
    [
        ("nucleo-l4r5zi", 20_000, "SRAM1"),  # a load from SRAM3 takes a cycle more
        ("nucleo-l4r5zi", 191 << 10, "SRAM3"),
        ("nucleo-f746zg", 20_000, "DTCM"),
        ("nucleo-f746zg", 100_000, "SRAM1"),
        ("mimxrt1060-evk", 20_000, "DTCM"),
        ("nucleo-u575zi-q", 20_000, "SRAM3"),
        ("disco-f407vg", 20_000, "SRAM1"),
    ],
)
def test_data_regions_of_boards(board: str, arena_bytes: int, data: str) -> None:
    assert place(plan(arena_bytes), 100, load_board(board)).data_region == data
