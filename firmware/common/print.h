/* Text output without stdio: strings, hexadecimal and decimal words. */
#ifndef PRINT_H
#define PRINT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void print_text(const char *text);
void print_hex(uint32_t value);      /* 0x and eight digits */
void print_decimal(uint32_t value);  /* no leading zeros */

#ifdef __cplusplus
}
#endif

#endif
