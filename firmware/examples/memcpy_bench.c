/* Memory traffic: words, bytes and halfwords copied, overlapping moves, fills. */
#include "check.h"

#include <stddef.h>

#ifndef ITERATIONS
#define ITERATIONS 16
#endif

enum { SIZE = 4096 };

void *memmove(void *destination, const void *source, size_t size);
void *memcpy(void *destination, const void *source, size_t size);
void *memset(void *destination, int value, size_t size);

const unsigned iterations = ITERATIONS;
uint32_t output[4][SIZE / 4];

static uint32_t source[SIZE / 4];

KERNEL void copy_words(uint32_t *to, const uint32_t *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ((volatile uint32_t *)to)[i] = from[i];
    }
}

KERNEL void copy_halfwords(uint16_t *to, const uint16_t *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ((volatile uint16_t *)to)[i] = from[i];
    }
}

KERNEL void copy_bytes(uint8_t *to, const uint8_t *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ((volatile uint8_t *)to)[i] = from[i];
    }
}

KERNEL void copy_blocks(uint32_t *to, const uint32_t *from, size_t bytes) {
    memcpy(to, from, bytes);
}

/* Half of the buffer up by one byte and the other half down by one: both directions of memmove. */
KERNEL void shift_halves(uint8_t *data) {
    memmove(data + 1, data, SIZE / 2 - 1);
    memmove(data + SIZE / 2, data + SIZE / 2 + 1, SIZE / 2 - 1);
}

KERNEL void fill(void *data, int value, size_t bytes) {
    memset(data, value, bytes);
}

int main(void) {
    fill_random(source, sizeof source, 0x5eed0009u);
    for (unsigned i = iteration_count(); i > 0; i--) {
        fill(output, 0x5a, sizeof output);
        copy_words(output[0], source, SIZE / 4);
        copy_halfwords((uint16_t *)(void *)output[1], (const uint16_t *)(const void *)source, SIZE / 4);
        copy_bytes((uint8_t *)output[2] + 1, (const uint8_t *)source, SIZE - 2);
        copy_blocks(output[3], source, SIZE / 2);
        shift_halves((uint8_t *)output[3]);
    }
    return check_output("memcpy_bench", output, sizeof output, 0x3263b30cu);
}
