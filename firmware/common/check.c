#include "check.h"

#include "print.h"

void fill_random(void *destination, size_t size, uint32_t seed) {
    uint8_t *bytes = destination;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(next_random(&seed) >> 24);
    }
}

uint32_t crc32(const void *data, size_t size) {
    /* A nibble at a time: sixteen table words are a fair trade on small flash. */
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

int check_output(const char *name, const void *data, size_t size, uint32_t expected) {
    const uint32_t found = crc32(data, size);
    print_text(name);
    print_text(" crc=");
    print_hex(found);
    if (found == expected) {
        print_text(" ok\n");
        return 0;
    }
    print_text(" expected ");
    print_hex(expected);
    print_text("\n");
    return 1;
}
