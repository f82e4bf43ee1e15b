"""Decoding, against literal expectations and against objdump on compiled code."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from objdump import Line, disassemble, registers

from vtarget.data.insn import FLAGS, LR, PC, SP, Addressing, Dynamic, Feature, Flow, Insn, Kind
from vtarget.logic.decode import Block, decode_block, effective_address

EXAMPLES = sorted((Path(__file__).parent.parent / "firmware" / "examples").glob("*.elf"))


def one(code: str, address: int = 0x8000) -> Insn:
    (insn,) = decode_block(bytes.fromhex(code), address)
    return insn


def bits(*numbers: int) -> int:
    return sum(1 << n for n in numbers)


@pytest.mark.parametrize(
    ("code", "text", "kind", "flow", "feature"),
    [
        ("4018", "adds r0, r0, r1", Kind.ALU, Flow.NONE, Feature.THUMB1),
        ("2000", "movs r0, r4", Kind.ALU, Flow.NONE, Feature.THUMB1),
        ("4843", "muls r0, r1, r0", Kind.MUL, Flow.NONE, Feature.THUMB1),
        ("9f46", "mov pc, r3", Kind.BRANCH, Flow.INDIRECT, Feature.THUMB1),
        ("f746", "mov pc, lr", Kind.BRANCH, Flow.RETURN, Feature.THUMB1),
        ("7047", "bx lr", Kind.BRANCH, Flow.RETURN, Feature.THUMB1),
        ("1847", "bx r3", Kind.BRANCH, Flow.INDIRECT, Feature.THUMB1),
        ("9847", "blx r3", Kind.CALL, Flow.CALL_INDIRECT, Feature.THUMB1),
        ("00f006f8", "bl pc+0xc", Kind.CALL, Flow.CALL, Feature.THUMB1),
        ("06e0", "b pc+0xc", Kind.BRANCH, Flow.BRANCH, Feature.THUMB1),
        ("fbd1", "bne pc-0xa", Kind.BRANCH, Flow.CONDITIONAL, Feature.THUMB1),
        ("30b1", "cbz r0, pc+0xc", Kind.BRANCH, Flow.CONDITIONAL, Feature.BASELINE_V8),
        ("7ff4f4af", "bne.w pc-0x18", Kind.BRANCH, Flow.CONDITIONAL, Feature.THUMB2),
        ("30bd", "pop {r4, r5, pc}", Kind.LOAD_MULTIPLE, Flow.RETURN, Feature.THUMB1),
        ("5df804fb", "ldr pc, [sp], #4", Kind.LOAD, Flow.RETURN, Feature.THUMB2),
        ("50f821f0", "ldr.w pc, [r0, r1, lsl #2]", Kind.LOAD, Flow.INDIRECT, Feature.THUMB2),
        ("dfe800f0", "tbb [pc, r0]", Kind.TABLE_BRANCH, Flow.INDIRECT, Feature.THUMB2),
        ("abbe", "bkpt #0xab", Kind.BREAKPOINT, Flow.TRAP, Feature.THUMB1),
        ("01df", "svc #1", Kind.SVC, Flow.TRAP, Feature.THUMB1),
        ("01de", "udf #1", Kind.UNDEFINED, Flow.TRAP, Feature.THUMB1),
        ("41f23423", "movw r3, #0x1234", Kind.ALU, Flow.NONE, Feature.BASELINE_V8),
        ("b1fbf2f0", "udiv r0, r1, r2", Kind.DIVIDE, Flow.NONE, Feature.BASELINE_V8),
        ("21fb0200", "smlad r0, r1, r2, r0", Kind.DSP, Flow.NONE, Feature.DSP),
        ("01f30303", "ssat r3, #4, r1", Kind.DSP, Flow.NONE, Feature.THUMB2),
        ("30ee810a", "vadd.f32 s0, s1, s2", Kind.FP_ALU, Flow.NONE, Feature.FP_SINGLE),
        ("31ee020b", "vadd.f64 d0, d1, d2", Kind.FP_ALU, Flow.NONE, Feature.FP_DOUBLE),
        ("20fe810a", "vselge.f32 s0, s1, s2", Kind.FP_ALU, Flow.NONE, Feature.FP_V5),
        ("90ed010b", "vldr d0, [r0, #4]", Kind.FP_LOAD, Flow.NONE, Feature.FP_SINGLE),
        ("7fe97fe9", "sg", Kind.NOP, Flow.NONE, Feature.ARMV8M),
        ("41e800f0", "tt r0, r1", Kind.SYSTEM, Flow.NONE, Feature.ARMV8M),
        ("7447", "bxns lr", Kind.BRANCH, Flow.RETURN, Feature.ARMV8M),
        ("9c47", "blxns r3", Kind.CALL, Flow.CALL_INDIRECT, Feature.ARMV8M),
        ("30ec000a", "vlldm r0", Kind.SYSTEM, Flow.NONE, Feature.ARMV8M),
        ("d1e8ef0f", "ldaex r0, [r1]", Kind.LOAD_EXCLUSIVE, Flow.NONE, Feature.ARMV8M),
        ("51e8010f", "ldrex r0, [r1, #4]", Kind.LOAD_EXCLUSIVE, Flow.NONE, Feature.BASELINE_V8),
        ("fff7feff", "bl pc-0x4", Kind.CALL, Flow.CALL, Feature.THUMB1),
        ("00ee1000", ".word 0xee000010", Kind.UNDEFINED, Flow.TRAP, Feature.UNKNOWN),
        ("ffb7", ".short 0xb7ff", Kind.UNDEFINED, Flow.TRAP, Feature.UNKNOWN),
        ("00f0", ".short 0xf000", Kind.UNDEFINED, Flow.TRAP, Feature.UNKNOWN),
    ],
)
def test_an_instruction_is_what_it_is(code: str, text: str, kind: Kind, flow: Flow, feature: Feature) -> None:
    insn = one(code)
    assert (insn.text, insn.kind, insn.flow, insn.feature) == (text, kind, flow, feature)
    assert insn.size == len(code) // 2


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("0130", bits(0), bits(0) | FLAGS),  # adds r0, #1
        ("2000", bits(4), bits(0) | FLAGS),  # movs r0, r4
        ("4840", bits(0, 1), bits(0) | FLAGS),  # eors r0, r1
        ("8842", bits(0, 1), FLAGS),  # cmp r0, r1
        ("c84a", bits(PC), bits(2)),  # ldr r2, [pc, #0x320]
        ("51f8040b", bits(1), bits(0, 1)),  # ldr r0, [r1], #4
        ("41f82200", bits(0, 1, 2), 0),  # str.w r0, [r1, r2, lsl #2]
        ("f0b5", bits(4, 5, 6, 7, LR, SP), bits(SP)),  # push {r4-r7, lr}
        ("0ec8", bits(0), bits(0, 1, 2, 3)),  # ldm r0!, {r1, r2, r3}
        ("c1fbc302", bits(1, 3, 0, 2), bits(0, 2)),  # smlald r0, r2, r1, r3 (CS)
        ("01fb0230", bits(1, 2, 3), bits(0)),  # mla r0, r1, r2, r3
        ("c5f27863", bits(3), bits(3)),  # movt r3, #0x5678
        ("a0ee810a", bits(16, 17, 18), bits(16)),  # vfma.f32 s0, s1, s2
        ("51ec100b", bits(16, 17), bits(0, 1)),  # vmov r0, r1, d0
        ("f1ee10fa", 0, FLAGS),  # vmrs apsr_nzcv, fpscr
        ("06d0", FLAGS, 0),  # beq
        ("00f006f8", 0, bits(LR)),  # bl
        ("42e80010", bits(1, 2), bits(0)),  # strex r0, r1, [r2]
    ],
)
def test_registers_read_and_written(code: str, reads: int, writes: int) -> None:
    insn = one(code)
    assert (insn.reads, insn.writes) == (reads, writes), insn.text


@pytest.mark.parametrize(
    ("code", "low", "delta"),
    [
        ("10b5", -8, -8),  # push {r4, lr}
        ("10bd", 0, 8),  # pop {r4, pc}
        ("84b0", -16, -16),  # sub sp, #16
        ("04b0", 0, 16),  # add sp, #16
        ("adeb030d", 0, None),  # sub.w sp, sp, r3
        ("bd46", 0, None),  # mov sp, r7
        ("4df8048d", -4, -4),  # str r8, [sp, #-4]!
        ("5df8048b", 0, 4),  # ldr r8, [sp], #4
        ("2ded048b", -16, -16),  # vpush {d8, d9}
        ("80f30888", 0, None),  # msr msp, r0
        ("80f30a88", 0, 0),  # msr msplim, r0
        ("6de90201", -8, -8),  # strd r0, r1, [sp, #-8]!
        ("0490", 0, 0),  # str r0, [sp, #16]
    ],
)
def test_the_stack_pointers_way(code: str, low: int, delta: int | None) -> None:
    insn = one(code)
    assert (insn.sp_low, insn.sp_delta) == (low, delta), insn.text


@pytest.mark.parametrize(
    ("code", "address", "accessed"),
    [
        ("0148", 0x8002, 0x8008),  # ldr r0, [pc, #4]: the pc is word aligned
        ("5188", 0x8000, 0x102),  # ldrh r1, [r2, #2]
        ("50f821f0", 0x8000, 0x1234 + 4 * 0x20),  # ldr.w pc, [r0, r1, lsl #2]
        ("52f8040b", 0x8000, 0x100),  # ldr r0, [r2], #4
        ("52f8040d", 0x8000, 0xFC),  # ldr r0, [r2, #-4]!
        ("10b5", 0x8000, 0x20000FF8),  # push {r4, lr}
        ("dfe801f0", 0x8000, 0x8024),  # tbb [pc, r1]
        ("dfe811f0", 0x8000, 0x8044),  # tbh [pc, r1, lsl #1]
        ("4018", 0x8000, None),
    ],
)
def test_effective_addresses(code: str, address: int, accessed: int | None) -> None:
    values = [0x1234, 0x20, 0x100, *([0] * 10), 0x20001000, 0, 0]
    assert effective_address(one(code, address), address, values) == accessed


def test_an_it_block_predicates_what_follows() -> None:
    """ittee ne; ldrne r0, [r1]; addne r0, r0, r1; udiveq r0, r1, r2; popeq {r0} | adds r0, r0, r1."""
    insns = decode_block(bytes.fromhex("19bf08684018b1fbf2f001bc4018"), 0x8000)
    assert [i.condition for i in insns] == [14, 1, 1, 0, 0, 14]
    assert [i.predicated for i in insns] == [False, True, True, True, True, False]
    assert [i.mnemonic for i in insns] == ["ittee", "ldr", "add", "udiv", "pop", "adds"]
    assert [i.dynamic for i in insns] == [None, Dynamic.PREDICATED, None, Dynamic.DIVIDE, Dynamic.PREDICATED, None]
    assert insns[3].operand_registers == (1, 2)
    assert insns[2].writes == 1 and insns[5].writes == 1 | FLAGS
    assert insns[4].sp_delta is None


def test_a_branch_that_ends_an_it_block_is_conditional() -> None:
    """it eq; beq.n .+100 by the unconditional encoding."""
    branch = decode_block(bytes.fromhex("08bf30e0"), 0x8000)[1]
    assert (branch.flow, branch.branch_offset, branch.dynamic) == (Flow.CONDITIONAL, 100, None)


def test_long_multiplies_name_their_factors() -> None:
    insn = one("a2fb0301")  # umull r0, r1, r2, r3
    assert (insn.dynamic, insn.operand_registers) == (Dynamic.LONG_MULTIPLY, (2, 3))


def test_addressing_keeps_scale_and_index() -> None:
    assert one("41f82200").address == Addressing(base=1, index=2, shift=2)
    assert one("0ec8").address == Addressing(base=0)


def test_a_block_knows_its_addresses() -> None:
    block = Block(0x8000, bytes.fromhex("401841f234234018"))
    assert block.addresses == (0x8000, 0x8002, 0x8006)
    assert block.size == 8


def test_an_odd_number_of_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="no whole number of halfwords"):
        decode_block(b"\x00", 0)


def test_decoding_again_gives_the_same_object_and_is_quick() -> None:
    code = bytes.fromhex("4018206841f23423") * 500
    first = decode_block(code, 0x8000)
    start = time.perf_counter()
    again = decode_block(code, 0x8000)
    assert time.perf_counter() - start < 1500 * 20e-6
    assert all(a is b for a, b in zip(first, again, strict=True))


@given(st.binary(max_size=64))
def test_any_bytes_decode_to_their_length(code: bytes) -> None:
    even = code[: len(code) & ~1]
    insns = decode_block(even, 0x8002)
    assert sum(i.size for i in insns) == len(even)
    assert all(i.sp_low <= 0 and i.access_bytes in (0, 1, 2, 4) for i in insns)


@pytest.mark.skipif(shutil.which("arm-none-eabi-objdump") is None, reason="arm-none-eabi-objdump not found")
@pytest.mark.skipif(not EXAMPLES, reason="no example firmware found")
def test_compiled_code_decodes_as_objdump_says() -> None:
    compared = 0
    for path in EXAMPLES:
        for run in _runs(disassemble(path)):
            insns = decode_block(b"".join(line.code for line in run), run[0].address)
            assert [i.size for i in insns] == [len(line.code) for line in run], path
            for insn, line in zip(insns, run, strict=True):
                _compare(insn, line, path)
            compared += len(insns)
    assert compared > 1000


def _runs(sections: list[list[Line]]) -> list[list[Line]]:
    """Stretches of instructions without data between them."""
    runs: list[list[Line]] = []
    for section in sections:
        for line in section:
            last = runs[-1][-1] if runs else None
            if last is not None and last.address + len(last.code) == line.address:
                runs[-1].append(line)
            else:
                runs.append([line])
    return runs


_ALIASES = {"ldmia": "ldm", "stmia": "stm"}
_OTHER_NAMES = {("ldm", "pop"), ("stmdb", "push"), ("nop", "mov")}


def _compare(insn: Insn, line: Line, path: Path) -> None:
    place = f"{path.name} {line.address:#x} {line.mnemonic} {line.operands}"
    target = None if insn.branch_offset is None else line.address + insn.branch_offset
    assert target == line.target, place
    if "{" in line.operands:
        listed = registers(line.operands)
        moved = insn.reads if insn.kind in (Kind.STORE_MULTIPLE, Kind.FP_STORE_MULTIPLE) else insn.writes
        assert moved | insn.address_reads == listed | insn.address_reads, place
        assert insn.register_count == listed.bit_count(), place
    theirs, ours = (m.removesuffix(".w").removesuffix(".n") for m in (line.mnemonic, insn.text.split()[0]))
    theirs = _ALIASES.get(theirs, theirs)
    shift_or_negate = theirs.startswith(("mov", "neg")) and ours.startswith(("lsl", "lsr", "asr", "ror", "rrx", "rsb"))
    assert (
        ours in (theirs, theirs.replace("cs", "hs"), theirs.replace("cc", "lo"))
        or (theirs, ours) in _OTHER_NAMES
        or shift_or_negate
    ), place
