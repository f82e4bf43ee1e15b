/* Raspberry Pi Pico: blocks out of reset, XOSC 12 MHz, both PLLs, clk_ref, clk_sys 125 MHz and clk_peri in the order of
   the Pico SDK, watchdog tick, console UART0 on GPIO0 and GPIO1 (RP2040 datasheet 2.14 to 2.18, 4.2, 4.6, 4.7). */
#include "startup.h"

#define CLEAR(address) REG((address) + 0x3000u) /* atomic alias: bits written as 1 become 0 */
#define SET(address) REG((address) + 0x2000u)

#define CLOCKS 0x40008000u
#define RESETS 0x4000c000u
#define IO_BANK0 0x40014000u
#define PADS_BANK0 0x4001c000u
#define XOSC 0x40024000u
#define PLL_SYS 0x40028000u
#define PLL_USB 0x4002c000u
#define UART0 0x40034000u
#define TIMER 0x40054000u
#define WATCHDOG_TICK REG(0x4005802cu)
#define ROSC_RANDOMBIT REG(0x4006001cu)
#define SIO 0xd0000000u

enum { CLK_REF_CTRL = 0x30, CLK_SYS_CTRL = 0x3c, CLK_PERI_CTRL = 0x48, DIV = 4, SELECTED = 8, RESUS_CTRL = 0x78 };
enum { FC0_REF_KHZ = 0x80, FC0_MIN_KHZ = 0x84, FC0_MAX_KHZ = 0x88, FC0_INTERVAL = 0x90, FC0_SRC = 0x94 };
enum { FC0_STATUS = 0x98, FC0_RESULT = 0x9c };
enum { PLL_CS = 0, PLL_PWR = 4, PLL_FBDIV_INT = 8, PLL_PRIM = 12 };
enum { UART_DR = 0x00, UART_FR = 0x18, UART_IBRD = 0x24, UART_FBRD = 0x28, UART_LCR_H = 0x2c, UART_CR = 0x30 };
enum { UART_IFLS = 0x34, UART_IMSC = 0x38, UART_ICR = 0x44 };
enum { ALARM0 = 0x10, ARMED = 0x20, TIMERAWL = 0x28, INTR = 0x34, INTE = 0x38 };
enum { TIMER0_IRQ = 0, UART0_IRQ = 20, XOSC_HZ = 12000000, LED = 25 };

/* Bits of RESETS. */
enum {
    ALL_BLOCKS = 0x01ffffff,
    NOT_RESET = 1 << 6 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 18 | 1 << 24, /* IO and PADS_QSPI, PLLs, SYSCFG, USB */
    NEED_CLOCKS = 1 << 0 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 22 | 1 << 23 | 1 << 24, /* ADC, RTC, SPI, UART, USB */
};

/* The ring oscillator's nominal frequency. */
const Board board = {.name = "rpi-pico", .reset_hz = 6500000};

void TIMER_IRQ_0_Handler(void);
void UART0_IRQHandler(void);

IRQ_VECTORS = {[TIMER0_IRQ] = TIMER_IRQ_0_Handler, [UART0_IRQ] = UART0_IRQHandler};

static void unreset(uint32_t blocks) {
    CLEAR(RESETS) = blocks;
    while (~REG(RESETS + 8) & blocks) { /* RESET_DONE */
    }
}

static void pll_start(uint32_t pll, uint32_t block, uint32_t feedback, uint32_t post_1, uint32_t post_2) {
    SET(RESETS) = block;
    unreset(block);
    REG(pll + PLL_CS) = 1; /* REFDIV */
    REG(pll + PLL_FBDIV_INT) = feedback;
    CLEAR(pll + PLL_PWR) = BIT(0) | BIT(5); /* PD, VCOPD */
    require(&REG(pll + PLL_CS), BIT(31), BIT(31), "PLL lock");
    REG(pll + PLL_PRIM) = post_1 << 16 | post_2 << 12;
    CLEAR(pll + PLL_PWR) = BIT(3); /* POSTDIVPD */
}

static void wait_selected(uint32_t generator, uint32_t bit) {
    while (!(REG(CLOCKS + generator + SELECTED) & bit)) {
    }
}

void board_clock_start(void) {
    SET(RESETS) = ALL_BLOCKS & ~NOT_RESET;
    unreset(ALL_BLOCKS & ~NEED_CLOCKS);

    WATCHDOG_TICK = BIT(9) | XOSC_HZ / 1000000;
    REG(CLOCKS + RESUS_CTRL) = 0;

    REG(XOSC) = 0xaa0;    /* CTRL: 1 to 15 MHz */
    REG(XOSC + 0xc) = 47; /* STARTUP: 1 ms */
    SET(XOSC) = 0xfab << 12;
    require(&REG(XOSC + 4), BIT(31), BIT(31), "XOSC stable");

    CLEAR(CLOCKS + CLK_SYS_CTRL) = 1; /* both to their glitchless source 0 before the PLLs change */
    wait_selected(CLK_SYS_CTRL, 1);
    CLEAR(CLOCKS + CLK_REF_CTRL) = 3;
    wait_selected(CLK_REF_CTRL, 1);

    pll_start(PLL_SYS, BIT(12), 125, 6, 2); /* 12 MHz * 125 / 6 / 2 */
    pll_start(PLL_USB, BIT(13), 100, 5, 5); /* 48 MHz */

    REG(CLOCKS + CLK_REF_CTRL + DIV) = 1 << 8;
    REG(CLOCKS + CLK_REF_CTRL) = 2; /* XOSC */
    wait_selected(CLK_REF_CTRL, BIT(2));
    REG(CLOCKS + CLK_SYS_CTRL + DIV) = 1 << 8;
    change(&REG(CLOCKS + CLK_SYS_CTRL), 7u << 5, 0); /* AUXSRC: PLL_SYS */
    SET(CLOCKS + CLK_SYS_CTRL) = 1;                  /* SRC: AUX */
    wait_selected(CLK_SYS_CTRL, BIT(1));
    REG(CLOCKS + CLK_PERI_CTRL) = BIT(11); /* clk_sys, enabled */

    unreset(ALL_BLOCKS);
}

uint32_t board_clock_hz(void) {
    const uint32_t ctrl = REG(CLOCKS + CLK_SYS_CTRL), prim = REG(PLL_SYS + PLL_PRIM);
    uint32_t hz = (REG(CLOCKS + CLK_REF_CTRL) & 3) == 2 ? XOSC_HZ : board.reset_hz;
    if (REG(CLOCKS + CLK_SYS_CTRL + SELECTED) == 2 && (ctrl >> 5 & 7) == 0) {
        hz = XOSC_HZ / (REG(PLL_SYS + PLL_CS) & 63) * (REG(PLL_SYS + PLL_FBDIV_INT) & 0xfff);
        hz = hz / (prim >> 16 & 7) / (prim >> 12 & 7);
    }
    return hz / (REG(CLOCKS + CLK_SYS_CTRL + DIV) >> 8);
}

static void pin_function(unsigned pin, uint32_t function) {
    change(&REG(PADS_BANK0 + 4 + 4 * pin), BIT(6) | BIT(7), BIT(6)); /* IE on, OD off */
    REG(IO_BANK0 + 8 * pin + 4) = function;
}

void board_console_start(void) {
    pin_function(0, 2);
    pin_function(1, 2);
    REG(SIO + 0x24) = BIT(LED); /* GPIO_OE_SET */
    pin_function(LED, 5);

    const uint32_t divider = 8 * board_clock_hz() / BAUD;
    REG(UART0 + UART_IBRD) = divider >> 7;
    REG(UART0 + UART_FBRD) = ((divider & 127) + 1) / 2;
    REG(UART0 + UART_LCR_H) = 3u << 5 | BIT(4);      /* 8 bits, FIFOs */
    REG(UART0 + UART_CR) = BIT(0) | BIT(8) | BIT(9); /* UARTEN, TXE, RXE */
    REG(UART0 + UART_IMSC) = BIT(4) | BIT(6);        /* receive, receive timeout */
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
    REG(UART0 + UART_ICR) = BIT(6);
}

static uint32_t next_alarm;

void TIMER_IRQ_0_Handler(void) {
    REG(TIMER + INTR) = 1;
    next_alarm += 1000000 / TIMER_HZ;
    REG(TIMER + ALARM0) = next_alarm;
    timer_fired();
}

void board_timer_start(void) {
    SET(TIMER + INTE) = 1;
    irq_enable(TIMER0_IRQ);
    next_alarm = REG(TIMER + TIMERAWL) + 1000000 / TIMER_HZ;
    REG(TIMER + ALARM0) = next_alarm;
}

void board_timer_stop(void) {
    CLEAR(TIMER + INTE) = 1;
    REG(TIMER + ARMED) = 1;
}

void board_pin(int high) {
    REG(SIO + (high ? 0x14 : 0x18)) = BIT(LED); /* GPIO_OUT_SET, GPIO_OUT_CLR */
}

/* Of the single-cycle I/O block: eight cycles for a quotient and a remainder. */
static uint32_t divide(uint32_t dividend, uint32_t divisor, uint32_t is_signed, uint32_t *remainder) {
    REG(SIO + 0x60 + 8 * is_signed) = dividend;
    REG(SIO + 0x64 + 8 * is_signed) = divisor;
    while (!(REG(SIO + 0x78) & 1)) { /* CSR: READY */
    }
    *remainder = REG(SIO + 0x74);
    return REG(SIO + 0x70); /* the quotient comes last: reading it clears DIRTY */
}

/* clk_sys against the crystal, as the SDK's frequency_count_khz. */
static uint32_t counted_khz(void) {
    while (REG(CLOCKS + FC0_STATUS) & BIT(8)) { /* RUNNING */
    }
    REG(CLOCKS + FC0_REF_KHZ) = XOSC_HZ / 1000;
    REG(CLOCKS + FC0_INTERVAL) = 10;
    REG(CLOCKS + FC0_MIN_KHZ) = 0;
    REG(CLOCKS + FC0_MAX_KHZ) = 0xffffffff;
    REG(CLOCKS + FC0_SRC) = 9; /* clk_sys */
    while (!(REG(CLOCKS + FC0_STATUS) & BIT(4))) { /* DONE */
    }
    return REG(CLOCKS + FC0_RESULT) >> 5;
}

void board_more(void) {
    uint32_t remainder;
    const uint32_t quotient = divide(1000000007u, 12345u, 0, &remainder);
    say_number("divider: ", quotient, " remainder ");
    say_number("", remainder, "\n");
    const uint32_t negative = divide((uint32_t)-1000000, 7, 1, &remainder);
    say_number("divider: -", 0u - negative, " remainder ");
    say_number("-", 0u - remainder, "\n");
    say_number("counted ", counted_khz(), " kHz\n");

    uint32_t bits = 0;
    for (int i = 0; i < 32; i++) {
        bits = bits << 1 | (ROSC_RANDOMBIT & 1);
    }
    say(bits != 0 && bits != 0xffffffff ? "rng: different bits\n" : "rng: all bits alike\n");
}
