/* What the start-up programs share: `app.c` is the program, `hal.c` the part of a vendor's HAL that every chip has alike
   (tick, waits with a time limit, console text, received bytes), and each other source one board. */
#ifndef STARTUP_H
#define STARTUP_H

#include <stddef.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define BIT(n) (1u << (n))

/* Vectors of external interrupts; the linker puts them behind those of startup.c. */
#define IRQ_VECTORS __attribute__((section(".isr_vector"), used)) void (*const irq_vectors[])(void)

enum { TIMER_HZ = 1000, TIMER_INTERRUPTS = 10, BAUD = 115200, UART_TIMEOUT_MS = 100, READY_TIMEOUT_MS = 100 };

/* The board. */
typedef struct {
    const char *name;
    uint32_t reset_hz;      /* core clock out of reset */
    int tick_stops_asleep;  /* the core's clock, and SysTick with it, stops in WFI */
} Board;

extern const Board board;

/* Brings the core from its reset clock to full speed; reads back every step. */
void board_clock_start(void);

/* The core's clock, computed from what the registers say now. */
uint32_t board_clock_hz(void);

/* Console at 115200 baud, with an interrupt for each byte that arrives. */
void board_console_start(void);

/* Sends with a time limit in ticks, as HAL_UART_Transmit; 0, or -1 when the time is over. */
int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms);

/* A timer that interrupts with TIMER_HZ and calls timer_fired. */
void board_timer_start(void);
void board_timer_stop(void);

void board_pin(int high);

/* What only this chip has: CRC, random numbers, caches, divider, real-time counter. */
void board_more(void);

/* hal.c */
void HAL_IncTick(void);
uint32_t HAL_GetTick(void);
void HAL_Delay(uint32_t delay_ms);
void systick_start(uint32_t clock_hz);
void irq_enable(unsigned number);

/* Polls until the masked register has that value; 0, or -1 once `timeout_ms` are over. */
int wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value, uint32_t timeout_ms);

/* As wait_for, but the program ends with an error that names `what` if it doesn't come. */
void require(volatile uint32_t *reg, uint32_t mask, uint32_t value, const char *what);
void give_up(const char *what) __attribute__((noreturn));

/* Replaces the bits of `mask`. */
void change(volatile uint32_t *reg, uint32_t mask, uint32_t value);

void say(const char *text);
void say_number(const char *before, uint32_t value, const char *after);
void say_hex(const char *before, uint32_t value, const char *after);

/* From interrupt handlers. */
void received(uint8_t byte);
void timer_fired(void);

/* A line that arrived, without its end; its length, or -1 if none was complete after `timeout_ms`. */
int read_line(char *line, size_t size, uint32_t timeout_ms);
void wait_for_timer(uint32_t interrupts);

#endif
