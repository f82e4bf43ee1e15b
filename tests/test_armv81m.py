"""What Armv8.1-M added, told by encodings: as GNU as 2.40 assembles them, and nothing that Armv8.0-M has."""

from __future__ import annotations

import pytest
from corelib import assemble, needs_assembler
from hypothesis import given
from hypothesis import strategies as st

from vtarget.data.insn import Kind
from vtarget.logic.armv81m import CLEARS, HALF, HELIUM, LOOPS, SELECTS, SHIFTS, armv81m_extension
from vtarget.logic.decode import decode_block

NEW = [
    ("dls lr, r0", "40f001e0", LOOPS),
    ("le lr, back", "0ff00fc0", LOOPS),
    ("letp lr, back", "1ff00dc0", LOOPS),
    ("wls lr, r0, on", "40f005c0", LOOPS),
    ("vctp.32 r3", "23f001e8", HELIUM),
    ("vldrw.32 q0, [r0]", "90ed001f", HELIUM),
    ("vstrb.8 q0, [r1], #16", "a1ec101e", HELIUM),
    ("vadd.i32 q1, q0, q0", "20ef4028", HELIUM),
    ("vmov.i32 q0, #0", "80ef5000", HELIUM),
    ("vpst", "71fe4d0f", HELIUM),
    ("vmlava.s8 r0, q1, q2", "f2ee240f", HELIUM),
    ("vdup.32 q0, r1", "a0ee101b", HELIUM),
    ("csinc r0, r1, r2, eq", "51ea0290", SELECTS),
    ("cset r0, eq", "5fea1f90", SELECTS),
    ("clrm {r0, r1}", "9fe80300", CLEARS),
    ("lsll r0, r1, #3", "50eacf01", SHIFTS),
    ("sqrshr r0, r1", "50ea2d1f", SHIFTS),
    ("vadd.f16 s0, s1, s2", "30ee8109", HALF),
]
OLD = "; ".join(
    (
        "orrs.w r0, r1, r2, lsl #3; movs.w r0, r1; lsrs.w r0, r1, #4; orr.w r0, r1, r2; ldm.w r0, {r1, r2}; bl .+4",
        "b.w .+4; beq.w .+4; dmb; isb; msr primask, r0; mrs r0, primask; nop.w; udf.w #0; tbb [r0, r1]; vmrs r0, fpscr",
        "vadd.f32 s0, s1, s2; vldr s0, [r0]; vmov s0, r0; vmov r0, r1, s2, s3; vldr d0, [r0]; vpush {d0}",
    )
)


@pytest.mark.parametrize(("text", "code", "what"), NEW, ids=[new[0] for new in NEW])
def test_an_instruction_is_told(text: str, code: str, what: str) -> None:
    assert armv81m_extension(bytes.fromhex(code)) == what, text


@needs_assembler
def test_older_instructions_are_none_of_these(tmp_path) -> None:  # type: ignore[no-untyped-def]
    code, at = assemble(OLD, tmp_path), 0
    for insn in decode_block(code, 0x8000):
        assert insn.size == 2 or armv81m_extension(code[at : at + 4]) is None, insn.text
        at += insn.size
    assert at == len(code)


@given(st.binary(min_size=4, max_size=4))
def test_an_integer_instruction_that_decodes_is_none_unless_a_register_is_sp_or_pc(code: bytes) -> None:
    (insn, *rest) = decode_block(code, 0x8000)
    floating = insn.kind.startswith("fp_")
    if insn.size == 4 and not rest and insn.kind is not Kind.UNDEFINED and not floating:
        told = armv81m_extension(code)
        assert told in (None, SELECTS, SHIFTS, CLEARS, LOOPS)
        assert told is None or (insn.reads | insn.writes) >> 13 & 0b111 or insn.address is not None or code[3] & 0x80
