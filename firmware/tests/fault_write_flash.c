/* Stores into a constant, which stands in flash. */
#include <stdint.h>

const uint32_t constant = 0x12345678u;

__attribute__((noipa)) void overwrite(const uint32_t *target) {
    *(volatile uint32_t *)target = 0;
}

int main(void) {
    overwrite(&constant);
    return 0;
}
