/* Memory and flash functions of the substitute for the RP2040's boot ROM (datasheet 2.8.3.1). */
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t words[4];
} Block;

static void *rom_copy_words(uint32_t *to, const uint32_t *from, size_t size, void *destination) {
    for (; size >= sizeof(Block); size -= sizeof(Block)) {
        *(Block *)(void *)to = *(const Block *)(const void *)from;
        to += 4;
        from += 4;
    }
    for (; size >= 4; size -= 4) {
        *to++ = *from++;
    }
    uint8_t *last = (uint8_t *)to;
    for (const uint8_t *rest = (const uint8_t *)from; size > 0; size--) {
        *last++ = *rest++;
    }
    return destination;
}

static void *rom_set_words(uint32_t *to, uint32_t word, size_t size, void *destination) {
    const Block block = {{word, word, word, word}};
    for (; size >= sizeof(Block); size -= sizeof(Block)) {
        *(Block *)(void *)to = block;
        to += 4;
    }
    for (; size >= 4; size -= 4) {
        *to++ = word;
    }
    for (uint8_t *last = (uint8_t *)to; size > 0; size--) {
        *last++ = (uint8_t)word;
    }
    return destination;
}

/* Source and destination are word aligned. */
void *rom_memcpy44(uint32_t *destination, const uint32_t *source, size_t size) {
    return rom_copy_words(destination, source, size, destination);
}

/* Words as soon as both are aligned; bytes where they never are. */
void *rom_memcpy(uint8_t *destination, const uint8_t *source, size_t size) {
    uint8_t *to = destination;
    if ((((uintptr_t)to ^ (uintptr_t)source) & 3u) == 0) {
        for (; size > 0 && ((uintptr_t)to & 3u) != 0; size--) {
            *to++ = *source++;
        }
        return rom_copy_words((uint32_t *)(void *)to, (const uint32_t *)(const void *)source, size, destination);
    }
    while (size-- > 0) {
        *to++ = *source++;
    }
    return destination;
}

/* The destination is word aligned. */
void *rom_memset4(uint32_t *destination, uint32_t value, size_t size) {
    return rom_set_words(destination, (value & 0xffu) * 0x01010101u, size, destination);
}

void *rom_memset(uint8_t *destination, uint32_t value, size_t size) {
    uint8_t *to = destination;
    for (; size > 0 && ((uintptr_t)to & 3u) != 0; size--) {
        *to++ = (uint8_t)value;
    }
    return rom_set_words((uint32_t *)(void *)to, (value & 0xffu) * 0x01010101u, size, destination);
}

/* ---- flash: always in XIP mode; done at once ------------------------------------------------------------------ */

#define FLASH_BASE 0x10000000u
#define XIP_FLUSH (*(volatile uint32_t *)0x14000008u)
#define CHUNK_BYTES 64u /* divides a page and a sector */

void rom_store(uint32_t to, const void *from, size_t size);

void rom_connect_internal_flash(void) {
}

void rom_flash_exit_xip(void) {
}

void rom_flash_range_erase(uint32_t offset, size_t size, uint32_t block_size, uint8_t block_command) {
    uint8_t erased[CHUNK_BYTES];
    (void)block_size, (void)block_command;
    rom_memset(erased, 0xff, CHUNK_BYTES);
    for (; size >= CHUNK_BYTES; size -= CHUNK_BYTES, offset += CHUNK_BYTES) {
        rom_store(FLASH_BASE + offset, erased, CHUNK_BYTES);
    }
}

/* Ones become zeros, as in every NOR flash. */
void rom_flash_range_program(uint32_t offset, const uint8_t *data, size_t size) {
    uint8_t programmed[CHUNK_BYTES];
    for (; size >= CHUNK_BYTES; size -= CHUNK_BYTES, offset += CHUNK_BYTES) {
        const volatile uint8_t *old = (const volatile uint8_t *)(FLASH_BASE + offset);
        for (size_t i = 0; i < CHUNK_BYTES; i++) {
            programmed[i] = old[i] & *data++;
        }
        rom_store(FLASH_BASE + offset, programmed, CHUNK_BYTES);
    }
}

void rom_flash_flush_cache(void) {
    XIP_FLUSH = 1;
}

void rom_flash_enter_cmd_xip(void) {
}
