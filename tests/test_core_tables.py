"""The shipped core tables: complete, sourced, and equal to the figures they quote."""

from __future__ import annotations

import random
from dataclasses import fields
from pathlib import Path

import pytest
from branch_kernels import BRANCH_KERNELS
from corelib import CORES, NAMES, core
from kernels import KERNELS

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import load_yaml_model
from vtarget.data.core import Core, CostClass, Refill, Rule
from vtarget.data.cycles import Cycles
from vtarget.data.insn import Dynamic, Feature, Flow, Insn
from vtarget.logic.cost import missing_feature, operand_class
from vtarget.logic.cost.classes import cost_class, refill_class
from vtarget.logic.cost.latency import needs, plain_use, whole_needs
from vtarget.logic.decode import decode_block
from vtarget.logic.forms import alike, extracted, form, is_extend_add

M4 = (CORES / "cortex-m4.yaml").read_text()


def shipped(name: str) -> Core:
    return load_yaml_model(CORES / f"cortex-{name}.yaml", Core)


def decoded() -> list[Insn]:
    """Many different instructions: the kernels', and what random bytes decode to."""
    code = b"".join(bytes.fromhex(k.code) for k in KERNELS + BRANCH_KERNELS)
    return [*decode_block(code, 0x8000), *decode_block(random.Random(1).randbytes(20000), 0x8000)]


@pytest.mark.parametrize("name", NAMES)
def test_a_core_prices_every_instruction_that_it_has(name: str) -> None:
    unpriced = {
        insn.text
        for insn in decoded()
        if missing_feature(core(name), insn) is None and cost_class(insn) not in core(name).cycles
    }
    assert unpriced == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_core_has_a_refill_for_every_branch_that_it_has(name: str) -> None:
    insns = [i for i in decoded() if missing_feature(core(name), i) is None and i.flow not in (Flow.NONE, Flow.TRAP)]
    kinds = {refill_class(insn) for insn in insns}
    assert len(kinds) >= 4
    refined = {Refill.COMPARE, Refill.LINK}  # absent, they count as DIRECT and REGISTER
    assert kinds - refined <= set(core(name).refill)
    assert bool(refined & set(core(name).refill)) == (core(name).fetch is not None)


@pytest.mark.parametrize("name", NAMES)
def test_every_source_tag_is_used(name: str) -> None:
    text = (CORES / f"cortex-{name}.yaml").read_text()
    figures, _, tags = text.partition("\nsources:\n")
    assert [tag for tag in shipped(name).sources if tag not in figures] == []
    assert "unknown:" in tags


def test_m4_figures_are_the_manuals() -> None:
    """TRM-M4 Table 3-1 and Table 7-1."""
    cycles = {key: figure.nominal for key, figure in shipped("m4").cycles.items()}
    one = (CostClass.ALU, CostClass.MUL, CostClass.MLA, CostClass.LONG_MUL, CostClass.LONG_MLA, CostClass.DSP)
    assert {cycles[key] for key in one} == {1}
    assert (cycles[CostClass.LOAD], cycles[CostClass.LOAD_PAIR], cycles[CostClass.LOAD_MULTIPLE]) == (2, 3, 1)
    assert (cycles[CostClass.FP_MAC], cycles[CostClass.FP_DIVIDE], cycles[CostClass.FP_SQRT]) == (3, 14, 14)
    assert (cycles[CostClass.FP_LOAD], cycles[CostClass.FP_LOAD_DOUBLE]) == (2, 3)


def test_m3_differs_from_m4_where_its_manual_does() -> None:
    """TRM-M3 section 3.3; JNK for indexed loads."""
    m3, m4 = shipped("m3"), shipped("m4")
    assert m3.cycles[CostClass.MLA].nominal == 2
    assert m3.cycles[CostClass.LONG_MUL].cycles == Cycles(3, 4, 5)
    assert m3.cycles[CostClass.LONG_MLA].cycles == Cycles(4, 5, 7)
    assert m3.rules[Rule.INDEXED_LOAD_AFTER_LOAD_SAVING].nominal == 0
    assert m4.rules[Rule.INDEXED_LOAD_AFTER_LOAD_SAVING].nominal == 1
    assert CostClass.FP_ALU not in m3.cycles


def test_error_budgets() -> None:
    """2.5 % for M3 and M4, of pqm3 and pqm4 (docs/accuracy.md); 5 % for M33 and 7 % for M7, of CoreMark there;
    assumed 3 % for M0 and M0+."""
    assert [core(name).error_budget.high_pct for name in NAMES] == [3, 3, 2.5, 2.5, 5, 7]


@pytest.mark.parametrize(
    ("code", "lacking"),
    [
        ("4018", ""),
        ("30b1", "m0 m0plus"),  # cbz
        ("08bf", "m0 m0plus"),  # it
        ("b1fbf2f0", "m0 m0plus"),  # udiv
        ("21fb0200", "m0 m0plus m3"),  # smlad
        ("30ee810a", "m0 m0plus m3"),  # vadd.f32
        ("20fe810a", "m0 m0plus m3 m4"),  # vselge.f32
        ("31ee020b", "m0 m0plus m3 m4 m33"),  # vadd.f64
        ("41e800f0", "m0 m0plus m3 m4 m7"),  # tt
        ("ffb7", "m0 m0plus m3 m4 m33 m7"),
    ],
)
def test_which_cores_lack_an_instruction(code: str, lacking: str) -> None:
    (insn,) = decode_block(bytes.fromhex(code), 0)
    assert " ".join(n for n in NAMES if missing_feature(core(n), insn) is not None) == lacking


def test_a_chip_has_only_the_options_that_it_states() -> None:
    m33 = shipped("m33")
    assert Feature.DSP not in m33.configured(fpu=None, dsp=False).features
    assert set(m33.configured(fpu="fpv5-sp", dsp=True).features) - set(m33.features) == {
        Feature.DSP,
        Feature.FP_SINGLE,
        Feature.FP_V5,
    }
    assert Feature.DSP in shipped("m4").configured(fpu=None, dsp=False).features  # never optional there
    assert Feature.FP_SINGLE not in shipped("m3").configured(fpu="fpv4-sp", dsp=True).features


@pytest.mark.parametrize(
    ("rn", "rm", "signed", "expected"),
    [
        (0, 5, False, 0),
        (5, 0, False, 0),
        (3, 8, False, 1),
        (8, 8, False, 2),
        (0x80, 8, False, 3),
        (0xFFFFFFFF, 1, False, 9),
        (0xFFFFFFFF, 1, True, 2),
        (0x80000000, 0xFFFFFFFF, True, 9),
        (1000, 10, False, 3),
    ],
)
def test_operand_classes_of_divides(rn: int, rm: int, signed: bool, expected: int) -> None:
    assert operand_class(Dynamic.DIVIDE, rn, rm, signed) == expected


@pytest.mark.parametrize(
    ("rn", "rm", "signed", "expected"),
    [
        (0, 7, False, 0),
        (1, 0xFFFFFFFF, False, 1),
        (0x100, 0xFFFF, False, 2),
        (0xFFFFFFFF, 0xFFFFFFFF, False, 4),
        (0xFFFFFFFF, 0xFFFFFFFF, True, 1),
        (0x12345, 0x12345, True, 3),
    ],
)
def test_operand_classes_of_long_multiplies(rn: int, rm: int, signed: bool, expected: int) -> None:
    assert operand_class(Dynamic.LONG_MULTIPLY, rn, rm, signed) == expected


def test_predicated_instructions_have_one_class() -> None:
    assert operand_class(Dynamic.PREDICATED, 5, 6, False) == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  alu: {nominal: 1, source", "  aluu: {nominal: 1, source", "cycles: unknown key 'aluu'"),
        ("alu: {nominal: 1, source", "alu: {nominal: 1, low: 2, source", "low <= nominal <= high must hold"),
        (
            'alu: {nominal: 1, source: "TRM-M4',
            'alu: {nominal: 1, source: "TRM-M5',
            "'TRM-M5' is not a tag of 'sources'",
        ),
        ('alu: {nominal: 1, source: "TRM-M4 Table 3-1"}', "alu: {nominal: 1}", "'source' is missing"),
        ("alu: {nominal: 1, source", "alu: {nominal: -1, source", "-1 is out of range"),
        ("pipeline: scalar", "pipeline: scaler", "'scaler' is not one of scalar, m33, m55, m7"),
        ("  step_bits: 4", "  step_bits: 5", "step_bits"),
        ("optional: [fp_single]", "optional: [fp_sngle]", "fp_sngle"),
        ("title: Arm Cortex-M4", "titel: Arm Cortex-M4", "'title' is missing"),
        ("  skipped: {", "  fp_sqrt_double: {", "fp_sqrt_double"),
    ],
)
def test_a_broken_table_is_refused_by_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in M4
    path = tmp_path / "core.yaml"
    path.write_text(M4.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_yaml_model(path, Core)
    assert message in caught.value.one_line()
    assert "core.yaml:" in caught.value.one_line()


def test_refills_of_m4_are_the_working_rule() -> None:
    """P of TRM-M4 is 1 to 3: 1 for targets known in decode, 2 in execute (DDI0337G Table 15-3), 3 from memory."""
    refill = {key: figure.nominal for key, figure in shipped("m4").refill.items()}
    assert refill[Refill.DIRECT] == refill[Refill.CALL] == refill[Refill.MISALIGNED_TARGET] == 1
    assert refill[Refill.LINK] == 1
    assert refill[Refill.REGISTER] == refill[Refill.COMPARE] == 2
    assert refill[Refill.LOAD_PC] == refill[Refill.POP_PC] == 3


def facts(insn: Insn) -> tuple[object, ...]:
    """All that a model reads of an instruction but its text, whose addresses and constants may differ."""
    at = insn.address
    left_out = ("text", "address", "branch_offset", "condition", "sp_low", "sp_delta", "result", "operand_registers")
    rest = (getattr(insn, field.name) for field in fields(insn) if field.name not in (*left_out, "feature"))
    return (*rest, None if at is None else (at.base, at.index >= 0, at.offset % 8))


def test_the_quick_way_to_what_an_instruction_needs_leads_to_the_same() -> None:
    whole = [insn for insn in decoded() if not extracted(insn) and not is_extend_add(insn)]
    assert len(whole) > 1000
    for insn in whole:
        assert sorted(whole_needs(insn, plain_use(insn))) == sorted(needs(insn))


def test_instructions_of_one_number_differ_in_nothing_that_is_priced() -> None:
    insns = decoded()
    first: dict[int, Insn] = {}
    for insn in insns:
        like = first.setdefault(alike(insn), insn)
        assert facts(insn) == facts(like)
        assert form(insn) == form(like)
        assert (extracted(insn), needs(insn)) == (extracted(like), needs(like))
    assert len(first) < len({id(insn) for insn in insns})
