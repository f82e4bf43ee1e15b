"""Weights and arena on a board's regions: chosen, named, refused with numbers."""

from __future__ import annotations

import pytest

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Boot, Clock, Region, RegionKind
from vtarget.data.plan import Need, Plan
from vtarget.logic.memoryfit import place


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
