"""Micro-kernels and what the manuals say they cost on the scalar cores."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.logic.cost import Exit


@dataclass(frozen=True)
class Kernel:
    """``code`` is ``assembly`` as hex; ``cycles`` by core; ``source`` uses the tags of the core files."""

    name: str
    source: str
    assembly: str
    code: str
    cycles: dict[str, int]
    exit: Exit = Exit.END


KERNELS = (
    Kernel(
        "straight ALU",
        "TRM-M0 Table 3-1; LPC-M0PLUS; TRM-M4 Table 3-1",
        "adds r0, r0, r1; subs r2, r2, #1; ands r3, r0; lsls r3, r3, #2",
        "4018013a03409b00",
        {"m0": 4, "m0plus": 4, "m3": 4, "m4": 4},
    ),
    Kernel(
        "multiply",
        "TRM-M0 Table 3-1; LPC-M0PLUS; TRM-M4 Table 3-1",
        "muls r0, r1, r0",
        "4843",
        {"m0": 1, "m0plus": 1, "m3": 1, "m4": 1},
    ),
    Kernel(
        "wide ALU with shifted operands",
        "TRM-M4 Table 3-1",
        "add.w r0, r1, r2, lsl #3; movw r3, #0x1234; movt r3, #0x5678; ubfx r4, r3, #3, #5",
        "01ebc20041f23423c5f27863c3f3c404",
        {"m3": 4, "m4": 4},
    ),
    Kernel(
        "multiply-accumulate",
        "TRM-M3 section 3.3; TRM-M4 Table 3-1",
        "mla r0, r1, r2, r3; mls r0, r1, r2, r0",
        "01fb023001fb1200",
        {"m3": 4, "m4": 2},
    ),
    Kernel(
        "DSP",
        "TRM-M4 Table 3-2",
        "smlad r0, r1, r2, r0; smlabb r3, r1, r2, r3; qadd r4, r5, r6; sxtb16 r5, r6",
        "21fb020011fb023386fa85f42ffa86f5",
        {"m4": 4},
    ),
    Kernel(
        "one load",
        "TRM-M0 Table 3-1; LPC-M0PLUS; TRM-M4 Table 3-1",
        "ldr r0, [r4]",
        "2068",
        {"m0": 2, "m0plus": 2, "m3": 2, "m4": 2},
    ),
    Kernel(
        "two independent loads",
        "TRM-M4 section 3.3.2, LDR+LDR is 3",
        "ldr r0, [r4]; ldr r1, [r5]",
        "20682968",
        {"m0": 4, "m0plus": 4, "m3": 3, "m4": 3},
    ),
    Kernel(
        "three independent loads",
        "TRM-M4 section 3.3.2, three LDRs are 4",
        "ldr r0, [r4]; ldr r1, [r4, #4]; ldr r2, [r4, #8]",
        "20686168a268",
        {"m0": 6, "m0plus": 6, "m3": 4, "m4": 4},
    ),
    Kernel(
        "byte and halfword loads pipeline too",
        "TRM-M4 section 3.3.2",
        "ldrb r0, [r4]; ldrh r1, [r4, #2]; ldrsb r2, [r4, r5]",
        "207861886257",
        {"m0": 6, "m0plus": 6, "m3": 4, "m4": 4},
    ),
    Kernel(
        "dependent loads",
        "TRM-M4 section 3.3.2",
        "ldr r0, [r4]; ldr r1, [r0]; ldr r2, [r1]",
        "206801680a68",
        {"m0": 6, "m0plus": 6, "m3": 6, "m4": 6},
    ),
    Kernel(
        "load and store",
        "JNK, a cycle each: of the 3 of TRM-M4 section 3.3.2 the last passes beside the next instruction",
        "ldr r0, [r4]; str r0, [r5]",
        "20682860",
        {"m0": 4, "m0plus": 4, "m3": 2, "m4": 2},
    ),
    Kernel(
        "run of stores",
        "TRM-M4 section 3.3.2, STR with an immediate is always 1",
        "str r0, [r4]; str r1, [r4, #4]; str r2, [r4, #8]; strb r3, [r4, #12]",
        "20606160a2602373",
        {"m0": 8, "m0plus": 8, "m3": 4, "m4": 4},
    ),
    Kernel(
        "load after store",
        "TRM-M4 section 3.3.2, nothing pipelines after a store; JNK, an extra cycle",
        "str r0, [r4]; ldr r1, [r5]",
        "20602968",
        {"m0": 4, "m0plus": 4, "m3": 4, "m4": 4},
    ),
    Kernel(
        "register-offset store",
        "TRM-M4 Table 3-1",
        "str r0, [r4, r5]",
        "6051",
        {"m0": 2, "m0plus": 2, "m3": 2, "m4": 2},
    ),
    Kernel(
        "nothing pipelines behind a register-offset store",
        "TRM-M4 section 3.3.2",
        "ldr r0, [r4]; str r0, [r5, r6]; ldr r1, [r4]",
        "2068a8512168",
        {"m0": 6, "m0plus": 6, "m3": 5, "m4": 5},
    ),
    Kernel(
        "a load's consumer waits no further",
        "TRM-M4 section 3.3.2; JNK",
        "ldr r0, [r4]; adds r0, r0, #1",
        "20680130",
        {"m0": 3, "m0plus": 3, "m3": 3, "m4": 3},
    ),
    Kernel(
        "address from the ALU",
        "GCC-M4; JNK",
        "adds r4, r4, #4; ldr r0, [r4]",
        "04342068",
        {"m0": 3, "m0plus": 3, "m3": 4, "m4": 4},
    ),
    Kernel(
        "address from the ALU one before",
        "GCC-M4; JNK",
        "adds r4, r4, #4; movs r1, #0; ldr r0, [r4]",
        "043400212068",
        {"m0": 4, "m0plus": 4, "m3": 4, "m4": 4},
    ),
    Kernel(
        "post-indexed loads",
        "JNK, they pipeline on M4 only",
        "ldr r0, [r4], #4; ldr r1, [r5], #4",
        "54f8040b55f8041b",
        {"m3": 4, "m4": 3},
    ),
    Kernel(
        "post-indexed loads of one base",
        "JNK",
        "ldr r0, [r4], #4; ldr r1, [r4], #4",
        "54f8040b54f8041b",
        {"m3": 4, "m4": 4},
    ),
    Kernel(
        "load pair and store pair",
        "TRM-M4 Table 3-1, 1+N",
        "ldrd r0, r1, [r4]; strd r0, r1, [r5]",
        "d4e90001c5e90001",
        {"m3": 6, "m4": 6},
    ),
    Kernel(
        "LDRD doesn't pipeline behind a load",
        "TRM-M4 section 3.3.2",
        "ldr r2, [r4]; ldrd r0, r1, [r5]",
        "2268d5e90001",
        {"m3": 5, "m4": 5},
    ),
    Kernel(
        "LDM of eight",
        "TRM-M4 Table 3-1, 1+N, its example is 9",
        "ldm r0!, {r1, r2, r3, r4, r5, r6, r7}; ldm.w r0, {r1, r2, r3, r4, r5, r6, r7, r8}",
        "fec890e8fe01",
        {"m3": 17, "m4": 17},
    ),
    Kernel(
        "LDM and STM",
        "TRM-M0 Table 3-1; LPC-M0PLUS; TRM-M4 Table 3-1, 1+N",
        "ldmia r0!, {r1, r2, r3}; stmia r4!, {r1, r2, r3}",
        "0ec80ec4",
        {"m0": 8, "m0plus": 8, "m3": 8, "m4": 8},
    ),
    Kernel(
        "push and pop",
        "TRM-M0 Table 3-1; LPC-M0PLUS; TRM-M4 Table 3-1, 1+N",
        "push {r4, r5, r6, r7, lr}; pop {r4, r5, r6, r7}",
        "f0b5f0bc",
        {"m0": 11, "m0plus": 11, "m3": 11, "m4": 11},
    ),
    Kernel(
        "LDM doesn't overlap with a load",
        "TRM-M4 section 3.3.2",
        "ldr r1, [r4]; ldmia r0!, {r2, r3}; ldr r5, [r4]",
        "21680cc82568",
        {"m0": 7, "m0plus": 7, "m3": 7, "m4": 7},
    ),
    Kernel(
        "exclusives",
        "TRM-M4 Table 3-1",
        "ldrex r0, [r1]; strex r2, r0, [r1]; clrex",
        "51e8000f41e80002bff32f8f",
        {"m3": 5, "m4": 5},
    ),
    Kernel(
        "system registers and barriers",
        "TRM-M0 Table 3-1; RP2040JS; TRM-M4 Table 3-1",
        "mrs r0, primask; cpsid i; dmb",
        "eff3108072b6bff35f8f",
        {"m0": 9, "m0plus": 7, "m3": 5, "m4": 5},
    ),
    Kernel(
        "hints",
        "TRM-M0 Table 3-1; LPC-M0PLUS; TRM-M4 Table 3-1",
        "nop; sev; yield",
        "00bf40bf10bf",
        {"m0": 3, "m0plus": 3, "m3": 3, "m4": 3},
    ),
    Kernel(
        "IT folds into a 16-bit instruction",
        "TRM-M4 Table 3-1",
        "adds r0, r0, #1; ite eq; moveq r1, #1; movne r1, #2",
        "01300cbf01210221",
        {"m3": 3, "m4": 3},
    ),
    Kernel(
        "IT after a 32-bit instruction",
        "TRM-M4 Table 3-1",
        "add.w r0, r0, r8; ite eq; moveq r1, #1; movne r1, #2",
        "00eb08000cbf01210221",
        {"m3": 4, "m4": 4},
    ),
    Kernel(
        "FP add and multiply, independent",
        "TRM-M4 Table 7-1",
        "vadd.f32 s0, s1, s2; vmul.f32 s3, s4, s5; vsub.f32 s6, s7, s8",
        "30ee810a62ee221a33eec43a",
        {"m4": 3},
    ),
    Kernel(
        "FP chain",
        "TRM-M4 Table 7-1, note: 1 more if the next instruction uses the result",
        "vadd.f32 s0, s0, s1; vadd.f32 s0, s0, s1; vadd.f32 s0, s0, s1",
        "30ee200a30ee200a30ee200a",
        {"m4": 5},
    ),
    Kernel(
        "FP multiply-accumulate chain",
        "TRM-M4 Table 7-1, 3 each, the addend is read late",
        "vfma.f32 s0, s1, s2; vfma.f32 s0, s3, s4; vmla.f32 s0, s5, s6",
        "a0ee810aa1ee820a02ee830a",
        {"m4": 9},
    ),
    Kernel(
        "FP product as a factor",
        "TRM-M4 Table 7-1, note",
        "vmul.f32 s1, s2, s3; vfma.f32 s0, s1, s4",
        "61ee210aa0ee820a",
        {"m4": 5},
    ),
    Kernel(
        "FP product as the addend",
        "TRM-M4 Table 7-1, note",
        "vmul.f32 s0, s2, s3; vfma.f32 s0, s1, s4",
        "21ee210aa0ee820a",
        {"m4": 4},
    ),
    Kernel(
        "an integer instruction hides the FP latency",
        "TRM-M4 Table 7-1, note",
        "vadd.f32 s0, s1, s2; adds r0, r0, #1; vadd.f32 s0, s0, s2",
        "30ee810a013030ee010a",
        {"m4": 3},
    ),
    Kernel("VDIV", "TRM-M4 Table 7-1", "vdiv.f32 s0, s1, s2", "80ee810a", {"m4": 14}),
    Kernel("VSQRT", "TRM-M4 Table 7-1", "vsqrt.f32 s0, s1", "b1eee00a", {"m4": 14}),
    Kernel(
        "integer instructions run beside VDIV",
        "TRM-M4 Table 7-1, note",
        "vdiv.f32 s0, s1, s2; adds r0, r0, #1; adds r1, r1, #1; adds r2, r2, #1; vadd.f32 s3, s0, s1",
        "80ee810a01300131013270ee201a",
        {"m4": 15},
    ),
    Kernel(
        "VDIV used at once",
        "TRM-M4 Table 7-1, note",
        "vdiv.f32 s0, s1, s2; vadd.f32 s3, s0, s1",
        "80ee810a70ee201a",
        {"m4": 16},
    ),
    Kernel(
        "FP moves",
        "TRM-M4 Table 7-1",
        "vmov s0, r0; vmov r1, s1; vmov r0, r1, s2, s3; vmov.f32 s4, #1.0; vmrs r0, fpscr",
        "00ee100a10ee901a51ec110ab7ee002af1ee100a",
        {"m4": 6},
    ),
    Kernel(
        "FP loads pipeline like LDR",
        "TRM-M4 Table 7-1; GCC-M4",
        "vldr s0, [r0]; vldr s1, [r0, #4]; vldr s2, [r0, #8]",
        "90ed000ad0ed010a90ed021a",
        {"m4": 4},
    ),
    Kernel(
        "64-bit FP loads",
        "TRM-M4 Table 7-1; GCC-M4",
        "vldr d0, [r0]; vldr d1, [r0, #8]",
        "90ed000b90ed021b",
        {"m4": 5},
    ),
    Kernel(
        "VLDM and VSTM",
        "TRM-M4 Table 7-1, 1+N and 1+2N",
        "vldmia r0!, {s0, s1, s2, s3}; vstmia r1!, {d4, d5}; vpush {d8}",
        "b0ec040aa1ec044b2ded028b",
        {"m4": 13},
    ),
)
