#include "startup.h"

#include "print.h"
#include "semihost.h"

#define SYST_CSR REG(0xe000e010u)
#define SYST_RVR REG(0xe000e014u)
#define SYST_CVR REG(0xe000e018u)
#define NVIC_ISER(n) REG(0xe000e100u + 4u * (n))
#define SHPR3 REG(0xe000ed20u)

enum { RING_BYTES = 64 };

volatile uint32_t uwTick;
static volatile uint32_t fired;
static volatile uint8_t ring[RING_BYTES];
static volatile uint32_t ring_head, ring_tail;

void SysTick_Handler(void);

void SysTick_Handler(void) {
    HAL_IncTick();
}

void HAL_IncTick(void) {
    uwTick += 1;
}

uint32_t HAL_GetTick(void) {
    return uwTick;
}

/* At least `delay_ms`, at most one tick more. */
void HAL_Delay(uint32_t delay_ms) {
    const uint32_t start = HAL_GetTick();
    const uint32_t wait = delay_ms + 1;
    while (HAL_GetTick() - start < wait) {
    }
}

void systick_start(uint32_t clock_hz) {
    SYST_RVR = clock_hz / 1000 - 1;
    SHPR3 |= 0xffu << 24; /* lowest priority */
    SYST_CVR = 0;
    SYST_CSR = 7;
}

void irq_enable(unsigned number) {
    NVIC_ISER(number / 32) = 1u << number % 32;
}

int wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t timeout_ms) {
    const uint32_t start = HAL_GetTick();
    while ((*reg & mask) != value) {
        if (HAL_GetTick() - start > timeout_ms) {
            return -1;
        }
    }
    return 0;
}

void give_up(const char *what) {
    print_text("no ");
    print_text(what);
    print_text("\n");
    semihost_exit(1);
}

void require(volatile uint32_t *reg, uint32_t mask, uint32_t value, const char *what) {
    if (wait_for(reg, mask, value, READY_TIMEOUT_MS) != 0) {
        give_up(what);
    }
}

void change(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
    *reg = (*reg & ~mask) | value;
}

/* Text. */

void say(const char *text) {
    size_t size = 0;
    while (text[size] != 0) {
        size++;
    }
    if (board_console_send((const uint8_t *)text, size, UART_TIMEOUT_MS) != 0) {
        give_up("console");
    }
}

void say_number(const char *before, uint32_t value, const char *after) {
    char digits[11];
    unsigned at = 10;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    say(before);
    say(digits + at);
    say(after);
}

void say_hex(const char *before, uint32_t value, const char *after) {
    char digits[11] = "0x";
    for (int i = 0; i < 8; i++) {
        digits[2 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15u];
    }
    digits[10] = 0;
    say(before);
    say(digits);
    say(after);
}

/* What interrupts bring. */

void received(uint8_t byte) {
    const uint32_t next = (ring_head + 1) % RING_BYTES;
    if (next != ring_tail) {
        ring[ring_head] = byte;
        ring_head = next;
    }
}

void timer_fired(void) {
    fired++;
}

static void irq_off(void) {
    __asm__ volatile("cpsid i" ::: "memory");
}

static void irq_on(void) {
    __asm__ volatile("cpsie i\n isb" ::: "memory");
}

static void sleep(void) {
    __asm__ volatile("dsb\n wfi" ::: "memory");
}

/* With interrupts masked WFI still wakes, so none can come between the look and the sleep. */
void wait_for_timer(uint32_t interrupts) {
    fired = 0;
    board_timer_start();
    irq_off();
    while (fired < interrupts) {
        sleep();
        irq_on();
        irq_off();
    }
    irq_on();
}

int read_line(char *line, size_t size, uint32_t timeout_ms) {
    const uint32_t start = HAL_GetTick();
    size_t length = 0;
    for (;;) {
        irq_off();
        if (ring_head == ring_tail && !board.tick_stops_asleep) {
            sleep();
        }
        irq_on();
        while (ring_tail != ring_head) {
            const char byte = (char)ring[ring_tail];
            ring_tail = (ring_tail + 1) % RING_BYTES;
            if (byte == '\n' || byte == '\r') {
                line[length] = 0;
                return (int)length;
            }
            if (length < size - 1) {
                line[length++] = byte;
            }
        }
        if (HAL_GetTick() - start > timeout_ms) {
            return -1;
        }
    }
}
