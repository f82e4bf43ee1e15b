"""Cortex-M7: every rule of JNK's study of the STM32H743 (github.com/jnk0le/random at 3dfc2abd, cortex_m7.md) that a
pattern can show, with QUIN's figures (quinapalus.com/cm7cycles.html, STM32H730) where both have one.

Patterns are of 32-bit instructions, as the study asks for; ``nop.w`` fills a place. A pair takes one cycle.
"""

from __future__ import annotations

import pytest
from corelib import model, needs_assembler
from patternlib import Pattern, check

from vtarget.logic.cost import Block, CostModel, Exit
from vtarget.shell.boardlib import load_core

OVERALL, BITS, SECOND, MUL, LOADS, STORES, MULTIPLE, BRANCH, IT, FPU, DOUBLE = (
    f"JNK cortex_m7.md, {section}"
    for section in (
        *("overall", "bitfield and DSP", "operand2", "multiplication", "loads", "stores", "load/store multiple"),
        *("branching", "predication", "fpu single", "fpu double"),
    )
)  # fmt: skip
N = "nop.w"
PATTERNS = (
    # Two places, two stages of ALUs.
    Pattern("nop.w", "1/2", "JNK CM7_pipetest_tmpl.S: two a cycle"),
    Pattern("add.w r0, r1, r2; add.w r3, r4, r5", 1, f"{SECOND}: two ALU instructions pair"),
    Pattern("eor.w r0, r1, #5; eor.w r2, r3, #0x1b1b1b1b", 1, f"{SECOND}: plain and repeated constants pair"),
    Pattern("add.w r0, r0, #1", 1, f"{OVERALL}: a chain takes a cycle each"),
    Pattern("add.w r0, r1, r2; eor.w r3, r0, r4", 1, f"{OVERALL}: early into late ALU in the same cycle"),
    Pattern("movw r0, #1; movt r0, #2", 1, f"{OVERALL}: MOVW and MOVT pair"),
    Pattern("eor.w r0, r0, r2; add.w r0, r0, r4", 2, f"{OVERALL}: EOR isn't early"),
    Pattern(f"eor.w r0, r1, r2; {N}; eor.w r3, r0, r4; {N}", 2, f"{OVERALL}: late into late ALU in the next cycle"),
    Pattern(
        f"add.w r0, r0, r2; eor.w r6, r0, r6, ror #22; ldr.w r4, [r14, r0]; {N}", 2,
        f"{OVERALL}: example, early ALU into an address in the next cycle",
    ),
    Pattern(f"eor.w r0, r1, r2; {N}; ldr.w r4, [r14, r0]; {N}", 3, f"{OVERALL}: late ALU into an address, one later"),
    # Shifted operands.
    Pattern("add.w r0, r1, r2, lsl #3; add.w r3, r4, r5, lsl #3", 2, f"{SECOND}: shifted registers don't pair"),
    Pattern("eor.w r0, r1, #0x1fc0; eor.w r2, r3, #0x1fc0", 2, f"{SECOND}: nor shifted constants"),
    Pattern("eor.w r0, r1, #0x1fc0; add.w r2, r3, r4, lsl #2", 2, f"{SECOND}: nor one and the other"),
    Pattern("eor.w r0, r1, #0x1b1b1b1b; add.w r3, r4, r5, lsl #3", 1, f"{SECOND}: a constant pattern and a shift pair"),
    Pattern("add.w r0, r1, r2, lsl #3; lsl.w r3, r4, #5", 1, f"{SECOND}: shifted register, then a shift"),
    Pattern("eor.w r0, r1, #0x1fc0; ror.w r3, r4, r5", 1, f"{SECOND}: shifted constant, then a shift by register"),
    Pattern("lsl.w r0, r1, #3; lsl.w r3, r4, #5", 1, f"{SECOND}: two shifts by constants"),
    Pattern("lsl.w r0, r1, r2; ror.w r3, r4, r5", 1, f"{SECOND}: two shifts by registers"),
    Pattern(f"eor.w r0, r1, r2; {N}; add.w r3, r4, r0, lsl #3; {N}", 3, f"{SECOND}: shifted register needed early"),
    Pattern(f"eor.w r0, r1, r2; {N}; add.w r3, r0, r4, lsl #3; {N}", 2, f"{SECOND}: not so the other one"),
    Pattern(f"add.w r0, r1, r2; {N}; add.w r3, r4, r0, lsl #3; {N}", 2, f"{OVERALL}: there in time from the early ALU"),
    Pattern(f"eor.w r0, r1, r2; {N}; {N}; {N}; add.w r3, r4, r0, lsl #3; {N}", 3, f"{SECOND}: or a cycle later"),
    # Bit fields and DSP.
    Pattern("uxtb.w r0, r1; uxtb.w r2, r3", 2, f"{BITS}: never two"),
    Pattern("clz r0, r1; qadd r2, r3, r4", 2, f"{BITS}: never two"),
    Pattern("rev.w r0, r1; rev.w r2, r3", 2, f"{BITS}: never two"),
    Pattern("ubfx r0, r1, #3, #4; add.w r2, r3, r4", 1, f"{BITS}: the older one pairs"),
    Pattern("add.w r2, r3, r4; uadd8 r0, r1, r5", 1, f"{BITS}: slides into the older place"),
    Pattern("ubfx r0, r1, #3, #4; add.w r2, r3, r4, lsl #2", 2, f"{BITS}: not beside a shifted operand"),
    Pattern("pkhbt r0, r1, r4; eor.w r2, r3, #0x1fc0", 2, f"{BITS}: not beside a shifted constant"),
    Pattern("uxtb.w r0, r1; add.w r2, r3, r4, lsl #2", 1, f"{BITS}: UXTB isn't one of these"),
    Pattern("rev.w r0, r1; eor.w r2, r3, r0", 1, f"{OVERALL}: REV into the late ALU in the same cycle"),
    Pattern(f"rev.w r0, r1; {N}; ldr.w r2, [r3, r0]; {N}", 3, f"{BITS}: REV into an address, one later"),
    Pattern(f"uxtb.w r0, r1; {N}; ldr.w r2, [r3, r0]; {N}", 3, f"{BITS}: UXTB too"),
    Pattern(f"uxtb.w r0, r1; {N}; eor.w r2, r3, r0; {N}", 2, f"{BITS}: not into an ALU"),
    Pattern(f"rev.w r0, r1; {N}; add.w r3, r4, r0, lsl #3; {N}", 3, f"{OVERALL}: REV into a shifter, one later"),
    Pattern(f"eor.w r0, r1, r2; {N}; ubfx r3, r0, #2, #3; {N}", 3, f"{BITS}: UBFX reads early"),
    Pattern(f"eor.w r0, r1, r2; {N}; rbit r3, r0; {N}", 3, f"{BITS}: RBIT reads early"),
    Pattern(f"eor.w r0, r1, r2; {N}; bfi r3, r0, #2, #3; {N}", 3, f"{BITS}: BFI reads early what it inserts"),
    Pattern(f"eor.w r3, r1, r2; {N}; bfi r3, r0, #2, #3; {N}", 2, f"{BITS}: not what it inserts into"),
    Pattern(f"eor.w r0, r1, r2; {N}; uxtab r3, r4, r0; {N}", 3, f"{BITS}: UXTAB reads early what it extends"),
    Pattern(f"eor.w r0, r1, r2; {N}; uxtab r3, r0, r4; {N}", 2, f"{BITS}: not what it adds to"),
    Pattern(f"eor.w r0, r1, r2; {N}; pkhbt r3, r4, r0; {N}", 3, f"{BITS}: PKHBT reads early its second register"),
    Pattern(f"eor.w r0, r1, r2; {N}; pkhtb r3, r0, r4, asr #1; {N}", 3, f"{BITS}: PKHTB its first as well"),
    # Multiplies.
    Pattern("mul r0, r1, r2; mul r3, r4, r5", 2, f"{MUL}: never two"),
    Pattern("mul r0, r1, r2; str.w r3, [r9]", 2, f"{MUL}: not beside a store"),
    Pattern("mul r0, r1, r2; ldr.w r3, [r9]", 1, f"{MUL}: beside a load"),
    Pattern("smlabb r0, r1, r2, r3; add.w r4, r5, r6, lsl #2", 1, f"{MUL}: SMLABB beside a shifted operand"),
    Pattern("uadd8 r0, r1, r2; smlabb r3, r4, r5, r6", 1, f"{MUL}: SMLABB in the younger place, beside DSP"),
    Pattern("mla r0, r1, r2, r0", 1, f"{MUL}: chains on its accumulator"),
    Pattern("smlal r0, r1, r2, r3", 1, f"{MUL}: SMLAL, too"),
    Pattern(f"mul r0, r1, r2; {N}; eor.w r3, r0, r4; {N}", 3, f"{MUL}: one cycle more than an ALU"),
    Pattern(f"ldr.w r0, [r9]; {N}; mul r1, r0, r2; {N}", 3, f"{MUL}: no factor from a load of the cycle before"),
    Pattern(f"ldr.w r0, [r9]; {N}; mla r1, r2, r3, r0; {N}", 2, f"{MUL}: but an accumulator"),
    Pattern(f"ldrb.w r0, [r9]; {N}; mla r1, r2, r3, r0; {N}", 2, f"{MUL}: even of LDRB"),
    Pattern("eor.w r0, r1, r2; mla r3, r4, r5, r0", 1, f"{MUL}: or of a late ALU in the same cycle"),
    Pattern(f"eor.w r0, r1, r2; {N}; mul r3, r0, r4; {N}", 2, f"{MUL}: factors like operands of a late ALU"),
    # Memory.
    Pattern(f"ldr.w r0, [r9]; {N}; eor.w r1, r0, r2; {N}", 2, f"{LOADS}: word into the late ALU in the next cycle"),
    Pattern(f"ldr.w r0, [r9]; {N}; add.w r1, r2, r0, lsl #2; {N}", 3, f"{LOADS}: into a shifter one later"),
    Pattern(f"ldr.w r9, [r9]; {N}", 2, f"{LOADS}: into an address one later"),
    Pattern(f"ldrb.w r0, [r9]; {N}; eor.w r1, r0, r2; {N}", 3, f"{LOADS}: byte one later"),
    Pattern(f"ldrsh.w r0, [r9]; {N}; eor.w r1, r0, r2; {N}", 3, f"{LOADS}: halfword one later"),
    Pattern(f"ldrb.w r0, [r9]; {N}; add.w r1, r2, r0, lsl #2; {N}", 4, f"{LOADS}: byte into a shifter"),
    Pattern("ldr.w r0, [r9]; ldr.w r1, [r9, #4]", 1, f"{LOADS}: two banks pair"),
    Pattern("ldr.w r0, [r9]; ldr.w r1, [r9, #8]", 2, f"{LOADS}: one bank doesn't"),
    Pattern("ldr.w r0, [r9], #4; add.w r1, r2, r3", 1, f"{LOADS}: post-indexed every cycle"),
    Pattern("str.w r0, [r9]; str.w r1, [r9, #4]", 2, f"{STORES}: never two"),
    Pattern("ldr.w r0, [r9]; str.w r1, [r8]", 1, f"{STORES}: beside a load"),
    Pattern("ldr.w r0, [r9]; str.w r0, [r8]", 1, f"{STORES}: of what it loads"),
    Pattern("ldrb.w r0, [r9]; strb.w r0, [r8, r7]", 2, f"{STORES}: bytes too, but the store buffer keeps up every 2"),
    Pattern("eor.w r0, r1, r2; str.w r0, [r9]", 1, f"{STORES}: of a result of its cycle"),
    Pattern("strb.w r0, [r9]", 4, f"{STORES}: bytes into one bank"),
    Pattern("strh.w r0, [r9]; strh.w r0, [r9, #4]", 4, f"{STORES}: halfwords into both banks"),
    Pattern("strb.w r0, [r9], #1", 2, f"{STORES}: 2.4 when the address advances by 1", within=1),
    Pattern("ldm.w r9, {r0, r1, r2, r3}", 2, f"{MULTIPLE}: N/2"),
    Pattern("ldm.w r9, {r0, r1, r2}", 2, f"{MULTIPLE}: rounded up"),
    Pattern("stm.w r9, {r0, r1, r2, r3}", 2, f"{MULTIPLE}: N/2"),
    Pattern(f"ldrd r0, r1, [r9]; {N}", 2, f"{MULTIPLE}: LDRD 1, alone"),
    Pattern(f"strd r0, r1, [r9]; {N}", 2, f"{MULTIPLE}: STRD 1, alone"),
    # Branches.
    Pattern(f"bne.w 1f; 1: {N}; {N}; {N}", 2, f"{BRANCH}: not taken, pairs with what follows"),
    Pattern(f"{N}; bne.w 1f; 1: {N}; {N}", 2, f"{BRANCH}: or with what is before"),
    Pattern(
        "loop: 1: " + f"{N}; " * 18 + "subs.w r9, #1; beq.w 1b", 10, f"{OVERALL}: 20 instructions in exactly 10 cycles"
    ),
    Pattern("it eq; addeq.w r0, r1, r2", 1, f"{IT}: IT takes a place"),
    Pattern(f"it eq; addeq.w r0, r1, r2; {N}; {N}", 2, f"{IT}: no three at once"),
    Pattern("it ne; ldmne.w r9, {r0, r1, r2, r3}", 3, f"{IT}: a false LDM takes all its cycles"),
    Pattern("it ne; mulne r0, r1, r2; str.w r3, [r9]; nop.w", 2, f"{IT}: a false one is in the way as a true one"),
    # FPU.
    Pattern("vadd.f32 s0, s1, s2; vmul.f32 s3, s4, s5", 2, f"{FPU}: never two; QUIN one a cycle"),
    Pattern("vadd.f32 s0, s1, s2; add.w r0, r1, r2", 1, f"{FPU}: beside an integer instruction"),
    Pattern("vadd.f32 s0, s0, s2", 3, f"{FPU}: latency 3; QUIN"),
    Pattern("vmul.f32 s0, s0, s2", 3, f"{FPU}: latency 3; QUIN"),
    Pattern("vfma.f32 s0, s1, s2", 3, f"{FPU}: accumulator 3; QUIN"),
    Pattern("vmla.f32 s0, s1, s2", 3, f"{FPU}: accumulator 3; QUIN"),
    Pattern("vfma.f32 s0, s0, s2", 5, f"{FPU}: factor 5; QUIN"),
    Pattern("vmla.f32 s0, s0, s2", 6, f"{FPU}: factor 6; QUIN"),
    Pattern("vfma.f32 s0, s1, s2; vfma.f32 s3, s1, s2; vfma.f32 s4, s1, s2", 3, f"{FPU}: three accumulators, 1 each"),
    Pattern("vfma.f32 s0, s1, s2; vmul.f32 s0, s0, s3", 8, f"{FPU}: VFMA into VMUL 5, back into the addend 3 or 2"),
    Pattern("vfma.f32 s0, s1, s2; vadd.f32 s3, s4, s5", 5, f"{FPU}: no VADD for 3 cycles behind VFMA"),
    Pattern("vfma.f32 s0, s1, s2; vmov.f32 s3, #1.0", 5, f"{FPU}: no VMOV of a constant"),
    Pattern("vfma.f32 s0, s1, s2; vldr d2, [r9]", 5, f"{FPU}: no VLDR of a double"),
    Pattern("vfma.f32 s0, s1, s2; vldr s3, [r9]; vfma.f32 s4, s1, s2", 3, f"{FPU}: VFMA and VLDR never pair"),
    Pattern(f"vmul.f32 s0, s1, s2; {N}; vstr s0, [r9]; {N}", 2, f"{FPU}: into VSTR 1"),
    Pattern(f"vldr s0, [r9]; {N}; vadd.f32 s1, s0, s2; {N}", 2, f"{FPU}: VLDR 1; QUIN"),
    Pattern(f"vldr s0, [r9]; {N}; vfma.f32 s0, s1, s2; {N}", 4, f"{FPU}: VLDR into the accumulator 3"),
    Pattern("vldr s0, [r9]; vadd.f32 s1, s2, s3", 1, f"{FPU}: VLDR pairs"),
    Pattern(f"vldr d0, [r9]; {N}", 2, f"{FPU}: VLDR of a double doesn't"),
    Pattern(f"vmov r0, s0; {N}; eor.w r1, r0, r2; {N}", 2, f"{FPU}: VMOV to the core 1"),
    Pattern(f"vadd.f32 s0, s1, s2; {N}; vmov r0, s0; {N}", 4, f"{FPU}: into VMOV 3"),
    Pattern(f"vldr s0, [r9]; {N}; vmov r0, s0; {N}", 3, f"{FPU}: VLDR into VMOV 2"),
    Pattern(f"vmov s0, r0; {N}; vadd.f32 s1, s0, s2; {N}", 4, f"{FPU}: VMOV from the core 3"),
    Pattern(f"eor.w r0, r1, r2; {N}; vmov s0, r0; {N}", 2, f"{FPU}: any ALU into VMOV 1"),
    Pattern(f"mul r0, r1, r2; {N}; vmov s0, r0; {N}", 2, f"{FPU}: any ALU into VMOV 1, also the multiplier"),
    Pattern(f"vmov s0, s1; {N}; vadd.f32 s2, s0, s3; {N}", 4, f"{FPU}: VMOV between its registers 3"),
    Pattern(f"vmov r0, r1, s0, s1; {N}", 2, f"{FPU}: VMOV of two is alone"),
    Pattern("vdiv.f32 s0, s1, s2", 16, f"{FPU}: VDIV 16; QUIN"),
    Pattern("vsqrt.f32 s0, s1", 14, f"{FPU}: VSQRT 14; QUIN"),
    Pattern("vdiv.f32 s0, s1, s2; add.w r0, r1, r2", 16, f"{FPU}: one integer instruction beside VDIV"),
    Pattern("vdiv.f32 s0, s1, s2; add.w r0, r1, r2; add.w r3, r4, r5; nop.w", 17, f"{FPU}: and no more"),
    Pattern("vdiv.f32 s0, s0, s2", 16, f"{FPU}: also when one waits for the other"),
    Pattern("vldm r9, {s0-s7}", 4, f"{FPU}: like LDM"),
    Pattern("vstm r9, {s0-s7}", 4, f"{FPU}: like STM"),
    Pattern("vadd.f64 d0, d1, d2", 2, f"{DOUBLE}: table, different exponents"),
    Pattern("vadd.f64 d0, d0, d2", 3, f"{DOUBLE}: latency 3", within=1),
    Pattern("vmul.f64 d0, d1, d2", 5, f"{DOUBLE}: table"),
    Pattern("vmul.f64 d0, d0, d2", 7, f"{DOUBLE}: latency 3 behind its 5 cycles; LLVM-M7 7"),
    Pattern("vfma.f64 d0, d1, d2", 7, f"{DOUBLE}: table, different exponents, chained", within=1),
    Pattern("vdiv.f64 d0, d1, d2", 30, f"{DOUBLE}: table"),
    Pattern("vmul.f64 d0, d1, d2; add.w r0, r1, r2", 5, f"{DOUBLE}: beside an integer instruction"),
)  # fmt: skip


@needs_assembler
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.code)
def test_a_pattern_takes_the_cycles_of_the_study(pattern: Pattern) -> None:
    check("m7", pattern, PATTERNS)


NOPS = "aff30080"


@pytest.mark.parametrize(("between", "cycles"), [(0, 1 + 8), (8, 5 + 6)])
def test_a_loops_exit_costs_8_or_6_by_when_the_flags_were_set(between: int, cycles: int) -> None:
    """JNK cortex_m7.md, branching: 6 if the flags were set at least 3 cycles before the branch."""
    loop = Block(0x8000, bytes.fromhex("b9f10109" + NOPS * between + "7ff4f0af"))  # subs.w r9, r9, #1; ...; bne.w back
    after = Block(loop.address + loop.size, bytes.fromhex(NOPS))
    assert model("m7").edge(loop, Exit.FALLTHROUGH, after).nominal == cycles


@pytest.mark.parametrize(("code", "cycles"), [("fcd1", 8), ("06d0", 6), ("30b1", 6), (NOPS * 8 + "06d0", 6)])
def test_a_misprediction_costs_8_at_a_loops_end_and_6_of_a_branch_forward(code: str, cycles: int) -> None:
    """JNK cortex_m7.md measured SUBS and BNE back; LLVM's ARMScheduleM7.td says 6 of forward branches (beq, cbz)."""
    following = CostModel(load_core("cortex-m7").following_branches)
    assert following.mispredicted(Block(0x8000, bytes.fromhex(code))).nominal == cycles


@pytest.mark.parametrize(("leaving", "bounds"), [(Exit.TAKEN, (1, 2, 6)), (Exit.FALLTHROUGH, (1, 1, 5))])
def test_a_branch_forward_is_mispredicted_half_of_the_time_at_worst(
    leaving: Exit, bounds: tuple[int, int, int]
) -> None:
    """Our assumption, of the 8 cycles that JNK measured: what alternates or follows random data; beq .+16."""
    target = Block(0x9000, bytes.fromhex("30b5"))  # push {r4, r5, lr} pairs with nothing
    cycles = model("m7").edge(Block(0x8000, bytes.fromhex("06d0")), leaving, target)
    assert (cycles.low, cycles.nominal, cycles.high) == bounds
