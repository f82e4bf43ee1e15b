/* STM32F4DISCOVERY: HSE 8 MHz, PLL to 168 MHz, console USART2 on PA2 and PA3 (RM0090). PLL and HSE are switched on
   through the bit-band alias, as ST's HAL does on this family. */
#include "stm32.h"

#define RCC 0x40023800u
#define FLASH_ACR REG(0x40023c00u)
#define PWR 0x40007000u
#define USART2 0x40004400u
#define GPIOA 0x40020000u
#define GPIOD 0x40020c00u
#define CRC 0x40023000u
#define RNG 0x50060800u
#define BIT_BAND(address, bit) REG(0x42000000u + ((address)-0x40000000u) * 32 + (bit)*4)

#define RCC_CR REG(RCC + 0x00)
#define RCC_PLLCFGR REG(RCC + 0x04)
#define RCC_CFGR REG(RCC + 0x08)
#define RCC_AHB1ENR REG(RCC + 0x30)
#define RCC_AHB2ENR REG(RCC + 0x34)
#define RCC_APB1ENR REG(RCC + 0x40)
#define PWR_CR REG(PWR + 0x00)
#define PWR_CSR REG(PWR + 0x04)

enum { TIM2_IRQ = 28, USART2_IRQ = 38, HSE_HZ = 8000000, HSI_HZ = 16000000 };

const Board board = {.name = "disco-f407vg", .reset_hz = HSI_HZ};

void TIM2_IRQHandler(void);
void USART2_IRQHandler(void);

void TIM2_IRQHandler(void) {
    tim2_interrupt();
}

void USART2_IRQHandler(void) {
    usart_v1_interrupt(USART2);
}

IRQ_VECTORS = {[TIM2_IRQ] = TIM2_IRQHandler, [USART2_IRQ] = USART2_IRQHandler};

void board_clock_start(void) {
    FLASH_ACR |= BIT(8) | BIT(9) | BIT(10); /* prefetch, caches */
    RCC_APB1ENR |= BIT(28);                 /* PWREN */
    (void)RCC_APB1ENR;
    change(&PWR_CR, BIT(14), BIT(14)); /* VOS: scale 1 */

    RCC_CR |= BIT(16); /* HSEON */
    require(&RCC_CR, BIT(17), BIT(17), "HSERDY");

    BIT_BAND(RCC, 24) = 0; /* PLLON */
    require(&RCC_CR, BIT(25), 0, "PLLRDY off");
    RCC_PLLCFGR = 8u | 336u << 6 | 0u << 16 | BIT(22) | 7u << 24; /* HSE / 8 * 336 / 2; 48 MHz */
    BIT_BAND(RCC, 24) = 1;
    require(&RCC_CR, BIT(25), BIT(25), "PLLRDY");
    require(&PWR_CSR, BIT(14), BIT(14), "VOSRDY");

    change(&FLASH_ACR, 7, 5);
    require(&FLASH_ACR, 7, 5, "flash latency");
    change(&RCC_CFGR, 7u << 10 | 7u << 13, 7u << 10 | 7u << 13); /* slow buses until the clock is up */
    change(&RCC_CFGR, 15u << 4, 0);
    change(&RCC_CFGR, 3, 2); /* SW: PLL */
    require(&RCC_CFGR, 3u << 2, 2u << 2, "SWS");
    change(&RCC_CFGR, 7u << 10, 5u << 10); /* PPRE1: / 4 */
    change(&RCC_CFGR, 7u << 13, 4u << 13); /* PPRE2: / 2 */
}

uint32_t board_clock_hz(void) {
    const uint32_t cfgr = RCC_CFGR, pll = RCC_PLLCFGR;
    uint32_t hz = (cfgr >> 2 & 3) == 1 ? HSE_HZ : HSI_HZ;
    if ((cfgr >> 2 & 3) == 2) {
        const uint32_t source_hz = pll & BIT(22) ? HSE_HZ : HSI_HZ;
        hz = source_hz / (pll & 63) * (pll >> 6 & 511) / (2 * ((pll >> 16 & 3) + 1));
    }
    return cfgr & BIT(7) ? hz >> ((cfgr >> 4 & 7) + 1) : hz;
}

static uint32_t pclk1_hz(void) {
    const uint32_t cfgr = RCC_CFGR;
    return cfgr & BIT(12) ? board_clock_hz() >> ((cfgr >> 10 & 3) + 1) : board_clock_hz();
}

void board_console_start(void) {
    RCC_AHB1ENR |= BIT(0) | BIT(3); /* GPIOA, GPIOD */
    RCC_APB1ENR |= BIT(17);         /* USART2 */
    (void)RCC_APB1ENR;
    gpio_alternate(GPIOA, 2, 7);
    gpio_alternate(GPIOA, 3, 7);
    gpio_mode(GPIOD, 12, 1);
    usart_v1_start(USART2, (pclk1_hz() + BAUD / 2) / BAUD);
    irq_enable(USART2_IRQ);
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    return usart_v1_send(USART2, data, size, timeout_ms);
}

void board_timer_start(void) {
    RCC_APB1ENR |= BIT(0);
    (void)RCC_APB1ENR;
    tim2_start(2 * pclk1_hz(), TIM2_IRQ); /* twice the bus where that is divided */
}

void board_timer_stop(void) {
    tim2_stop();
}

void board_pin(int high) {
    gpio_set(GPIOD, 12, high);
}

void board_more(void) {
    RCC_AHB1ENR |= BIT(12); /* CRC */
    RCC_AHB2ENR |= BIT(6);  /* RNG */
    (void)RCC_AHB2ENR;
    say_crc(CRC);
    say_random(RNG);
}
