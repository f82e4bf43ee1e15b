/* Micro-kernels for timing: each a function mk_<name> whose body repeats one pattern and ends in bx lr, called once
   from main. What a pattern costs is the kernel's own cycles less those of mk_empty, which is the bx lr alone.

   On entry: r0 = buffer (word aligned; word 0 holds the buffer's own address, word 1 the number 4), r1 = 1, r2 = 4,
   r3 = address of mk_leaf with the Thumb bit. Kernels may spoil r0-r3 and r12, and s0-s15 with an FPU.

   Every kernel starts on an eight-byte boundary. "narrow" patterns are 16-bit instructions; "wide" ones 32-bit, word
   aligned unless the name says otherwise. Kernels that need pushes or set-up state it; count those too. */

    .syntax unified
    .thumb

    .macro kernel name
    .section .text.mk_\name, "ax", %progbits
    .balign 8
    .global mk_\name
    .thumb_func
    .type mk_\name, %function
mk_\name:
    .endm

    .macro end name
    bx lr
    .size mk_\name, . - mk_\name
    .endm

    .macro plain_end name
    .size mk_\name, . - mk_\name
    .endm

/* ---- every core --------------------------------------------------------------------------------------------- */

    kernel empty
    end empty

    /* Called by the call kernels: bx lr. */
    kernel leaf
    end leaf

    /* Called by mk_call_pop: push {r4, lr}; pop {r4, pc}. */
    kernel leaf_pop
    push {r4, lr}
    pop {r4, pc}
    plain_end leaf_pop

    kernel alu
    .rept 100
    adds r1, r1, #1
    .endr
    end alu

    kernel nop
    .rept 100
    nop
    .endr
    end nop

    kernel mul
    .rept 32
    muls r1, r2, r1
    .endr
    end mul

    /* 20 loads one after the other, no address depends on a load before it. */
    kernel load_independent
    .rept 10
    ldr r1, [r0, #4]
    ldr r2, [r0, #8]
    .endr
    end load_independent

    /* 20 loads, each from the address the one before it loaded. */
    kernel load_dependent
    .rept 20
    ldr r0, [r0]
    .endr
    end load_dependent

    /* 10 loads, each followed by an instruction that is no load or store and doesn't use it. */
    kernel load_isolated
    .rept 10
    ldr r1, [r0, #4]
    adds r2, r2, #1
    .endr
    end load_isolated

    /* 10 loads, each followed by an instruction that uses it. */
    kernel load_use
    .rept 10
    ldr r1, [r0, #4]
    adds r2, r1, #1
    .endr
    end load_use

    /* 10 loads whose base register the instruction before has computed. */
    kernel load_after_alu
    .rept 10
    adds r0, r0, #4
    ldr r1, [r0]
    .endr
    end load_after_alu

    kernel load_register_offset
    .rept 20
    ldr r1, [r0, r2]
    .endr
    end load_register_offset

    kernel load_byte
    .rept 20
    ldrb r1, [r0, #4]
    .endr
    end load_byte

    kernel load_literal
    .rept 10
    ldr r1, =0x12345678
    adds r2, r2, #1
    .endr
    bx lr
    .ltorg
    plain_end load_literal

    kernel store_run
    .rept 20
    str r1, [r0, #8]
    .endr
    end store_run

    kernel store_isolated
    .rept 10
    str r1, [r0, #8]
    adds r2, r2, #1
    .endr
    end store_isolated

    /* r2 = 4 stays. */
    kernel store_register_offset
    .rept 20
    str r1, [r0, r2]
    .endr
    end store_register_offset

    /* 10 pairs: a load, then a store with an immediate offset of something else. */
    kernel load_store
    .rept 10
    ldr r1, [r0, #4]
    str r2, [r0, #8]
    nop
    .endr
    end load_store

    /* r4-r7 are kept by the caller, main. */
    kernel ldm4
    .rept 8
    ldm r0!, {r4-r7}
    .endr
    end ldm4

    kernel ldm1
    .rept 8
    ldm r0!, {r4}
    .endr
    end ldm1

    kernel stm4
    .rept 8
    stm r0!, {r4-r7}
    .endr
    end stm4

    kernel push_pop4
    .rept 8
    push {r4-r7}
    pop {r4-r7}
    .endr
    end push_pop4

    /* 10 unconditional branches, each to a word-aligned 16-bit instruction. */
    kernel branch
    .rept 10
    b 1f
    nop
1:
    .endr
    end branch

    /* cmp, nop, then 10 branches that are taken. */
    kernel branch_taken
    cmp r0, r0
    nop
    .rept 10
    beq 1f
    nop
1:
    .endr
    end branch_taken

    /* cmp, nop, then 20 branches that are not taken. */
    kernel branch_not_taken
    cmp r0, r0
    nop
    .rept 20
    bne 2f
    .endr
2:  end branch_not_taken

    /* movs, nop, then a loop of two instructions 100 times, its branch taken 99 times. */
    kernel loop
    movs r1, #100
    nop
1:  subs r1, r1, #1
    bne 1b
    end loop

    /* push, nop, 10 calls of mk_leaf, pop into pc in place of the bx lr. */
    kernel call
    push {r4, lr}
    nop
    .rept 10
    bl mk_leaf
    .endr
    pop {r4, pc}
    plain_end call

    /* The same through a register, a nop behind each. */
    kernel call_register
    push {r4, lr}
    nop
    .rept 10
    blx r3
    nop
    .endr
    pop {r4, pc}
    plain_end call_register

    kernel call_pop
    push {r4, lr}
    nop
    .rept 10
    bl mk_leaf_pop
    .endr
    pop {r4, pc}
    plain_end call_pop

    /* 10 jumps by writing the program counter, each with the two instructions that make the address. */
    kernel mov_pc
    .rept 10
    mov r1, pc
    adds r1, #4
    mov pc, r1
    nop
    .endr
    end mov_pc

    kernel mrs
    .rept 10
    mrs r1, primask
    .endr
    end mrs

    kernel barrier
    .rept 10
    dmb
    .endr
    end barrier

/* ---- Armv7-M ------------------------------------------------------------------------------------------------ */
#if __ARM_ARCH >= 7

    kernel alu_wide
    .rept 40
    add.w r1, r1, r2, lsl #3
    .endr
    end alu_wide

    kernel mla
    .rept 20
    mla r1, r1, r2, r3
    .endr
    end mla

    kernel umull
    .rept 20
    umull r1, r3, r0, r2
    .endr
    end umull

    kernel smlal
    .rept 20
    smlal r1, r3, r0, r2
    .endr
    end smlal

    /* cmp, nop, then 20 times IT EQ and an addition that executes. */
    kernel it_true
    cmp r0, r0
    nop
    .rept 20
    it eq
    addeq r1, r1, #1
    .endr
    end it_true

    /* The same with an addition that doesn't. */
    kernel it_false
    cmp r0, r0
    nop
    .rept 20
    it ne
    addne r1, r1, #1
    .endr
    end it_false

    /* cmp, nop, then 10 blocks of four, two executing and two not. */
    kernel ittee
    cmp r0, r0
    nop
    .rept 10
    ittee eq
    addeq r1, r1, #1
    addeq r2, r2, #1
    addne r1, r1, #2
    addne r2, r2, #2
    .endr
    end ittee

    /* cmp, nop, then IT behind a 32-bit instruction, which it can't fold into. */
    kernel it_after_wide
    cmp r0, r0
    nop
    .rept 20
    add.w r2, r2, #1
    it eq
    addeq r1, r1, #1
    .endr
    end it_after_wide

    /* movs, nop, then 10 cbz that are taken. */
    kernel cbz_taken
    movs r2, #0
    nop
    .rept 10
    cbz r2, 1f
    nop
1:
    .endr
    end cbz_taken

    /* Two nops, then 20 cbz that are not taken. */
    kernel cbz_not_taken
    nop
    nop
    .rept 20
    cbz r2, 2f
    .endr
2:  end cbz_not_taken

    /* 10 branches to the instruction behind, a 32-bit one that isn't word aligned: b at 4k, target at 4k + 2. */
    kernel branch_unaligned_wide
    .rept 10
    b 1f
1:  add.w r1, r1, #1
    nop
    .endr
    end branch_unaligned_wide

    /* Divides, dividend and divisor made by the two instructions ahead; 10 each. */
    .macro divide_kernel name, operation, dividend, divisor
    kernel \name
    mov.w r1, #\dividend
    mov.w r2, #\divisor
    .rept 10
    \operation r3, r1, r2
    .endr
    end \name
    .endm

    divide_kernel udiv_by_zero, udiv, 0x12000000, 0
    divide_kernel udiv_of_zero, udiv, 0, 7
    divide_kernel udiv_smaller, udiv, 3, 0x100
    divide_kernel udiv_equal_bits, udiv, 7, 5
    divide_kernel udiv_4_bits, udiv, 0x7f, 5
    divide_kernel udiv_16_bits, udiv, 0x70000, 5
    divide_kernel udiv_longest, udiv, 0xffffffff, 1
    divide_kernel sdiv_negative, sdiv, -112, 5
    divide_kernel sdiv_longest, sdiv, 0x80000000, 1

    kernel ldrd
    .rept 10
    ldrd r1, r2, [r0, #8]
    .endr
    end ldrd

    kernel strd
    .rept 10
    strd r1, r2, [r0, #8]
    .endr
    end strd

    kernel load_post_index
    .rept 10
    ldr r1, [r0], #4
    .endr
    end load_post_index

    /* 10 word loads from an address 2 behind a word boundary, apart by a nop.w each. */
    kernel load_unaligned_halfword
    .rept 10
    ldr.w r1, [r0, #6]
    nop.w
    .endr
    end load_unaligned_halfword

    kernel load_unaligned_byte
    .rept 10
    ldr.w r1, [r0, #5]
    nop.w
    .endr
    end load_unaligned_byte

    /* movs, nop, then 10 table branches, each to a nop; the index is 0. */
    kernel tbb
    movs r1, #0
    nop
    .rept 10
    tbb [pc, r1]
1:  .byte (2f - 1b) / 2
    .byte 0
2:  nop
    .endr
    end tbb

    kernel bitfield
    .rept 20
    ubfx r1, r2, #3, #5
    clz r1, r1
    .endr
    end bitfield

    kernel saturate
    .rept 20
    ssat r1, #8, r2
    .endr
    end saturate

#endif

/* ---- DSP extension ------------------------------------------------------------------------------------------ */
#ifdef __ARM_FEATURE_DSP

    kernel simd
    .rept 20
    sadd8 r1, r1, r2
    smlad r1, r1, r2, r3
    .endr
    end simd

    kernel smlald
    .rept 20
    smlald r1, r3, r0, r2
    .endr
    end smlald

#endif

/* ---- FPU ---------------------------------------------------------------------------------------------------- */
#ifdef __ARM_FP

    /* No result is an operand of the next instruction. */
    kernel vadd_independent
    .rept 10
    vadd.f32 s0, s4, s5
    vadd.f32 s1, s4, s5
    .endr
    end vadd_independent

    /* Each operand is the result before it. */
    kernel vadd_chain
    .rept 20
    vadd.f32 s0, s0, s5
    .endr
    end vadd_chain

    kernel vmul_chain
    .rept 20
    vmul.f32 s0, s0, s5
    .endr
    end vmul_chain

    /* The accumulator is the result before it. */
    kernel vmla_chain
    .rept 20
    vmla.f32 s0, s4, s5
    .endr
    end vmla_chain

    kernel vfma_chain
    .rept 20
    vfma.f32 s0, s4, s5
    .endr
    end vfma_chain

    kernel vfma_independent
    .rept 10
    vfma.f32 s0, s4, s5
    vfma.f32 s1, s4, s5
    .endr
    end vfma_independent

    kernel vdiv
    .rept 5
    vdiv.f32 s0, s4, s5
    vdiv.f32 s1, s4, s5
    .endr
    end vdiv

    kernel vsqrt
    .rept 5
    vsqrt.f32 s0, s4
    vsqrt.f32 s1, s4
    .endr
    end vsqrt

    /* 5 divides, each with 20 integer instructions behind it. */
    kernel vdiv_overlapped
    .rept 5
    vdiv.f32 s0, s4, s5
    .rept 20
    adds r1, r1, #1
    .endr
    .endr
    end vdiv_overlapped

    kernel vldr_independent
    .rept 10
    vldr s0, [r0, #8]
    vldr s1, [r0, #12]
    .endr
    end vldr_independent

    kernel vldr_isolated
    .rept 10
    vldr s0, [r0, #8]
    nop.w
    .endr
    end vldr_isolated

    kernel vstr_run
    .rept 20
    vstr s0, [r0, #8]
    .endr
    end vstr_run

    kernel vldm8
    .rept 8
    vldm r0, {s0-s7}
    .endr
    end vldm8

    kernel vstm8
    .rept 8
    vstm r0, {s0-s7}
    .endr
    end vstm8

    kernel vmov_core
    .rept 10
    vmov r1, s4
    vmov s1, r2
    .endr
    end vmov_core

    kernel vmov_two
    .rept 10
    vmov r1, r2, s4, s5
    .endr
    end vmov_two

    kernel vcvt
    .rept 10
    vcvt.f32.s32 s0, s4
    vcvt.s32.f32 s1, s5
    .endr
    end vcvt

    kernel vcmp
    .rept 10
    vcmp.f32 s4, s5
    vmrs apsr_nzcv, fpscr
    .endr
    end vcmp

#endif

/* ---- main --------------------------------------------------------------------------------------------------- */

    .macro run names:vararg
    .irp name, \names
    mov r0, r8
    str r0, [r0]
    movs r1, #1
    movs r2, #4
    str r2, [r0, #4]
    ldr r3, =mk_leaf
    bl mk_\name
    .endr
    b 9f
    .ltorg
9:
    .endm

    .section .text.main, "ax", %progbits
    .balign 8
    .global main
    .thumb_func
    .type main, %function
main:
    push {r4-r7, lr}
    mov r4, r8
    push {r4}
    ldr r0, =output
    mov r8, r0
    run empty, leaf, leaf_pop, alu, nop, mul
    run load_independent, load_dependent, load_isolated, load_use, load_after_alu, load_register_offset
    run load_byte, load_literal, store_run, store_isolated, store_register_offset, load_store
    run ldm4, ldm1, stm4, push_pop4, branch, branch_taken, branch_not_taken, loop
    run call, call_register, call_pop, mov_pc, mrs, barrier
#if __ARM_ARCH >= 7
    run alu_wide, mla, umull, smlal, it_true, it_false, ittee, it_after_wide
    run cbz_taken, cbz_not_taken, branch_unaligned_wide
    run udiv_by_zero, udiv_of_zero, udiv_smaller, udiv_equal_bits, udiv_4_bits, udiv_16_bits, udiv_longest
    run sdiv_negative, sdiv_longest, ldrd, strd, load_post_index, load_unaligned_halfword, load_unaligned_byte
    run tbb, bitfield, saturate
#endif
#ifdef __ARM_FEATURE_DSP
    run simd, smlald
#endif
#ifdef __ARM_FP
    vmov.f32 s4, #1.5
    vmov.f32 s5, #1.25
    run vadd_independent, vadd_chain, vmul_chain, vmla_chain, vfma_chain, vfma_independent, vdiv, vsqrt
    run vdiv_overlapped, vldr_independent, vldr_isolated, vstr_run, vldm8, vstm8, vmov_core, vmov_two, vcvt, vcmp
#endif
    pop {r4}
    mov r8, r4
    movs r0, #0
    pop {r4-r7, pc}
    .size main, . - main

    .section .bss.output, "aw", %nobits
    .balign 8
    .global output
    .type output, %object
output:
    .space 256
    .size output, . - output
