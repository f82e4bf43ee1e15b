/* NUCLEO-G071RB: HSI 16 MHz, PLL to 64 MHz, console USART2 on PA2 and PA3 (RM0444). */
#include "stm32.h"

#define RCC 0x40021000u
#define FLASH_ACR REG(0x40022000u)
#define PWR 0x40007000u
#define USART2 0x40004400u
#define GPIOA 0x50000000u
#define CRC 0x40023000u

#define RCC_CR REG(RCC + 0x00)
#define RCC_CFGR REG(RCC + 0x08)
#define RCC_PLLCFGR REG(RCC + 0x0c)
#define RCC_IOPENR REG(RCC + 0x34)
#define RCC_AHBENR REG(RCC + 0x38)
#define RCC_APBENR1 REG(RCC + 0x3c)
#define PWR_CR1 REG(PWR + 0x00)
#define PWR_SR2 REG(PWR + 0x14)

enum { TIM2_IRQ = 15, USART2_IRQ = 28, HSE_HZ = 8000000, HSI_HZ = 16000000 };

const Board board = {.name = "nucleo-g071rb", .reset_hz = HSI_HZ};

void TIM2_IRQHandler(void);
void USART2_IRQHandler(void);

void TIM2_IRQHandler(void) {
    tim2_interrupt();
}

void USART2_IRQHandler(void) {
    usart_interrupt(USART2);
}

IRQ_VECTORS = {[TIM2_IRQ] = TIM2_IRQHandler, [USART2_IRQ] = USART2_IRQHandler};

void board_clock_start(void) {
    FLASH_ACR |= BIT(8) | BIT(9); /* PRFTEN, ICEN */
    RCC_APBENR1 |= BIT(28);       /* PWREN */
    (void)RCC_APBENR1;
    change(&PWR_CR1, 3u << 9, 1u << 9); /* VOS: range 1 */
    require(&PWR_SR2, BIT(10), 0, "VOSF");

    RCC_CR |= BIT(8); /* HSION */
    require(&RCC_CR, BIT(10), BIT(10), "HSIRDY");
    change(&RCC_CR, 7u << 11, 0); /* HSIDIV */

    RCC_CR &= ~BIT(24); /* PLLON */
    require(&RCC_CR, BIT(25), 0, "PLLRDY off");
    RCC_PLLCFGR = 2u | 0u << 4 | 8u << 8 | 1u << 17 | 1u << 25 | 1u << 29; /* HSI / 1 * 8 / 2 */
    RCC_CR |= BIT(24);
    RCC_PLLCFGR |= BIT(28); /* PLLREN */
    require(&RCC_CR, BIT(25), BIT(25), "PLLRDY");

    change(&FLASH_ACR, 7, 2);
    require(&FLASH_ACR, 7, 2, "flash latency");
    change(&RCC_CFGR, 15u << 8, 0); /* HPRE */
    change(&RCC_CFGR, 7, 2);        /* SW: PLLRCLK */
    require(&RCC_CFGR, 7u << 3, 2u << 3, "SWS");
    change(&RCC_CFGR, 7u << 12, 0); /* PPRE */
}

uint32_t board_clock_hz(void) {
    const uint32_t cfgr = RCC_CFGR, pll = RCC_PLLCFGR;
    uint32_t hz = HSI_HZ >> (RCC_CR >> 11 & 7);
    if ((cfgr >> 3 & 7) == 1) {
        hz = HSE_HZ;
    } else if ((cfgr >> 3 & 7) == 2) {
        const uint32_t source_hz = (pll & 3) == 3 ? HSE_HZ : HSI_HZ;
        hz = source_hz / ((pll >> 4 & 7) + 1) * (pll >> 8 & 127) / ((pll >> 29) + 1);
    }
    return cfgr & BIT(11) ? hz >> ((cfgr >> 8 & 7) + 1) : hz;
}

void board_console_start(void) {
    RCC_IOPENR |= BIT(0);   /* GPIOA */
    RCC_APBENR1 |= BIT(17); /* USART2 */
    (void)RCC_APBENR1;
    gpio_alternate(GPIOA, 2, 1);
    gpio_alternate(GPIOA, 3, 1);
    gpio_mode(GPIOA, 5, 1);
    usart_start(USART2, (board_clock_hz() + BAUD / 2) / BAUD);
    irq_enable(USART2_IRQ);
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    return usart_send(USART2, data, size, timeout_ms);
}

void board_timer_start(void) {
    RCC_APBENR1 |= BIT(0);
    (void)RCC_APBENR1;
    tim2_start(board_clock_hz(), TIM2_IRQ);
}

void board_timer_stop(void) {
    tim2_stop();
}

void board_pin(int high) {
    gpio_set(GPIOA, 5, high);
}

void board_more(void) {
    RCC_AHBENR |= BIT(12); /* CRC */
    (void)RCC_AHBENR;
    say_crc(CRC);
}
