/* NUCLEO-U575ZI-Q: instruction cache, range 1 with the booster, MSIS 4 MHz, PLL1 to 160 MHz, console USART1 on PA9 and
   PA10 (RM0456), without TrustZone. */
#include "stm32.h"

#define RCC 0x46020c00u
#define PWR 0x46020800u
#define FLASH_ACR REG(0x40022000u)
#define ICACHE 0x40030400u
#define USART1 0x40013800u
#define GPIOA 0x42020000u
#define GPIOC 0x42020800u
#define CRC 0x40023000u
#define RNG 0x420c0800u

#define RCC_CR REG(RCC + 0x00)
#define RCC_ICSCR1 REG(RCC + 0x08)
#define RCC_CFGR1 REG(RCC + 0x1c)
#define RCC_CFGR2 REG(RCC + 0x20)
#define RCC_PLL1CFGR REG(RCC + 0x28)
#define RCC_PLL1DIVR REG(RCC + 0x34)
#define RCC_AHB1ENR REG(RCC + 0x88)
#define RCC_AHB2ENR1 REG(RCC + 0x8c)
#define RCC_AHB3ENR REG(RCC + 0x94)
#define RCC_APB1ENR1 REG(RCC + 0x9c)
#define RCC_APB2ENR REG(RCC + 0xa4)
#define PWR_VOSR REG(PWR + 0x0c)
#define ICACHE_CR REG(ICACHE + 0x00)
#define ICACHE_SR REG(ICACHE + 0x04)
#define ICACHE_FCR REG(ICACHE + 0x0c)

enum { TIM2_IRQ = 45, USART1_IRQ = 61 };

const Board board = {.name = "nucleo-u575zi-q", .reset_hz = 4000000};

void TIM2_IRQHandler(void);
void USART1_IRQHandler(void);

void TIM2_IRQHandler(void) {
    tim2_interrupt();
}

void USART1_IRQHandler(void) {
    usart_interrupt(USART1);
}

IRQ_VECTORS = {[TIM2_IRQ] = TIM2_IRQHandler, [USART1_IRQ] = USART1_IRQHandler};

static void enable_icache(void) {
    ICACHE_CR |= BIT(1); /* CACHEINV */
    require(&ICACHE_SR, BIT(1), BIT(1), "BSYENDF");
    ICACHE_FCR = BIT(1);
    require(&ICACHE_SR, BIT(0), 0, "BUSYF");
    ICACHE_CR |= BIT(0); /* EN */
}

void board_clock_start(void) {
    enable_icache();
    RCC_AHB3ENR |= BIT(2); /* PWR */
    (void)RCC_AHB3ENR;
    change(&PWR_VOSR, 3u << 16, 3u << 16); /* VOS: range 1 */
    require(&PWR_VOSR, BIT(15), BIT(15), "VOSRDY");

    RCC_CR |= BIT(0); /* MSISON */
    require(&RCC_CR, BIT(2), BIT(2), "MSISRDY");
    change(&RCC_ICSCR1, 15u << 28, 4u << 28 | BIT(23)); /* MSISRANGE 4 MHz, MSIRGSEL */

    RCC_CR &= ~BIT(24); /* PLL1ON */
    require(&RCC_CR, BIT(25), 0, "PLL1RDY off");
    change(&RCC_PLL1CFGR, 0x7ff0f, 1); /* MSIS / 1; the booster's clock is that, too */
    PWR_VOSR |= BIT(18);               /* BOOSTEN */
    require(&PWR_VOSR, BIT(14), BIT(14), "BOOSTRDY");
    RCC_PLL1DIVR = 79u | 1u << 9 | 1u << 16 | 1u << 24; /* * 80, / 2 three times */
    RCC_CR |= BIT(24);
    require(&RCC_CR, BIT(25), BIT(25), "PLL1RDY");
    RCC_PLL1CFGR |= BIT(18); /* PLL1REN */

    change(&FLASH_ACR, 15, 4);
    require(&FLASH_ACR, 15, 4, "flash latency");
    change(&RCC_CFGR1, 3, 3); /* SW: PLL1 */
    require(&RCC_CFGR1, 3u << 2, 3u << 2, "SWS");
    change(&RCC_CFGR2, 0x77f, 0); /* no bus is divided */

    RCC_CR |= BIT(12); /* HSI48ON, for the random numbers */
    require(&RCC_CR, BIT(13), BIT(13), "HSI48RDY");
}

uint32_t board_clock_hz(void) {
    static const uint32_t msi_khz[16] = {48000, 24000, 16000, 12000, 4000, 2000, 1330, 1000,
                                         3072,  1536,  1024,  768,   400,  200,  133,  100};
    const uint32_t sws = RCC_CFGR1 >> 2 & 3, cfgr2 = RCC_CFGR2;
    const uint32_t config = RCC_PLL1CFGR, dividers = RCC_PLL1DIVR;
    const uint32_t range = RCC_ICSCR1 & BIT(23) ? RCC_ICSCR1 >> 28 : 4;
    const uint32_t sources[4] = {0, msi_khz[range] * 1000, 16000000, 16000000};
    uint32_t hz = sources[(sws + 1) & 3];
    if (sws == 3) {
        hz = sources[config & 3] / ((config >> 8 & 15) + 1) * ((dividers & 511) + 1) / ((dividers >> 24 & 127) + 1);
    }
    return cfgr2 & BIT(3) ? hz >> ((cfgr2 & 7) + 1) : hz;
}

void board_console_start(void) {
    RCC_AHB2ENR1 |= BIT(0) | BIT(2); /* GPIOA, GPIOC */
    RCC_APB2ENR |= BIT(14);          /* USART1 */
    (void)RCC_APB2ENR;
    gpio_alternate(GPIOA, 9, 7);
    gpio_alternate(GPIOA, 10, 7);
    gpio_mode(GPIOC, 7, 1);
    usart_start(USART1, (board_clock_hz() + BAUD / 2) / BAUD);
    irq_enable(USART1_IRQ);
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    return usart_send(USART1, data, size, timeout_ms);
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
    gpio_set(GPIOC, 7, high);
}

void board_more(void) {
    RCC_AHB1ENR |= BIT(12);  /* CRC */
    RCC_AHB2ENR1 |= BIT(18); /* RNG */
    (void)RCC_AHB2ENR1;
    say_crc(CRC);
    say_random(RNG);
}
