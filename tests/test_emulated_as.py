"""Cores that the emulator doesn't have: another one runs their firmware, up to what only they have."""

from __future__ import annotations

from pathlib import Path

import pytest
from asmlib import needs_assembler, run_program
from click.testing import CliRunner
from corelib import CORES
from corelib import assemble as assembled

from vtarget.app.boards_cmd import boards
from vtarget.base.strictyaml import load_yaml_model
from vtarget.data.core import Core
from vtarget.data.cycles import Cycles
from vtarget.data.record import Reason
from vtarget.data.target import Target
from vtarget.logic.compileflags import core_flags
from vtarget.logic.cost import Block, CostModel, Exit
from vtarget.shell.boardlib import load_board, load_core

BOARDS = ("apollo510-evb", "ek-ra8m1")
HANDLERS = {3: "logger", 6: "logger"}  # HardFault and UsageFault


@needs_assembler
@pytest.mark.parametrize("board", BOARDS)
def test_firmware_for_the_mainline_runs(board: str, tmp_path: Path) -> None:
    source = """
    fn test
    ldr r0, =0xE000ED00
    ldr r0, [r0]
    movs r1, #6
    movs r2, #7
    mul r3, r1, r2
    msr msplim, r1
    mrs r4, msplim
    stmia r7!, {r0, r3, r4}
    bkpt 0
    end test
    """
    words = run_program(tmp_path, board, source).words
    assert [hex(words[0] >> 4 & 0xFFF), *words[1:]] == [{"apollo510-evb": "0xd22", "ek-ra8m1": "0xd23"}[board], 42, 0]


@needs_assembler
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(
    ("instruction", "what"),
    [
        ("vldrw.32 q0, [r6]", "Helium: not emulated (instruction ed96 1f00)"),
        ("dls lr, r0", "low-overhead branches: not emulated (instruction f040 e001)"),
        ("cset r0, eq", "conditional selects: not emulated (instruction ea5f 901f)"),
        ("clrm {r0, r1}", "CLRM: not emulated (instruction e89f 0003)"),
        ("lsll r0, r1, #3", "64-bit and saturating shifts: not emulated (instruction ea50 01cf)"),
        ("vadd.f16 s0, s1, s2", "half-precision floating point: not emulated (instruction ee30 0981)"),
        ("vadd.f64 d0, d1, d2", "double precision: not emulated (instruction ee31 0b02)"),
    ],
)
def test_what_only_they_have_ends_the_run_by_name(board: str, instruction: str, what: str, tmp_path: Path) -> None:
    """A handler of faults isn't asked: on silicon there is none to handle."""
    enable = "ldr r0, =CPACR\nmov r1, #0xF00000\nstr r1, [r0]\ndsb\nisb\n"
    logged = run_program(tmp_path, board, f"fn test\n{enable}{instruction}\nbx lr\nend test\n", HANDLERS)
    found = logged.ran.record.exit
    assert (found.reason, logged.words) == (Reason.FAULT, ())
    assert found.detail.startswith(f"{load_board(board).core}: {what}")


M23 = """
extends: mps2-an505
name: m23-board
title: A Cortex-M23
core: cortex-m23
fpu: null
dsp: false
"""


@needs_assembler
def test_an_armv8m_baseline_runs_its_instructions_and_no_others(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(M23)
    source = """
    fn test
    movw r0, #1000
    movs r1, #7
    udiv r2, r0, r1
    stmia r7!, {r2}
    .inst.w 0xfb00f101
    bkpt 0
    end test
    """
    logged = run_program(tmp_path, str(board), source)
    assert logged.words == (142,)
    assert logged.ran.record.exit.detail == "instruction 'mul r1, r0, r1', which m23-board (cortex-m23) lacks (thumb2)"


def test_a_divide_of_the_m23_is_one_of_two() -> None:
    """Microchip SAM L10/L11: 17 or 34 cycles; udiv r0, r1, r2."""
    model = CostModel(load_core("cortex-m23").configured(fpu=None, dsp=False))
    for operands in range(10):
        assert model.site(Block(0x8000, bytes.fromhex("b1fbf2f0")), 0, operands) == Cycles(17, 17, 34)


@needs_assembler
@pytest.mark.parametrize(
    ("pair", "cycles"),
    [
        ("adds r0, r1, r2; adds r3, #1", 1),  # LLVM-M55: ADD of a constant
        ("ldr r0, [r4]; uxtb r1, r2", 1),  # an extension
        ("str r0, [r4]; mov r1, r2", 1),  # MOV
        ("muls r0, r1, r0; nop", 1),
        ("adds r0, r1, r2; ands r3, r4", 2),
        ("add.w r0, r1, r2; adds r3, #1", 2),  # 16 bits each
    ],
)
def test_the_m55_pairs_16_bit_instructions_with_some(pair: str, cycles: int, tmp_path: Path) -> None:
    model = CostModel(load_core("cortex-m55").configured(fpu="fpv5-dp", dsp=True))
    assert model.edge(Block(0x8000, assembled(pair, tmp_path)), Exit.END, None).nominal == cycles


@pytest.mark.parametrize("core", ["cortex-m55", "cortex-m85"])
def test_they_are_compiled_for_as_what_both_have(core: str) -> None:
    target = Target(core, dsp=True, fpu="fpv5-d16")
    assert core_flags("gcc", target) == ("-mthumb", "-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard")
    assert core_flags("zig", target)[-1] == "-mcpu=cortex_m33+dsp+fp_armv8d16sp"


@pytest.mark.parametrize("name", ["m23", "m55", "m85"])
def test_their_budgets_are_wider_than_of_measured_cores(name: str) -> None:
    core = load_yaml_model(CORES / f"cortex-{name}.yaml", Core)
    least = {"m23": 3, "m55": 10, "m85": 20}[name]  # of the M0+, M33 and M7, whose form they take
    assert core.emulated_as == "cortex-m33"
    assert min(core.error_budget.low_pct, core.error_budget.high_pct) > least


SAID = "emulated as cortex-m33; Helium, low-overhead branches, conditional selects, CLRM, "


def test_the_board_page_says_so() -> None:
    assert SAID in CliRunner().invoke(boards, ["show", "ek-ra8m1"]).stdout
    assert "emulated" not in CliRunner().invoke(boards, ["show", "ek-ra6m4"]).stdout


@needs_assembler
def test_a_run_says_so(tmp_path: Path) -> None:
    profile = run_program(tmp_path, "apollo510-evb", "fn test\nbkpt 0\nend test\n").ran.profile()
    assert any(note.startswith(f"cortex-m55: {SAID}") for note in profile.not_modelled)
