"""Loads right behind a store of a byte or halfword, in memory that has to merge it: their wait, and where it shows."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from asmlib import assemble_program, needs_assembler
from hypothesis import given
from hypothesis import strategies as st
from machinelib import Ran, core_alone, run_elf, vtarget

from vtarget.data.board import Board
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import Insn
from vtarget.data.memorysystem import Amount, Cache, DataAccess, Wait
from vtarget.data.waterfall import CyclePart
from vtarget.logic.decode import decode_block
from vtarget.logic.explain import explain
from vtarget.logic.memory_cost import MemoryModel, behind_partial_store
from vtarget.shell.boardlib import load_board
from vtarget.shell.running import price, pricer_for

LDR, LDRB, LDRD, POP, VLDR, TBB, STR, STRB, STRH, STRD, STREXB, ADD = (
    decode_block(bytes.fromhex(code), 0)[0]
    for code in ("0868", "0878", "d1e90023", "f0bc", "91ed000a", "d0e801f0",
                 "0860", "0870", "0880", "c1e90023", "c1e8422f", "0131")
)  # fmt: skip
NARROW, WIDE = (STRB, STRH), (STR, STRD, STREXB, LDRB, ADD, None)
LOADS, STORES = (LDR, LDRB, LDRD, POP, VLDR, TBB), (STR, STRB, STRH, STRD, STREXB)
TWO = Amount(nominal=2, low=0, high=5)
MERGING = DataAccess(load=Amount(nominal=1), load_behind_partial_store=TWO, source="test")


def with_access(board: Board, access: DataAccess, name: str | None = None) -> Board:
    """All RAM of a board with these accesses."""
    regions = tuple(r.model_copy(update={"data_access": access}) if r.writable else r for r in board.regions)
    return board.model_copy(update={"regions": regions, "name": name or board.name})


@cache
def memory(access: DataAccess = MERGING) -> MemoryModel:
    return MemoryModel(with_access(core_alone("nucleo-l4r5zi"), access), 20_000_000)


def data(insn: Insn, before: Insn | None, region: str = "SRAM1", model: MemoryModel | None = None) -> Cycles:
    model = model or memory()
    return model.data(insn, before, model.board.region(region), missed=False)


# --- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", NARROW)
def test_a_load_waits_for_the_merge_of_a_partial_store_right_before_it(before: Insn) -> None:
    for insn in (LDR, LDRB, VLDR, TBB):
        assert data(insn, before) == Cycles(1, 1 + 2, 1 + 5)
    for insn in (LDRD, POP):
        assert data(insn, before) == Cycles(0, 2, 5), "once, whatever it loads"
    assert {data(insn, before) for insn in STORES} == {NO_CYCLES}
    assert data(LDR, before, "FLASH") == NO_CYCLES, "the memory of the load counts"


def test_nothing_else_makes_a_load_wait() -> None:
    assert [behind_partial_store(LDR, before) for before in WIDE] == [False] * len(WIDE)
    assert {data(POP, before) for before in WIDE} == {NO_CYCLES}


def test_the_store_has_to_execute_if_the_load_does() -> None:
    def pair(code: str) -> bool:
        *_, before, insn = decode_block(bytes.fromhex(code), 0)
        return behind_partial_store(insn, before)

    assert pair("08700868")
    assert pair("04bf08700868")  # itt eq: strbeq, ldreq
    assert not pair("0cbf08700868")  # ite eq: strbeq, ldrne
    assert not pair("08bf08700868")  # it eq: strbeq; ldr


def test_a_cache_in_front_hides_it() -> None:
    facts = {
        "name": "data",
        "regions": ("SRAM1",),
        "holds": "data",
        "line": 32,
        "size": 1024,
        "ways": 4,
        "source": "test",
    }
    unit = Cache.model_validate(facts | {"write": "back", "switch": "SCB.DC", "miss": Wait(source="test")})
    cached = replace(memory(), board=memory().board.model_copy(update={"caches": (unit,)}))
    assert data(LDR, STRB, model=cached) == NO_CYCLES
    assert data(LDR, STRB, model=replace(cached, caches_on=False)) == Cycles(1, 3, 6)


amounts = st.lists(st.integers(0, 40), min_size=3, max_size=3).map(sorted).map(
    lambda found: Amount(low=found[0], nominal=found[1], high=found[2])
)  # fmt: skip


@given(st.sampled_from(LOADS + STORES), st.sampled_from((*NARROW, *WIDE)), amounts, amounts)
def test_it_never_makes_an_access_cheaper(insn: Insn, before: Insn | None, load: Amount, merge: Amount) -> None:
    plain = DataAccess(load=load, next_load=load, multiple=load, store=load, source="test")
    merging = plain.model_copy(update={"load_behind_partial_store": merge})
    without, found = (data(insn, before, model=memory.__wrapped__(access)) for access in (plain, merging))
    assert all(more >= less for more, less in zip(found.bounds, without.bounds, strict=True))
    waits = insn in LOADS and before in NARROW
    assert found == (without + Cycles(*map(int, merge.bounds)) if waits else without)


# --- a run ------------------------------------------------------------------------------------------------------------

# Ten times round: two loads that wait, and three that don't.
PROGRAM = """
fn test
ldr r1, =LOG + 128
movs r0, #5
movs r3, #10
again:
strb r0, [r1]
ldr r2, [r1, #4]
strh r0, [r1]
ldrb r2, [r1]
str r0, [r1]
ldr r2, [r1]
strb r0, [r1]
strb r0, [r1, #1]
adds r0, #1
ldr r2, [r1]
subs r3, #1
bne again
bx lr
end test
"""
BOARDS = ("rpi-pico", "nucleo-f103rb", "nucleo-l4r5zi", "nucleo-u575zi-q", "nucleo-f746zg")
PLAIN = DataAccess(load=Amount(nominal=1), source="test")


@cache
def program(folder: Path, board: str) -> Path:
    return assemble_program(folder / f"{board}.elf", board, PROGRAM, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("partial")


def ran(folder: Path, board: str, access: DataAccess, name: str | None = None) -> Ran:
    return run_elf(program(folder, board), with_access(core_alone(board), access, name))


@needs_assembler
@pytest.mark.parametrize("board", BOARDS)
def test_a_run_waits_twenty_times_two_cycles(board: str, folder: Path) -> None:
    without, found = ran(folder, board, PLAIN), ran(folder, board, MERGING)
    before, after = without.profile(), found.profile()
    assert after.cycles.nominal - before.cycles.nominal == 20 * 2
    assert found.record.live_cycles == after.cycles.nominal
    assert after.cycles.low == before.cycles.low and after.cycles.high >= before.cycles.high + 20 * 5
    parts = (profile.waterfall.parts for profile in (before, after))
    assert [b - a for a, b in zip(*parts, strict=True)] == [40 * (part is CyclePart.DATA_WAIT) for part in CyclePart]


@needs_assembler
@pytest.mark.parametrize("board", BOARDS)
def test_the_explanation_says_which_loads_waited(board: str, folder: Path) -> None:
    found = ran(folder, board, MERGING)
    explained = explain(found.record, found.pricer, "test")
    whys = [(insn.text, why.cycles, why.times, why.part) for b in explained.blocks for insn in b.insns
            for why in insn.whys if "behind a partial store" in why.text]  # fmt: skip
    assert {text: 0 for text, *_ in whys}.keys() == {"ldr r2, [r1, #4]", "ldrb r2, [r1]"}
    assert sum(times for _, _, times, _ in whys) == 20
    assert {(cycles // times, part) for _, cycles, times, part in whys} == {(3, CyclePart.DATA_WAIT)}


@needs_assembler
def test_a_record_of_another_board_is_priced_as_a_run_there(folder: Path) -> None:
    board = "nucleo-l4r5zi"
    recorded, fresh = ran(folder, board, PLAIN, "elsewhere"), ran(folder, board, MERGING)
    priced = price(recorded.record, pricer_for(with_access(core_alone(board), MERGING)))
    assert priced.cycles == fresh.profile().cycles
    assert priced.waterfall == fresh.profile().waterfall


# --- the file ---------------------------------------------------------------------------------------------------------

FILE = """
name: node
title: A node with error correction
core: cortex-m4
fpu: null
dsp: true
clock: {typical: 64 MHz, max: 64 MHz, source: test}
boot: {region: FLASH, source: test}
regions:
  - {name: FLASH, kind: flash, base: 0, size: 64 KiB, source: test}
  - name: RAM
    kind: sram
    base: 0x20000000
    size: 64 KiB
    data_access:
      load_behind_partial_store: {nominal: 2, low: 0, high: 3}
      source: test
    source: test
"""


def test_a_board_file_says_it(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(FILE)
    access = load_board(str(path)).region("RAM").data_access
    assert access is not None and access.load_behind_partial_store.bounds == (0, 2, 3)
    assert vtarget("boards", "check", "--facts-only", path).out == f"{path}: ok\n"
    shown = json.loads(vtarget("boards", "show", path, "--json", "-").out)["board"]["regions"][1]["data_access"]
    assert shown["load_behind_partial_store"] == {"nominal": 2, "low": 0, "high": 3}
    path.write_text(FILE.replace("low: 0", "low: 3"))
    wrong = vtarget("boards", "check", "--facts-only", path)
    assert wrong.code == 2 and "load_behind_partial_store" in wrong.out + wrong.err
