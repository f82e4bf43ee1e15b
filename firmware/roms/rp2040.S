/* Substitute for the boot ROM of the RP2040: header, tables, bit functions and stubs.

   The layout of the header, the two-character codes and what each function does are those of the RP2040 datasheet
   (2.8.3, bootrom contents); the code is our own, so cycles within it are not those of the silicon. It says that it is
   version 3, the ROM of B2 silicon: with it the SDK takes every function from the tables and needs no addresses inside. */

    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .macro function name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .thumb_func
    .type \name, %function
\name:
    .endm

    .macro end name
    .size \name, . - \name
    .endm

    .macro data first, second, target
    .byte \first, \second
    .short \target
    .endm

    /* 16-bit relocations leave the Thumb bit out. */
    .macro code first, second, target
    data \first, \second, "\target + 1"
    .endm

/* ---- header ------------------------------------------------------------------------------------------------- */

    .section .header, "a", %progbits
    .word 0x20041f00                /* stack while booting */
    .word rom_unused
    .word rom_unused                /* NMI */
    .word rom_unused                /* HardFault */
    .byte 'M', 'u', 1, 3            /* magic; version at 0x13 */
    .short rom_function_table
    .short rom_data_table
    .short rom_table_lookup + 1

    .section .tables, "a", %progbits
    .balign 4
rom_function_table:
    code 'P', '3', rom_popcount32
    code 'R', '3', rom_reverse32
    code 'L', '3', rom_clz32
    code 'T', '3', rom_ctz32
    code 'M', 'S', rom_memset
    code 'S', '4', rom_memset4
    code 'M', 'C', rom_memcpy
    code 'C', '4', rom_memcpy44
    code 'U', 'B', rom_reset_usb_boot
    code 'D', 'T', rom_debug_trampoline
    code 'D', 'E', rom_debug_trampoline_end
    code 'W', 'V', rom_wait_for_vector
    code 'I', 'F', rom_connect_internal_flash
    code 'E', 'X', rom_flash_exit_xip
    code 'R', 'E', rom_flash_range_erase
    code 'R', 'P', rom_flash_range_program
    code 'F', 'C', rom_flash_flush_cache
    code 'C', 'X', rom_flash_enter_cmd_xip
    .short 0

    .balign 4
rom_data_table:
    data 'C', 'R', rom_copyright
    data 'G', 'R', rom_git_revision
    data 'F', 'S', rom_float_start
    data 'F', 'E', rom_float_end
    data 'S', 'F', rom_float_table
    data 'D', 'S', rom_double_start
    data 'D', 'E', rom_double_end
    data 'S', 'D', rom_double_table
    .short 0

rom_copyright:
    .asciz "vtarget: substitute boot ROM"
    .balign 4
rom_git_revision:
    .word 0

    /* Entries in the datasheet's order; the number of words is in the byte two below. What it leaves out as deprecated:
       comparison (0x10), that with the result in the flags (0x14), sine and cosine at once (0x48). */
    .macro floating_point table, letter, width, sincos
    .balign 4
    .short 0
    .byte 32, 0
\table:
    .word rom_\letter\()add, rom_\letter\()sub, rom_\letter\()mul, rom_\letter\()div
    .word rom_\letter\()cmp, rom_\letter\()cmp_flags, rom_\letter\()sqrt
    .word rom_\letter\()2int, rom_\letter\()2fix, rom_\letter\()2uint, rom_\letter\()2ufix
    .word rom_\letter\()_int2, rom_\letter\()_fix2, rom_\letter\()_uint2, rom_\letter\()_ufix2
    .word rom_\letter\()cos, rom_\letter\()sin, rom_\letter\()tan, \sincos
    .word rom_\letter\()exp, rom_\letter\()ln, rom_\letter\()cmp, rom_\letter\()atan2
    .word rom_\letter\()_int642, rom_\letter\()_fix642, rom_\letter\()_uint642, rom_\letter\()_ufix642
    .word rom_\letter\()2int64, rom_\letter\()2fix64, rom_\letter\()2uint64, rom_\letter\()2ufix64
    .word rom_\letter\()2\width
    .endm

    floating_point rom_float_table, f, double, rom_fsin
    floating_point rom_double_table, d, float, rom_dsincos

/* ---- lookup: r0 = table, r1 = code; returns the entry's pointer or 0 ---------------------------------------- */

    function rom_table_lookup
1:  ldrh r2, [r0]
    ldrh r3, [r0, #2]
    adds r0, #4
    cmp r2, #0
    beq 2f
    cmp r2, r1
    bne 1b
    mov r0, r3
    bx lr
2:  movs r0, #0
    bx lr
    end rom_table_lookup

/* ---- bits: only r0 to r3 are changed; the SDK's conversions count on that for clz32 --------------------------- */

    function rom_popcount32
    ldr r3, =0x55555555             /* sums of pairs, nibbles, bytes, then one multiplication adds the bytes */
    lsrs r1, r0, #1
    ands r1, r3
    subs r0, r1
    ldr r3, =0x33333333
    lsrs r1, r0, #2
    ands r0, r3
    ands r1, r3
    adds r0, r1
    ldr r3, =0x0f0f0f0f
    lsrs r1, r0, #4
    adds r0, r1
    ands r0, r3
    ldr r3, =0x01010101
    muls r0, r3
    lsrs r0, #24
    bx lr
    .pool
    end rom_popcount32

    function rom_reverse32
    rev r0, r0                      /* bytes, then nibbles, pairs and bits within them */
    ldr r3, =0x0f0f0f0f
    lsrs r1, r0, #4
    ands r1, r3
    ands r0, r3
    lsls r0, #4
    orrs r0, r1
    ldr r3, =0x33333333
    lsrs r1, r0, #2
    ands r1, r3
    ands r0, r3
    lsls r0, #2
    orrs r0, r1
    ldr r3, =0x55555555
    lsrs r1, r0, #1
    ands r1, r3
    ands r0, r3
    lsls r0, #1
    orrs r0, r1
    bx lr
    .pool
    end rom_reverse32

    function rom_clz32
    movs r1, #28
    lsrs r2, r0, #16
    beq 1f
    mov r0, r2
    subs r1, #16
1:  lsrs r2, r0, #8
    beq 2f
    mov r0, r2
    subs r1, #8
2:  lsrs r2, r0, #4
    beq 3f
    mov r0, r2
    subs r1, #4
3:  adr r2, clz_of_nibble
    ldrb r0, [r2, r0]
    adds r0, r1
    bx lr
    .balign 4
clz_of_nibble:
    .byte 4, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0
    end rom_clz32

    function rom_ctz32
    movs r3, #0
    cmp r0, #0
    bne 1f
    movs r0, #32
    bx lr
1:  lsls r2, r0, #16
    bne 2f
    lsrs r0, #16
    adds r3, #16
2:  lsls r2, r0, #24
    bne 3f
    lsrs r0, #8
    adds r3, #8
3:  lsls r2, r0, #28
    bne 4f
    lsrs r0, #4
    adds r3, #4
4:  movs r1, #15
    ands r0, r1
    adr r2, ctz_of_nibble
    ldrb r0, [r2, r0]
    adds r0, r3
    bx lr
    .balign 4
ctz_of_nibble:
    .byte 0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0
    end rom_ctz32

/* ---- floating point ------------------------------------------------------------------------------------------ */

    function rom_fcmp_flags
    push {lr}
    bl rom_fcmp
    cmp r0, #0
    pop {pc}
    end rom_fcmp_flags

    function rom_dcmp_flags
    push {lr}
    bl rom_dcmp
    cmp r0, #0
    pop {pc}
    end rom_dcmp_flags

    /* Sine in r0 and r1, cosine in r2 and r3. */
    function rom_dsincos
    push {r4, lr}
    sub sp, #16
    mov r2, sp
    bl rom_dsincos_at
    ldr r0, [sp, #0]
    ldr r1, [sp, #4]
    ldr r2, [sp, #8]
    ldr r3, [sp, #12]
    add sp, #16
    pop {r4, pc}
    end rom_dsincos

/* ---- stubs -------------------------------------------------------------------------------------------------- */

    function rom_unused
    bkpt #0
    b rom_unused
    end rom_unused

    /* vtarget copies r2 bytes from r1 to r0 here, to memory that stores don't reach, too. */
    function rom_store
    bx lr
    end rom_store

    /* There is no USB: the run ends here. */
    function rom_reset_usb_boot
    bkpt #0
    b rom_reset_usb_boot
    end rom_reset_usb_boot

    /* For debuggers: calls r7, then stops. */
    function rom_debug_trampoline
    blx r7
    .global rom_debug_trampoline_end
    .thumb_func
rom_debug_trampoline_end:
    bkpt #0
    end rom_debug_trampoline

    /* Where core 1 waits to be launched: only core 0 is modelled. */
    function rom_wait_for_vector
    wfe
    b rom_wait_for_vector
    end rom_wait_for_vector

