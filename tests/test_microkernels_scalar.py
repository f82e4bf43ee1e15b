"""Cortex-M0, M0+, M3 and M4: the manuals' tables and every rule of JNK's and COMP's studies as patterns, exact.

TRM-M0: DDI0432C Table 3-1. RP2040JS and LPC-M0PLUS for the M0+. TRM-M3: 100165 section 3.3. TRM-M4: DDI0439D. JNK:
github.com/jnk0le/random at 3dfc2abd, cortex_m0.md and cortex_m3m4.md (STM32F103, STM32F407). COMP: compendium.i-0.nl,
instruction alignment, load placement and division. ``mov r8, r8`` fills a cycle: nothing overlaps with it.

Indexed loads of one base don't chain on the M4, says JNK; they lose cycles in a run of loads that begins with an
indexed one, says COMP. These contradict each other where a plain load begins the run. There the rows follow COMP: so
do the images of docs/accuracy.md, "Post-indexed loads".
"""

from __future__ import annotations

import pytest
from corelib import needs_assembler
from patternlib import Pattern, check

TABLE_M0, TABLE_M0PLUS = "TRM-M0 Table 3-1", "LPC-M0PLUS; RP2040JS"
JNK_M0 = "JNK cortex_m0.md: no load-to-use latency"
TABLE, FLOATS = "TRM-M4 Table 3-1; TRM-M3 3.3", "TRM-M4 Table 7-1"
OVERLAP, ACCESSES, STORES = "TRM-M4 3.3.2", "JNK cortex_m3m4.md, loads", "JNK cortex_m3m4.md, stores"
M = "mov r8, r8"
CHAIN = "ldr.w r0, [r4], #4; ldr.w r1, [r4], #4"


def both(branch: int, table: str) -> tuple[Pattern, ...]:
    """The rows that Cortex-M0 and M0+ share but for the cycles of a taken branch."""
    return (
        Pattern("adds r0, r1, r2", 1, f"{table}: ADD"),
        Pattern("adds r0, #200; subs r1, #100", 2, f"{table}: ADD, SUB of a constant"),
        Pattern("add r8, r9", 1, f"{table}: ADD of high registers"),
        Pattern("adcs r0, r1; sbcs r2, r3; rsbs r4, r5, #0", 3, f"{table}: ADC, SBC, RSB"),
        Pattern("ands r0, r1; eors r2, r3; orrs r4, r5; bics r6, r7; mvns r0, r0", 5, f"{table}: logic"),
        Pattern("cmp r0, r1; cmn r2, r3; tst r4, r5; cmp r0, #1", 4, f"{table}: compares"),
        Pattern("lsls r0, r1, #3; lsrs r2, r3; asrs r4, r5, #1; rors r6, r7", 4, f"{table}: shifts"),
        Pattern("movs r0, #1; mov r8, r0", 2, f"{table}: MOV"),
        Pattern("sxtb r0, r1; uxth r2, r3", 2, f"{table}: extends"),
        Pattern("muls r0, r1, r0", 1, f"{table}: MULS, fast multiplier"),
        Pattern("lsrs r1, r4, #8; uxtb r1, r1; lsrs r2, r4, #16; uxtb r2, r2", 4, "JNK cortex_m0.md, tips: 4"),
        Pattern("rev16 r2, r4; uxtb r1, r2; lsrs r2, r2, #24", 3, "JNK cortex_m0.md, tips: 3"),
        Pattern("rev16 r0, r1; rev r0, r0", 2, "JNK cortex_m0.md, tips: rotates by 16"),
        Pattern("nop", 1, f"{table}: NOP"),
        Pattern("ldr r0, [r4]; ldr r1, [r4, #4]", 4, f"{table}: LDR 2, nothing overlaps"),
        Pattern("ldr r0, [r4]; adds r1, r0, #1", 3, JNK_M0),
        Pattern("ldr r4, [r4]", 2, f"{JNK_M0}, into an address"),
        Pattern("ldrb r0, [r4, r5]; ldrsh r1, [r4, r5]", 4, f"{table}: LDRB, LDRSH"),
        Pattern("ldr r0, [sp, #4]; ldr r1, [pc, #4]", 4, f"{table}: LDR from SP and literal"),
        Pattern("str r0, [r4]; strb r1, [r4, r5]; strh r2, [r4, #2]", 6, f"{table}: stores 2"),
        Pattern("str r0, [sp, #4]", 2, f"{table}: STR to the stack"),
        Pattern("ldm r4!, {r0}", 2, f"{table}: LDM 1 + N"),
        Pattern("ldm r4!, {r0-r3, r5-r7}", 8, f"{table}: LDM 1 + N"),
        Pattern("stm r4!, {r0-r3}", 5, f"{table}: STM 1 + N"),
        Pattern("push {r0-r3, lr}; pop {r4-r7}", 6 + 5, f"{table}: PUSH, POP 1 + N"),
        Pattern("b 1f; nop; 1:", branch, f"{table}: B"),
        Pattern("beq 1f; nop; 1:", branch, f"{table}: B<cc> taken"),
        Pattern("bne 1f; nop; 1:", 2, f"{table}: B<cc> not taken 1"),
        Pattern("loop: 1: subs r0, #1; beq 1b", 1 + branch, f"{table}: a loop of two"),
        Pattern("loop: 1: ldr r0, [r4]; adds r4, #4; adds r5, r0; cmp r4, r6; beq 1b", 5 + branch, f"{table}: a sum"),
        Pattern("bl 1f; b 2f; 1: bx lr; 2:", branch + 1 + branch + branch, f"{table}: BL 1 more than B, BX"),
        Pattern("cpsid i; cpsie i", 2, f"{table}: CPS"),
    )


M0 = (
    *both(3, TABLE_M0),
    Pattern("bl 1f; b 2f; 1: push {r4, lr}; pop {r4, pc}; 2:", 4 + 3 + 3 + 6, f"{TABLE_M0}: POP with PC 4 + N"),
    Pattern("mrs r0, primask; msr primask, r0", 8, f"{TABLE_M0}: MRS, MSR 4"),
    Pattern("dmb; dsb; isb", 12, f"{TABLE_M0}: barriers 4"),
)
M0PLUS = (
    *both(2, TABLE_M0PLUS),
    Pattern("bl 1f; b 2f; 1: push {r4, lr}; pop {r4, pc}; 2:", 3 + 2 + 3 + 5, f"{TABLE_M0PLUS}: POP with PC 3 + N"),
    Pattern("mrs r0, primask; msr primask, r0", 6, f"{TABLE_M0PLUS}: MRS, MSR 3"),
    Pattern("dmb; dsb; isb", 9, f"{TABLE_M0PLUS}: barriers 3"),
)
# What the M3 and the M4 have in common.
V7 = (
    Pattern("adds r0, r1, r2", 1, TABLE),
    Pattern("add.w r0, r1, r2, lsl #3", 1, f"{TABLE}: shifted operand"),
    Pattern("movw r0, #1; movt r0, #2", 2, TABLE),
    Pattern("mul r0, r1, r2", 1, TABLE),
    Pattern("bfi r0, r1, #2, #3; ubfx r2, r3, #4, #5; clz r4, r5; rbit r6, r7", 4, TABLE),
    Pattern("ssat r0, #8, r1; usat r2, #8, r3", 2, TABLE),
    Pattern(f"ldr r0, [r4]; {M}", 3, f"{TABLE}: LDR 2"),
    Pattern("ldr r0, [r4]; adds r1, r0, r2", 3, f"{OVERLAP}: no further load-use penalty"),
    Pattern(f"ldr r0, [r4]; ldr r1, [r5]; {M}", 3 + 1, f"{OVERLAP}: example, two loads 3"),
    Pattern(f"ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]; {M}", 4 + 1, f"{OVERLAP}: example, three loads 4"),
    Pattern(f"ldr r0, [r1, r2]; str r0, [r3, #20]; {M}", 3, f"{STORES}: 1 behind a load; {OVERLAP}: 3 with the MOV"),
    Pattern(f"str r0, [r4]; ldr r1, [r5]; {M}", 4 + 1, f"{OVERLAP}: nothing pipelines after a store; JNK: 1 extra"),
    Pattern(f"ldr r0, [r1, r2]; str r1, [r3, r2]; {M}", 3 + 1, f"{OVERLAP}: example, register offset 3"),
    Pattern(f"ldr r0, [r4]; ldr r1, [r0]; {M}", 5, f"{OVERLAP}: an address from the load before"),
    Pattern(f"ldrb r0, [r4]; ldrh r1, [r5]; {M}", 3 + 1, f"{OVERLAP}: bytes as well"),
    Pattern("ldr r0, [r4]; nop", 2, f"{ACCESSES}: a NOP behind a load is free"),
    Pattern("ldr r0, [r4]; ldr r1, [r5]; nop", 3, f"{ACCESSES}: also behind the last of several"),
    Pattern("ldr r0, [r4]; cmp r2, r3", 3, f"{ACCESSES}: a compare isn't"),
    Pattern("ldr r0, [r4]; tst r2, r3", 3, f"{ACCESSES}: nor a test"),
    Pattern("adds r4, #4; ldr r0, [r4]", 4, f"{ACCESSES}: the base is needed a cycle early"),
    Pattern("adds r5, #4; ldr r0, [r4, r5]", 4, f"{ACCESSES}: the offset, too"),
    Pattern(f"adds r4, #4; {M}; ldr r0, [r4]; {M}", 5, f"{ACCESSES}: with a cycle between it is there"),
    Pattern(CHAIN, 4, f"{ACCESSES}: indexed loads of one base don't chain"),
    Pattern(f"ldr.w r0, [r4, #4]!; ldr r1, [r5]; ldr r2, [r5, #4]; {M}", 5, f"{ACCESSES}: the first may be indexed"),
    Pattern("str r0, [r4]", 1, f"{STORES}: constant offset 1"),
    Pattern(f"adds r4, #4; str r0, [r4]; {M}", 4, f"{STORES}: the base is needed a cycle early"),
    Pattern(f"adds r0, #4; str r0, [r4]; {M}", 3, f"{STORES}: not so the data"),
    Pattern("str r0, [r4, r5]", 2, f"{STORES}: register offset 2"),
    Pattern("str r0, [r4, r5]; nop", 2, f"{STORES}: whose second takes a NOP"),
    Pattern("str r0, [r4, r5]; adds r1, #1", 3, f"{STORES}: but not an addition"),
    Pattern(f"str r0, [r4, r5]; {M}", 3, f"{STORES}: nor a MOV"),
    Pattern("str.w r0, [r4], #4; str.w r1, [r5], #4", 2, f"{STORES}: indexed 1, of two bases by turns"),
    Pattern("str.w r0, [r4], #4", 2, f"{STORES}: indexed ones of one base don't chain"),
    Pattern(f"str.w r0, [r4, #4]!; {M}; nop.w", 3, f"{STORES}: indexed 1"),
    Pattern("str r0, [r4]; ldm r5!, {r0-r3}", 2 + 5, f"{STORES}: no overlap with LDM"),
    Pattern("ldrd r0, r1, [r4]; strd r2, r3, [r5]", 6, f"{TABLE}: 1 + N, never pipelined"),
    Pattern("ldm r4!, {r0-r3}; stm r5!, {r0-r3}", 10, f"{TABLE}: 1 + N"),
    Pattern("push {r0-r7}; pop {r0-r7}", 18, f"{TABLE}: 1 + N"),
    Pattern("cmp r0, r1; it eq; moveq r2, r3", 2, f"{TABLE}: IT folds into a 16-bit instruction"),
    Pattern("cmp r0, r1; it ne; movne r2, r3", 2, f"{TABLE}: a false instruction takes its cycle"),
    Pattern("add.w r0, r0, r1; it eq; moveq r2, r3; nop", 4, f"{TABLE}: IT doesn't fold into a 32-bit one"),
    Pattern("b 1f; nop; 1:", 2, f"{TABLE}: 1 + P"),
    Pattern("beq 1f; nop; 1:", 2, f"{TABLE}: 1 + P"),
    Pattern("bne 1f; nop; 1:", 2, f"{TABLE}: not taken 1"),
    Pattern("cbz r0, 1f; nop; 1:", 3, "DDI0337G Table 15-3: CBZ shows its target late"),
    Pattern("cbnz r0, 1f; nop; 1:", 2, f"{TABLE}: not taken 1"),
    Pattern("loop: 1: subs r0, #1; beq 1b", 3, f"{TABLE}: a loop of two"),
    Pattern("b 1f; 1: add.w r0, r0, r1; nop", 2 + 1 + 1 + 1, "COMP: to a misaligned wide instruction 1 more"),
    Pattern("bl 1f; b 2f; 1: bx lr; 2:", 6, f"{TABLE}: 1 + P each"),
)  # fmt: skip
M3 = (
    *V7,
    Pattern("mla r0, r1, r2, r3", 2, "TRM-M3 3.3: MLA 2"),
    Pattern("mls r0, r1, r2, r3", 2, "TRM-M3 3.3: MLS 2"),
    Pattern("ldr.w r0, [r4], #4; ldr.w r1, [r5], #4", 4, f"{ACCESSES}: [M3] indexed loads never chain"),
    Pattern(f"ldr r1, [r5]; ldr.w r0, [r4], #4; {M}", 5, f"{ACCESSES}: [M3] only the first may be indexed"),
    Pattern(f"ldr r2, [r5]; {CHAIN}; {M}", 2 + 4 + 1, f"{ACCESSES}: [M3] nor behind a plain one"),
    Pattern(f"ldr r1, [r5]; str.w r0, [r4], #4; {M}", 5, f"{STORES}: [M3] indexed 1 when not behind a load"),
)
M4 = (
    *V7,
    Pattern("mla r0, r1, r2, r3", 1, "TRM-M4 Table 3-1"),
    Pattern("umull r0, r1, r2, r3; smlal r0, r1, r2, r3; umaal r0, r1, r2, r3", 3, "TRM-M4 Table 3-1"),
    Pattern("smlabb r0, r1, r2, r0; smlad r0, r1, r2, r0; smlald r0, r1, r2, r3; smmul r0, r1, r2", 4, "TRM-M4 3-2"),
    Pattern("qadd r0, r1, r2; uadd8 r3, r4, r5; sel r0, r1, r2; usad8 r3, r4, r5", 4, "TRM-M4 Table 3-2"),
    Pattern("pkhbt r0, r1, r2; sxtab16 r3, r4, r5; uxtb16 r0, r1", 3, "TRM-M4 Table 3-2"),
    Pattern("ldr.w r0, [r4], #4; ldr.w r1, [r5], #4; nop.w", 4, f"{ACCESSES}: [M4] indexed loads of two bases chain"),
    Pattern(f"ldr r1, [r5]; ldr.w r0, [r4], #4; {M}", 4, f"{ACCESSES}: [M4] also behind another"),
    Pattern(f"{CHAIN}; {CHAIN}; {M}", 9, "COMP: each of a run that begins with an indexed one takes 2"),
    Pattern(f"ldr r2, [r5]; {CHAIN}; {CHAIN}; {M}", 2 + 4 + 1, "COMP: but 1 if a plain one begins it, against JNK"),
    Pattern(f"{CHAIN}; {M}; ldr r2, [r5]; {CHAIN}; {M}", 4 + 1 + 4 + 1, "COMP: by the run that it stands in"),
    Pattern("vadd.f32 s0, s1, s2; vmul.f32 s3, s4, s5", 2, FLOATS),
    Pattern("vadd.f32 s0, s0, s2", 2, f"{FLOATS}: note, consumed by the next"),
    Pattern("vfma.f32 s0, s1, s2", 3, f"{FLOATS}: the addend is read late"),
    Pattern("vmla.f32 s0, s0, s2", 4, f"{FLOATS}: not so a factor"),
    Pattern("vdiv.f32 s0, s1, s2", 14, FLOATS),
    Pattern("vsqrt.f32 s0, s1", 14, FLOATS),
    Pattern("vdiv.f32 s0, s1, s2; adds r0, #1; adds r1, #1", 14, f"{FLOATS}: beside integer instructions"),
    Pattern("vmov r0, s1; vmov s2, r3; vmov.f32 s4, s5; vmov.f32 s6, #1.0", 4, FLOATS),
    Pattern("vmov r0, r1, s2, s3", 2, FLOATS),
    Pattern("vcvt.f32.s32 s0, s1; vabs.f32 s2, s3; vneg.f32 s4, s5", 3, FLOATS),
    Pattern(f"vldr s0, [r4]; {M}; {M}", 4, FLOATS),
    Pattern(f"vldr s0, [r4]; vldr s1, [r4, #4]; {M}; {M}", 5, "GCC-M4: VLDR pipelines like LDR"),
    Pattern(f"vldr d0, [r4]; {M}; {M}; vstr d1, [r5]; {M}; {M}", 10, FLOATS),
    Pattern("vldm r4, {s0-s3}; vstm r5, {s0-s3}", 10, f"{FLOATS}: 1 + N"),
    Pattern("vpush {d0-d3}; vpop {d0-d3}", 18, f"{FLOATS}: 1 + 2N"),
)
TABLES = {"m0": M0, "m0plus": M0PLUS, "m3": M3, "m4": M4}
CASES = [(core, pattern) for core, patterns in TABLES.items() for pattern in patterns]


@needs_assembler
@pytest.mark.parametrize(("core", "pattern"), CASES, ids=[f"{core}: {pattern.code}" for core, pattern in CASES])
def test_a_pattern_takes_the_cycles_of_its_source(core: str, pattern: Pattern) -> None:
    check(core, pattern, TABLES[core])
