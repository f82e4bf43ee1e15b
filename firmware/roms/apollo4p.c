/* Non-volatile memory for the substitute of the Apollo4 Plus' boot ROM. INFO space isn't modelled: functions for it do
   nothing and report success. */
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_KEY 0x12344321u
#define MRAM_BYTES 0x200000u
#define APPLICATION 0x18000u /* below it is the secure boot loader's part */

enum { SUCCESS, INVALID_KEY, INVALID_DESTINATION, PAST_THE_END };

void rom_store(uint32_t to, const void *from, size_t size);

static int check(uint32_t key, uint32_t address, uint32_t words) {
    if (key != PROGRAM_KEY) {
        return INVALID_KEY;
    }
    if (address >= MRAM_BYTES) {
        return INVALID_DESTINATION;
    }
    return words > (MRAM_BYTES - address) / 4 ? PAST_THE_END : SUCCESS;
}

static void fill(uint32_t address, uint32_t word, uint32_t words) {
    uint32_t buffer[32];
    for (size_t i = 0; i < 32; i++) {
        buffer[i] = word;
    }
    while (words > 0) {
        const uint32_t part = words < 32 ? words : 32;
        rom_store(address, buffer, 4 * part);
        address += 4 * part;
        words -= part;
    }
}

int nv_mass_erase(uint32_t key, uint32_t instance) {
    (void)instance;
    if (key == PROGRAM_KEY) {
        fill(APPLICATION, 0xffffffffu, (MRAM_BYTES - APPLICATION) / 4);
    }
    return key == PROGRAM_KEY ? SUCCESS : INVALID_KEY;
}

/* MRAM has no pages: nothing has to be erased before it is programmed. */
int nv_page_erase(uint32_t key, uint32_t instance, uint32_t page) {
    (void)instance, (void)page;
    return key == PROGRAM_KEY ? SUCCESS : INVALID_KEY;
}

int nv_program_main(uint32_t key, const uint32_t *source, uint32_t address, uint32_t words) {
    const int status = check(key, address, words);
    if (status == SUCCESS) {
        rom_store(address, source, 4 * words);
    }
    return status;
}

/* Operation 0 fills with the word `source`; 1 programs from the address `source`. The destination is in words. */
int nv_program_main2(uint32_t key, uint32_t operation, uint32_t source, uint32_t offset_words, uint32_t words) {
    const int status = offset_words < MRAM_BYTES / 4 ? check(key, 4 * offset_words, words) : INVALID_DESTINATION;
    if (status == SUCCESS && operation == 0) {
        fill(4 * offset_words, source, words);
    } else if (status == SUCCESS) {
        rom_store(4 * offset_words, (const void *)source, 4 * words);
    }
    return status;
}

int nv_program_info_area(uint32_t key, const uint32_t *source, uint32_t offset_words, uint32_t words) {
    (void)key, (void)source, (void)offset_words, (void)words;
    return SUCCESS;
}

int nv_info_erase(uint32_t key) {
    (void)key;
    return SUCCESS;
}

int nv_recovery(uint32_t key) {
    (void)key;
    return SUCCESS;
}
