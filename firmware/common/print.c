#include "print.h"

#include "semihost.h"

void print_text(const char *text) {
    semihost_write(text);
}

void print_hex(uint32_t value) {
    char text[11] = "0x";
    for (int i = 0; i < 8; i++) {
        const uint32_t digit = (value >> (28 - 4 * i)) & 15u;
        text[2 + i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    text[10] = 0;
    semihost_write(text);
}

void print_decimal(uint32_t value) {
    /* By subtraction: Armv6-M has no divide instruction. */
    static const uint32_t powers[10] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    char text[11];
    int length = 0;
    for (int i = 0; i < 10; i++) {
        char digit = '0';
        while (value >= powers[i]) {
            value -= powers[i];
            digit++;
        }
        if (digit != '0' || length > 0 || i == 9) {
            text[length++] = digit;
        }
    }
    text[length] = 0;
    semihost_write(text);
}
