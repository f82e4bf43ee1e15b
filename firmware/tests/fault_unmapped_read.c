/* Loads from an address where no board of ours has anything. */
#include <stdint.h>

__attribute__((noipa)) uint32_t peek(uintptr_t address) {
    return *(volatile uint32_t *)address;
}

int main(void) {
    return (int)peek(0xc0000000u);
}
