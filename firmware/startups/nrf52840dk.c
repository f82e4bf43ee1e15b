/* nRF52840-DK: both crystals, RTC, TIMER, random numbers; console UARTE0 with EasyDMA on P0.06 and P0.08, or the legacy
   UART when built with -DLEGACY_UART (nRF52840 PS 5.4, 6.22, 6.30, 6.33, 6.34). */
#include "startup.h"

#define CLOCK 0x40000000u
#define UARTE0 0x40002000u
#define TIMER0 0x40008000u
#define RTC0 0x4000b000u
#define RNG 0x4000d000u
#define P0 0x50000000u

#define TASKS_HFCLKSTART REG(CLOCK + 0x000)
#define TASKS_LFCLKSTART REG(CLOCK + 0x008)
#define EVENTS_HFCLKSTARTED REG(CLOCK + 0x100)
#define EVENTS_LFCLKSTARTED REG(CLOCK + 0x104)
#define HFCLKSTAT REG(CLOCK + 0x40c)
#define LFCLKSTAT REG(CLOCK + 0x418)
#define LFCLKSRC REG(CLOCK + 0x518)

/* Of the UART and the UARTE. */
#define UART(offset) REG(UARTE0 + (offset))
enum {
    STARTRX = 0x000, STARTTX = 0x008, STOPTX = 0x00c, RXDRDY = 0x108, ENDRX = 0x110, TXDRDY = 0x11c, ENDTX = 0x120,
    TXSTOPPED = 0x158, SHORTS = 0x200, INTENSET = 0x304, ENABLE = 0x500, PSEL_TXD = 0x50c, PSEL_RXD = 0x514,
    RXD = 0x518, TXD = 0x51c, BAUDRATE = 0x524, RXD_PTR = 0x534, RXD_MAXCNT = 0x538, TXD_PTR = 0x544,
    TXD_MAXCNT = 0x548,
};

enum { UART_IRQ = 2, TIMER0_IRQ = 8, LED1 = 13, RTC_COUNTS = 328 };

/* SysTick counts the core's clock, which stops while the core sleeps. */
const Board board = {.name = "nrf52840dk", .reset_hz = 64000000, .tick_stops_asleep = 1};

void UARTE0_UART0_IRQHandler(void);
void TIMER0_IRQHandler(void);

IRQ_VECTORS = {[UART_IRQ] = UARTE0_UART0_IRQHandler, [TIMER0_IRQ] = TIMER0_IRQHandler};

void TIMER0_IRQHandler(void) {
    if (REG(TIMER0 + 0x140)) { /* EVENTS_COMPARE[0] */
        REG(TIMER0 + 0x140) = 0;
        (void)REG(TIMER0 + 0x140);
        timer_fired();
    }
}

void board_clock_start(void) {
    EVENTS_HFCLKSTARTED = 0;
    TASKS_HFCLKSTART = 1;
    while (EVENTS_HFCLKSTARTED == 0) {
    }
    require(&HFCLKSTAT, BIT(16) | 1, BIT(16) | 1, "HFXO");

    LFCLKSRC = 1; /* crystal */
    EVENTS_LFCLKSTARTED = 0;
    TASKS_LFCLKSTART = 1;
    while (EVENTS_LFCLKSTARTED == 0) {
    }
    require(&LFCLKSTAT, BIT(16) | 3, BIT(16) | 1, "LFXO");
}

/* The core has only one clock. */
uint32_t board_clock_hz(void) {
    return HFCLKSTAT & BIT(16) ? 64000000 : 0;
}

static void pins_start(void) {
    REG(P0 + 0x508) = BIT(6);             /* OUTSET */
    REG(P0 + 0x700 + 4 * 6) = 1 | BIT(1); /* PIN_CNF: output, no input buffer */
    REG(P0 + 0x700 + 4 * 8) = 0;
    REG(P0 + 0x700 + 4 * LED1) = 1 | BIT(1);
    UART(PSEL_TXD) = 6;
    UART(PSEL_RXD) = 8;
}

#ifdef LEGACY_UART

void UARTE0_UART0_IRQHandler(void) {
    if (UART(RXDRDY)) {
        UART(RXDRDY) = 0;
        received((uint8_t)UART(RXD));
    }
}

void board_console_start(void) {
    pins_start();
    UART(BAUDRATE) = 0x01d7e000;
    UART(ENABLE) = 4;
    UART(INTENSET) = BIT(2); /* RXDRDY */
    irq_enable(UART_IRQ);
    UART(STARTRX) = 1;
    UART(STARTTX) = 1;
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    for (size_t i = 0; i < size; i++) {
        UART(TXDRDY) = 0;
        UART(TXD) = data[i];
        if (wait_for(&UART(TXDRDY), 1, 1, timeout_ms) != 0) {
            return -1;
        }
    }
    return 0;
}

#else

/* EasyDMA reads and writes RAM only. */
enum { BUFFER_BYTES = 16 };
static volatile uint8_t tx_buffer[BUFFER_BYTES];
static volatile uint8_t rx_byte;

void UARTE0_UART0_IRQHandler(void) {
    if (UART(ENDRX)) {
        UART(ENDRX) = 0;
        received(rx_byte);
        UART(STARTRX) = 1;
    }
}

void board_console_start(void) {
    pins_start();
    UART(BAUDRATE) = 0x01d60000;
    UART(ENABLE) = 8;
    UART(RXD_PTR) = (uint32_t)(uintptr_t)&rx_byte;
    UART(RXD_MAXCNT) = 1;
    UART(INTENSET) = BIT(4); /* ENDRX */
    irq_enable(UART_IRQ);
    UART(STARTRX) = 1;
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    while (size > 0) {
        const size_t part = size < BUFFER_BYTES ? size : BUFFER_BYTES;
        for (size_t i = 0; i < part; i++) {
            tx_buffer[i] = data[i];
        }
        UART(ENDTX) = 0;
        UART(TXD_PTR) = (uint32_t)(uintptr_t)tx_buffer;
        UART(TXD_MAXCNT) = part;
        UART(STARTTX) = 1;
        if (wait_for(&UART(ENDTX), 1, 1, timeout_ms) != 0) {
            return -1;
        }
        data += part;
        size -= part;
    }
    UART(TXSTOPPED) = 0;
    UART(STOPTX) = 1;
    return wait_for(&UART(TXSTOPPED), 1, 1, timeout_ms);
}

#endif

void board_timer_start(void) {
    REG(TIMER0 + 0x504) = 0;                  /* MODE: timer */
    REG(TIMER0 + 0x508) = 3;                  /* BITMODE: 32 */
    REG(TIMER0 + 0x510) = 4;                  /* PRESCALER: 1 MHz */
    REG(TIMER0 + 0x540) = 1000000 / TIMER_HZ; /* CC[0] */
    REG(TIMER0 + 0x200) = 1;                  /* SHORTS: COMPARE0_CLEAR */
    REG(TIMER0 + 0x304) = BIT(16);            /* INTENSET: COMPARE[0] */
    irq_enable(TIMER0_IRQ);
    REG(TIMER0 + 0x00c) = 1; /* TASKS_CLEAR */
    REG(TIMER0 + 0x000) = 1; /* TASKS_START */
}

void board_timer_stop(void) {
    REG(TIMER0 + 0x004) = 1;       /* TASKS_STOP */
    REG(TIMER0 + 0x308) = BIT(16); /* INTENCLR */
}

/* LED1 lights when low. */
void board_pin(int high) {
    REG(P0 + (high ? 0x508 : 0x50c)) = BIT(LED1); /* OUTSET, OUTCLR */
}

static void count_seconds(void) {
    REG(RTC0 + 0x508) = 0; /* PRESCALER: 32768 Hz */
    REG(RTC0 + 0x540) = RTC_COUNTS;
    REG(RTC0 + 0x344) = BIT(16); /* EVTENSET: COMPARE[0] */
    REG(RTC0 + 0x140) = 0;
    REG(RTC0 + 0x008) = 1; /* TASKS_CLEAR */
    REG(RTC0 + 0x000) = 1; /* TASKS_START */
    const uint32_t before = HAL_GetTick();
    require(&REG(RTC0 + 0x140), 1, 1, "COMPARE of RTC0");
    const uint32_t ticks = HAL_GetTick() - before;
    REG(RTC0 + 0x004) = 1; /* TASKS_STOP */
    say_number("rtc: ", REG(RTC0 + 0x504), " counts");
    say(ticks >= 9 && ticks <= 11 ? " in 10 ms\n" : ", not in 10 ms\n");
}

static void draw(void) {
    uint8_t bytes[4];
    REG(RNG + 0x504) = 1; /* CONFIG: bias correction */
    REG(RNG + 0x000) = 1; /* TASKS_START */
    int differ = 0;
    for (int i = 0; i < 4; i++) {
        REG(RNG + 0x100) = 0; /* EVENTS_VALRDY */
        require(&REG(RNG + 0x100), 1, 1, "VALRDY");
        bytes[i] = (uint8_t)REG(RNG + 0x508);
        differ |= bytes[i] != bytes[0];
    }
    REG(RNG + 0x004) = 1;
    say(differ ? "rng: different bytes\n" : "rng: the same byte four times\n");
}

void board_more(void) {
    count_seconds();
    draw();
}
