/* Calls through a table of function pointers.
   apply: push ldr blx pop, 4 instructions; one: bx, 1; three: nop nop bx, 3; five: nop x4 bx, 5.
   main calls apply with one, three, five, three: 4 calls, 16 own, 28 with callees (16 + 1 + 3 + 5 + 3). */
#include "exact.h"

EXACT void one(void) {
    __asm__("bx lr");
}

EXACT void three(void) {
    __asm__("nop\n nop\n bx lr");
}

EXACT void five(void) {
    __asm__("nop\n nop\n nop\n nop\n bx lr");
}

void (*const table[3])(void) = {one, three, five};

EXACT void apply(void (*const *entry)(void) __attribute__((unused))) {
    __asm__("push {r4, lr}\n"
            "ldr r3, [r0]\n"
            "blx r3\n"
            "pop {r4, pc}\n");
}

/* 12 instructions: push ldr, four times mov or add and bl, movs pop. */
EXACT int main(void) {
    __asm__("push {r4, lr}\n"
            "ldr r4, =table\n"
            "mov r0, r4\n"
            "bl apply\n"
            "add r0, r4, #4\n"
            "bl apply\n"
            "add r0, r4, #8\n"
            "bl apply\n"
            "add r0, r4, #4\n"
            "bl apply\n"
            "movs r0, #0\n"
            "pop {r4, pc}\n"
            ".ltorg\n");
}
