/* Looks at the clock: SysTick everywhere, DWT_CYCCNT where the core has it, and the identification registers. */
#include <stdint.h>

#include "print.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPUID REGISTER(0xe000ed00u)
#define VTOR REGISTER(0xe000ed08u)
#define DEMCR REGISTER(0xe000edfcu)
#define DWT_CTRL REGISTER(0xe0001000u)
#define DWT_CYCCNT REGISTER(0xe0001004u)
#define DWT_LAR REGISTER(0xe0001fb0u)
#define SYST_CSR REGISTER(0xe000e010u)
#define SYST_RVR REGISTER(0xe000e014u)
#define SYST_CVR REGISTER(0xe000e018u)

enum { ROUNDS = 1000, SYSTICK_MAX = 0xffffff };

struct {
    uint32_t cpuid, vtor, systick_cycles, dwt_cycles;
} output;

/* 2 instructions a round. */
__attribute__((noipa)) void spin(uint32_t rounds) {
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+l"(rounds)::"cc");
}

static void start_clocks(void) {
    SYST_RVR = SYSTICK_MAX;
    SYST_CVR = 0;
    SYST_CSR = 5; /* enabled, core clock, no interrupt */
#ifndef __ARM_ARCH_6M__
    DEMCR |= 1u << 24; /* TRCENA */
    DWT_LAR = 0xc5acce55u;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1;
#endif
}

static void report(const char *name, uint32_t value, void (*print)(uint32_t)) {
    print_text(name);
    print(value);
    print_text("\n");
}

int main(void) {
    start_clocks();
    const uint32_t systick_before = SYST_CVR;
    spin(ROUNDS);
    output.systick_cycles = (systick_before - SYST_CVR) & SYSTICK_MAX;
#ifndef __ARM_ARCH_6M__
    const uint32_t before = DWT_CYCCNT;
    spin(ROUNDS);
    output.dwt_cycles = DWT_CYCCNT - before;
#endif
    output.cpuid = CPUID;
    output.vtor = VTOR;
    report("cpuid ", output.cpuid, print_hex);
    report("vtor ", output.vtor, print_hex);
    report("systick ", output.systick_cycles, print_decimal);
    report("dwt ", output.dwt_cycles, print_decimal);
    /* At least a cycle a round: a core that issues two instructions at once needs no more. */
#ifdef __ARM_ARCH_6M__
    return output.systick_cycles >= ROUNDS ? 0 : 1;
#else
    return output.systick_cycles >= ROUNDS && output.dwt_cycles >= ROUNDS ? 0 : 1;
#endif
}
