/* Substitute for the boot ROM of the Apollo4 Plus: the functions that AmbiqSuite calls by address.

   Addresses and arguments are those of AmbiqSuite's table g_am_hal_bootrom_helper (am_hal_bootrom_helper.c and .h for
   apollo4p, R4.x); the code is our own. What lies between is not known and stops the run. */

    .syntax unified
    .thumb

    .section .entries, "ax", %progbits
    .macro entry offset, name
    .org \offset - 0x4c
    .global rom_\name
    .thumb_func
    .type rom_\name, %function
rom_\name:
    b.w \name
    .size rom_\name, 4
    .endm

    .macro unknown offset
    .org \offset - 0x4c
    bkpt #0
    .endm

    entry 0x4c, nv_mass_erase
    entry 0x50, nv_page_erase
    entry 0x54, nv_program_main
    entry 0x58, nv_program_info_area
    unknown 0x5c
    unknown 0x60
    unknown 0x64
    unknown 0x68
    entry 0x6c, nv_program_main2
    unknown 0x70
    entry 0x74, read_word
    entry 0x78, write_word
    unknown 0x7c
    entry 0x80, nv_info_erase
    unknown 0x84
    unknown 0x88
    unknown 0x8c
    unknown 0x90
    unknown 0x94
    entry 0x98, nv_recovery
    entry 0x9c, delay_cycles

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

    function read_word
    ldr r0, [r0]
    bx lr
    end read_word

    function write_word
    str r1, [r0]
    bx lr
    end write_word

    /* Three cycles for each of r0, which is how am_hal_delay_us computes it. */
    function delay_cycles
    cbz r0, 2f
1:  subs r0, #1
    bne 1b
2:  bx lr
    end delay_cycles

    /* vtarget copies r2 bytes from r1 to r0 here, to memory that stores don't reach, too. */
    function rom_store
    bx lr
    end rom_store
