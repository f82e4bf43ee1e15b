/* NUCLEO-F746ZG: caches, HSE 8 MHz from the debugger's chip (bypass), over-drive, PLL to 216 MHz, console USART3 on PD8
   and PD9 (RM0385; caches: PM0253 4.8). */
#include "stm32.h"

#define RCC 0x40023800u
#define FLASH_ACR REG(0x40023c00u)
#define PWR 0x40007000u
#define USART3 0x40004800u
#define GPIOB 0x40020400u
#define GPIOD 0x40020c00u
#define CRC 0x40023000u
#define RNG 0x50060800u

#define RCC_CR REG(RCC + 0x00)
#define RCC_PLLCFGR REG(RCC + 0x04)
#define RCC_CFGR REG(RCC + 0x08)
#define RCC_AHB1ENR REG(RCC + 0x30)
#define RCC_AHB2ENR REG(RCC + 0x34)
#define RCC_APB1ENR REG(RCC + 0x40)
#define RCC_DCKCFGR2 REG(RCC + 0x90)
#define PWR_CR1 REG(PWR + 0x00)
#define PWR_CSR1 REG(PWR + 0x04)

#define SCB_CCR REG(0xe000ed14u)
#define SCB_CCSIDR REG(0xe000ed80u)
#define SCB_CSSELR REG(0xe000ed84u)
#define SCB_ICIALLU REG(0xe000ef50u)
#define SCB_DCISW REG(0xe000ef60u)

enum { TIM2_IRQ = 28, USART3_IRQ = 39, HSE_HZ = 8000000, HSI_HZ = 16000000 };

const Board board = {.name = "nucleo-f746zg", .reset_hz = HSI_HZ};

void TIM2_IRQHandler(void);
void USART3_IRQHandler(void);

void TIM2_IRQHandler(void) {
    tim2_interrupt();
}

void USART3_IRQHandler(void) {
    usart_interrupt(USART3);
}

IRQ_VECTORS = {[TIM2_IRQ] = TIM2_IRQHandler, [USART3_IRQ] = USART3_IRQHandler};

static uint32_t cache_lines;

static void barrier(void) {
    __asm__ volatile("dsb\n isb" ::: "memory");
}

/* Every line of the data cache is invalidated by set and way, and counted. */
static void enable_caches(void) {
    barrier();
    SCB_ICIALLU = 0;
    barrier();
    SCB_CCR |= BIT(17);
    barrier();

    SCB_CSSELR = 0;
    barrier();
    const uint32_t ccsidr = SCB_CCSIDR;
    for (uint32_t sets = ccsidr >> 13 & 0x7fff, set = sets + 1; set-- > 0;) {
        for (uint32_t ways = ccsidr >> 3 & 0x3ff, way = ways + 1; way-- > 0;) {
            SCB_DCISW = set << 5 | way << 30;
            cache_lines++;
        }
    }
    barrier();
    SCB_CCR |= BIT(16);
    barrier();
}

void board_clock_start(void) {
    enable_caches();
    FLASH_ACR |= BIT(8) | BIT(9); /* PRFTEN, ARTEN */
    RCC_APB1ENR |= BIT(28);       /* PWREN */
    (void)RCC_APB1ENR;
    change(&PWR_CR1, 3u << 14, 3u << 14); /* VOS: scale 1 */

    RCC_CR |= BIT(18); /* HSEBYP */
    RCC_CR |= BIT(16); /* HSEON */
    require(&RCC_CR, BIT(17), BIT(17), "HSERDY");

    RCC_CR &= ~BIT(24); /* PLLON */
    require(&RCC_CR, BIT(25), 0, "PLLRDY off");
    RCC_PLLCFGR = 8u | 432u << 6 | 0u << 16 | BIT(22) | 9u << 24; /* HSE / 8 * 432 / 2; 48 MHz */
    RCC_CR |= BIT(24);
    require(&RCC_CR, BIT(25), BIT(25), "PLLRDY");

    PWR_CR1 |= BIT(16); /* ODEN */
    require(&PWR_CSR1, BIT(16), BIT(16), "ODRDY");
    PWR_CR1 |= BIT(17); /* ODSWEN */
    require(&PWR_CSR1, BIT(17), BIT(17), "ODSWRDY");
    require(&PWR_CSR1, BIT(14), BIT(14), "VOSRDY");

    change(&FLASH_ACR, 15, 7);
    require(&FLASH_ACR, 15, 7, "flash latency");
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
    RCC_AHB1ENR |= BIT(1) | BIT(3); /* GPIOB, GPIOD */
    RCC_APB1ENR |= BIT(18);         /* USART3 */
    RCC_DCKCFGR2 &= ~(3u << 4);     /* at PCLK1 */
    gpio_alternate(GPIOD, 8, 7);
    gpio_alternate(GPIOD, 9, 7);
    gpio_mode(GPIOB, 7, 1);
    usart_start(USART3, (pclk1_hz() + BAUD / 2) / BAUD);
    irq_enable(USART3_IRQ);
}

int board_console_send(const uint8_t *data, size_t size, uint32_t timeout_ms) {
    return usart_send(USART3, data, size, timeout_ms);
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
    gpio_set(GPIOB, 7, high);
}

void board_more(void) {
    RCC_AHB1ENR |= BIT(12); /* CRC */
    RCC_AHB2ENR |= BIT(6);  /* RNG */
    (void)RCC_AHB2ENR;
    say_number("data cache: ", cache_lines, " lines invalidated\n");
    say_crc(CRC);
    say_random(RNG);
}
