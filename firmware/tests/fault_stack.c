/* Recursion without end, a kilobyte a level: the stack leaves the RAM at its lower end. */
#include <stdint.h>

__attribute__((noipa)) uint32_t deeper(uint32_t level) {
    if (level == UINT32_MAX) {
        return 0; /* so that the compiler sees an end */
    }
    volatile uint32_t frame[256];
    frame[0] = level;
    frame[255] = level;
    return deeper(level + 1) + frame[0] + frame[255];
}

int main(void) {
    return (int)deeper(0);
}
