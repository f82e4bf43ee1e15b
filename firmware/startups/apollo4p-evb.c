/* Apollo4 Plus EVB: high-performance mode (192 MHz), caches, console UART0 on GPIO60 and GPIO47, STIMER
   (Apollo4 Plus register documentation: PWRCTRL, CPU, UART, STIMER, GPIO). */
#include "startup.h"

#define UART0 0x4001c000u
#define GPIO 0x40010000u
#define PWRCTRL 0x40021000u
#define CACHECTRL 0x48000000u
#define STIMER 0x40008800u

#define MCUPERFREQ REG(PWRCTRL + 0x00)
#define DEVPWREN REG(PWRCTRL + 0x04)
#define DEVPWRSTATUS REG(PWRCTRL + 0x08)

enum { UART_DR = 0x00, UART_FR = 0x18, UART_IBRD = 0x24, UART_FBRD = 0x28, UART_LCRH = 0x2c, UART_CR = 0x30 };
enum { UART_IER = 0x38, UART_IEC = 0x44, UART_CLOCK_HZ = 24000000 };
enum { STCFG = 0x00, SCMPR0 = 0x20, STMINTEN = 0x100, STMINTCLR = 0x108, STIMER_HZ = 6000000 };
enum { PADKEY = 0x200, WTS0 = 0x224, WTC0 = 0x234, LED = 30 };
enum { UART0_IRQ = 15, STIMER_CMPR0_IRQ = 32 };

const Board board = {.name = "apollo4p-evb", .reset_hz = 96000000};

void UART0_IRQHandler(void);
void STIMER_CMPR0_IRQHandler(void);

IRQ_VECTORS = {[UART0_IRQ] = UART0_IRQHandler, [STIMER_CMPR0_IRQ] = STIMER_CMPR0_IRQHandler};

void board_clock_start(void) {
    REG(CACHECTRL) |= BIT(0); /* CACHECFG: ENABLE */
    change(&MCUPERFREQ, 3, 2); /* high performance */
    require(&MCUPERFREQ, BIT(2), BIT(2), "MCUPERFACK");
}

uint32_t board_clock_hz(void) {
    return (MCUPERFREQ >> 3 & 3) == 2 ? 192000000 : 96000000; /* MCUPERFSTATUS */
}

static void pin_function(unsigned pin, uint32_t config) {
    REG(GPIO + PADKEY) = 0x73;
    REG(GPIO + 4 * pin) = config;
    REG(GPIO + PADKEY) = 0;
}

void board_console_start(void) {
    DEVPWREN |= BIT(9); /* PWRENUART0 */
    require(&DEVPWRSTATUS, BIT(9), BIT(9), "PWRSTUART0");
    pin_function(60, 4);          /* UART0TX */
    pin_function(47, 4 | BIT(4)); /* UART0RX, input buffer */
    pin_function(LED, 3 | 1u << 8);

    REG(UART0 + UART_CR) = BIT(3);               /* CLKEN */
    change(&REG(UART0 + UART_CR), 7u << 4, 1u << 4); /* CLKSEL: 24 MHz */
    const uint32_t divider = 4 * UART_CLOCK_HZ / BAUD;
    REG(UART0 + UART_IBRD) = divider >> 6;
    REG(UART0 + UART_FBRD) = divider & 63;
    REG(UART0 + UART_LCRH) = 3u << 5 | BIT(4);
    REG(UART0 + UART_CR) |= BIT(0) | BIT(8) | BIT(9); /* UARTEN, TXE, RXE */
    REG(UART0 + UART_IER) = BIT(4) | BIT(6);
    irq_enable(UART0_IRQ);
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    for (size_t i = 0; i < size; i++) {
        if (wait_for(&REG(UART0 + UART_FR), BIT(5), 0, timeout_ms) != 0) { /* TXFF */
            return -1;
        }
        REG(UART0 + UART_DR) = data[i];
    }
    return wait_for(&REG(UART0 + UART_FR), BIT(3), 0, timeout_ms); /* BUSY */
}

void UART0_IRQHandler(void) {
    while (!(REG(UART0 + UART_FR) & BIT(4))) { /* RXFE */
        received((uint8_t)REG(UART0 + UART_DR));
    }
    REG(UART0 + UART_IEC) = BIT(6);
}

/* A compare register takes how far ahead, and the interrupt comes three counts after that. */
static void next_compare(void) {
    REG(STIMER + SCMPR0) = STIMER_HZ / TIMER_HZ - 3;
}

void STIMER_CMPR0_IRQHandler(void) {
    REG(STIMER + STMINTCLR) = 1;
    next_compare();
    timer_fired();
}

/* The compare register is set before it is compared: it holds 0, which the cleared counter has at once. */
void board_timer_start(void) {
    REG(STIMER + STCFG) = BIT(30); /* CLEAR */
    REG(STIMER + STCFG) = 1;       /* CLKSEL: HFRC / 16 */
    next_compare();
    REG(STIMER + STCFG) = 1 | BIT(8); /* COMPAREAEN */
    REG(STIMER + STMINTCLR) = 1;
    REG(STIMER + STMINTEN) |= 1;
    irq_enable(STIMER_CMPR0_IRQ);
}

void board_timer_stop(void) {
    REG(STIMER + STMINTEN) &= ~1u;
    REG(STIMER + STCFG) &= ~BIT(8);
}

void board_pin(int high) {
    REG(GPIO + (high ? WTS0 : WTC0)) = BIT(LED);
}

void board_more(void) {
}
