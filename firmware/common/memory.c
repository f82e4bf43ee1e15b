/* The memory functions a compiler may call on its own, even in freestanding code. */
#include <stddef.h>
#include <stdint.h>

static int both_word_aligned(const void *a, const void *b) {
    return (((uintptr_t)a | (uintptr_t)b) & 3u) == 0;
}

void *memcpy(void *restrict destination, const void *restrict source, size_t size) {
    uint8_t *to = destination;
    const uint8_t *from = source;
    if (both_word_aligned(to, from)) {
        for (; size >= 4; size -= 4, to += 4, from += 4) {
            *(uint32_t *)(void *)to = *(const uint32_t *)(const void *)from;
        }
    }
    while (size-- > 0) {
        *to++ = *from++;
    }
    return destination;
}

void *memmove(void *destination, const void *source, size_t size) {
    uint8_t *to = destination;
    const uint8_t *from = source;
    if (to <= from) {
        while (size-- > 0) {
            *to++ = *from++;
        }
    } else {
        while (size-- > 0) {
            to[size] = from[size];
        }
    }
    return destination;
}

void *memset(void *destination, int value, size_t size) {
    uint8_t *to = destination;
    const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
    if (((uintptr_t)to & 3u) == 0) {
        for (; size >= 4; size -= 4, to += 4) {
            *(uint32_t *)(void *)to = word;
        }
    }
    while (size-- > 0) {
        *to++ = (uint8_t)value;
    }
    return destination;
}

int memcmp(const void *left, const void *right, size_t size) {
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (; size > 0; size--, a++, b++) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}
