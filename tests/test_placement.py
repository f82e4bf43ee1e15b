"""Images on boards: what fits, where the vector table is, how much memory is taken. Literal boards and images."""

from __future__ import annotations

import pytest
from elfwriter import minimal

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Boot, Clock, Region, RegionKind
from vtarget.data.image import Image, RegionUse, Segment
from vtarget.logic.placement import check_fits, find_vector_table, memory_use
from vtarget.shell.elf import read_elf

SOURCE = "made up for this test"


def region(name: str, kind: RegionKind, base: int, size: int, alias_of: str | None = None) -> Region:
    return Region(name=name, kind=kind, base=base, size=size, alias_of=alias_of, source=SOURCE)


def board(*extra: Region, offsets: tuple[int, ...] = (0,)) -> Board:
    return Board(
        name="toy",
        title="Toy board",
        core="cortex-m4",
        clock=Clock(typical=100_000_000, max=100_000_000, source=SOURCE),
        boot=Boot(region="FLASH", vector_offsets=offsets, source=SOURCE),
        regions=(
            region("FLASH", RegionKind.FLASH, 0x08000000, 0x1000),
            region("SRAM1", RegionKind.SRAM, 0x20000000, 0x800),
            region("SRAM2", RegionKind.SRAM, 0x20000800, 0x800),
            *extra,
        ),
    )


BOOT_ALIAS = region("BOOT", RegionKind.FLASH, 0, 0x1000, alias_of="FLASH")


def words(*values: int) -> bytes:
    return b"".join(v.to_bytes(4, "little") for v in values)


def segment(
    load: int,
    data: bytes,
    *,
    run: int | None = None,
    memory: int | None = None,
    executable: bool = True,
    name: str = "",
) -> Segment:
    address = load if run is None else run
    return Segment(load, address, data, len(data) if memory is None else memory, executable, name)


def image(*segments: Segment, entry: int | None = None, table: int | None = None) -> Image:
    return Image("fw.elf", "elf", "", segments, entry, vector_table=table)


def fault(call: object, *args: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.one_line()


def test_a_good_image_fits_and_has_its_table() -> None:
    good = read_elf("fw.elf", bytes(minimal()))
    check_fits(good, board())
    assert find_vector_table(good, board()) == 0x08000000
    assert memory_use(good, board()) == (
        RegionUse("FLASH", 32, 0x1000),
        RegionUse("SRAM1", 16, 0x800),
        RegionUse("SRAM2", 0, 0x800),
    )


def test_outside_every_region() -> None:
    stray = image(segment(0x10000000, bytes(0x12000), name=".text"))
    assert fault(check_fits, stray, board()) == (
        "fw.elf: segment .text at 0x10000000..0x10012000 is outside every region of board toy "
        "(FLASH 0x08000000..0x08001000, SRAM1 0x20000000..0x20000800, SRAM2 0x20000800..0x20001000)"
    )


def test_past_the_end_of_a_region() -> None:
    long = image(segment(0x08000F00, bytes(0x180)))
    assert fault(check_fits, long, board()) == (
        "fw.elf: segment at 0x08000f00..0x08001080 runs 128 bytes past region FLASH 0x08000000..0x08001000 of board toy"
    )


def test_zero_fill_is_checked_where_it_runs() -> None:
    data = segment(0x08000100, bytes(4), run=0x20000700, memory=0x1000, name=".data+.bss")
    assert fault(check_fits, image(data), board()) == (
        "fw.elf: memory of segment .data+.bss at 0x20000700..0x20001700 runs 1792 bytes past "
        "region SRAM2 0x20000800..0x20001000 of board toy"
    )
    bss = segment(0x08000100, b"", run=0x30000000, memory=4, name=".bss")
    assert fault(check_fits, image(bss), board()).startswith(
        "fw.elf: memory of segment .bss at 0x30000000..0x30000004 is outside every region of board toy ("
    )


def test_load_address_of_pure_zero_fill_does_not_matter() -> None:
    check_fits(image(segment(0x70000000, b"", run=0x20000000, memory=64)), board())


def test_a_segment_may_reach_over_touching_regions() -> None:
    check_fits(image(segment(0x20000700, bytes(0x200))), board())


def test_ram_image_fits_and_is_found_by_its_table_symbol() -> None:
    ram = image(segment(0x20000000, bytes(256) + words(0x20001000, 0x20000109) + bytes(8)), table=0x20000100)
    check_fits(ram, board())
    assert find_vector_table(ram, board()) == 0x20000100


def test_boot_offsets_are_tried_in_order() -> None:
    table = words(0x20001000, 0x08000009)
    both = image(segment(0x08000000, table + bytes(0xF8) + table + bytes(8)))
    assert find_vector_table(both, board(offsets=(0x100, 0))) == 0x08000100
    assert find_vector_table(both, board(offsets=(0, 0x100))) == 0x08000000
    late = image(segment(0x08000000, bytes(0x100) + table + bytes(8)))
    assert find_vector_table(late, board(offsets=(0, 0x100))) == 0x08000100


def test_table_is_found_by_the_entry_point() -> None:
    data = bytes(0x200) + words(0x20001000, 0x08000211) + bytes(16) + words(1, 0x08000211)
    found = image(segment(0x08000000, data), entry=0x08000210)
    assert find_vector_table(found, board()) == 0x08000200


def test_table_at_the_lowest_loaded_address() -> None:
    app = image(segment(0x08000400, words(0x20000800, 0x08000409) + bytes(8)))
    assert find_vector_table(app, board()) == 0x08000400


def test_table_through_an_alias() -> None:
    linked_at_zero = image(segment(0, words(0x20001000, 9) + bytes(8)))
    check_fits(linked_at_zero, board(BOOT_ALIAS))
    assert find_vector_table(linked_at_zero, board(BOOT_ALIAS)) == 0x08000000
    assert memory_use(linked_at_zero, board(BOOT_ALIAS))[0] == RegionUse("FLASH", 16, 0x1000)


@pytest.mark.parametrize(
    ("stack", "reset", "problem"),
    [
        (0x20000802, 0x08000009, "initial stack pointer 0x20000802 is no multiple of 4"),
        (0x20001004, 0x08000009, "initial stack pointer 0x20001004 is in no RAM"),
        (0x08000800, 0x08000009, "initial stack pointer 0x08000800 is in no RAM"),
        (0x20001000, 0x08000008, "reset vector 0x08000008 has no Thumb bit"),
        (0x20001000, 0x08000101, "reset vector 0x08000101 is in no loaded code"),
        (0x20001000, 0xFFFFFFFF, "reset vector 0xffffffff is in no loaded code"),
    ],
)
def test_implausible_tables(stack: int, reset: int, problem: str) -> None:
    bad = image(segment(0x08000000, words(stack, reset) + bytes(8)))
    assert fault(find_vector_table, bad, board()) == (f"fw.elf: no vector table: 0x08000000 (boot address): {problem}")


def test_reset_vector_into_data_is_implausible() -> None:
    data = segment(0x08000100, bytes(16), executable=False)
    bad = image(segment(0x08000000, words(0x20001000, 0x08000101)), data)
    assert fault(find_vector_table, bad, board()) == (
        "fw.elf: no vector table: 0x08000000 (boot address): reset vector 0x08000101 is in no loaded code"
    )


def test_every_place_looked_at_is_named_once() -> None:
    data = bytes(0x80) + words(1, 0x08000401) + bytes(0x20)
    bad = image(segment(0x08000400, data), entry=0x08000400, table=0x08000440)
    assert fault(find_vector_table, bad, board(offsets=(0, 0x440))) == (
        "fw.elf: no vector table: 0x08000000 (boot address): nothing is loaded there; "
        "0x08000440 (boot address): initial stack pointer 0x00000000 is in no RAM; "
        "0x08000480 (holds the entry point): initial stack pointer 0x00000001 is no multiple of 4; "
        "0x08000400 (lowest loaded address): initial stack pointer 0x00000000 is in no RAM"
    )


def test_table_cut_by_the_end_of_the_image() -> None:
    assert fault(find_vector_table, image(segment(0x08000000, words(0x20001000, 9)[:6])), board()) == (
        "fw.elf: no vector table: 0x08000000 (boot address): nothing is loaded there"
    )


def test_memory_use_counts_each_byte_once() -> None:
    used = memory_use(
        image(
            segment(0x08000000, bytes(0x100)),
            segment(0x08000080, bytes(0x100)),
            segment(0x00000040, bytes(0x20)),
            segment(0x08000200, bytes(8), run=0x200007F0, memory=0x20),
            segment(0x20000000, b"", memory=0x40),
            segment(0x20000020, b"", memory=0x40),
        ),
        board(BOOT_ALIAS),
    )
    assert used == (
        RegionUse("FLASH", 0x188, 0x1000),
        RegionUse("SRAM1", 0x70, 0x800),
        RegionUse("SRAM2", 0x10, 0x800),
    )


def test_zero_fill_takes_no_flash() -> None:
    used = memory_use(image(segment(0x08000100, b"", run=0x20000000, memory=0x40)), board())
    assert [(u.name, u.used_bytes) for u in used] == [("FLASH", 0), ("SRAM1", 0x40), ("SRAM2", 0)]
