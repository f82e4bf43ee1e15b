/* main -> first => second => third, where => is a branch without link: third returns to main.
   first: nop nop b, 3 instructions; second: nop b, 2; third: nop nop nop bx, 4; called twice each.
   tail_compiled does as the compiler at -O2: it jumps to third too, after one nop. */
#include "exact.h"

EXACT void third(void) {
    __asm__("nop\n nop\n nop\n bx lr");
}

EXACT void second(void) {
    __asm__("nop\n b third");
}

EXACT void first(void) {
    __asm__("nop\n nop\n b second");
}

__attribute__((noinline)) void tail_compiled(void) {
    __asm__ volatile("nop");
    third();
}

/* 6 instructions: push bl bl bl movs pop. third runs three times. */
EXACT int main(void) {
    __asm__("push {r4, lr}\n"
            "bl first\n"
            "bl first\n"
            "bl tail_compiled\n"
            "movs r0, #0\n"
            "pop {r4, pc}\n");
}
