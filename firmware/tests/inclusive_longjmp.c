/* main: setjmp, then outer -> middle -> inner, which longjmps back to main; main then calls after.
   setjmp: 4 instructions (mov stmia movs bx), called once, though it returns twice.
   longjmp: 6 (ldmia mov movs it moveq bx); the moveq is skipped, as the value is 1, but takes its slot.
   inner: 3 (ldr movs bl, never comes back); middle: 2 (push bl); outer: 3 (push nop bl); after: 2 (nop bx). */
#include "exact.h"

#include <stdint.h>

uint32_t jump_buffer[10];
int middle_returned;

/* r4-r11, sp, lr: the same layout for both. */
EXACT int setjmp(uint32_t *buffer __attribute__((unused))) {
    __asm__("mov r12, sp\n"
            "stmia r0, {r4-r12, lr}\n"
            "movs r0, #0\n"
            "bx lr\n");
}

EXACT void longjmp(uint32_t *buffer __attribute__((unused)), int value __attribute__((unused))) {
    __asm__("ldmia r0, {r4-r12, lr}\n"
            "mov sp, r12\n"
            "movs r0, r1\n"
            "it eq\n"
            "moveq r0, #1\n"
            "bx lr\n");
}

EXACT void after(void) {
    __asm__("nop\n bx lr");
}

EXACT void inner(void) {
    __asm__("ldr r0, =jump_buffer\n"
            "movs r1, #1\n"
            "bl longjmp\n"
            ".ltorg\n");
}

EXACT void middle(void) {
    __asm__("push {r4, lr}\n"
            "bl inner\n"
            "ldr r0, =middle_returned\n"
            "str r0, [r0]\n"
            "pop {r4, pc}\n"
            ".ltorg\n");
}

EXACT void outer(void) {
    __asm__("push {r4-r6, lr}\n"
            "nop\n"
            "bl middle\n"
            "pop {r4-r6, pc}\n");
}

/* 10 instructions: push ldr bl(setjmp) cbnz bl(outer), then back from setjmp again cbnz bl(after) ldr ldr pop.
   Returns middle_returned, 0 unless the jump went wrong. */
EXACT int main(void) {
    __asm__("push {r4, lr}\n"
            "ldr r0, =jump_buffer\n"
            "bl setjmp\n"
            "cbnz r0, 1f\n"
            "bl outer\n"
            "1: bl after\n"
            "ldr r0, =middle_returned\n"
            "ldr r0, [r0]\n"
            "pop {r4, pc}\n"
            ".ltorg\n");
}
