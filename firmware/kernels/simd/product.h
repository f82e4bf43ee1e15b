/* Sums of products: packed weights (matrix_s8.h) by columns, as the matrix kernels of int8 and int16 have in common. */
#ifndef VT_PRODUCT_H
#define VT_PRODUCT_H

#include "vt_simd.h"

/* Pairs that are multiplied at a time. */
enum { VT_BLOCK = 4 };

/* One column by two couples of output channels, of which `a` and `b` are the streams of weights; the assembly knows
 * the order. */
typedef struct {
    const uint32_t *a, *b, *column, *stop;
    int32_t sums[4];
} vt_row;

#if VT_DSP
/* Two pairs of elements by two channels: the second half of the registers' sums belongs to stream b. */
#define VT_TWO_PAIRS(s0, s1)                                                                                           \
    "sxtb16 r11, r9\n\t"                                                                                               \
    "sxtb16 r9, r9, ror #8\n\t"                                                                                        \
    "smlad " s0 ", r12, r11, " s0 "\n\t"                                                                               \
    "smlad " s1 ", r12, r9, " s1 "\n\t"                                                                                \
    "sxtb16 r11, r10\n\t"                                                                                              \
    "sxtb16 r10, r10, ror #8\n\t"                                                                                      \
    "smlad " s0 ", lr, r11, " s0 "\n\t"                                                                                \
    "smlad " s1 ", lr, r10, " s1 "\n\t"

/* 16 multiply-accumulates in 24 cycles (M4). */
#define VT_ROW_STEP                                                                                                    \
    "ldr r10, [r1, #4]\n\t"                                                                                            \
    "ldr r9, [r1], #8\n\t"                                                                                             \
    "ldr lr, [r3, #4]\n\t"                                                                                             \
    "ldr r12, [r3], #8\n\t"                                                                                            \
    VT_TWO_PAIRS("r5", "r6")                                                                                           \
    "ldr r10, [r2, #4]\n\t"                                                                                            \
    "ldr r9, [r2], #8\n\t"                                                                                             \
    VT_TWO_PAIRS("r7", "r8")

/* r7 and r11 are saved by hand: either may be a frame pointer, which can't be named as clobbered. */
VT_INLINE void vt_multiply_row(vt_row *row)
{
    register vt_row *from __asm__("r0") = row;
    __asm__ volatile("push {r7, r11}\n\t"
                     "ldm r0!, {r1-r4}\n\t"
                     "ldm r0, {r5-r8}\n\t"
                     ".balign 4\n"
                     "1:\n\t" VT_ROW_STEP VT_ROW_STEP "cmp r1, r4\n\t"
                     "bne 1b\n\t"
                     "stm r0, {r5-r8}\n\t"
                     "pop {r7, r11}"
                     : "+r"(from)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");
}
#else
VT_INLINE void vt_multiply_row(vt_row *row)
{
    for (; row->a != row->stop; row->a++, row->b++, row->column++) {
        row->sums[0] = vt_mac_pair(*row->column, vt_even_bytes(*row->a), row->sums[0]);
        row->sums[1] = vt_mac_pair(*row->column, vt_odd_bytes(*row->a), row->sums[1]);
        row->sums[2] = vt_mac_pair(*row->column, vt_even_bytes(*row->b), row->sums[2]);
        row->sums[3] = vt_mac_pair(*row->column, vt_odd_bytes(*row->b), row->sums[3]);
    }
}
#endif

/* What a product of three columns goes through, two output channels at a time; the assembly below knows the order. */
typedef struct {
    const uint32_t *columns;
    int32_t stream_bytes; /* weights of two channels */
    void *output;
    int32_t pitch; /* bytes from a pixel to the next */
    const void *end;
    const int32_t *constants;
    const uint32_t *weights;
} vt_product;

#if VT_DSP
/* Two channels by three pixels. r2-r4 and r5-r7 are the sums of the first and second channel. */
#define VT_SIX_PRODUCTS                                                                                                \
    "smlad r2, r10, r8, r2\n\t"                                                                                        \
    "smlad r5, r10, r9, r5\n\t"                                                                                        \
    "smlad r3, r11, r8, r3\n\t"                                                                                        \
    "smlad r6, r11, r9, r6\n\t"                                                                                        \
    "smlad r4, r12, r8, r4\n\t"                                                                                        \
    "smlad r7, r12, r9, r7\n\t"

/* Two pairs of elements: 24 multiply-accumulates in 27 cycles (M4). Loads overlap only if they stand together and read
 * the same memory, so two words of weights come at once. `tail` follows the last load. */
#define VT_TWO_STEPS(tail)                                                                                             \
    "ldr lr, [r0, #4]\n\t"                                                                                             \
    "ldr r9, [r0], #8\n\t"                                                                                             \
    "ldr r11, [r1, #4]\n\t"                                                                                            \
    "ldr r12, [r1, #8]\n\t"                                                                                            \
    "ldr r10, [r1], #12\n\t"                                                                                           \
    "sxtb16 r8, r9\n\t"                                                                                                \
    "sxtb16 r9, r9, ror #8\n\t" VT_SIX_PRODUCTS                                                                        \
    "sxtb16 r8, lr\n\t"                                                                                                \
    "sxtb16 r9, lr, ror #8\n\t"                                                                                        \
    "ldr r11, [r1, #4]\n\t"                                                                                            \
    "ldr r12, [r1, #8]\n\t"                                                                                            \
    "ldr r10, [r1], #12\n\t" tail VT_SIX_PRODUCTS

/* All registers are in use and a copy of `product` lies on the stack, so this is one statement that doesn't depend on
 * a compiler's choices. r7 and r11 are saved by hand: either may be a frame pointer, which can't be named as
 * clobbered.
 *
 * `finish` finds r1 at the couple's constants, the first channel's three sums in r2 to r4 and the second's in r5 to
 * r7, r12 at the first pixel's output, and the pitch in lr. It stores, and leaves r12 at the next couple's output; r8
 * to r10 are free. */
#define VT_PRODUCT(product, bias_b, constants_bytes, finish)                                                           \
    do {                                                                                                               \
        register const vt_product *from __asm__("r0") = product;                                                       \
        __asm__ volatile("push {r7, r11}\n\t"                                                                          \
                         "ldm r0!, {r1-r6}\n\t"                                                                        \
                         "push {r0-r6} @ r0: where the couple's weights end\n\t"                                       \
                         "ldr r0, [r0] @ weights\n"                                                                    \
                         "1:\n\t"                                                                                      \
                         "ldr r1, [sp, #4] @ columns\n\t"                                                              \
                         "ldr lr, [sp, #8] @ stream_bytes\n\t"                                                         \
                         "ldr r12, [sp, #24] @ constants\n\t"                                                          \
                         "lsls r8, lr, #27 @ an odd block\n\t"                                                         \
                         "add lr, lr, r0\n\t"                                                                          \
                         "ldr r2, [r12, #0]\n\t"                                                                       \
                         "ldr r5, [r12, #" bias_b "]\n\t"                                                              \
                         "mov r3, r2\n\t"                                                                              \
                         "mov r4, r2\n\t"                                                                              \
                         "mov r6, r5\n\t"                                                                              \
                         "mov r7, r5\n\t"                                                                              \
                         "str lr, [sp]\n\t"                                                                            \
                         "bmi 3f\n\t"                                                                                  \
                         ".balign 4\n"                                                                                 \
                         "2:\n\t" VT_TWO_STEPS("") VT_TWO_STEPS("") "\n"                                               \
                         "3:\n\t" VT_TWO_STEPS("") VT_TWO_STEPS("ldr lr, [sp]\n\t")                                    \
                         "cmp r0, lr\n\t"                                                                              \
                         "bne 2b\n\t"                                                                                  \
                         "ldr r1, [sp, #24] @ constants\n\t"                                                           \
                         "ldr r12, [sp, #12] @ output\n\t"                                                             \
                         "ldr lr, [sp, #16] @ pitch\n\t"                                                               \
                         "ldr r11, [sp, #20] @ end\n\t"                                                                \
                         finish                                                                                        \
                         "add r1, r1, #" constants_bytes "\n\t"                                                        \
                         "str r1, [sp, #24]\n\t"                                                                       \
                         "str r12, [sp, #12]\n\t"                                                                      \
                         "cmp r12, r11\n\t"                                                                            \
                         "bne 1b\n\t"                                                                                  \
                         "add sp, sp, #28\n\t"                                                                         \
                         "pop {r7, r11}"                                                                               \
                         : "+r"(from)                                                                                  \
                         :                                                                                             \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");        \
    } while (0)
#endif

/* The sums of a couple of channels in C, from their start values on; the weights advance to the next couple's. */
VT_INLINE void vt_sums_of(vt_product *product, int32_t bias_a, int32_t bias_b, int32_t sums[2][3])
{
    int32_t a0 = bias_a, a1 = bias_a, a2 = bias_a;
    int32_t b0 = bias_b, b1 = bias_b, b2 = bias_b;
    const uint32_t *x = product->columns;
    for (int32_t i = 0; i < product->stream_bytes; i += 4, x += 3) {
        const uint32_t word = *product->weights++;
        const uint32_t w0 = vt_even_bytes(word);
        const uint32_t w1 = vt_odd_bytes(word);
        a0 = vt_mac_pair(x[0], w0, a0);
        b0 = vt_mac_pair(x[0], w1, b0);
        a1 = vt_mac_pair(x[1], w0, a1);
        b1 = vt_mac_pair(x[1], w1, b1);
        a2 = vt_mac_pair(x[2], w0, a2);
        b2 = vt_mac_pair(x[2], w1, b2);
    }
    sums[0][0] = a0;
    sums[0][1] = a1;
    sums[0][2] = a2;
    sums[1][0] = b0;
    sums[1][1] = b1;
    sums[1][2] = b2;
}

#endif
