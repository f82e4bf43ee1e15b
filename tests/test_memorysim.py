"""Caches and zones in native code, against plain Python on what the emulator's own hooks see."""

from __future__ import annotations

import ctypes
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asmlib import assemble_program, needs_assembler
from cachemodel import CacheModel, Passage, Replay, counted, traced
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from machinelib import EXAMPLES, PROGRAMS

from vtarget.data.board import Board
from vtarget.data.limits import RunLimits
from vtarget.data.memorysystem import Cache
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.logic.zones import CHANGED, JUMP_MISS, SEQUENCE_MISS, zones
from vtarget.shell import layout, registerfile
from vtarget.shell.boardlib import load_board
from vtarget.shell.engine import Engine
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import price, pricer_for
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.symbols import resolve_address
from vtarget.shell.systick import SYST_CSR, SYST_CVR, SYST_RVR

BOARD = "nucleo-l4r5zi"
RAM = ("SRAM1", "SRAM2", "SRAM3")
LENGTH = 60_000  # instructions of each example


def unit(holds: str, size: int, line: int, ways: int, **facts: Any) -> Cache:
    """A cache in front of the flash, always on."""
    changes = {"name": holds, "holds": holds, "size": size, "line": line, "ways": ways, "switch": None}
    return load_board(BOARD).caches[0].model_copy(update=changes | facts)


def board_with(*caches: Cache) -> Board:
    return load_board(BOARD).model_copy(update={"caches": caches})


def prefetching(board: Board, switch: str | None = None) -> Board:
    """With a buffer that reads the flash's next line, always on if there is no ``switch``."""
    flash = board.region("FLASH")
    assert flash.prefetch is not None
    on = flash.prefetch.model_copy(update={"typical": True, "switch": switch})
    regions = tuple(r.model_copy(update={"prefetch": on}) if r is flash else r for r in board.regions)
    return board.model_copy(update={"regions": regions})


GEOMETRIES = {
    "direct mapped": board_with(unit("instructions", 512, 16, 1), unit("data", 256, 16, 1)),
    "two ways": board_with(unit("instructions", 256, 8, 2), unit("data", 512, 32, 2, regions=("FLASH", *RAM))),
    "fully associative": board_with(unit("instructions", 1024, 32, 32), unit("data", 256, 32, 8)),
    "unified": board_with(unit("both", 256, 16, 2, regions=("FLASH", *RAM))),
    "unified, fully associative": board_with(unit("both", 256, 16, 16, regions=("FLASH", *RAM))),
    "prefetched lines pass": prefetching(board_with(unit("instructions", 512, 16, 32, fills="misses"))),
    "none to pass": board_with(unit("instructions", 512, 16, 32, fills="misses")),
    "too small for a loop": board_with(unit("instructions", 32, 8, 2)),
    "random": board_with(
        unit("instructions", 256, 16, 4, replacement="random"), unit("data", 128, 16, 2, replacement="random")
    ),
    "round robin": board_with(unit("both", 256, 16, 4, replacement="round_robin", regions=("FLASH", *RAM))),
    "write through": board_with(unit("data", 512, 32, 2, write="through", regions=("FLASH", *RAM))),
    "write back": board_with(unit("data", 512, 32, 2, write="back", regions=("FLASH", *RAM))),
    "write back, unified": board_with(unit("both", 512, 32, 4, write="back", regions=("FLASH", *RAM))),
    "data alone": board_with(unit("data", 256, 32, 8)),
    "no cache": board_with(),
}


@cache
def trace(name: str) -> list[Passage]:
    passages, _ = traced(EXAMPLES / f"{name}-m4f.elf", board_with(), LENGTH)
    return passages


def recorded(path: Path, board: Board, **options: Any) -> tuple[ExecutionRecord, Machine]:
    machine = Machine(load_image(str(path)), pricer_for(board), RunOptions(**options))
    return machine.run().record, machine


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["conv_int8", "fft", "quantise", "memcpy_bench"])
def test_native_counts_are_those_of_plain_lists(name: str, geometry: str) -> None:
    board = GEOMETRIES[geometry]
    record, _ = recorded(EXAMPLES / f"{name}-m4f.elf", board, limits=RunLimits(instructions=LENGTH))
    replay = Replay(board, trace(name))
    counts, ranges = counted(record)
    assert counts == +replay.counts
    assert ranges == replay.ranges
    assert price(record, pricer_for(board)).cycles.nominal == record.live_cycles


def start_ticks(machine: Machine) -> None:
    """SysTick interrupts every 2000 cycles; the example's default handler returns at once."""
    handler, _ = resolve_address(machine.image, "Default_Handler", "test")
    machine.engine.write(handler, bytes.fromhex("7047"))
    for register, value in ((SYST_RVR, 1999), (SYST_CVR, 0), (SYST_CSR, 7)):
        machine.chipset.systick.write_word(register, value)


@pytest.mark.parametrize("geometry", ["fully associative", "unified", "too small for a loop"])
@pytest.mark.parametrize("name", ["conv_int8", "quantise"])
def test_interrupts_leave_the_caches_to_their_threads_and_back(name: str, geometry: str) -> None:
    board = GEOMETRIES[geometry]
    passages, record = traced(EXAMPLES / f"{name}-m4f.elf", board, LENGTH, start_ticks)
    assert sum(passage.block.code == bytes.fromhex("7047") for passage in passages) > 20
    replay = Replay(board, passages)
    assert counted(record) == (+replay.counts, replay.ranges)
    assert price(record, pricer_for(board)).cycles.nominal == record.live_cycles


@pytest.mark.parametrize("geometry", ["fully associative", "unified"])
def test_threads_that_sleep_do_so_too(geometry: str) -> None:
    board = GEOMETRIES[geometry]
    passages, record = traced(PROGRAMS / "ticks-m4f.elf", board, LENGTH)
    assert sum(sleep.wakeups for sleep in record.sleep) > 3
    replay = Replay(board, passages)
    assert counted(record) == (+replay.counts, replay.ranges)


def test_the_examples_meet_every_class() -> None:
    """Otherwise the comparison would say little."""
    found = {key[0:1] + key[3:] for name in ("conv_int8", "quantise") for key in counted(recorded(
        EXAMPLES / f"{name}-m4f.elf", GEOMETRIES["two ways"], limits=RunLimits(instructions=LENGTH)
    )[0])[0]}  # fmt: skip
    assert {(SiteKind.FETCH, 1), (SiteKind.FETCH, 2), (SiteKind.DATA, 2), (SiteKind.DATA, 3)} <= found


def test_a_prefetched_line_is_missed_again_until_a_jump_takes_it() -> None:
    """RM0090 3.5.2: only a line that isn't in the prefetch buffer either is copied into the cache."""
    limits, missed = RunLimits(instructions=LENGTH), Counter[tuple[str, int]]()
    for name in ("prefetched lines pass", "none to pass"):
        record, _ = recorded(EXAMPLES / "conv_int8-m4f.elf", GEOMETRIES[name], limits=limits)
        for (kind, _, _, event), count in counted(record)[0].items():
            missed[name, event] += count * (kind is SiteKind.FETCH)
    assert missed["prefetched lines pass", SEQUENCE_MISS] > 10 * missed["none to pass", SEQUENCE_MISS]
    assert missed["prefetched lines pass", JUMP_MISS] < missed["none to pass", SEQUENCE_MISS]


def test_the_prefetch_switch_decides_what_takes_a_line() -> None:
    board = prefetching(GEOMETRIES["none to pass"], "FLASH.PRFTEN")
    _, machine = recorded(EXAMPLES / "fir-m4f.elf", board, limits=RunLimits(instructions=100))
    memory, passes = machine.recorder.memory, layout.MEMORY + layout.C_PASSES
    assert memory is not None and memory.caches == ("instructions of FLASH: 512/16/32 lru around misses",)
    for on in (True, False, True):
        memory.set_switch("FLASH.PRFTEN", on)
        assert machine.recorder.words[passes] == on


def test_a_model_cache_is_what_it_says() -> None:
    lru = CacheModel(unit("data", 64, 16, 4))
    assert [lru.look_up(line) for line in (1, 2, 3, 4, 1, 5, 2)] == [False, False, False, False, True, False, False]
    direct = CacheModel(unit("data", 64, 16, 1))
    assert [direct.look_up(line) for line in (1, 5, 1, 2, 2)] == [False, False, False, False, True]
    turns = CacheModel(unit("data", 32, 16, 2, replacement="round_robin"))
    assert [turns.look_up(line) for line in (1, 2, 1, 3, 1, 2)] == [False, False, True, False, False, False]


# Random programs.

STATEMENTS = (
    "ldr r{a}, [r5, #{n}]", "ldrh r{a}, [r5, #{odd}]", "ldrb r{a}, [r6, #{odd}]", "str r{a}, [r6, #{odd}]",
    "strh r{a}, [r6, #{odd}]", "ldrd r0, r1, [r6, #{n}]", "ldmia r5, {{r0-r3}}", "stmia r6, {{r0-r3}}",
    "ldr r4, [r10]\nldr r{a}, [r4, #{n}]", "ldr r{a}, [r5], #{n}\nldr r{b}, [r5, #-{n}]!",
    "cmp r{a}, #{odd}\nit ne\nldrne r{b}, [r5, #{n}]",
    "cmp r{a}, r{b}\nite hi\nstrhi r{a}, [r6]\nstrls r{b}, [r6, #64]",
    "ldr r{a}, =0x12345600 + {odd}", "push {{r0-r3}}\npop {{r0-r3}}", "ldrex r{a}, [r6]", "nop\nnop\nnop\nnop\nnop",
    "cmp r{a}, r{b}\nbne 1f\n1:", "b 1f\n.space {n}\n1:", "bl leaf{c}",
    "adds r9, #{odd}\nand r9, #63\nldrb r{a}, [r5, r9]",
)  # fmt: skip
LEAVES = "\n".join(f"fn leaf{n}\nldr r3, [r5, #{40 * n}]\n{'nop;' * (3 * n)} bx lr\nend leaf{n}" for n in range(4))
statement = st.builds(
    lambda text, a, b, c, n, odd: text.format(a=a, b=b, c=c, n=4 * n, odd=odd),
    st.sampled_from(STATEMENTS), *[st.integers(0, 3)] * 3, st.integers(0, 25), st.integers(0, 60),
)  # fmt: skip
lines, ways = st.sampled_from((8, 16, 32)), st.sampled_from((1, 2, 4, 16))
geometry = st.builds(
    lambda holds, line, ways, sets, replacement, write, ram: unit(
        holds, line * ways * sets, line, ways, replacement=replacement, write=write, regions=("FLASH", *RAM[:ram])
    ),
    st.just("both"), lines, ways, st.sampled_from((1, 2, 4)), st.sampled_from(("lru", "round_robin", "random")),
    st.sampled_from(("around", "through", "back")), st.integers(0, 3),
)  # fmt: skip


@needs_assembler
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(st.lists(statement, min_size=1, max_size=25), geometry, st.booleans())
def test_random_programs_find_what_plain_lists_find(body: list[str], both: Cache, split: bool) -> None:
    caches = (both,)
    if split:
        names = ("instructions", "data")
        caches = tuple(both.model_copy(update={"name": n, "holds": n}) for n in names)  # type: ignore[assignment]
    board = board_with(*caches)
    source = """
    fn test
    push {r4-r10, lr}
    ldr r5, =Reset
    ldr r6, =LOG
    ldr r10, =where
    movs r8, #6
    again:
    """ + "\n".join(body) + """
    subs r8, #1
    bne again
    pop {r4-r10, pc}
    where: .word LOG + 128
    end test
    """ + LEAVES  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = assemble_program(Path(folder) / "p.elf", BOARD, source, {})
        passages, seen = traced(path, board_with(), LENGTH)
        record, _ = recorded(path, board, limits=RunLimits(instructions=LENGTH))
    assert seen.instructions == record.instructions
    replay = Replay(board, passages)
    counts, ranges = counted(record)
    assert counts == +replay.counts
    assert ranges == replay.ranges
    assert price(record, pricer_for(board)).cycles.nominal == record.live_cycles


# The register file.


def test_the_register_file_is_where_registers_are() -> None:
    engines = [Engine(load_board(name)) for name in (BOARD, "rpi-pico", "nucleo-u575zi-q")]
    for engine in engines:
        engine.set_register(13, 0x20001000)
        before = engine.registers()
        address = engine.register_file()
        assert address is not None and engine.registers() == before
        for number in range(15):
            engine.set_register(number, 0x1000 + 4 * number)
        assert list((ctypes.c_uint32 * 15).from_address(address)) == [0x1000 + 4 * number for number in range(15)]


def test_without_a_register_file_the_counts_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, board = EXAMPLES / "conv_int8-m4f.elf", GEOMETRIES["two ways"]
    limits = RunLimits(instructions=LENGTH)
    record, _ = recorded(path, board, limits=limits)
    monkeypatch.setattr(registerfile, "MAPS", tmp_path / "no such file")
    monkeypatch.setattr(registerfile, "_known", [])
    other, machine = recorded(path, board, limits=limits)
    assert machine.engine.register_file() is None
    assert np.array_equal(record.site_counts, other.site_counts)
    assert np.array_equal(record.site_low, other.site_low)


# Switches.


def places(machine: Machine, position: int = 0) -> Any:
    """The words of a cache's lines, as they stand in the buffer, by set and way; its number is taken off."""
    words, cache = machine.recorder.words, layout.MEMORY
    for _ in range(position):
        cache = next(c for c in range(cache + 1, cache + 10_000) if words[c + layout.C_NUMBER] == 2 << layout.LINE_BITS)
    first, lines, ways = (int(words[cache + word]) for word in (layout.C_PLACES, layout.C_LINES, layout.C_WAYS))
    return words[first : first + lines].reshape(-1, ways)


def test_firmware_empties_a_line_a_way_or_all() -> None:
    two_ways = board_with(
        unit("instructions", 256, 16, 2, switch="FLASH.ICEN"), unit("data", 256, 32, 2, switch="FLASH.DCEN")
    )
    _, machine = recorded(EXAMPLES / "fir-m4f.elf", two_ways, limits=RunLimits(instructions=5000))
    memory, words = machine.recorder.memory, machine.recorder.words
    assert memory is not None
    held = places(machine)
    before, version = held.copy(), int(words[layout.H_VERSION])
    (one, other) = np.argwhere(held[:, 1]).ravel()[:2].tolist()
    line = int(held[one, 1]) & (1 << layout.LINE_BITS) - 1
    assert line % len(held) == one
    memory.invalidate("FLASH.ICEN", line * 16 + 6)
    memory.invalidate("FLASH.ICEN", line * 16 + 6)  # it isn't there any more
    memory.invalidate("FLASH.DCEN", line * 16, 5)  # no such way
    assert held[one, 1] == 0 and (held == before).sum() == held.size - 1
    assert words[layout.H_VERSION] == version + 1 and words[layout.H_TOUCHED] == 0
    memory.invalidate("FLASH.ICEN", other * 16, 1)  # by set and way
    assert held[other, 1] == 0 and (held == before).sum() == held.size - 2
    assert places(machine, 1).any()
    memory.invalidate("FLASH.ICEN")
    assert not held.any() and places(machine, 1).any()
    memory.invalidate("FLASH.DCEN")
    assert not places(machine, 1).any()
    memory.invalidate("XIP.EN")  # none of this board


def test_a_cache_that_was_off_is_empty() -> None:
    record, machine = recorded(EXAMPLES / "fir-m4f.elf", load_board(BOARD), limits=RunLimits(instructions=1000))
    memory, words = machine.recorder.memory, machine.recorder.words
    assert memory is not None and memory.caches == (
        "instructions of FLASH: 1024/32/32 lru around",
        "data of FLASH: 256/32/8 lru around",
    )
    assert record.caches == memory.caches and record.zones == memory.zones == zones(machine.board)
    cache = layout.MEMORY
    places, count = int(words[cache + layout.C_PLACES]), int(words[cache + layout.C_LINES])
    assert words[places : places + count].any()
    version = int(words[layout.H_VERSION])
    memory.set_switch("FLASH.ICEN", True)
    assert words[places : places + count].any() and words[layout.H_VERSION] == version
    memory.set_switch("FLASH.ICEN", False)
    assert not words[places : places + 2 * count].any() and words[cache + layout.C_ENABLED] == 0
    assert words[layout.H_VERSION] > version and words[layout.H_TOUCHED] == 0
    assert words[layout.H_CACHES + 1] != 0
    memory.set_switch("FLASH.DCEN", False)
    assert words[layout.H_CACHES + 1] == 0
    memory.set_switch("FLASH.PRFTEN", True)  # none of the caches
    memory.set_switch("FLASH.DCEN", True)
    assert words[layout.H_CACHES + 1] != 0 and words[layout.H_CACHES + layout.STORES + 1] == 0


# Loads behind loads.


def changes(tmp_path: Path, body: str, board: str = BOARD) -> tuple[Counter[str], int]:
    """Changes of memory by instruction, of eight passages of ``body``; r4 .. r6 point to SRAM1, SRAM3 and SRAM2, the
    latter by its alias in r7, too. And the cycles of the run."""
    setup = "ldr r4, =0x20008000\nldr r5, =0x20050000\nldr r6, =0x10000100\nldr r7, =0x20030100\nmovs r3, #8"
    loop = f"1:\nnop\n{body}\nnop\nsubs r3, #1\nbne 1b"
    source = f"fn test\npush {{r4-r7, lr}}\n{setup}\n{loop}\npop {{r4-r7, pc}}\nend test\n"
    path = assemble_program(tmp_path / "p.elf", board, source, {})
    record, _ = recorded(path, load_board(board), limits=RunLimits(instructions=LENGTH))
    counts, _ = counted(record)
    found = Counter[str]()
    for (kind, block, index, event), count in counts.items():
        if kind is SiteKind.DATA and event == CHANGED:
            found[block.insns[index].text] += count
    profile = price(record, pricer_for(board))
    return found, profile.cycles.nominal


@needs_assembler
def test_a_load_from_another_memory_does_not_pipeline(tmp_path: Path) -> None:
    """github.com/jnk0le/random, cortex_m3m4.md: loads, and stores behind them, pipeline inside one memory only."""
    same, cycles = changes(tmp_path, "ldr r0, [r4]\nldr r1, [r4, #4]")
    assert same == {}
    other, more = changes(tmp_path, "ldr r0, [r4]\nldr r1, [r5, #4]")
    assert other == {"ldr r1, [r5, #4]": 8} and more == cycles + 8
    stored, cycles = changes(tmp_path, "ldr r0, [r4]\nstr r1, [r5, #4]")
    assert stored == {"str r1, [r5, #4]": 8}
    assert changes(tmp_path, "ldr r0, [r4]\nstr r1, [r4, #4]")[1] == cycles - 8


@needs_assembler
@pytest.mark.parametrize(
    "body",
    [
        "ldr r0, [r6]\nldr r1, [r7]",  # one memory at two addresses
        "ldr r0, [r4]\nnop\nldr r1, [r5]",
        "str r0, [r4]\nldr r1, [r5]",
        "ldrd r0, r1, [r4]\nldr r1, [r5]",
        "ldr r1, =0x12345678\nldr r0, [r5]",  # literals have their own bound
        "cmp r0, r0\nldr r1, [r4]\nit ne\nldrne r0, [r5]",
    ],
)
def test_what_does_not_pipeline_anyway_changes_no_memory(tmp_path: Path, body: str) -> None:
    assert changes(tmp_path, body)[0] == {}


@needs_assembler
def test_changes_are_seen_whenever_an_address_is_known(tmp_path: Path) -> None:
    """The second load's register comes from memory, then the first one's; each is looked at right before it."""
    table = "ldr r2, =where\nldr r1, [r2]\nnop\n"
    end = "\nb 2f\n.align 2\nwhere: .word 0x20050000\n2:"
    late, _ = changes(tmp_path, table + "ldr r0, [r4]\nldr r2, [r1]" + end)
    early, _ = changes(tmp_path, table + "ldr r0, [r1]\nldr r2, [r4]" + end)
    assert late == {"ldr r2, [r1]": 8} and early == {"ldr r2, [r4]": 8}
