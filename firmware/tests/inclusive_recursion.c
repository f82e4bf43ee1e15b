/* descend(n) calls itself down to zero: 5 calls for n = 4. Instructions:
   leaf         3          nop nop bx
   descend(0)   5          push cmp beq bl pop, and the leaf's 3
   descend(n)   6 + below  push cmp beq subs bl pop
   So descend itself executes 4 * 6 + 5 = 29, and 32 with the leaf; mutual_even/odd alike below. */
#include "exact.h"

void descend(int n);
int mutual_even(int n);

EXACT void leaf(void) {
    __asm__("nop\n nop\n bx lr");
}

EXACT void descend(int n __attribute__((unused))) {
    __asm__("push {r4, lr}\n"
            "cmp r0, #0\n"
            "beq 1f\n"
            "subs r0, #1\n"
            "bl descend\n"
            "pop {r4, pc}\n"
            "1: bl leaf\n"
            "pop {r4, pc}\n");
}

/* Each 6 instructions, the one that meets zero 4 (push cmp beq pop): for n = 5, odd and even alternate from even(5)
   down to odd(0): three calls each; even 3 * 6 = 18, odd 2 * 6 + 4 = 16. */
EXACT int mutual_odd(int n __attribute__((unused))) {
    __asm__("push {r4, lr}\n"
            "cmp r0, #0\n"
            "beq 1f\n"
            "subs r0, #1\n"
            "bl mutual_even\n"
            "1: pop {r4, pc}\n");
}

EXACT int mutual_even(int n __attribute__((unused))) {
    __asm__("push {r4, lr}\n"
            "cmp r0, #0\n"
            "beq 1f\n"
            "subs r0, #1\n"
            "bl mutual_odd\n"
            "1: pop {r4, pc}\n");
}

/* 7 instructions: push movs bl movs bl movs pop. */
EXACT int main(void) {
    __asm__("push {r4, lr}\n"
            "movs r0, #4\n"
            "bl descend\n"
            "movs r0, #5\n"
            "bl mutual_even\n"
            "movs r0, #0\n"
            "pop {r4, pc}\n");
}
