/* Never ends, and is no idle loop: it counts. */
#include <stdint.h>

volatile uint32_t progress;

__attribute__((noipa)) void work(void) {
    for (;;) {
        progress++;
    }
}

int main(void) {
    work();
    return 0;
}
