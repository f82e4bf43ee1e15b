/* From reset to main. Build with -DNO_FPU_ENABLE to leave the FPU off, with -DNO_SEMIHOST_EXIT to end in an
   idle loop once main has returned. */
#include <stdint.h>

#include "semihost.h"

extern uint32_t __data_start, __data_end, __data_load, __bss_start, __bss_end, __stack_top;
extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

extern int main(void);

void Reset_Handler(void) __attribute__((noreturn));
void Default_Handler(void);

#define WEAK_HANDLER(name) void name(void) __attribute__((weak, alias("Default_Handler")))
WEAK_HANDLER(NMI_Handler);
WEAK_HANDLER(HardFault_Handler);
WEAK_HANDLER(MemManage_Handler);
WEAK_HANDLER(BusFault_Handler);
WEAK_HANDLER(UsageFault_Handler);
WEAK_HANDLER(SecureFault_Handler);
WEAK_HANDLER(SVC_Handler);
WEAK_HANDLER(DebugMon_Handler);
WEAK_HANDLER(PendSV_Handler);
WEAK_HANDLER(SysTick_Handler);

typedef union {
    void *stack;
    void (*handler)(void);
} Vector;

__attribute__((section(".isr_vector"), used)) const Vector __isr_vector[16] = {
    {.stack = &__stack_top},
    {.handler = Reset_Handler},
    {.handler = NMI_Handler},
    {.handler = HardFault_Handler},
    {.handler = MemManage_Handler},
    {.handler = BusFault_Handler},
    {.handler = UsageFault_Handler},
    {.handler = SecureFault_Handler},
    {0},
    {0},
    {0},
    {.handler = SVC_Handler},
    {.handler = DebugMon_Handler},
    {0},
    {.handler = PendSV_Handler},
    {.handler = SysTick_Handler},
};

void Default_Handler(void) {
    for (;;) {
    }
}

static void enable_fpu(void) {
#if defined(__ARM_FP) && !defined(NO_FPU_ENABLE)
    volatile uint32_t *const cpacr = (volatile uint32_t *)0xe000ed88u;
    *cpacr |= 0xfu << 20; /* CP10 and CP11, full access */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
}

static void initialise_memory(void) {
    const uint32_t *from = &__data_load;
    if (from != &__data_start) {
        for (uint32_t *to = &__data_start; to < &__data_end; to++) {
            *to = *from++;
        }
    }
    for (uint32_t *to = &__bss_start; to < &__bss_end; to++) {
        *to = 0;
    }
}

void Reset_Handler(void) {
    enable_fpu();
    initialise_memory();
    for (void (*const *constructor)(void) = __init_array_start; constructor < __init_array_end; constructor++) {
        (*constructor)();
    }
#ifdef NO_SEMIHOST_EXIT
    main();
    for (;;) {
    }
#else
    semihost_exit(main());
#endif
}

/* Objects of libgcc name this unwinder routine; without it the linker would pull the whole unwinder in. */
void __aeabi_unwind_cpp_pr0(void);
void __aeabi_unwind_cpp_pr0(void) {
}
