"""Cycles of our assembly micro-kernels, run on the machine, against the manuals' numbers.

Each figure is the kernel's own cycles less those of ``mk_empty`` (the ``bx lr``), written as the sum that the manual
gives, with the table it stands in: TRM-M0+ (as LPC-M0+ and RP2040JS give it), TRM-M3 3.3, TRM-M4 table 3-1, 3.3.2 and
table 7-1, COMP (divides as measured on STM32 M4). Where Arm leaves P open it is the core's stated refill.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from machinelib import PROGRAMS, run_elf

BOARDS = {"m0plus": "rpi-pico", "m3": "mps2-an385", "m4f": "mps2-an386", "m33": "mps2-an505", "m7": "mps2-an500"}
PICO_WITHOUT_WAITS = """
extends: rpi-pico
name: pico-without-waits
title: A Pico whose flash answers at once
regions:
  - {name: FLASH, kind: flash, base: 0x10000000, size: 2 MiB, source: for this test}
  - {name: SRAM, kind: sram, base: 0x20000000, size: 264 KiB, source: for this test}
  - {name: ROM, kind: rom, base: 0x00000000, size: 16 KiB, source: for this test}
caches: []
"""
P, P_COMPARE, P_POP = 1, 2, 3

COMMON_V7 = {
    "alu": (100, "TRM-M4 3-1: ADD 1"),
    "alu_wide": (40, "TRM-M4 3-1: ADD with shifted operand 1"),
    "nop": (100, "TRM-M4 3-1: NOP 1"),
    "mul": (32, "TRM-M4 3-1: MUL 1"),
    "bitfield": (40, "TRM-M4 3-1: UBFX, CLZ 1"),
    "load_independent": (20 + 1, "TRM-M4 3.3.2: n independent loads n + 1"),
    "load_byte": (20 + 1, "TRM-M4 3.3.2: as LDR"),
    "load_register_offset": (20 + 1, "TRM-M4 3.3.2: as LDR"),
    "load_dependent": (20 * 2, "TRM-M4 3.3.2: address depends on the load before, no pipelining"),
    "load_isolated": (10 * (2 + 1), "TRM-M4 3-1: LDR 2, ADD 1"),
    "load_use": (10 * (2 + 1), "TRM-M4 3-1: LDR 2, no further load-use penalty"),
    "load_after_alu": (10 * (1 + 2 + 1), "GCC-M4, JNK: result to address 1 more"),
    "load_literal": (10 * (2 + 1), "TRM-M4 3-1: LDR literal 2"),
    "load_store": (10 * (2 + 1), "JNK: LDR and STR 1 each behind one another; TRM-M4 3.3.2: 3 with the NOP beside STR"),
    "load_post_index": (10 * 2, "TRM-M4 3.3.2: same base with write-back, not pipelined"),
    "store_run": (20, "TRM-M4 3.3.2: STR with immediate offset 1 through the write buffer"),
    "store_isolated": (10 * (1 + 1), "TRM-M4 3.3.2: STR 1, ADD 1"),
    "store_register_offset": (20 * 2, "TRM-M4 3.3.2: STR with register offset 2, nothing pipelines behind it"),
    "ldm1": (8 * (1 + 1), "TRM-M4 3-1: LDM 1 + N"),
    "ldm4": (8 * (1 + 4), "TRM-M4 3-1: LDM 1 + N"),
    "stm4": (8 * (1 + 4), "TRM-M4 3-1: STM 1 + N"),
    "push_pop4": (8 * 2 * (1 + 4), "TRM-M4 3-1: PUSH, POP 1 + N"),
    "ldrd": (10 * (1 + 2), "TRM-M4 3-1: LDRD 1 + N"),
    "strd": (10 * (1 + 2), "TRM-M4 3-1: STRD 1 + N"),
    "branch": (10 * (1 + P), "TRM-M4 3-1: B 1 + P"),
    "branch_taken": (2 + 10 * (1 + P), "TRM-M4 3-1: B<cc> taken 1 + P"),
    "branch_not_taken": (2 + 20, "TRM-M4 3-1: B<cc> not taken 1"),
    "branch_unaligned_wide": (10 * (1 + P + 1 + 1 + 1), "COMP: 1 more to a 32-bit target off its word"),
    "cbz_taken": (2 + 10 * (1 + P_COMPARE), "TRM-M4 3-1: CBZ taken 1 + P; DDI0337G 15-3: late"),
    "cbz_not_taken": (2 + 20, "TRM-M4 3-1: CBZ not taken 1"),
    "loop": (2 + 100 * 2 + 99 * P, "TRM-M4 3-1: SUB 1, B<cc> taken 1 + P, not taken 1"),
    "call": (1 + 2 + 1 + 10 * (1 + P) + 1 + 2 + P_POP - 2, "TRM-M4 3-1: PUSH, NOP, BL 1 + P, POP with PC"),
    "it_true": (2 + 20, "TRM-M4 3-1: IT folded into a 16-bit instruction 0, ADD 1"),
    "it_false": (2 + 20, "TRM-M4 3-1: a skipped instruction takes its slot"),
    "it_after_wide": (2 + 20 * (1 + 1 + 1), "TRM-M4 3-1: IT not folded behind a 32-bit instruction 1"),
    "ittee": (2 + 10 * 4, "TRM-M4 3-1: IT 0, four slots 1 each"),
    "udiv_by_zero": (2 + 10 * 2, "COMP: a zero operand 2"),
    "udiv_of_zero": (2 + 10 * 2, "COMP: a zero operand 2"),
    "udiv_smaller": (2 + 10 * 3, "COMP: fewer bits than the divisor 3"),
    "udiv_equal_bits": (2 + 10 * 5, "COMP: 5 + 0 // 4"),
    "udiv_4_bits": (2 + 10 * 6, "COMP: 5 + 4 // 4"),
    "udiv_16_bits": (2 + 10 * 9, "COMP: 5 + 16 // 4"),
    "udiv_longest": (2 + 10 * 12, "COMP: 5 + 31 // 4; TRM-M4 3-1: at most 12"),
    "sdiv_negative": (2 + 10 * 6, "COMP: magnitudes, 5 + 4 // 4"),
    "sdiv_longest": (2 + 10 * 12, "COMP: 5 + 31 // 4; TRM-M4 3-1: at most 12"),
}
EXPECTED = {
    "m0plus": {
        "alu": (100, "TRM-M0+: ADD 1"),
        "nop": (100, "TRM-M0+: NOP 1"),
        "mul": (32, "TRM-M0+: MULS 1 (fast multiplier)"),
        "load_independent": (20 * 2, "TRM-M0+: LDR 2"),
        "load_dependent": (20 * 2, "TRM-M0+: LDR 2"),
        "load_isolated": (10 * (2 + 1), "TRM-M0+: LDR 2, ADD 1"),
        "load_use": (10 * (2 + 1), "TRM-M0+: no load-use penalty"),
        "load_after_alu": (10 * (1 + 2), "TRM-M0+: ADD 1, LDR 2"),
        "load_byte": (20 * 2, "TRM-M0+: LDRB 2"),
        "load_literal": (10 * (2 + 1), "TRM-M0+: LDR literal 2"),
        "load_store": (10 * (2 + 2 + 1), "TRM-M0+: LDR 2, STR 2, NOP 1"),
        "store_run": (20 * 2, "TRM-M0+: STR 2"),
        "store_register_offset": (20 * 2, "TRM-M0+: STR 2"),
        "ldm1": (8 * (1 + 1), "TRM-M0+: LDM 1 + N"),
        "ldm4": (8 * (1 + 4), "TRM-M0+: LDM 1 + N"),
        "stm4": (8 * (1 + 4), "TRM-M0+: STM 1 + N"),
        "push_pop4": (8 * 2 * (1 + 4), "TRM-M0+: PUSH, POP 1 + N"),
        "branch": (10 * 2, "TRM-M0+: B 2"),
        "branch_taken": (2 + 10 * 2, "TRM-M0+: B<cc> taken 2"),
        "branch_not_taken": (2 + 20, "TRM-M0+: B<cc> not taken 1"),
        "loop": (2 + 99 * 3 + 2, "TRM-M0+: SUB 1, B<cc> 2, at the end 1"),
        "call": (1 + 2 + 1 + 10 * 3 + 3 + 2 - 2, "TRM-M0+: PUSH 1 + N, NOP 1, BL 3, POP with PC 3 + N"),
        "call_register": (1 + 2 + 1 + 10 * (2 + 1) + 3 + 2 - 2, "TRM-M0+: BLX 2"),
        "mrs": (10 * 3, "TRM-M0+: MRS 3"),
        "barrier": (10 * 3, "TRM-M0+: DMB 3"),
    },
    "m3": COMMON_V7 | {"mla": (20 * 2, "TRM-M3 3.3: MLA 2")},
    "m4f": COMMON_V7
    | {
        "mla": (20, "TRM-M4 3-1: MLA 1"),
        "umull": (20, "TRM-M4 3-1: UMULL 1"),
        "smlal": (20, "TRM-M4 3-1: SMLAL 1"),
        "smlald": (20, "TRM-M4 3-2: SMLALD 1"),
        "simd": (40, "TRM-M4 3-2: SADD8 and the like 1"),
        "saturate": (20, "TRM-M4 3-1: SSAT 1"),
        "vadd_independent": (20, "TRM-M4 7-1: VADD 1"),
        "vadd_chain": (20 + 19, "TRM-M4 7-1: a result consumed by the next FP instruction 1 more"),
        "vmul_chain": (20 + 19, "TRM-M4 7-1: VMUL 1, dependency 1 more"),
        "vfma_independent": (20 * 3, "TRM-M4 7-1: VFMA 3"),
        "vfma_chain": (20 * 3, "TRM-M4 7-1: VFMA 3, the addend is read a cycle later"),
        "vmla_chain": (20 * 3, "TRM-M4 7-1: VMLA 3, the addend is read a cycle later"),
        "vdiv": (10 * 14 - 1, "TRM-M4 7-1: VDIV 14, the last overlaps the bx lr"),
        "vsqrt": (10 * 14 - 1, "TRM-M4 7-1: VSQRT 14, the last overlaps the bx lr"),
        "vldr_independent": (20 + 1, "TRM-M4 3.3.2, GCC-M4: VLDR pipelines like LDR"),
        "vldr_isolated": (10 * (2 + 1), "TRM-M4 7-1: VLDR 2, ADD 1"),
        "vldm8": (8 * (1 + 8), "TRM-M4 7-1: VLDM 1 + N"),
        "vstm8": (8 * (1 + 8), "TRM-M4 7-1: VSTM 1 + N"),
        "vmov_core": (20, "TRM-M4 7-1: VMOV core to single 1"),
        "vmov_two": (10 * 2, "TRM-M4 7-1: VMOV of two registers 2"),
        "vcmp": (20, "TRM-M4 7-1: VCMP 1"),
        "vcvt": (20, "TRM-M4 7-1: VCVT 1"),
    },
}
# Of the cores without a table: what a repetition takes, and how often it is repeated.
MEASURED = {
    "m33": {
        "alu": (1, 100, "JNK: a cycle each"),
        "nop": (Fraction(1, 2), 100, "JNK: NOPs pair"),
        "mul": (2, 32, "KA001260: MULS 2"),
        "mla": (2, 20, "JNK: a factor is there after 2"),
        "simd": (4, 20, "JNK: DSP and MAC results are there after 2"),
        "load_independent": (2, 10, "JNK: a load 1"),
        "load_dependent": (2, 20, "JNK: load-use 2"),
        "load_use": (3, 10, "JNK: load-use 2"),
        "ldm4": (4, 8, "JNK: LDM N"),
        "stm4": (4, 8, "JNK: STM N"),
        "push_pop4": (8, 8, "JNK: N each"),
        "ldrd": (2, 10, "JNK: LDRD 2"),
        "strd": (2, 10, "JNK: STRD 2"),
        "branch_not_taken": (1, 20, "JNK: every other pairs at best"),
        "loop": (3, 100, "JNK: taken 2 behind what sets the flags"),
        "it_after_wide": (3, 20, "JNK: IT pairs with 16 bits only"),
        "vadd_independent": (2, 10, "JNK: pipelined"),
        "vadd_chain": (2, 20, "JNK: result after 2"),
        "vfma_chain": (3, 20, "JNK: accumulator after 3"),
        "vfma_independent": (6, 10, "JNK: no other FP instruction for 2 cycles"),
        "vldm8": (8, 8, "JNK: VLDM N"),
        "vmov_two": (2, 10, "JNK: two to the core 2"),
    },
    "m7": {
        "alu": (1, 100, "JNK: a chain, a cycle each"),
        "nop": (Fraction(1, 2), 100, "JNK: two a cycle"),
        "mul": (2, 32, "JNK: product after 2"),
        "load_independent": (1, 10, "JNK: loads of two banks pair"),
        "load_dependent": (2, 20, "JNK: a load into an address 2"),
        "load_isolated": (1, 10, "JNK: a load and an ADD pair"),
        "store_run": (1, 20, "JNK: stores never pair"),
        "ldm4": (2, 8, "JNK: LDM N/2"),
        "push_pop4": (4, 8, "JNK: N/2 each"),
        "ldrd": (1, 10, "JNK: LDRD 1, alone"),
        "loop": (1, 100, "JNK: predicted, paired; 8 more when the BTAC doesn't know it yet, and at its exit"),
        "vadd_chain": (3, 20, "JNK, QUIN: result after 3"),
        "vmul_chain": (3, 20, "JNK, QUIN: result after 3"),
        "vfma_chain": (3, 20, "JNK, QUIN: accumulator after 3"),
        "vmla_chain": (3, 20, "JNK, QUIN: accumulator after 3"),
        "vdiv": (32, 5, "JNK, QUIN: VDIV 16"),
        "vsqrt": (28, 5, "JNK, QUIN: VSQRT 14"),
        "vdiv_overlapped": (16 + 18, 5, "JNK: one ADD beside VDIV; the rest is a chain, but the first two pair"),
        "vldm8": (4, 8, "JNK: like LDM"),
    },
}
CASES = [(core, kernel) for core, kernels in EXPECTED.items() for kernel in kernels]


@cache
def own_cycles(core: str) -> dict[str, int]:
    """Own cycles of each micro-kernel on that core, with memory that never waits."""
    with TemporaryDirectory() as directory:
        board = Path(directory) / "board.yaml"
        board.write_text(PICO_WITHOUT_WAITS)
        name = str(board) if core == "m0plus" else BOARDS[core]
        profile = run_elf(PROGRAMS / f"microkernels-{core}.elf", name).profile()
    return {k.name.removeprefix("mk_"): k.cycles for k in profile.kernels if k.name.startswith("mk_")}


@pytest.mark.parametrize(("core", "kernel"), CASES, ids=[f"{core}-{kernel}" for core, kernel in CASES])
def test_kernel_takes_what_the_manual_says(core: str, kernel: str) -> None:
    expected, source = EXPECTED[core][kernel]
    cycles = own_cycles(core)
    assert cycles[kernel] - cycles["empty"] == expected, source


@pytest.mark.parametrize(("core", "kernel"), [(core, kernel) for core in MEASURED for kernel in MEASURED[core]])
def test_kernel_takes_what_was_measured(core: str, kernel: str) -> None:
    """But for what the first repetition waits and the last one leaves to wait for: a few cycles in all."""
    each, times, source = MEASURED[core][kernel]
    cycles = own_cycles(core)
    exit_of_loop = 2 * 8 if (core, kernel) == ("m7", "loop") else 0
    assert abs(cycles[kernel] - cycles["empty"] - each * times - exit_of_loop) <= 4, source
