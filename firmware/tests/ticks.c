/* SysTick at 1 kHz on a 120 MHz core: sleeps through WAITED_TICKS of it, or computes meanwhile if ROUNDS is not 0.
   Words to write before the run: `waited_ticks` and `rounds` (of ten instructions each). */
#include <stdint.h>

#define SYST_CSR (*(volatile uint32_t *)0xe000e010u)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014u)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018u)

enum { RELOAD = 119999 };

const volatile uint32_t waited_ticks = 100;
const volatile uint32_t rounds = 0;

volatile uint32_t ticks;
volatile uint32_t output;

void SysTick_Handler(void);
void SysTick_Handler(void) {
    ticks++;
}

__attribute__((noipa)) void wait(uint32_t wanted) {
    while (ticks < wanted) {
        __asm__ volatile("wfi");
    }
}

__attribute__((noipa)) uint32_t compute(uint32_t count) {
    uint32_t x = 1, sum = 0;
    for (; count; count--) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        sum += x;
        sum ^= sum >> 3;
    }
    return sum;
}

int main(void) {
    SYST_RVR = RELOAD;
    SYST_CVR = 0;
    SYST_CSR = 7;
    wait(waited_ticks);
    output = compute(rounds);
    return 0;
}
