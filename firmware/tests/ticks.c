/* SysTick: sleeps through `waited_ticks` of it, then computes for `rounds` (of 8 instructions each) while it goes on.
   What else happens at ticks and between them is drawn by lot from the set bits of `actions`, from `seed` on. `control`
   has SYST_CSR in bits 8 and above; bit 1 has the thread wait on the process stack. Words to write before the run. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xe000e010u)
#define SYST_RVR REGISTER(0xe000e014u)
#define SYST_CVR REGISTER(0xe000e018u)
#define ICSR REGISTER(0xe000ed04u)
#define VTOR REGISTER(0xe000ed08u)
#define DEMCR REGISTER(0xe000edfcu)
#define DWT_CTRL REGISTER(0xe0001000u)
#define DWT_CYCCNT REGISTER(0xe0001004u)

enum { ACTIONS = 11, PROCESS_STACK_WORDS = 128, VECTORS = 16, SYSTICK = 15 };

const volatile uint32_t waited_ticks = 100;
const volatile uint32_t rounds = 0;
const volatile uint32_t reload = 119999;
const volatile uint32_t actions = 0;
const volatile uint32_t seed = 1;
const volatile uint32_t control = 7u << 8;

volatile uint32_t ticks, output, pended;
static volatile float gain = 1.0f;
static uint32_t state;
static uint32_t process_stack[PROCESS_STACK_WORDS] __attribute__((aligned(8)));
static uint32_t vectors[VECTORS] __attribute__((aligned(128)));

void SysTick_Handler(void);
void PendSV_Handler(void);

static uint32_t draw(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 16;
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

__attribute__((noipa)) uint32_t nested(uint32_t depth) {
    return depth ? nested(depth - 1) + depth : compute(3);
}

__attribute__((noipa)) void other_tick(void) {
    ticks++;
    output += 5;
}

__attribute__((noipa)) static void act(uint32_t choice) {
    switch (choice) {
    case 0: output += compute(draw() % 32u); break;
    case 1: output += SYST_CSR; break;
    case 2: output += SYST_CVR; break;
    case 3: output += DWT_CYCCNT; break;
    case 4: ICSR = 1u << 28; break;
    case 5: output += nested(draw() % 5u); break;
    case 6: output += compute(reload / 8u); break; /* the next tick comes meanwhile */
    case 7: gain = gain * 1.5f; break;
    case 8: SYST_RVR = reload + draw() % 8u; break;
    case 9: vectors[SYSTICK] = (uint32_t)(draw() & 1u ? other_tick : SysTick_Handler); break;
    case 10: output += 100u / (draw() % 7u + 1u); break;
    }
}

static void maybe_act(void) {
    const uint32_t choice = draw() % 64u;
    if (choice < ACTIONS && actions >> choice & 1u) {
        act(choice);
    }
}

void SysTick_Handler(void) {
    ticks++;
    if (actions) {
        maybe_act();
    }
}

void PendSV_Handler(void) {
    pended++;
}

__attribute__((noipa)) void wait(uint32_t wanted) {
    while (ticks < wanted) {
        __asm__ volatile("wfi");
        if (actions) {
            maybe_act();
        }
    }
}

static void start(void) {
    DEMCR |= 1u << 24;
    DWT_CTRL |= 1u;
    for (uint32_t i = 0; i < VECTORS; i++) {
        vectors[i] = ((const volatile uint32_t *)VTOR)[i];
    }
    if (actions >> 9 & 1u) {
        VTOR = (uint32_t)vectors;
    }
    SYST_RVR = reload;
    SYST_CVR = 0;
    SYST_CSR = control >> 8;
}

static void wait_on_process_stack(void) {
    register uint32_t wanted __asm__("r0") = waited_ticks;
    __asm__ volatile("msr psp, %1\n movs r1, #2\n msr control, r1\n isb\n bl wait\n movs r1, #0\n msr control, r1\n isb"
                     : "+r"(wanted)
                     : "r"(process_stack + PROCESS_STACK_WORDS)
                     : "r1", "r2", "r3", "r12", "lr", "cc", "memory");
}

int main(void) {
    state = seed;
    start();
    if (control & 2u) {
        wait_on_process_stack();
    } else {
        wait(waited_ticks);
    }
    output += compute(rounds);
    return 0;
}
