/* Calls a function pointer that leads nowhere: main -> launch -> 0x70000000. */
#include <stdint.h>

__attribute__((noipa)) void launch(uintptr_t address) {
    ((void (*)(void))(address | 1u))();
    __asm__ volatile("" ::: "memory"); /* no tail call: launch stays on the stack */
}

int main(void) {
    launch(0x70000000u);
    return 0;
}
