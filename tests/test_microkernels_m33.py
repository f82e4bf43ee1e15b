"""Cortex-M33: every rule of JNK's study of the RP2350 (github.com/jnk0le/random at 3dfc2abd, cortex_m33.md) and of
Arm's article KA001260 as a pattern of our own, with the cycles per repetition that the rule comes to.

``mov r10, r10`` fills a cycle as in the study: a 16-bit instruction that pairs with no other like it.
"""

from __future__ import annotations

import pytest
from corelib import needs_assembler
from patternlib import Pattern, check, measured

OVERALL, DUAL, ACCESS, FPU = (
    f"JNK cortex_m33.md, {section}" for section in ("overall", "limited dual issue and branching", "load/store", "fpu")
)
ALWAYS = "data processing in an IT block is priced as if it always executed"
PATTERNS = (
    # Latency of results.
    Pattern("mov r10, r10", 1, f"{DUAL}: arithmetic never pairs"),
    Pattern("add.w r0, r1, r2, lsl #3; add.w r3, r0, r4", 3, f"{OVERALL}: shifted register, result after 2"),
    Pattern("add.w r0, r1, r2, lsl #3; mov r10, r10; add.w r3, r0, r4", 3, f"{OVERALL}: the same, the cycle used"),
    Pattern("add.w r0, r0, r1, lsl #1", 2, f"{OVERALL}: shifted operands don't chain like multiply-accumulates"),
    Pattern("eor.w r0, r1, #0x1fc0; add.w r3, r0, r4", 3, f"{OVERALL}: shifted constant, result after 2"),
    Pattern("eor.w r0, r1, #0x1b1b1b1b; add.w r3, r0, r4", 2, f"{OVERALL}: a constant pattern isn't shifted"),
    Pattern("addw r0, r1, #0xff9; add.w r3, r0, r4", 2, f"{OVERALL}: nor is a 12-bit constant"),
    Pattern("uxtab r0, r0, r1", 1, f"{OVERALL}: UXTAB chains on its addend"),
    Pattern("uxtab r0, r1, r0", 2, f"{OVERALL}: but not on what it extracts"),
    Pattern("sxtah r0, r1, r2; add.w r3, r0, r4", 3, f"{OVERALL}: SXTAH, result after 2"),
    Pattern("mul r0, r1, r2; add.w r3, r0, r4", 3, f"{OVERALL}: product after 2"),
    Pattern("mla r0, r1, r2, r0", 1, f"{OVERALL}: MLA chains on its accumulator"),
    Pattern("mla r0, r1, r0, r2", 2, f"{OVERALL}: but not on a factor"),
    Pattern("smlal r0, r1, r2, r3", 1, f"{OVERALL}: SMLAL chains"),
    Pattern("smlad r0, r1, r2, r0", 1, f"{OVERALL}: SMLAD chains"),
    Pattern("mla r0, r1, r2, r3; mla r4, r5, r6, r0", 2, f"{OVERALL}: accumulator from a MAC"),
    Pattern("add.w r0, r1, r2, lsl #3; mla r4, r5, r6, r0", 2, f"{OVERALL}: accumulator from a shifted operand"),
    Pattern("uxtab r0, r1, r2; mla r4, r5, r6, r0", 2, f"{OVERALL}: accumulator from UXTAB"),
    Pattern("mla r0, r1, r2, r3; uxtab r4, r0, r5", 2, f"{OVERALL}: UXTAB's addend from a MAC"),
    Pattern("bfi r0, r1, #3, #4; add.w r3, r0, r4", 2, f"{OVERALL}: BFI takes one stage"),
    Pattern("qsub r0, r1, r2; add.w r3, r0, r4", 3, f"{OVERALL}: QSUB, result after 2"),
    Pattern("uadd8 r0, r1, r2; add.w r3, r0, r4", 3, f"{OVERALL}: UADD8, result after 2"),
    Pattern("pkhbt r0, r1, r2; add.w r3, r0, r4", 3, f"{OVERALL}: PKHBT, result after 2"),
    Pattern("qadd r0, r1, r2; mla r4, r5, r6, r0", 3, f"{OVERALL}: DSP results don't chain into an accumulator"),
    # Two stages and flags.
    Pattern("muls r0, r1, r0", 2, f"{OVERALL}, KA001260: 16-bit MULS takes 2"),
    Pattern("muls r0, r1, r0; mov r10, r10", 3, "KA001260: MULS stalls a cycle"),
    Pattern("adds.w r0, r1, #0x1fc0", 2, f"{OVERALL}: a shifted constant that sets flags takes 2"),
    Pattern("adds.w r0, r1, r2, lsl #3", 1, f"{OVERALL}: a shifted register doesn't"),
    Pattern("movs.w r0, #0x1fc0", 1, f"{OVERALL}: nor MOVS.W"),
    Pattern("adds.w r0, r1, r2, lsl #3; adc.w r3, r4, r5", 3, f"{OVERALL}: flags of a shifted operand a cycle later"),
    Pattern("adds.w r0, r1, r2; adc.w r3, r4, r5", 2, f"{OVERALL}: flags of others at once"),
    # IT.
    Pattern("mov r10, r10; it eq; addseq.w r0, r1, #0x1fc0", 3, f"{OVERALL}: example, executed 2"),
    Pattern("mov r10, r10; it ne; addsne.w r0, r1, #0x1fc0", 2, f"{OVERALL}: not executed 1; {ALWAYS}", within=1),
    Pattern("mov r10, r10; it eq; addeq.w r0, r1, r2, ror #23; add r0, r3", 4, f"{OVERALL}: example, executed 1 + 2"),
    Pattern(
        "mov r10, r10; it ne; addne.w r0, r1, r2, ror #23; add r0, r3", 3,
        f"{OVERALL}: not executed; {ALWAYS}", within=1,
    ),
    Pattern("adds r0, #1; it eq; moveq r1, r2", 2, f"{DUAL}: IT pairs with its predecessor, also behind the flags"),
    Pattern("ldr r0, [r4]; it eq; moveq r1, r2", 2, f"{DUAL}: IT pairs with a load"),
    Pattern("add.w r0, r0, #1; it eq; moveq r1, r2", 3, f"{DUAL}: only 16-bit instructions pair"),
    # Pairs.
    Pattern("mov r10, r10; nop", 1, f"{DUAL}: a NOP pairs with arithmetic"),
    Pattern("ldr r0, [r4]; nop", 1, f"{DUAL}: and with a load"),
    Pattern("str r0, [r4]; nop", 1, f"{DUAL}: and with a store"),
    Pattern("nop", "1/2", "JNK CM33_pipetest_tmpl.S: NOPs pair with each other"),
    Pattern("add.w r0, r0, #1; nop.w", 2, f"{DUAL}: 32-bit instructions don't"),
    Pattern("adds r0, #1; adds r1, #1", 2, f"{DUAL}: arithmetic and arithmetic don't"),
    Pattern("ldr r0, [r4]; adds r1, #1", 2, f"{DUAL}: load and arithmetic don't"),
    Pattern("str r0, [r4]; adds r1, #1", 2, f"{DUAL}: store and arithmetic don't"),
    # Branches.
    Pattern("subs r7, #1; bne 2f; 2:", 1, f"{DUAL}: not taken 0, behind what sets the flags"),
    Pattern("subs.w r7, r7, #1; bne 2f; 2:", 2, f"{DUAL}: unless its predecessor has 32 bits"),
    Pattern("ldmia r6!, {r0-r3}; bne 2f; 2:", 4, f"{DUAL}: not taken 0 behind LDM"),
    Pattern("loop: 1: subs r7, #1; beq 1b", 3, f"{DUAL}: example, taken 2 behind what sets flags"),
    Pattern("loop: 1: subs r7, #1; add r0, r1; beq 1b", 3, f"{DUAL}: example, taken 1 behind another"),
    Pattern("loop: 1: subs r7, #1; ldmia r6!, {r0-r3}; beq 1b", 6, f"{DUAL}: example, taken 1 behind LDM"),
    Pattern("loop: 1: subs.w r7, #1; mov r10, r10; beq 1b", 3, "JNK CM33_pipetest_tmpl.S: 1 in its own loop"),
    Pattern("loop: 1: subs r7, #1; add.w r0, r0, r1; beq 1b", 4, f"{DUAL}: taken 2 behind 32 bits"),
    Pattern("mov r10, r10; b 2f; nop; 2:", 2, f"{DUAL}: any taken branch, 1"),
    # Memory.
    Pattern("ldr r0, [r4]; add.w r3, r0, r5", 3, f"{ACCESS}: load-use 2"),
    Pattern("ldr r0, [r4]; mov r10, r10; add.w r3, r0, r5", 3, f"{ACCESS}: load-use 2, the cycle used"),
    Pattern("ldrb r0, [r4]; add.w r3, r0, r5", 3, f"{ACCESS}: load-use 2, bytes"),
    Pattern("ldr r4, [r4]", 2, f"{ACCESS}: load-use 2, into an address"),
    Pattern("ldr r0, [r4]; mla r1, r2, r3, r0", 2, f"{ACCESS}: load into an accumulator 1"),
    Pattern("ldr r0, [r4]; mla r1, r0, r2, r3", 3, f"{ACCESS}: load into a factor 2"),
    Pattern("ldr r0, [r4]; uxtab r1, r0, r2", 3, f"{ACCESS}: UXTAB can't take it a cycle later"),
    Pattern("ldr r0, [r4]; add.w r1, r0, r2, lsl #3", 3, f"{ACCESS}: nor can an instruction with a shifted operand"),
    Pattern("ldr r0, [r4]; str r0, [r5]", 2, f"{ACCESS}: load to store 1"),
    Pattern("mla r0, r1, r2, r3; str r0, [r5]", 2, f"{ACCESS}: accumulator to store 1"),
    Pattern("add.w r0, r1, r2, lsl #3; str r0, [r5]", 2, f"{ACCESS}: shifted operand to store 1"),
    Pattern("ldrd r0, r1, [r4]", 2, f"{ACCESS}: LDRD 2"),
    Pattern("strd r0, r1, [r4]", 2, f"{ACCESS}: STRD 2"),
    Pattern("vldr d0, [r4]", 2, f"{ACCESS}: also of the FPU"),
    Pattern("vstr d0, [r4]", 2, f"{ACCESS}: also of the FPU"),
    Pattern("ldm r4, {r0, r1, r2, r3, r5}", 5, f"{ACCESS}: LDM of N takes N"),
    Pattern("stm r4!, {r0, r1, r2}", 3, f"{ACCESS}: STM of N takes N"),
    Pattern("push {r4-r7}; pop {r4-r7}", 8, f"{ACCESS}: also PUSH and POP"),
    Pattern("vldm r4, {s0-s7}", 8, f"{ACCESS}: also of the FPU"),
    # FPU.
    Pattern("vldr s0, [r4]; vadd.f32 s1, s0, s2", 2, f"{FPU}: VLDR load-use 1"),
    Pattern("vadd.f32 s0, s1, s2", 1, f"{FPU}: VADD pipelined"),
    Pattern("vadd.f32 s0, s0, s2", 2, f"{FPU}: VADD, result after 2"),
    Pattern("vmul.f32 s0, s0, s2", 2, f"{FPU}: VMUL, result after 2"),
    Pattern("vfma.f32 s0, s1, s2", 3, f"{FPU}: VFMA, accumulator after 3"),
    Pattern("vmla.f32 s0, s1, s2; mov r10, r10; mov r10, r10", 3, f"{FPU}: example, two cycles for integers"),
    Pattern("vfma.f32 s0, s1, s2; vfma.f32 s3, s4, s5", 6, f"{FPU}: no other FP instruction for 2 cycles"),
    Pattern("vfma.f32 s0, s1, s2; vldr s3, [r4]", 4, f"{FPU}: not even VLDR"),
    Pattern(
        "vfma.f32 s0, s1, s2; mov r10, r10; mov r10, r10; vadd.f32 s30, s30, s31; vfma.f32 s4, s3, s0", 7,
        f"{FPU}: example, a factor after 4",
    ),
    Pattern(
        "vmul.f32 s0, s1, s2; vmul.f32 s4, s5, s6; vadd.f32 s3, s3, s0; vadd.f32 s7, s7, s4", 4,
        f"{FPU}: example with two accumulators",
    ),
    Pattern(
        "vmul.f32 s0, s1, s2; vmul.f32 s3, s4, s5; vadd.f32 s30, s30, s0; vmul.f32 s6, s7, s8; vadd.f32 s30, s30, s3; "
        "vmul.f32 s9, s10, s11; vadd.f32 s30, s30, s6; mov r10, r10; vadd.f32 s30, s30, s9", 9,
        f"{FPU}: example with one accumulator",
    ),
    Pattern(
        "vmul.f32 s0, s1, s2; vadd.f32 s3, s0, s4; mov r10, r10; mov r10, r10; vstr s3, [r12, #256]", 5,
        f"{FPU}: example, VADD issues a cycle before its operand is there",
    ),
    Pattern(
        "vadd.f32 s1, s4, s5; vfma.f32 s0, s1, s2; mov r10, r10; mov r10, r10; mov r10, r10; vfma.f32 s0, s1, s2", 8,
        f"{FPU}: example, VFMA does too, for a factor",
    ),
    Pattern("vadd.f32 s3, s0, s4; vstr s3, [r12, #256]", 3, f"{FPU}: VSTR doesn't"),
    Pattern("vmov r0, r1, s0, s1; add.w r2, r0, r1", 3, f"{FPU}: two to the core 2, result after 1"),
    Pattern("vmov s0, s1, r0, r1", 1, f"{FPU}: two from the core 1"),
    Pattern("vmov s0, s1, r0, r1; vadd.f32 s2, s0, s3; mov r10, r10", 4, f"{FPU}: result after 2, never early"),
    Pattern("vmov r0, s0; add.w r2, r0, r1", 3, f"{FPU}: one to the core 1, result after 2"),
    Pattern("vmov s0, r0; vadd.f32 s1, s0, s2", 2, f"{FPU}: one from the core, result after 1"),
    Pattern("mul r0, r1, r2; vmov s0, r0", 2, f"{FPU}: it takes the output of any ALU"),
)  # fmt: skip
# Returning: the rest of the function is the same.
POP_PC = "bl 1f; b 2f; 1: push {r4, lr}; mov r10, r10; mov r10, r10; mov r10, r10; pop {r4, pc}; 2:"
POP_LR = "bl 1f; b 2f; 1: push {r4, lr}; pop.w {r4, lr}; mov r10, r10; mov r10, r10; mov r10, r10; bx lr; 2:"
POP_LR_WIDE = "bl 1f; b 2f; 1: push {r4, lr}; pop.w {r4, lr}; mov r10, r10; mov r10, r10; mov.w r10, r10; bx lr; 2:"


@needs_assembler
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.code)
def test_a_pattern_takes_the_cycles_of_the_study(pattern: Pattern) -> None:
    check("m33", pattern, PATTERNS)


@needs_assembler
def test_popping_lr_and_returning_beats_popping_pc() -> None:
    """JNK: by 2 if BX LR pairs with a useful instruction, else by 1."""
    cycles = measured("m33", tuple(Pattern(code, 0, "") for code in (POP_PC, POP_LR, POP_LR_WIDE)))
    assert cycles[POP_PC] - cycles[POP_LR] == 2
    assert cycles[POP_PC] - cycles[POP_LR_WIDE] == 1
