"""--explain: every cycle beyond an instruction's slot has a reason, the right one, and nothing gets lost."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from buildlib import conv_model, needs_gcc, own_cache
from firmwarelib import build, needs_compiler
from hypothesis import given, settings
from hypothesis import strategies as st
from machinelib import EXAMPLES, FIRMWARE, PROGRAMS, Ran, run_elf, vtarget

from vtarget.base.errors import InputError
from vtarget.data.explanation import ExplainedBlock, Explanation
from vtarget.data.waterfall import CyclePart
from vtarget.logic import explanationreport as text
from vtarget.logic.attribution import Attribution
from vtarget.logic.cost import Block, Exit
from vtarget.logic.explain import explain
from vtarget.logic.pricing import Pricer
from vtarget.logic.reasons import Transition, edge_reason, register_names
from vtarget.shell.running import pricer_for
from vtarget.shell.sourcelines import NO_LINES, SourceLines, lines_of, source_lines

__all__ = ["own_cache"]

BOARDS = {"m0plus": "rpi-pico", "m3": "mps2-an385", "m4f": "mps2-an386", "m33": "mps2-an505", "m7": "mps2-an500"}
BOARD = "nucleo-l4r5zi"


@cache
def pricer(core: str) -> Pricer:
    return pricer_for(BOARDS[core])


def without_predictions(core: str) -> Pricer:
    """For records that don't tell how branches were predicted."""
    return pricer(core).watching((), simulated=True, branches=False)


@cache
def ran(path: Path, board: str) -> Ran:
    return run_elf(path, board)


def of(path: Path, board: str, kernel: str, *, callees: bool = False) -> Explanation:
    found = ran(path, board)
    return explain(found.record, found.pricer, kernel, callees=callees)


def test_a_heading_says_what_kind_of_cycles_it_gives() -> None:
    plain = Explanation("fft", False, 1000, ())
    assert text.heading(plain) == "fft: 1,000 cycles"
    assert text.heading(replace(plain, calibrated_cycles=1100)) == "fft: 1,000 cycles, uncalibrated (1,100 calibrated)"
    board = replace(plain, beside_board=True)
    assert text.heading(board) == "fft: 1,000 cycles, estimated"
    assert text.heading(replace(board, measured_cycles=990)) == "fft: 1,000 cycles, estimated (990 measured)"
    assert text.heading(replace(board, calibrated_cycles=1100, measured_cycles=990)) == (
        "fft: 1,000 cycles, estimated and uncalibrated (1,100 calibrated, 990 measured)"
    )


# --- every cycle has a reason -----------------------------------------------------------------------------------------


def check(block: ExplainedBlock) -> None:
    """What an instruction takes is its slots and its reasons; slots are at most one a time."""
    assert block.cycles == sum(i.cycles for i in block.insns) + sum(w.cycles for w in block.whys)
    for insn in block.insns:
        slots = insn.cycles - sum(why.cycles for why in insn.whys)
        assert 0 <= slots <= insn.count, insn
        waits = [why for why in insn.whys if why.part in (CyclePart.DATA_WAIT, CyclePart.FETCH_WAIT)]
        assert all(why.times <= insn.count for why in insn.whys if why not in waits), insn
        if insn.cycles > insn.count:
            assert any(why.cycles > 0 for why in insn.whys), insn


@pytest.mark.parametrize("core", [c for c in BOARDS if (PROGRAMS / f"microkernels-{c}.elf").exists()])
def test_micro_kernels_leave_nothing_unexplained(core: str) -> None:
    path = PROGRAMS / f"microkernels-{core}.elf"
    kernels = [k for k in ran(path, BOARDS[core]).profile().kernels if k.name.startswith("mk_")]
    assert len(kernels) > 30
    for kernel in kernels:
        explanation = of(path, BOARDS[core], kernel.name)
        assert explanation.cycles == kernel.cycles
        for block in explanation.blocks:
            check(block)
            guesses = [w.text for i in block.insns for w in i.whys if w.text.startswith(("held up", "beside"))]
            assert guesses == [], kernel.name


@pytest.mark.parametrize(
    ("core", "board"), [("m0plus", "rpi-pico"), ("m4f", BOARD), ("m33", "nucleo-u575zi-q"), ("m7", "nucleo-f746zg")]
)
@pytest.mark.parametrize("name", ["fft", "conv_int8", "ticks"])
def test_every_function_of_a_program_adds_up(name: str, core: str, board: str) -> None:
    path = next(p for folder in (EXAMPLES, PROGRAMS) if (p := folder / f"{name}-{core}.elf").exists())
    for kernel in ran(path, board).profile().kernels:
        own = of(path, board, kernel.name)
        assert (own.cycles, sum(b.cycles for b in own.blocks)) == (kernel.cycles, kernel.cycles)
        assert sum(i.count for b in own.blocks for i in b.insns) == kernel.instructions
        assert [b.cycles for b in own.blocks] == sorted((b.cycles for b in own.blocks), reverse=True)
        for block in own.blocks:
            check(block)


def test_callees_are_in_it_when_asked_for() -> None:
    path = EXAMPLES / "fft-m4f.elf"
    kernel = next(k for k in ran(path, BOARD).profile().kernels if k.name == "fft")
    explanation = of(path, BOARD, "fft", callees=True)
    assert explanation.cycles == kernel.total_cycles > 10 * kernel.cycles
    assert {block.function for block in explanation.blocks} == {"fft", "fft_stages", "bit_reverse"}


def test_recursion_and_contexts_are_summed() -> None:
    path = PROGRAMS / "inclusive_recursion-m4f.elf"
    for kernel in ran(path, BOARD).profile().kernels:
        explanation = of(path, BOARD, kernel.name)
        assert explanation.cycles == kernel.cycles
        assert len({(b.address, len(b.insns)) for b in explanation.blocks}) == len(explanation.blocks)


# --- and the right one ------------------------------------------------------------------------------------------------

CASES = [
    ("m4f", "ldr r0, [r1]; ldr r2, [r3]", "08681a68",
     [(2, ["load: 2"]), (1, ["pipelined behind the load before"])]),
    ("m4f", "ldr r0, [r1]; ldr r2, [r0]", "08680268",
     [(2, ["load: 2"]), (2, ["load, not pipelined as the one before makes its address: 2"])]),
    ("m4f", "ldr r0, [r1]; str r2, [r3]", "08681a60",
     [(2, ["load: 2"]), (0, ["pipelined behind the load before"])]),
    ("m4f", "ldr r0, [r1]; str r2, [r3, r4]", "08681a51",
     [(2, ["load: 2"]), (1, ["pipelined behind the load before"])]),
    ("m4f", "str r0, [r1, r2]", "8850", [(2, ["store with register offset: 2"])]),
    ("m4f", "adds r1, r1, #4; ldr r0, [r1]", "04310868",
     [(1, []), (3, ["load: 2", "address from the one before: +1"])]),
    ("m4f", "adds r2, r2, #4; ldr r0, [r1]", "04320868", [(1, []), (2, ["load: 2"])]),
    ("m4f", "ldr r0, [pc, #4]", "0148", [(2, ["literal load: 2"])]),
    ("m4f", "ldm r0, {r1, r2, r3}", "90e80e00", [(4, ["load of 3 words: 4"])]),
    ("m4f", "push {r4, lr}", "10b5", [(3, ["store of 2 words: 3"])]),
    ("m4f", "cmp r0, #0; it eq; addeq r1, #1", "002808bf0131",
     [(1, []), (0, ["folded into the one before"]), (1, [])]),
    ("m4f", "add.w r0, r0, #1; it eq; addeq r1, #1", "00f1010008bf0131", [(1, []), (1, []), (1, [])]),
    ("m4f", "vmul.f32 s0, s1, s2; vadd.f32 s3, s0, s4", "20ee810a70ee021a",
     [(1, []), (2, ["waits for s0 (vmul.f32): +1"])]),
    ("m4f", "vmul.f32 s0, s1, s2; vfma.f32 s0, s3, s4", "20ee810aa1ee820a", [(1, []), (3, ["multiply-add: 3"])]),
    ("m4f", "vdiv.f32 s0, s1, s2; adds r0, #1; vadd.f32 s3, s0, s4", "80ee810a013070ee021a",
     [(1, []), (1, []), (13, ["FPU busy with vdiv.f32: +12"])]),
    ("m4f", "vdiv.f32 s0, s1, s2; adds r0, #1", "80ee810a0130", [(1, []), (13, ["vdiv.f32 still runs: +12"])]),
    ("m4f", "nop; ldr.w r0, [r1]; ldr.w r0, [r2]; three times add.w r0, #1", "00bfd1f80000d2f80000" + "00f10100" * 3,
     [(1, []), (2, ["load: 2"]), (1, ["pipelined behind the load before"]), (1, []), (1, []),
      (2, ["32 bits off their word, not fetched yet: +1"])]),
    ("m4f", "isb; mrs r0, primask", "bff36f8feff31080",
     [(4, ["flushes the pipeline: 4"]), (2, ["special register: 2"])]),
    ("m0plus", "ldr r0, [r1]; ldr r2, [r3]", "08681a68", [(2, ["load: 2"]), (2, ["load: 2"])]),
    ("m33", "ldr r0, [r1]; adds r2, r0, #1", "0868421c", [(1, []), (2, ["waits for r0 (load-use): +1"])]),
    ("m33", "vfma.f32 s0, s1, s2; vfma.f32 s3, s4, s5", "a0ee810ae2ee221a",
     [(1, []), (3, ["FPU busy with vfma.f32: +2"])]),
    ("m33", "adds r0, #1; nop", "013000bf", [(1, []), (0, ["issues with the one before"])]),
    ("m7", "ldr r0, [r1]; ldr r2, [r0]", "08680268", [(1, []), (2, ["waits for r0 (load-use): +1"])]),
    ("m7", "adds r0, #1; adds r1, #1", "01300131", [(1, []), (0, ["issues with the one before"])]),
    ("m7", "mul r0, r1, r2; add r3, r0", "01fb02f00344", [(1, []), (2, ["waits for r0 (mul): +1"])]),
    ("m7", "vmul.f32 s0, s1, s2; vadd.f32 s3, s0, s4", "20ee810a70ee021a",
     [(1, []), (3, ["waits for s0 (vmul.f32): +2"])]),
]  # fmt: skip


@pytest.mark.parametrize(("core", "assembly", "code", "expected"), CASES, ids=[f"{c[0]} {c[1]}" for c in CASES])
def test_reasons(core: str, assembly: str, code: str, expected: list[tuple[int, list[str]]]) -> None:
    of_core = pricer(core)
    block = Block(of_core.board.vector_addresses()[0] + 0x100, bytes.fromhex(code))
    charges = Attribution(of_core.model).edge(block, Exit.END, None, of_core.edge(block, Exit.END, None).nominal)
    at = Transition(block, Exit.END, None)
    found = [
        (
            sum(charge.cycles for charge in charges if charge.index == index),
            [why for c in charges if c.index == index and (why := edge_reason(of_core, c, at)) is not None],
        )
        for index in range(len(block.insns))
    ]
    assert found == expected


BORDERS = [
    ("m4f", "b .; nop", "fee7", Exit.TAKEN, "00bf", "branch taken: refill 1"),
    ("m4f", "cbz r0; nop", "00b1", Exit.TAKEN, "00bf", "branch taken: refill 2"),
    ("m4f", "bx lr; nop", "7047", Exit.TAKEN, "00bf", "return: refill 1"),
    ("m4f", "ldr r0, [r1]; ldr r2, [r3]", "0868", Exit.FALLTHROUGH, "1a68",
     "what follows (ldr) is pipelined behind it: -1"),
    ("m4f", "adds r1, #4; ldr r0, [r1]", "0431", Exit.FALLTHROUGH, "0868",
     "what follows (ldr) waits for its address: +1"),
    ("m7", "bne back; nop", "fcd1", Exit.FALLTHROUGH, "00bf", "loop exit mispredicted: refill 8"),
    ("m7", "mul r0, r1, r2; add r3, r0", "01fb02f0", Exit.FALLTHROUGH, "0344", "what follows waits for mul: +1"),
]  # fmt: skip


@pytest.mark.parametrize(("core", "assembly", "code", "leaving", "target", "expected"), BORDERS)
def test_reasons_at_the_border_of_a_block(
    core: str, assembly: str, code: str, leaving: Exit, target: str, expected: str
) -> None:
    of_core = without_predictions(core)
    start = of_core.board.vector_addresses()[0] + 0x100
    source = Block(start, bytes.fromhex(code))
    following = Block(start + (source.size if leaving is Exit.FALLTHROUGH else 0x40), bytes.fromhex(target))
    nominal = of_core.edge(source, leaving, following).nominal
    charges = Attribution(of_core.model).edge(source, leaving, following, nominal)
    reasons = [edge_reason(of_core, charge, Transition(source, leaving, following)) for charge in charges]
    assert expected in reasons, assembly


def test_divides_say_what_their_operands_made_of_them() -> None:
    for kernel, reason in (
        ("mk_udiv_longest", "divide, by its operands: 12"),
        ("mk_udiv_4_bits", "divide, by its operands: 6"),
    ):
        whys = [w.text for b in of(PROGRAMS / "microkernels-m4f.elf", BOARDS["m4f"], kernel).blocks for i in b.insns
                for w in i.whys if i.text.startswith("udiv")]  # fmt: skip
        assert set(whys) == {reason}


def test_waits_of_memory_name_the_memory() -> None:
    path = EXAMPLES / "conv_int8-m4f.elf"
    whys = {w.text for b in of(path, BOARD, "main").blocks for i in b.insns for w in i.whys}
    assert any(why.startswith("line miss in ART instructions in sequence: +") for why in whys), whys
    assert any(why.startswith("miss, load from FLASH through ART data: +") for why in whys), whys


def test_register_names_are_those_of_the_listing() -> None:
    assert register_names(1 | 1 << 10 | 1 << 13 | 1 << 16 | 1 << 48) == "r0, sl, sp, s0, flags"


# --- text and JSON ----------------------------------------------------------------------------------------------------


def test_hot_blocks_and_the_rest() -> None:
    explanation = of(EXAMPLES / "conv_int8-m4f.elf", BOARD, "conv_int8")
    shown = text.hot_blocks(explanation)
    held = sum(block.cycles for block in shown)
    assert held >= text.SHOWN_SHARE * explanation.cycles > held - shown[-1].cycles
    left, cycles = len(explanation.blocks) - len(shown), explanation.cycles - held
    assert text.rest_line(explanation) == f"… and {left} more blocks with {cycles:,} cycles"


def test_the_command_line_explains_twice() -> None:
    result = vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", BOARD, "--explain", "fft", "--explain", "bit_reverse")
    assert result.code == 0
    assert NO_LINES in result.out
    headings = [
        line for line in result.out.splitlines() if line.endswith(" cycles") and ": " in line and "…" not in line
    ]
    assert [line.partition(":")[0] for line in headings] == ["fft", "bit_reverse"]
    assert "b.w 0x08000208 <fft_stages>" in result.out


def test_json_has_every_block() -> None:
    result = vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", BOARD, "--explain", "bit_reverse", "--json", "-")
    document = json.loads(result.out)
    (explained,) = document["explain"]
    kernel = next(k for k in document["kernels"] if k["name"] == "bit_reverse")
    assert explained["kernel"] == "bit_reverse" and explained["cycles"] == kernel["cycles"]
    assert sum(block["cycles"] for block in explained["blocks"]) == kernel["cycles"]
    for insn in (insn for block in explained["blocks"] for insn in block["instructions"]):
        assert {"address", "text", "count", "cycles", "source", "why"} == set(insn)
        assert all({"text", "part", "times", "cycles"} == set(why) for why in insn["why"])
    assert json.loads(vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", BOARD, "--json", "-").out)["explain"] == []


def test_a_record_is_explained_without_its_image(tmp_path: Path) -> None:
    image = tmp_path / "fft.elf"
    image.write_bytes((EXAMPLES / "fft-m4f.elf").read_bytes())
    stored = tmp_path / "fft.record"
    assert vtarget("run", image, "-b", BOARD, "--record", stored, "--quiet").code == 0
    live = vtarget("run", image, "-b", BOARD, "--explain", "fft")
    image.write_bytes((EXAMPLES / "fir-m4f.elf").read_bytes())
    changed = vtarget("run", "--from-record", stored, "-b", BOARD, "--explain", "fft")
    assert f"no source lines: {image} is another image by now" in changed.out
    image.unlink()
    gone = vtarget("run", "--from-record", stored, "-b", BOARD, "--explain", "fft")
    assert f"no source lines: {image} can't be read" in gone.out
    tables = [out.out.partition("fft: ")[2].splitlines()[3:20] for out in (live, changed, gone)]
    assert tables[0] == tables[1] == tables[2] and "call: refill 1" in "\n".join(tables[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--explain", "ftf"], "error: --explain: no kernel 'ftf' ran (hint: did you mean 'fft'?)\n"),
        (["--explain", "fft", "--cache", "off", "--cache", "on"],
         "error: --explain does not go with a table of suppositions\n"),
    ],
)  # fmt: skip
def test_misuse_is_one_line(options: list[str], message: str) -> None:
    result = vtarget("run", EXAMPLES / "fft-m4f.elf", "-b", BOARD, *options)
    assert (result.code, result.err) == (2, message)


def test_a_kernel_that_did_not_run_is_an_error() -> None:
    with pytest.raises(InputError, match="no kernel 'main\\(\\)' ran"):
        of(EXAMPLES / "fft-m4f.elf", BOARD, "main()")


@needs_gcc
@pytest.mark.usefixtures("own_cache")
def test_layers_are_explained_with_what_they_call(tmp_path: Path) -> None:
    model = tmp_path / "conv.tflite"
    model.write_bytes(conv_model())
    arguments = ["profile", model, "-b", BOARD, "--no-validate", "--json", "-", "--explain", "0", "--cflags=-g"]
    document = json.loads(vtarget(*arguments).out)
    (layer,), (explained,) = document["layers"], document["explain"]
    assert explained["callees"] and explained["cycles"] == layer["cycles"] == sum(layer["waterfall"].values())
    assert any(insn["source"] for block in explained["blocks"] for insn in block["instructions"])
    assert "model has 1 layers" in vtarget(*arguments[:5], "--explain", "7").err


# --- source lines -----------------------------------------------------------------------------------------------------

C = """int total;
__attribute__((noinline)) int sum(int n) {
    int s = 0;
    for (int i = 0; i < n; i++)
        s += i * n;
    return s;
}
int main(void) {
    total = sum(10);
    return 0;
}
"""


@pytest.fixture(scope="module")
def with_lines(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "sum.c").write_text(C)
    options = ["-mcpu=cortex-m4", "-mthumb", "-O1", "-g", "-nostdlib", "-Ttext=0x08000400", "-Wl,-emain"]
    command = [build.COMPILER, *options, "-o", folder / "sum.elf", folder / "sum.c"]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "sum.elf").read_bytes()


@needs_compiler
def test_lines_of_dwarf(with_lines: bytes) -> None:
    lines = lines_of(with_lines)
    assert lines.note is None
    found = {line for address in range(0x08000400, 0x08000440, 2) if (line := lines.at(address)) is not None}
    assert {"sum.c:5", "sum.c:9"} <= found
    whole = {lines.path_at(address) for address in range(0x08000400, 0x08000440, 2)}
    assert all(path is None or (path.startswith("/") and path.split("/")[-1] in found) for path in whole)
    assert lines.at(0x080003FE) is None and lines.at(0x08001000) is None and lines.at(0) is None


@needs_compiler
@pytest.mark.parametrize("version", [4, 5])
def test_paths_of_sources_are_whole_whatever_the_compiler_was_told(version: int, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "sum.c").write_text(C)
    options = ["-mcpu=cortex-m4", "-mthumb", "-O1", f"-gdwarf-{version}", "-nostdlib", "-Wl,-emain"]
    command = [build.COMPILER, *options, "-Ttext=0x08000400", "-o", "sum.elf", "sub/sum.c"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    path, _, line = str(lines_of((tmp_path / "sum.elf").read_bytes()).path_at(0x08000400)).rpartition(":")
    assert Path(path).resolve() == (tmp_path / "sub" / "sum.c").resolve() and int(line) > 0


@needs_compiler
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_line_tables_are_a_note(with_lines: bytes, data: st.DataObject) -> None:
    damaged = bytearray(with_lines)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0x34, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    lines = lines_of(bytes(damaged[: data.draw(st.sampled_from([len(damaged), len(damaged) // 2]))]))
    assert (lines.note is None) == bool(lines.rows)
    assert all(start < end for start, end, _ in lines.rows)


def test_images_without_lines_say_so(tmp_path: Path) -> None:
    assert lines_of((FIRMWARE / "examples" / "fft-m4f.elf").read_bytes()).note == NO_LINES
    assert lines_of(b":020000040800F2\n").note == NO_LINES
    missing = tmp_path / "none.elf"
    assert source_lines(str(missing), "") == SourceLines(note=f"no source lines: {missing} can't be read")
