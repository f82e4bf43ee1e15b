"""Waterfalls: parts that add up to the cycles, whatever ran, and what belongs to which part."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import KERNELS
from machinelib import EXAMPLES, FIRMWARE, PROGRAMS, Ran, run_elf, vtarget

from vtarget.base.errors import RunError
from vtarget.data.profile import Profile
from vtarget.data.record import SiteKind
from vtarget.data.waterfall import CyclePart, Waterfall
from vtarget.logic import waterfallreport as text
from vtarget.logic.attribution import HEAD, Attribution, Cause
from vtarget.logic.cost import EXITS, Block, Exit
from vtarget.logic.costs import price_parts, relocated_blocks
from vtarget.logic.explain import explain
from vtarget.logic.pricing import Pricer
from vtarget.logic.profile import build_profile
from vtarget.logic.waterfall import split_parts
from vtarget.logic.zones import MISPREDICTED, UNALIGNED, fingerprint, zones
from vtarget.shell.running import execute, price, pricer_for

STARTUPS = FIRMWARE / "startups"
# Boards of each core; with wait states, and without.
WAITING = {
    "m0plus": "rpi-pico",
    "m3": "nucleo-f103rb",
    "m4": "nucleo-l4r5zi",
    "m33": "nucleo-u575zi-q",
    "m7": "nucleo-f746zg",
}
PLAIN = {"m0plus": "rpi-pico", "m3": "mps2-an385", "m4": "mps2-an386", "m33": "mps2-an505", "m7": "mps2-an500"}
EXAMPLE_BOARDS = {"m0plus": "rpi-pico", "m4f": "nucleo-l4r5zi", "m33": "nucleo-u575zi-q", "m7": "nucleo-f746zg"}
ISSUE, LOAD_STORE, REFILL, FETCH, DATA, FPU, INTERRUPT = CyclePart
counts = st.integers(min_value=0, max_value=10**12)
waterfalls = st.builds(Waterfall, *[counts] * len(CyclePart))


@cache
def pricer(board: str) -> Pricer:
    return pricer_for(board)


@cache
def ran(program: str, board: str) -> Ran:
    folder = EXAMPLES if (EXAMPLES / f"{program}.elf").exists() else PROGRAMS
    return run_elf(folder / f"{program}.elf", board)


# --- numbers ----------------------------------------------------------------------------------------------------------


@given(waterfalls, counts)
def test_scaling_keeps_the_shares_and_is_exact(waterfall: Waterfall, total: int) -> None:
    scaled = waterfall.scaled_to(total)
    assert scaled.total == total
    if waterfall.total:
        for part in CyclePart:
            exact = waterfall.parts[part] * total / waterfall.total
            assert abs(scaled.parts[part] - exact) <= 1 + exact * 1e-12


@given(waterfalls, st.integers(min_value=1, max_value=200))
def test_bars_are_as_long_as_asked_for(waterfall: Waterfall, width: int) -> None:
    assert sum(length for _, length in text.bar(waterfall, width)) == (width if waterfall.total else 0)
    steps = text.step_bars(waterfall, list(CyclePart), width)
    assert all(start + length == following for (start, length), (following, _) in pairwise(steps))


def test_a_waterfall_of_nothing_is_issue() -> None:
    assert Waterfall().scaled_to(5) == Waterfall(issue=5)
    assert Waterfall(1, 2).scaled_to(3) == Waterfall(1, 2)
    assert Waterfall(1, 2, 3, 4, 5, 6, 7) + Waterfall(issue=1) == Waterfall(2, 2, 3, 4, 5, 6, 7)


# --- transitions ------------------------------------------------------------------------------------------------------

CODES = [bytes.fromhex(kernel.code) for kernel in KERNELS]
BRANCHES = [bytes.fromhex(code) for code in ("00d1", "fee7", "7047", "00bd", "00f000f8", "00b1", "8047", "dfe800f0")]


def blocks(board: str, base: int) -> st.SearchStrategy[Block]:
    runs = st.lists(st.sampled_from([*CODES, bytes.fromhex("00bf")]), min_size=1, max_size=4).map(b"".join)
    return st.builds(lambda body, end: Block(base, body + end), runs, st.sampled_from([b"", *BRANCHES]))


@pytest.mark.parametrize("core", WAITING)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_charges_of_any_transition_add_up_to_its_price(core: str, data: st.DataObject) -> None:
    of = pricer(WAITING[core])
    base = of.board.vector_addresses()[0] + 0x100 + 2 * data.draw(st.integers(0, 3))
    source = data.draw(blocks(WAITING[core], base))
    leaving = data.draw(st.sampled_from([Exit.FALLTHROUGH, Exit.TAKEN, Exit.END]))
    start = base + source.size if leaving is Exit.FALLTHROUGH else base
    target = data.draw(blocks(WAITING[core], start))
    nominal = of.edge(source, leaving, target).nominal
    full, quick = (
        Attribution(of.model, remarks=remarks).edge(source, leaving, target, nominal) for remarks in (True, False)
    )
    assert sum(charge.cycles for charge in full) == nominal
    assert [charge for charge in full if charge.cycles] == [charge for charge in quick if charge.cycles]
    assert all(HEAD < charge.index < len(source.insns) for charge in full)
    slots = [charge.index for charge in full if charge.cause is Cause.ISSUE]
    assert len(slots) == len(set(slots)), "an instruction has one slot"


def parts_of(board: str, code: str, leaving: Exit = Exit.END, target: str | None = None) -> tuple[int, ...]:
    of = pricer(board)
    base = of.board.vector_addresses()[0] + 0x100
    source = Block(base, bytes.fromhex(code))
    following = (
        None
        if target is None
        else Block(base + (source.size if leaving is Exit.FALLTHROUGH else 0x40), bytes.fromhex(target))
    )
    nominal = of.edge(source, leaving, following).nominal
    sums = [0] * len(CyclePart)
    for charge in Attribution(of.model).edge(source, leaving, following, nominal):
        sums[charge.part] += charge.cycles
    return tuple(sums)


@pytest.mark.parametrize(
    ("core", "assembly", "code", "expected"),
    [
        ("m4", "adds; adds", "01300130", {ISSUE: 2}),
        ("m4", "ldr; ldr independent", "08681a68", {ISSUE: 2, LOAD_STORE: 1}),
        ("m4", "ldr; ldr dependent", "08680268", {ISSUE: 2, LOAD_STORE: 2}),
        ("m4", "adds r1; ldr [r1]", "04310868", {ISSUE: 2, LOAD_STORE: 2}),
        ("m4", "ldr; str pipelined away", "08681a60", {ISSUE: 1, LOAD_STORE: 1}),
        ("m4", "ldm of 3", "90e80e00", {ISSUE: 1, LOAD_STORE: 3}),
        ("m4", "cmp; it folded; addeq skipped", "002808bf0131", {ISSUE: 2}),
        ("m4", "vmul; dependent vadd", "20ee810a70ee021a", {ISSUE: 2, FPU: 1}),
        ("m4", "vdiv; adds; the rest of it", "80ee810a0130", {ISSUE: 2, FPU: 12}),
        ("m4", "isb; mrs", "bff36f8feff31080", {ISSUE: 3, REFILL: 3}),
        ("m4", "sdiv by a site; adds", "91fbf2f00130", {ISSUE: 1}),
        ("m0plus", "ldr; ldr", "08681a68", {ISSUE: 2, LOAD_STORE: 2}),
        ("m33", "ldr; use", "0868421c", {ISSUE: 2, LOAD_STORE: 1}),
        ("m33", "vfma; vfma behind it", "a0ee810ae2ee221a", {ISSUE: 2, FPU: 2}),
        ("m7", "two adds in a cycle", "01300131", {ISSUE: 1}),
        ("m7", "mul; use", "01fb02f00344", {ISSUE: 2, FPU: 1}),
    ],
)  # fmt: skip
def test_what_belongs_where(core: str, assembly: str, code: str, expected: dict[CyclePart, int]) -> None:
    found = parts_of(PLAIN[core], code)
    assert {part: found[part] for part in CyclePart if found[part]} == expected, assembly


def test_a_taken_branch_refills_and_a_load_over_a_border_is_pipelined() -> None:
    assert parts_of(PLAIN["m4"], "fee7", Exit.TAKEN, "00bf")[REFILL] == 1  # TRM-M4: B takes 1 + P, P at least 1
    assert parts_of(PLAIN["m4"], "0868", Exit.FALLTHROUGH, "1a68")[LOAD_STORE] == 1 - 1
    assert parts_of(PLAIN["m7"], "fcd1", Exit.FALLTHROUGH, "00bf")[REFILL] == 0, "mispredictions are counted"
    assert pricer(PLAIN["m7"]).branch(Block(0x100, bytes.fromhex("fcd1")), 0, MISPREDICTED).nominal == 8


def test_entering_and_leaving_a_handler_is_interrupt() -> None:
    of = pricer(PLAIN["m4"])
    handler = Block(0x100, bytes.fromhex("7047"))
    entry = of.edge(None, Exit.ENTRY, handler).nominal
    (charge,) = Attribution(of.model).edge(None, Exit.ENTRY, handler, entry)
    assert (charge.index, charge.part, charge.cycles) == (HEAD, INTERRUPT, 12)  # TRM-M4 3.9.1
    back = Attribution(of.model).edge(handler, Exit.RETURN, None, of.edge(handler, Exit.RETURN, None).nominal)
    assert [(c.part, c.cycles) for c in back] == [(ISSUE, 1), (INTERRUPT, 10)]


# --- whole runs -------------------------------------------------------------------------------------------------------


def check(profile: Profile) -> Waterfall:
    """Every sum of the profile."""
    assert profile.waterfall is not None
    assert profile.waterfall.total == profile.cycles.nominal
    for kernel in profile.kernels:
        assert kernel.waterfall is not None and kernel.waterfall.total == kernel.cycles
    for span in profile.spans:
        assert span.waterfall is not None and span.waterfall.total == span.cycles
    summed = sum((k.waterfall for k in profile.kernels if k.waterfall), Waterfall())
    assert summed == profile.waterfall
    return profile.waterfall


@pytest.mark.parametrize("core", EXAMPLE_BOARDS)
@pytest.mark.parametrize("name", ["conv_int8", "fft", "biquad", "quantise"])
def test_parts_add_up_in_real_programs(name: str, core: str) -> None:
    waterfall = check(ran(f"{name}-{core}", EXAMPLE_BOARDS[core]).profile())
    assert waterfall.issue > 0 and waterfall.branch_refill > 0 and waterfall.interrupt == 0
    assert min(waterfall.parts) >= 0


def test_spans_have_waterfalls() -> None:
    profile = run_elf(EXAMPLES / "fft-m4f.elf", "nucleo-l4r5zi", spans=("fft",)).profile()
    check(profile)
    first, *others = [span.waterfall for span in profile.spans]
    assert first is not None and len(set(others)) == 1, "calls that do the same"
    assert others[0] is not None and first.issue == others[0].issue
    assert first.fetch_wait + first.data_wait >= others[0].fetch_wait + others[0].data_wait, "caches were cold"


@pytest.mark.parametrize("core", EXAMPLE_BOARDS)
def test_interrupts_are_entries_and_returns(core: str) -> None:
    profile = ran(f"ticks-{core}", EXAMPLE_BOARDS[core]).profile()
    waterfall = check(profile)
    handler = next(k for k in profile.kernels if k.name == "SysTick_Handler")
    of = pricer(EXAMPLE_BOARDS[core])
    each = of.model.overhead(Exit.ENTRY).nominal + of.model.overhead(Exit.RETURN).nominal
    assert handler.waterfall is not None
    assert handler.waterfall.interrupt == waterfall.interrupt == each * handler.interrupts > 0


def test_the_floating_point_program_waits_for_its_fpu() -> None:
    waterfall = check(ran("biquad-m4f", "nucleo-l4r5zi").profile())
    assert waterfall.fpu_divide > waterfall.total // 20


def test_without_a_waterfall() -> None:
    found = ran("conv_int8-m4f", "nucleo-l4r5zi")
    profile = build_profile(found.record, found.pricer, waterfall=False)
    assert profile.waterfall is None and {k.waterfall for k in profile.kernels} == {None}
    assert profile.cycles == found.profile().cycles


def test_a_part_that_is_missing_is_an_error() -> None:
    found = ran("conv_int8-m4f", "nucleo-l4r5zi")
    (part,) = price_parts(found.record, found.pricer, None)
    cycles = part.cycles.copy()
    cycles[3, 1] += 1
    with pytest.raises(RunError, match="waterfall's parts do not add up"):
        split_parts([replace(part, cycles=cycles)], relocated_blocks(found.record, found.pricer.board))


def test_events_of_memory_are_waits() -> None:
    """Sites of data and of fetched lines, as a run that follows the caches would have counted them."""
    found = ran("conv_int8-m4f", "nucleo-l4r5zi")
    board = found.pricer.board
    record = found.record
    node = int(record.edge_source[np.argmax(record.edge_count)])
    kinds = {SiteKind.DATA: (UNALIGNED, 3, 2), SiteKind.FETCH: (1, 1, 2)}
    rows = np.zeros((len(kinds), record.site_counts.shape[1]), dtype=np.int64)
    for row, classes in enumerate(kinds.values()):
        rows[row, list(classes)] = 7
    more = replace(
        record,
        site_node=np.append(record.site_node, [node] * 2).astype(np.int32),
        site_insn=np.append(record.site_insn, [0, 0]).astype(np.int32),
        site_kind=np.append(record.site_kind, list(kinds)).astype(np.int32),
        site_low=np.append(record.site_low, [-1, -1]),
        site_high=np.append(record.site_high, [-1, -1]),
        site_counts=np.vstack([record.site_counts, rows]),
        zones=zones(board),
        caches=tuple(fingerprint(unit) for unit in board.caches),
        live_cycles=-1,
    )
    before, after = check(found.profile()), check(build_profile(more, found.pricer))
    (part,) = price_parts(more, found.pricer, None)
    data, fetch = (int((part.sites[row, :, 1] * rows[row]).sum()) for row in (-2, -1))
    assert (data > 0, fetch > 0) == (True, True)
    last = np.array([len(more.site_node) - 1])
    at, counts = part.counted(last, rows[-1:])
    assert counts.tolist() == [7, 7] and int((part.event_prices[at, 1] * counts).sum()) == fetch
    assert part.counted(last, (rows[-1:] == 0).astype(np.int64))[1].size == 0  # what the record has none of
    assert after.data_wait - before.data_wait == data
    assert after.fetch_wait - before.fetch_wait == fetch


# --- on the command line ----------------------------------------------------------------------------------------------


def test_json_carries_waterfalls() -> None:
    result = vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", "nucleo-l4r5zi", "--span", "fft", "--json", "-")
    document = json.loads(result.out)
    names = [part.name.lower() for part in CyclePart]
    for item in (document, *document["kernels"], *document["spans"]):
        assert list(item["waterfall"]) == names
        assert sum(item["waterfall"].values()) == item["cycles"]


def test_the_table_has_a_line_per_part_and_kernel() -> None:
    result = vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", "nucleo-l4r5zi", "--waterfall", "--kernels", "^fft")
    lines = result.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("where cycles went"))
    glyphs = "".join(line[0] for line in lines[at + 2 : lines.index("", at)])
    assert glyphs in ("█▓▒░▚", "█▓▒░▞▚")
    at = next(i for i, line in enumerate(lines) if line.startswith("kernel") and "refill" in line)
    assert [line.split()[0] for line in lines[at + 2 : at + 4]] == ["fft_stages", "fft"]
    assert lines[at + 2].count("█") + lines[at + 2].count("▓") > 16, "a bar"
    assert "where cycles went" not in vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", "nucleo-l4r5zi").out


def test_every_exit_has_a_price_that_splits() -> None:
    of = pricer(WAITING["m4"])
    base = of.board.vector_addresses()[0] + 0x100
    source, target = Block(base, bytes.fromhex("08687047")), Block(base + 4, bytes.fromhex("7047"))
    for leaving in EXITS:
        following = None if leaving.value.startswith("return") else target
        before = None if leaving.value.startswith(("entry", "tail")) else source
        nominal = of.edge(before, leaving, following).nominal
        charges = Attribution(of.model).edge(before, leaving, following, nominal)
        assert sum(charge.cycles for charge in charges) == nominal, leaving


def test_runs_that_change_their_clock_and_move_pins_add_up() -> None:
    of = pricer("nucleo-l4r5zi")
    record = execute(STARTUPS / "nucleo-l4r5zi.elf", of, spans=["compute"], span_pins=["PB7"]).record
    assert len(record.epochs) > 1 and {span.name for span in record.spans} == {"compute", "PB7"}
    check(price(replace(record, spans=tuple(replace(span, adjust_cycles=-9) for span in record.spans)), of))
    profile = price(record, of)
    assert check(profile).interrupt > 0
    for kernel in profile.kernels:
        if kernel.cycles:
            assert explain(record, of, kernel.name).cycles == kernel.cycles
