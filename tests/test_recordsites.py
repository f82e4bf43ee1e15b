"""What data accesses and fetches found, in records: kept by files, checked against the counts of the code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinelib import PROGRAMS, run_elf

from vtarget.base.errors import InputError, RunError
from vtarget.data.insn import Flow
from vtarget.data.record import OPERAND_CLASSES, ExecutionRecord, Section, SiteKind
from vtarget.logic.addresses import accesses
from vtarget.logic.decode import Block
from vtarget.logic.recordcheck import check_tables
from vtarget.logic.selfcheck import check_record
from vtarget.shell.imagefile import load_image
from vtarget.shell.recordfile import load_record, save_record

BOARD = "nucleo-l4r5zi"
PROGRAM = PROGRAMS / "inclusive_virtual-m4f.elf"
HIT, MISS = 2, 3  # classes of the first zone
SITE_COLUMNS = ("site_node", "site_insn", "site_kind", "site_low", "site_high", "site_counts")


@pytest.fixture(scope="module")
def plain() -> ExecutionRecord:
    """A record whose sites are those of operands alone."""
    record = run_elf(PROGRAM, BOARD).record
    operands = np.flatnonzero(record.site_kind == SiteKind.OPERANDS)
    columns: dict[str, Any] = {name: getattr(record, name)[operands] for name in SITE_COLUMNS}
    return replace(record, **columns, epochs=(), spans=(), zones=(), caches=())


@pytest.fixture(scope="module")
def entered(plain: ExecutionRecord) -> list[int]:
    """How often each node was entered."""
    into = plain.edge_target >= 0
    nodes = len(plain.node_block)
    return np.bincount(plain.edge_target[into], weights=plain.edge_count[into], minlength=nodes).astype(int).tolist()


@pytest.fixture(scope="module")
def single(plain: ExecutionRecord, entered: list[int]) -> tuple[int, int]:
    """(Node, instruction) of an access of one word in a node that was entered more than twice."""
    for node, block in enumerate(plain.node_block.tolist()):
        code = Block(int(plain.block_address[block]), plain.block_code[block])
        for access in accesses(code) if entered[node] > 2 else ():
            if access.size_bytes == 4:
                return node, access.index
    pytest.fail("no such access")


def with_site(record: ExecutionRecord, node: int, insn: int, kind: int, counts: dict[int, int], **more: Any) -> Any:
    """The record with one more site; ``low`` and ``high`` of ``more`` are its addresses, the rest replaces fields."""
    row = np.zeros((1, OPERAND_CLASSES), dtype=np.int64)
    for operands, count in counts.items():
        row[0, operands] = count
    given = {"site_node": node, "site_insn": insn, "site_kind": kind,
             "site_low": more.pop("low", -1), "site_high": more.pop("high", -1)}  # fmt: skip
    columns: dict[str, Any] = {
        name: np.append(getattr(record, name), np.array([value], dtype=getattr(record, name).dtype))
        for name, value in given.items()
    }
    columns["site_counts"] = np.concatenate([record.site_counts, row])
    return replace(record, **columns, **({"zones": (("FLASH",), ("RAM1",))} | more))


@pytest.fixture(scope="module")
def regions(plain: ExecutionRecord) -> tuple[str, str]:
    return plain.regions[0].name, plain.regions[1].name


def usable(record: ExecutionRecord) -> None:
    check_tables(record)
    check_record(record)


def test_a_file_keeps_them(
    plain: ExecutionRecord, entered: list[int], single: tuple[int, int], regions: tuple[str, str], tmp_path: Path
) -> None:
    (node, insn), zones = single, ((regions[0],), (regions[1],))
    record = with_site(plain, node, insn, SiteKind.DATA, {HIT: entered[node] - 1, MISS: 1, 1: 2}, low=0x20000000,
                       high=0xFFFFFFFF, zones=zones, caches=("data of FLASH: 256/32/8 lru around",))  # fmt: skip
    record = with_site(record, node, 0, SiteKind.FETCH, {1: 1, 2: entered[node] - 1}, zones=zones)
    usable(record)
    path = str(tmp_path / "record")
    save_record(record, path)
    loaded = load_record(path)
    for name in SITE_COLUMNS:
        ours, theirs = getattr(record, name), getattr(loaded, name)
        assert ours.dtype == theirs.dtype and ours.tolist() == theirs.tolist(), name
    assert (loaded.zones, loaded.caches, loaded.sections) == (record.zones, record.caches, record.sections)


def test_the_sections_are_the_linker_s(plain: ExecutionRecord) -> None:
    image = load_image(str(PROGRAM))
    assert plain.sections == image.sections
    by_name = {section.name: section for section in plain.sections}
    text = by_name[".text"]
    assert all(text.address <= f.address < text.address + text.size_bytes for f in plain.functions if f.name == "main")
    assert by_name[".bss"].address >= 0x20000000 and ".symtab" not in by_name and "" not in by_name
    assert all(section.size_bytes > 0 for section in plain.sections)


def test_images_without_sections_have_none(tmp_path: Path) -> None:
    path = tmp_path / "p.bin"
    path.write_bytes(bytes(64))
    assert load_image(str(path), base=0x08000000).sections == ()


# What files are refused for.


@pytest.mark.parametrize(
    ("kind", "counts", "more", "words"),
    [
        (4, {}, {}, "site_kind points outside its table"),
        (-1, {}, {}, "site_kind points outside its table"),
        (SiteKind.OPERANDS, {}, {}, "a site is no instruction whose cost varies"),
        (SiteKind.DATA, {}, {"low": 5, "high": 4}, "lowest address is above its highest"),
        (SiteKind.DATA, {}, {"low": 5}, "lowest address is above its highest"),
        (SiteKind.DATA, {}, {"high": 5}, "lowest address is above its highest"),
        (SiteKind.DATA, {}, {"low": 5, "high": 1 << 32}, "site_high points outside its table"),
        (SiteKind.DATA, {}, {"low": -2, "high": -2}, "site_low points outside its table"),
        (SiteKind.FETCH, {}, {"low": 5, "high": 5}, "a site that accesses no data has addresses"),
        (SiteKind.BRANCH, {1: 1}, {}, "a site of predictions is no conditional branch"),
        (SiteKind.FETCH, {0: 1}, {}, "a site counts what its kind doesn't have"),
        (SiteKind.FETCH, {3: 1}, {}, "a site counts what its kind doesn't have"),
        (SiteKind.DATA, {6: 1}, {}, "a site counts what its kind doesn't have"),
        (SiteKind.DATA, {2: 1}, {"zones": ()}, "a site counts what its kind doesn't have"),
        (SiteKind.DATA, {}, {"zones": (("NOWHERE",),)}, "a zone names a region that its board doesn't have"),
        (SiteKind.DATA, {}, {"zones": ((),)}, "its zones are too many, empty, or overlap"),
        (SiteKind.DATA, {}, {"zones": (("FLASH",),) * 2}, "its zones are too many, empty, or overlap"),
        (SiteKind.DATA, {2: -1}, {}, "a count is out of range"),
    ],
)
def test_what_does_not_fit_is_refused(
    kind: int, counts: dict[int, int], more: dict[str, Any], words: str,
    plain: ExecutionRecord, single: tuple[int, int], tmp_path: Path,
) -> None:  # fmt: skip
    names = [region.name for region in plain.regions]
    zones = more.get("zones", tuple((name,) for name in names[:2]))
    zones = tuple(tuple(names[0] if name == "FLASH" else name for name in zone) for zone in zones)
    path = str(tmp_path / "record")
    save_record(with_site(plain, *single, kind, counts, **(dict(more) | {"zones": zones})), path)
    with pytest.raises(InputError, match=words) as raised:
        load_record(path)
    assert "\n" not in raised.value.one_line()


def test_a_site_of_data_is_a_load_or_store(plain: ExecutionRecord, single: tuple[int, int]) -> None:
    node = single[0]
    block = int(plain.node_block[node])
    code = Block(int(plain.block_address[block]), plain.block_code[block])
    reaching = {access.index for access in accesses(code)}
    other = next(index for index in range(len(code.insns)) if index not in reaching)
    for insn, words in ((other, "is no load or store"), (len(code.insns), "no instruction of its block")):
        with pytest.raises(ValueError, match=words):
            check_tables(with_site(plain, node, insn, SiteKind.DATA, {}, zones=()))
    check_tables(with_site(plain, node, other, SiteKind.FETCH, {}, zones=()))


def test_too_many_zones_are_refused(plain: ExecutionRecord) -> None:
    names = [f"R{number}" for number in range(8)]
    regions = tuple(replace(plain.regions[0], name=name) for name in names)
    record = replace(plain, regions=regions, memory=(), zones=tuple((name,) for name in names))
    with pytest.raises(ValueError, match="its zones are too many"):
        check_tables(record)
    check_tables(replace(record, zones=record.zones[:7]))


# What runs are checked for.


def test_a_line_misses_at_most_once_in_a_passage(
    plain: ExecutionRecord, entered: list[int], single: tuple[int, int]
) -> None:
    node = single[0]
    check_record(with_site(plain, node, 0, SiteKind.FETCH, {1: entered[node] - 1, 2: 1}))
    with pytest.raises(RunError, match=rf"missed {entered[node] + 1} times in {entered[node]} passages"):
        check_record(with_site(plain, node, 0, SiteKind.FETCH, {1: entered[node], 2: 1}))


def test_a_branch_is_mispredicted_at_most_once_in_a_passage(plain: ExecutionRecord, entered: list[int]) -> None:
    for node, block in enumerate(plain.node_block.tolist()):
        insns = Block(int(plain.block_address[block]), plain.block_code[block]).insns
        if insns and insns[-1].flow is Flow.CONDITIONAL and entered[node] > 2 and node != plain.final_node:
            break
    else:
        pytest.fail("no such branch")
    usable(with_site(plain, node, len(insns) - 1, SiteKind.BRANCH, {1: entered[node]}, zones=()))
    with pytest.raises(RunError, match=rf"mispredicted {entered[node] + 1} times in {entered[node]} passages"):
        check_record(with_site(plain, node, len(insns) - 1, SiteKind.BRANCH, {1: entered[node] + 1}))
    with pytest.raises(ValueError, match="counts what its kind doesn't have"):
        check_tables(with_site(plain, node, len(insns) - 1, SiteKind.BRANCH, {2: 1}, zones=()))


@pytest.mark.parametrize(
    ("caches", "most"),
    [((), 1), (("data of FLASH: 256/32/8 lru around",), 3)],
    ids=["bus", "cache"],
)
def test_an_access_is_counted_at_most_once_in_a_passage_or_once_a_line(
    caches: tuple[str, ...], most: int, plain: ExecutionRecord, entered: list[int], single: tuple[int, int]
) -> None:
    times = most * entered[single[0]]
    check_record(with_site(plain, *single, SiteKind.DATA, {HIT: times - 1, MISS: 1}, caches=caches))
    with pytest.raises(RunError, match=r"accessed memory \d+ times, 0 times unaligned, in \d+ passages"):
        check_record(with_site(plain, *single, SiteKind.DATA, {HIT: times, MISS: 1}, caches=caches))


def test_unaligned_transfers_are_at_most_two_more_in_a_passage(
    plain: ExecutionRecord, entered: list[int], single: tuple[int, int]
) -> None:
    times = entered[single[0]]
    check_record(with_site(plain, *single, SiteKind.DATA, {HIT: times, 1: 2 * times}))
    with pytest.raises(RunError, match="accessed memory"):
        check_record(with_site(plain, *single, SiteKind.DATA, {1: 2 * times + 1}))


@given(node=st.integers(0), kind=st.sampled_from([SiteKind.DATA, SiteKind.FETCH]), data=st.data())
def test_sites_of_memory_are_not_taken_for_operands(
    node: int, kind: SiteKind, data: st.DataObject, plain: ExecutionRecord, entered: list[int]
) -> None:
    """Any counts up to the passages of the node pass, also where it holds divides: they needn't all be seen."""
    node %= len(entered)
    block = int(plain.node_block[node])
    code = Block(int(plain.block_address[block]), plain.block_code[block])
    places = [access.index for access in accesses(code)] if kind is SiteKind.DATA else list(range(len(code.insns)))
    if places:
        count = data.draw(st.integers(0, entered[node]))
        insn = data.draw(st.sampled_from(places))
        check_record(with_site(plain, node, insn, kind, {2: count}))


def test_sections_of_a_hostile_file_are_bounded(plain: ExecutionRecord, tmp_path: Path) -> None:
    path = str(tmp_path / "record")
    for section in (Section(".data", 1 << 32, 1), Section(".data", 0, (1 << 32) + 1), Section(".data", -1, 1)):
        save_record(replace(plain, sections=(section,)), path)
        with pytest.raises(InputError, match="not a usable record: sections"):
            load_record(path)
