/* NUCLEO-L4R5ZI: MSI 4 MHz, PLL to 120 MHz in boost mode, console LPUART1 on PG7 and PG8 (RM0432). With -DLSE_START the
   32 kHz crystal is started first and keeps MSI in tune, as ST's project generator has it for this board. */
#include "stm32.h"

#define RCC 0x40021000u
#define FLASH_ACR REG(0x40022000u)
#define PWR 0x40007000u
#define LPUART1 0x40008000u
#define GPIOB 0x48000400u
#define GPIOG 0x48001800u
#define CRC 0x40023000u
#define RNG 0x50060800u

#define RCC_CR REG(RCC + 0x00)
#define RCC_CFGR REG(RCC + 0x08)
#define RCC_PLLCFGR REG(RCC + 0x0c)
#define RCC_AHB1ENR REG(RCC + 0x48)
#define RCC_AHB2ENR REG(RCC + 0x4c)
#define RCC_APB1ENR1 REG(RCC + 0x58)
#define RCC_APB1ENR2 REG(RCC + 0x5c)
#define RCC_BDCR REG(RCC + 0x90)
#define RCC_CRRCR REG(RCC + 0x98)
#define PWR_CR1 REG(PWR + 0x00)
#define PWR_CR2 REG(PWR + 0x04)
#define PWR_SR2 REG(PWR + 0x14)
#define PWR_CR5 REG(PWR + 0x80)

enum { TIM2_IRQ = 28, LPUART1_IRQ = 70 };

const Board board = {.name = "nucleo-l4r5zi", .reset_hz = 4000000};

void TIM2_IRQHandler(void);
void LPUART1_IRQHandler(void);

void TIM2_IRQHandler(void) {
    tim2_interrupt();
}

void LPUART1_IRQHandler(void) {
    usart_interrupt(LPUART1);
}

IRQ_VECTORS = {[TIM2_IRQ] = TIM2_IRQHandler, [LPUART1_IRQ] = LPUART1_IRQHandler};

static void set_latency(uint32_t wait_states) {
    change(&FLASH_ACR, 15, wait_states);
    require(&FLASH_ACR, 15, wait_states, "flash latency");
}

#ifdef LSE_START
enum { LSE_TIMEOUT_MS = 5000 };

static void start_lse(void) {
    PWR_CR1 |= BIT(8); /* DBP: the backup domain may be written */
    require(&PWR_CR1, BIT(8), BIT(8), "DBP");
    change(&RCC_BDCR, 3u << 3, 0); /* LSEDRV: low */
    RCC_BDCR |= BIT(0);            /* LSEON */
    if (wait_for(&RCC_BDCR, BIT(1), BIT(1), LSE_TIMEOUT_MS) != 0) {
        give_up("LSERDY");
    }
}
#endif

void board_clock_start(void) {
    FLASH_ACR |= BIT(8); /* PRFTEN */
    RCC_APB1ENR1 |= BIT(28); /* PWREN */
    (void)RCC_APB1ENR1;

    PWR_CR5 &= ~BIT(8); /* R1MODE: boost */
    change(&PWR_CR1, 3u << 9, 1u << 9); /* VOS: range 1 */
    require(&PWR_SR2, BIT(10), 0, "VOSF");

#ifdef LSE_START
    start_lse();
#endif
    RCC_CR |= BIT(0); /* MSION */
    require(&RCC_CR, BIT(1), BIT(1), "MSIRDY");
    change(&RCC_CR, 15u << 4, 6u << 4 | BIT(3)); /* MSIRANGE 4 MHz, MSIRGSEL */

#ifdef LSE_START
    RCC_CR |= BIT(2); /* MSIPLLEN */
#endif

    RCC_CR &= ~BIT(24); /* PLLON */
    require(&RCC_CR, BIT(25), 0, "PLLRDY off");
    RCC_PLLCFGR = 1u | 0u << 4 | 60u << 8 | 0u << 25; /* MSI / 1 * 60 / 2 */
    RCC_CR |= BIT(24);
    RCC_PLLCFGR |= BIT(24); /* PLLREN */
    require(&RCC_CR, BIT(25), BIT(25), "PLLRDY");

    set_latency(5);
    change(&RCC_CFGR, 15u << 4, 8u << 4); /* HPRE: halved while the clock rises above 80 MHz */
    change(&RCC_CFGR, 3, 3);              /* SW: PLL */
    require(&RCC_CFGR, 3u << 2, 3u << 2, "SWS");
    for (volatile int microseconds = 0; microseconds < 60; microseconds++) {
    }
    change(&RCC_CFGR, 15u << 4, 0);
    change(&RCC_CFGR, 7u << 8 | 7u << 11, 0); /* PPRE1, PPRE2 */

    RCC_CRRCR |= BIT(0); /* HSI48ON, for the random numbers */
    require(&RCC_CRRCR, BIT(1), BIT(1), "HSI48RDY");
}

uint32_t board_clock_hz(void) {
    static const uint32_t msi_khz[12] = {100, 200, 400, 800, 1000, 2000, 4000, 8000, 16000, 24000, 32000, 48000};
    const uint32_t cfgr = RCC_CFGR, pll = RCC_PLLCFGR;
    const uint32_t sources[4] = {0, msi_khz[RCC_CR >> 4 & 15] * 1000, 16000000, 8000000};
    uint32_t hz = sources[((cfgr >> 2 & 3) + 1) & 3]; /* SWS: MSI, HSI, HSE, PLL */
    if ((cfgr >> 2 & 3) == 3) {
        hz = sources[pll & 3] / ((pll >> 4 & 15) + 1) * (pll >> 8 & 127) / (2 * ((pll >> 25 & 3) + 1));
    }
    return cfgr & BIT(7) ? hz >> ((cfgr >> 4 & 7) + 1) : hz;
}

void board_console_start(void) {
    RCC_AHB2ENR |= BIT(6) | BIT(1); /* GPIOG, GPIOB */
    RCC_APB1ENR2 |= BIT(0);         /* LPUART1 */
    (void)RCC_APB1ENR2;
    PWR_CR2 |= BIT(9); /* IOSV: supply of port G */
    gpio_alternate(GPIOG, 7, 8);
    gpio_alternate(GPIOG, 8, 8);
    gpio_mode(GPIOB, 7, 1);
    usart_start(LPUART1, (uint32_t)((uint64_t)board_clock_hz() * 256 / BAUD));
    irq_enable(LPUART1_IRQ);
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    return usart_send(LPUART1, data, size, timeout_ms);
}

void board_timer_start(void) {
    RCC_APB1ENR1 |= BIT(0);
    (void)RCC_APB1ENR1;
    tim2_start(board_clock_hz(), TIM2_IRQ);
}

void board_timer_stop(void) {
    tim2_stop();
}

void board_pin(int high) {
    gpio_set(GPIOB, 7, high);
}

void board_more(void) {
    RCC_AHB1ENR |= BIT(12); /* CRC */
    RCC_AHB2ENR |= BIT(18); /* RNG; CCIPR.CLK48SEL is HSI48 after reset */
    (void)RCC_AHB2ENR;
    say_crc(CRC);
    say_random(RNG);
}
