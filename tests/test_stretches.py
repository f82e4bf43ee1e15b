"""Adjoining RAM as one stretch: which regions join, what is placed in them, and that each address keeps its price."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from buildlib import needs_gcc, own_cache, wide_model
from firmwarelib import build
from hypothesis import given
from hypothesis import strategies as st
from machinelib import run_elf, vtarget

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Boot, Clock, Region, RegionKind
from vtarget.data.memorysystem import Amount
from vtarget.data.plan import Need, Placement, Plan
from vtarget.logic.linkerscript import linker_script
from vtarget.logic.memoryfit import SPARE_BYTES, place
from vtarget.logic.stretches import real_names, stretch, stretches
from vtarget.shell.boardlib import load_board
from vtarget.shell.running import price, pricer_for

__all__ = ["own_cache"]
KIB = 1 << 10
F446, F407 = "nucleo-f446re", "disco-f407vg"
BORDER = 0x2001C000  # where SRAM1 ends and SRAM2 begins (RM0390 2.2.2)
STACK = 4096
validated = importlib.util.find_spec("ai_edge_litert") is not None or importlib.util.find_spec("tflite_runtime")


def region(name: str, kind: str, base: int, size: int, alias_of: str | None = None) -> Region:
    return Region(name=name, kind=RegionKind(kind), base=base, size=size, alias_of=alias_of, source="test")


def board(*regions: Region, boot: str = "FLASH") -> Board:
    return Board(
        name="toy",
        title="Toy",
        core="cortex-m4",
        clock=Clock(typical=1_000_000, max=1_000_000, source="test"),
        boot=Boot(region=boot, source="test"),
        regions=(region("FLASH", "flash", 0x08000000, 0x20000), *regions),
    )


def plan(arena_bytes: int) -> Plan:
    return Plan(arena_bytes, 16, arena_bytes, ())


def names(*regions: Region, boot: str = "FLASH") -> list[str]:
    return [joined.name for joined in stretches(board(*regions, boot=boot))]


A = region("A", "sram", 0x20000000, 0x1000)
B = region("B", "sram", 0x20001000, 0x4000)
C = region("C", "sram", 0x20005000, 0x1000)


# Which join.


def test_runs_without_a_gap_join_the_shortest_and_smallest_first() -> None:
    assert names(A, B, C) == names(C, A, B) == ["A+B", "B+C", "A+B+C"]
    joined = stretch(board(A, B, C), "A+B+C")
    assert joined is not None and (joined.base, joined.size, joined.writable) == (0x20000000, 0x6000, True)
    assert names(A, C) == [] and stretch(board(A, C), "A+C") is None
    assert stretch(board(A, B), "A") is None


@pytest.mark.parametrize(
    "other",
    [
        region("T", "tcm", 0x20001000, 0x1000),  # on a bus of its own
        region("T", "ccm", 0x20001000, 0x1000),
        region("T", "sram", 0x1FFFF000, 0x1000),  # on the code bus
        region("T", "sram", 0x20001004, 0x1000),
        region("T", "flash", 0x20001000, 0x1000),
        region("T", "sram", 0x20001000, 0x1000, "A"),  # the same memory again
    ],
)
def test_what_has_other_buses_or_a_gap_does_not_join(other: Region) -> None:
    assert names(A, other) == []


def test_what_boots_does_not_join_and_an_alias_stands_for_its_region() -> None:
    assert names(A, B, boot="A") == []
    elsewhere = region("R", "sram", 0x10000000, 0x4000)
    alias = region("R_ALIAS", "sram", 0x20001000, 0x4000, "R")
    assert names(A, elsewhere, alias, C) == ["A+R_ALIAS", "R_ALIAS+C", "A+R_ALIAS+C"]
    assert real_names(board(A, elsewhere, alias, C), "A+R_ALIAS") == {"A", "R"}
    assert names(A, elsewhere, alias, boot="R") == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (F446, [("SRAM1+SRAM2", 128)]),
        (F407, [("SRAM1+SRAM2", 128)]),
        ("frdm-k64f", []),  # SRAM_L and SRAM_U meet at 0x20000000
        ("nucleo-u575zi-q", [("SRAM1+SRAM2", 256), ("SRAM2+SRAM3", 576), ("SRAM1+SRAM2+SRAM3", 768)]),
        ("rpi-pico", []),
    ],
)
def test_stretches_of_boards(name: str, found: list[tuple[str, int]]) -> None:
    assert [(r.name, r.size // KIB) for r in stretches(load_board(name))] == found


# What goes there.


@given(st.integers(0, 140 * KIB))
def test_a_single_region_comes_first_then_the_stretch(arena_bytes: int) -> None:
    described = load_board(F446)
    try:
        placement = place(plan(arena_bytes), 100, described)
    except InputError as error:
        assert arena_bytes + STACK > 128 * KIB
        assert "SRAM1+SRAM2 needs " in error.message or arena_bytes + STACK - 112 * KIB < 0
        return
    single = arena_bytes + STACK + SPARE_BYTES <= 112 * KIB
    assert (placement.arena_region, placement.data_region) == (("SRAM1",) * 2 if single else ("SRAM1+SRAM2",) * 2)
    (row,) = (row for row in placement.regions if row.region == placement.arena_region)
    assert row.have_bytes == (112 if single else 128) * KIB
    assert row.needs == (Need("stack", STACK), *((Need("arena", arena_bytes),) if arena_bytes else ()))


def test_what_is_too_large_for_the_stretch_is_one_line() -> None:
    with pytest.raises(InputError) as caught:
        place(plan(125 * KIB), 100, load_board(F446))
    assert caught.value.one_line() == (
        "the model doesn't fit board nucleo-f446re: SRAM1+SRAM2 needs 132096 of 131072 bytes (stack 4096, "
        "arena 128000), 1024 too many; FLASH needs 100 of 524288 bytes (weights 100)"
    )


def test_regions_can_be_named_together() -> None:
    assert place(plan(100), 100, load_board(F446), "auto", "SRAM1+SRAM2").data_region == "SRAM1+SRAM2"
    apart = board(A, B, C, region("D", "sram", 0x20010000, 0x8000))
    assert place(plan(0x4800), 100, apart, "auto", "A+B").data_region == "D"  # the largest, which isn't in it
    with pytest.raises(InputError, match=r"board toy has no region 'A\+C'") as raised:
        place(plan(100), 100, apart, "auto", "A+C")
    assert raised.value.hint is not None and "A+B+C" in raised.value.hint


def test_weights_keep_their_region_to_themselves() -> None:
    with pytest.raises(InputError, match="the model doesn't fit"):
        place(plan(118 * KIB), 100, load_board(F446), "SRAM2")
    with pytest.raises(
        InputError, match=r"weights and arena of board nucleo-f446re can't both be in SRAM2 and SRAM1\+"
    ):
        place(plan(100), 100, load_board(F446), "SRAM2", "SRAM1+SRAM2")


def test_the_more_an_arena_takes_the_more_regions_join() -> None:
    small = place(plan(20_000), 100, load_board("nucleo-l4r5zi"))
    large = place(plan(400 * KIB), 100, load_board("nucleo-l4r5zi"))
    assert (small.data_region, large.arena_region) == ("SRAM1", "SRAM2_ALIAS+SRAM3")
    assert place(plan(600 * KIB), 100, load_board("nucleo-l4r5zi")).arena_region == "SRAM1+SRAM2_ALIAS+SRAM3"


def test_the_linker_knows_a_stretch_as_one_region() -> None:
    text = linker_script(board(A, B, C), data="A+B", arena="A+B")
    memory = text[text.index("MEMORY") : text.index("PHDRS")]
    assert memory == (
        "MEMORY\n{\n"
        "  FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 0x20000\n"
        "  C (rwx) : ORIGIN = 0x20005000, LENGTH = 0x1000\n"
        "  A_B (rwx) : ORIGIN = 0x20000000, LENGTH = 0x5000\n"
        "}\n\n"
    )
    assert "__stack_top = ORIGIN(A_B) + LENGTH(A_B);" in text and "KEEP(*(.bss.model_arena))\n    *(.bss" in text
    alone = linker_script(board(A, B, C), data="C", arena="A+B")
    assert "} > A_B AT> A_B :arena" in alone and "__stack_top = ORIGIN(C)" in alone


# Firmware.


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    (tmp_path / "wide.tflite").write_bytes(wide_model(118 * KIB))
    return tmp_path / "wide.tflite"


def profiled(model: Path, name: str, *arguments: str) -> dict[str, Any]:
    options = () if validated else ("--no-validate",)
    done = vtarget("profile", model, "-b", name, "--json", "-", *options, *arguments)
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


@needs_gcc
@pytest.mark.parametrize("name", [F446, F407])
def test_a_model_of_118_kib_runs_in_both_regions(wide: Path, name: str, own_cache: object) -> None:
    found = profiled(wide, name)
    memory = found["memory"]
    assert memory["arena"]["region"] == "SRAM1+SRAM2" and memory["arena_bytes"] > 118 * KIB - 16
    used = {row["name"]: row["used_bytes"] for row in memory["regions"]}
    assert used["SRAM1"] > 111 * KIB and used["SRAM1"] + used["SRAM2"] >= memory["arena_bytes"]
    assert used["SRAM2"] > 6 * KIB
    assert found["validation"] is None or found["validation"]["bit_exact"]
    assert memory["stacks"][0]["top"] == BORDER + 16 * KIB


@needs_gcc
def test_the_report_and_the_project_name_both(wide: Path, tmp_path: Path, own_cache: object) -> None:
    shown = vtarget("profile", wide, "-b", F446, "--no-validate")
    assert "\nmemory         arena 120,8" in shown.out and " in SRAM1+SRAM2, weights 224" in shown.out
    built = vtarget("build", wide, "-b", F446, "-o", tmp_path / "project")
    rows = {line.split()[0]: line.split("%")[-1].strip() for line in built.out.splitlines() if "%" in line}
    assert rows == {"FLASH": "code, weights", "SRAM1": "arena", "SRAM2": "stack, arena"}
    assert "bytes in SRAM1+SRAM2\n" in built.out
    assert json.loads((tmp_path / "project" / "vtarget.json").read_text())["memory"]["arena_region"] == "SRAM1+SRAM2"


@needs_gcc
def test_a_named_stretch_computes_and_costs_the_same_where_nothing_moves(wide: Path, own_cache: object) -> None:
    wide.write_bytes(wide_model(8 * KIB))
    alone, joined = profiled(wide, F446), profiled(wide, F446, "--arena", "SRAM1+SRAM2")
    assert [row["used_bytes"] for row in joined["memory"]["regions"] if row["name"] == "SRAM2"] == [0]
    # The arena is in SRAM1 in both; only the stack is in SRAM2 now, of which a load takes a cycle more.
    more = joined["cycles"] - alone["cycles"]
    assert 0 < more < alone["cycles"] / 20
    if validated:
        assert joined["validation"]["crc32"] == alone["validation"]["crc32"]


# 32 words, 16 on each side of the border, by one load.
ACROSS = """
int main(void)
{
    const volatile unsigned *word = (const volatile unsigned *)0x2001bfc0;
    unsigned sum = 0;
    for (int i = 0; i < 32; i++) sum += word[i];
    return sum != 0;
}
"""


@needs_gcc
def test_a_load_that_reaches_both_is_priced_by_address(tmp_path: Path) -> None:
    (tmp_path / "across.c").write_text(ACROSS)
    build.build([build.Program(tmp_path / "across.c", "m4f", F446, "across.elf")], tmp_path)
    described = load_board(F446)
    record = run_elf(tmp_path / "across.elf", described).record
    assert any(0 <= low < BORDER <= high for low, high in zip(record.site_low, record.site_high, strict=True))

    def cycles(load: int) -> float:
        regions = tuple(
            r.model_copy(update={"data_access": r.data_access.model_copy(update={"load": Amount(nominal=load)})})
            if r.name == "SRAM2" and r.data_access is not None
            else r
            for r in described.regions
        )
        return price(record, pricer_for(described.model_copy(update={"regions": regions}))).cycles.nominal

    assert [cycles(load) - cycles(0) for load in (1, 2, 5)] == [16, 32, 80]


def test_placements_without_a_stretch_are_as_they_were() -> None:
    placement = place(plan(20_000), 100, load_board(F446))
    assert placement == Placement("FLASH", "SRAM1", placement.regions, "SRAM1")
