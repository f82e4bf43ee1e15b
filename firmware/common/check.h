/* What every example shares: kernel marking, iteration count, inputs and the self-check. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

/* A function that must show up in a profile under its own name: neither inlined nor cloned. */
#if defined(__GNUC__) && !defined(__clang__)
#define KERNEL __attribute__((noipa))
#else
#define KERNEL __attribute__((noinline))
#endif

/* How often the example repeats its work; each defines it, by -DITERATIONS=n or its own default. It stays in
   read-only memory, so that a debugger or emulator can write it before the run without the copy of .data undoing
   that; read it through iteration_count(), or the compiler takes the constant. */
extern const unsigned iterations;

static inline unsigned iteration_count(void) {
    return *(const volatile unsigned *)&iterations;
}

/* The next word of a xorshift32 sequence; `state` must not be zero. */
static inline uint32_t next_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

/* Fills with deterministic bytes. */
void fill_random(void *destination, size_t size, uint32_t seed);

/* CRC-32 (polynomial 0xEDB88320, as in zlib). */
uint32_t crc32(const void *data, size_t size);

/* Prints "<name> crc=0x........ ok" (or what was expected) and returns 0 when the CRC of `data` is `expected`, else 1. */
int check_output(const char *name, const void *data, size_t size, uint32_t expected);

#endif
