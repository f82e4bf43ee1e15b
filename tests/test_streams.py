"""Which boards share an instruction stream: where they do, the price is that of a fresh run, to the cycle."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest
from firmwarelib import needs_compiler

from vtarget.data.board import Board
from vtarget.data.image import Function, Image
from vtarget.data.record import Section
from vtarget.data.sweep import Outcome, SweepSpec
from vtarget.logic.streams import Linked, covers, roots
from vtarget.shell.boardlib import load_board
from vtarget.shell.matrix import matrix_of
from vtarget.shell.sweepunit import Unit, run_unit

MODELS = Path(__file__).resolve().parent.parent / "models"


def image(board: Board, text: int | None = None, data: int | None = None, size: int = 0x800) -> Image:
    """An image of two sections and a function, linked for a board."""
    text = board.region(board.boot.region).base + 0x40 if text is None else text
    ram = max((r for r in board.regions if r.writable and r.alias_of is None), key=lambda r: r.size)
    data = ram.base if data is None else data
    sections = (Section(".text", text, size), Section(".bss", data, 0x100))
    return Image("x.elf", "elf", "0" * 64, (), text, (Function("main", text + 16, 32, "main"),), sections=sections)


def linked(name: str, **places: int) -> Linked:
    board = load_board(name)
    data = max((r for r in board.regions if r.writable and r.alias_of is None), key=lambda r: r.size).name
    return Linked(board, image(board, **places), (board.boot.region, board.boot.region, data, data))


@pytest.mark.parametrize(
    ("a", "b", "one_way", "back"),
    [
        ("nucleo-g071rb", "nucleo-g0b1re", True, True),  # the same caches at the same addresses
        ("nucleo-l552ze-q", "nrf5340dk", True, True),  # the same cache at congruent addresses
        ("nucleo-l552ze-q", "mps2-an505", True, False),  # one without wait states needs no counts
        ("nucleo-l4r5zi", "disco-f407vg", False, False),  # another cache
        ("nucleo-l4r5zi", "microbit-v2", False, False),  # counts of lines are no counts of accesses
        ("microbit-v2", "nrf52840dk", True, True),
        ("nucleo-f103rb", "mps2-an385", True, False),
    ],
)
def test_who_stands_for_whom(a: str, b: str, one_way: bool, back: bool) -> None:
    assert covers(linked(a), linked(b)) is one_way
    assert covers(linked(b), linked(a)) is back


def test_another_layout_is_another_stream() -> None:
    one = linked("nucleo-g071rb")
    assert covers(one, linked("nucleo-g0b1re"))
    assert not covers(one, linked("nucleo-g0b1re", size=0x804))
    base = one.board.region(one.board.boot.region).base
    assert not covers(one, linked("nucleo-g0b1re", text=base + 0x48)), "blocks end at other page borders"
    assert not covers(one, linked("nucleo-g0b1re", data=0x2000_0004)), "another alignment"


def test_regions_that_one_board_tells_apart_are_not_one() -> None:
    one = linked("nucleo-l4r5zi")
    apart = replace(one, regions=("FLASH", "FLASH", "SRAM1", "SRAM3"))
    together = replace(one, regions=("FLASH", "FLASH", "SRAM3", "SRAM3"))
    assert not covers(together, apart)
    assert not covers(apart, together), "SRAM1 isn't counted, SRAM3 is"


def test_what_spans_regions_is_a_stream_of_its_own() -> None:
    one = linked("nucleo-f446re")
    across = replace(one, regions=(*one.regions[:2], "SRAM1+SRAM2", "SRAM1+SRAM2"))
    other = replace(across, board=load_board("disco-f407vg"))
    assert covers(across, across)
    assert not any(covers(a, b) for a, b in ((one, across), (across, one), (across, other), (other, across)))
    assert roots([one, across, other]) == [0, 1, 2]


def test_what_changes_memory_on_one_board_only_is_not_one_stream() -> None:
    """Loads pipeline inside one memory: two of them in ``a``, one in ``b``."""
    board = load_board("nucleo-l4r5zi")
    boot = board.boot.region
    apart = Linked(board, image(board), (boot, boot, "SRAM2", "SRAM3"))
    aliased = Linked(board, image(board), (boot, boot, "SRAM2", "SRAM2_ALIAS"))
    one = Linked(board, image(board), (boot, boot, "SRAM3", "SRAM3"))
    assert covers(apart, Linked(board, image(board), apart.regions))
    assert not covers(apart, one) and not covers(apart, aliased)


def test_each_board_gets_a_root_that_stands_for_it() -> None:
    names = ("mps2-an505", "nrf5340dk", "nucleo-l552ze-q", "rpi-pico2", "ek-ra6m4")
    builds = [linked(name) for name in names]
    found = roots(builds)
    assert found == [1, 1, 1, 3, 4]
    assert all(covers(builds[root], build) for root, build in zip(found, builds, strict=True))
    assert all(found[root] == root for root in found)


@cache
def unit(model: str, boards: tuple[str, ...], engine: str = "simd") -> Unit:
    spec = SweepSpec(models=(str(MODELS / model),), boards=boards, engines=(engine,))  # type: ignore[arg-type]
    (found,) = matrix_of(spec).units
    return found


def fresh(whole: Unit, position: int) -> Outcome:
    """The outcome of a cell that is done by itself."""
    cell, place = whole.cells[position]
    alone = replace(whole, boards=(whole.boards[place],), cells=((cell, 0),))
    result = run_unit(alone)
    assert result.emulations == 1
    return result.outcomes[0][1]


@needs_compiler
@pytest.mark.parametrize(
    ("model", "boards", "runs"),
    [
        ("lstm_gesture.tflite", ("nrf5340dk", "mps2-an505", "nucleo-l552ze-q"), 1),
        ("ad_autoencoder.tflite", ("nucleo-f446re", "disco-f407vg", "mps2-an386"), 1),
        ("ad_autoencoder.tflite", ("nucleo-h743zi", "mps2-an500"), 1),
        ("kws_dscnn.tflite", ("microbit-v2", "nrf52840dk"), 1),
        ("lstm_gesture.tflite", ("nucleo-g071rb", "nucleo-g0b1re", "nucleo-l073rz"), 2),
    ],
)
def test_a_shared_stream_is_priced_like_a_fresh_run(model: str, boards: tuple[str, ...], runs: int) -> None:
    whole = unit(model, boards)
    result = run_unit(whole)
    assert result.emulations == runs
    for position, (_, shared) in enumerate(result.outcomes):
        assert shared.status == "ok", shared.error
        assert asdict(shared) == asdict(fresh(whole, position)), boards[position]


@needs_compiler
@pytest.mark.parametrize("limit", [{"timeout_s": 0.2}, {"max_instructions": 20_000}])
def test_a_stream_that_reaches_a_limit_is_run_once(limit: dict[str, float]) -> None:
    whole = unit("kws_dscnn.tflite", ("microbit-v2", "nrf52840dk"), "reference")
    result = run_unit(replace(whole, options=replace(whole.options, **limit)))  # type: ignore[arg-type]
    assert result.emulations == 1
    errors = [outcome.error or "" for _, outcome in result.outcomes]
    assert all("limit reached: " in error for error in errors)
    ran = [" whose run stands for this" not in error for error in errors]
    assert sorted(ran) == [False, True]
    assert f", on {('microbit-v2', 'nrf52840dk')[ran.index(True)]}, whose run" in errors[ran.index(False)]


@needs_compiler
def test_a_stream_that_is_shared_on_request_says_so_and_is_bounded() -> None:
    whole = unit("lstm_gesture.tflite", ("nucleo-l4r5zi", "nrf52840dk"))
    shared = run_unit(replace(whole, options=replace(whole.options, share=True)))
    assert shared.emulations == 1
    own, other = (outcome for _, outcome in shared.outcomes)
    assert own.emulated_on is None
    assert other.emulated_on == "nucleo-l4r5zi"
    true = fresh(whole, 1)
    assert other.cycles_low is not None and other.cycles_high is not None and true.cycles is not None
    assert other.cycles_low <= true.cycles <= other.cycles_high


@needs_compiler
def test_a_cell_says_what_profile_says() -> None:
    import vtarget

    whole = unit("lstm_gesture.tflite", ("nucleo-l4r5zi",))
    found = fresh(whole, 0)
    profile = vtarget.profile(MODELS / "lstm_gesture.tflite", "nucleo-l4r5zi", validate=False)
    inference = profile.inference
    assert (found.cycles, found.cycles_low, found.cycles_high) == (
        inference.cycles.nominal,
        inference.cycles.low,
        inference.cycles.high,
    )
    assert found.latency_s == inference.latency_s.nominal
    assert inference.energy_j is not None and found.energy_j == inference.energy_j.nominal
    assert (found.flash_bytes, found.ram_bytes) == (inference.memory.flash_bytes, inference.memory.ram_bytes)
    assert (found.arena_bytes, found.weights_bytes, found.code_bytes, found.stack_peak_bytes) == (
        profile.memory.arena_bytes,
        profile.memory.weights_bytes,
        profile.memory.code_bytes,
        profile.memory.stack_peak_bytes,
    )
    assert (found.macs, found.not_modelled) == (profile.macs, inference.not_modelled)
