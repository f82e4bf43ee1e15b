/* Semihosting: console and exit through BKPT 0xAB, for debuggers and emulators. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a zero-terminated string (SYS_WRITE0). */
void semihost_write(const char *text);

/* Writes one character (SYS_WRITEC). */
void semihost_put(char character);

/* Ends the program with `code` (SYS_EXIT_EXTENDED); never returns. */
void semihost_exit(int code) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
