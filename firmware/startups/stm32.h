/* Peripherals that several STM32 families have alike: GPIO (RM0432 8.4), USART with ISR (RM0432 48.7) and with SR
   (RM0090 30.6), TIM2 (RM0432 31.4), CRC (RM0432 15), RNG (RM0432 29). */
#ifndef STM32_H
#define STM32_H

#include "startup.h"

/* GPIO */

static inline void gpio_mode(uint32_t port, unsigned pin, uint32_t mode) {
    change(&REG(port), 3u << 2 * pin, mode << 2 * pin);
}

static inline void gpio_alternate(uint32_t port, unsigned pin, uint32_t function) {
    const unsigned low = 4 * (pin % 8);
    change(&REG(port + 0x20 + 4 * (pin / 8)), 15u << low, function << low); /* AFRL, AFRH */
    change(&REG(port + 0x08), 3u << 2 * pin, 3u << 2 * pin);                /* OSPEEDR */
    gpio_mode(port, pin, 2);
}

static inline void gpio_set(uint32_t port, unsigned pin, int high) {
    REG(port + 0x18) = high ? BIT(pin) : BIT(pin + 16); /* BSRR */
}

/* USART with ISR, TDR and RDR; `brr` as the manual counts it for the instance. */

enum { USART_CR1 = 0x00, USART_BRR = 0x0c, USART_ISR = 0x1c, USART_ICR = 0x20, USART_RDR = 0x24, USART_TDR = 0x28 };

static inline void usart_start(uint32_t base, uint32_t brr) {
    REG(base + USART_CR1) = 0;
    REG(base + USART_BRR) = brr;
    REG(base + USART_CR1) = BIT(3) | BIT(2); /* TE, RE */
    REG(base + USART_CR1) |= BIT(0);         /* UE */
    require(&REG(base + USART_ISR), BIT(21), BIT(21), "TEACK");
    require(&REG(base + USART_ISR), BIT(22), BIT(22), "REACK");
    REG(base + USART_CR1) |= BIT(5); /* RXNEIE */
}

static inline int usart_send(uint32_t base, const uint8_t *data, size_t size, uint32_t timeout_ms) {
    for (size_t i = 0; i < size; i++) {
        if (wait_for(&REG(base + USART_ISR), BIT(7), BIT(7), timeout_ms) != 0) { /* TXE */
            return -1;
        }
        REG(base + USART_TDR) = data[i];
    }
    return wait_for(&REG(base + USART_ISR), BIT(6), BIT(6), timeout_ms); /* TC */
}

static inline void usart_interrupt(uint32_t base) {
    const uint32_t status = REG(base + USART_ISR);
    if (status & BIT(5)) { /* RXNE */
        received((uint8_t)REG(base + USART_RDR));
    }
    if (status & BIT(3)) { /* ORE */
        REG(base + USART_ICR) = BIT(3);
    }
}

/* The USART of the F1, F2 and F4. */

enum { USART_V1_SR = 0x00, USART_V1_DR = 0x04, USART_V1_BRR = 0x08, USART_V1_CR1 = 0x0c };

static inline void usart_v1_start(uint32_t base, uint32_t brr) {
    REG(base + USART_V1_CR1) = 0;
    REG(base + USART_V1_BRR) = brr;
    REG(base + USART_V1_CR1) = BIT(3) | BIT(2); /* TE, RE */
    REG(base + USART_V1_CR1) |= BIT(13);        /* UE */
    REG(base + USART_V1_CR1) |= BIT(5);         /* RXNEIE */
}

static inline int usart_v1_send(uint32_t base, const uint8_t *data, size_t size, uint32_t timeout_ms) {
    for (size_t i = 0; i < size; i++) {
        if (wait_for(&REG(base + USART_V1_SR), BIT(7), BIT(7), timeout_ms) != 0) { /* TXE */
            return -1;
        }
        REG(base + USART_V1_DR) = data[i];
    }
    return wait_for(&REG(base + USART_V1_SR), BIT(6), BIT(6), timeout_ms); /* TC */
}

static inline void usart_v1_interrupt(uint32_t base) {
    if (REG(base + USART_V1_SR) & (BIT(5) | BIT(3))) { /* RXNE, ORE: reading SR and DR clears both */
        received((uint8_t)REG(base + USART_V1_DR));
    }
}

/* TIM2, which has the same address everywhere. */

#define TIM2 0x40000000u
enum { TIM_CR1 = 0x00, TIM_DIER = 0x0c, TIM_SR = 0x10, TIM_EGR = 0x14, TIM_PSC = 0x28, TIM_ARR = 0x2c };

static inline void tim2_start(uint32_t clock_hz, unsigned irq) {
    REG(TIM2 + TIM_PSC) = clock_hz / 1000000 - 1;
    REG(TIM2 + TIM_ARR) = 1000000 / TIMER_HZ - 1;
    REG(TIM2 + TIM_EGR) = 1; /* UG: take the prescaler over */
    REG(TIM2 + TIM_SR) = 0;
    REG(TIM2 + TIM_DIER) = 1; /* UIE */
    irq_enable(irq);
    REG(TIM2 + TIM_CR1) |= 1; /* CEN */
}

static inline void tim2_stop(void) {
    REG(TIM2 + TIM_CR1) &= ~1u;
    REG(TIM2 + TIM_DIER) = 0;
}

static inline void tim2_interrupt(void) {
    if (REG(TIM2 + TIM_SR) & 1) { /* UIF */
        REG(TIM2 + TIM_SR) = ~1u;
        timer_fired();
    }
}

/* CRC unit with its reset settings: polynomial 0x04c11db7, initial value all ones, nothing reversed. */

static inline void say_crc(uint32_t base) {
    REG(base + 0x08) = 1; /* CR: RESET */
    REG(base) = 0x12345678;
    REG(base) = 0x9abcdef0;
    say_hex("crc ", REG(base), "\n");
}

/* Two words; that they differ is what a firmware can check. */
static inline void say_random(uint32_t base) {
    uint32_t words[2];
    REG(base) |= BIT(2); /* RNGEN */
    for (int i = 0; i < 2; i++) {
        require(&REG(base + 4), 1, 1, "DRDY");
        words[i] = REG(base + 8);
    }
    REG(base) &= ~BIT(2);
    say(words[0] != words[1] ? "rng: two different words\n" : "rng: the same word twice\n");
}

#endif
