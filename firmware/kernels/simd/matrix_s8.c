#include "matrix_s8.h"

#include "vt_simd.h"

enum { BLOCK = 4 };

VT_INLINE int8_t vt_finish_any(int32_t sum, const int32_t *channel)
{
    const int32_t shift = channel[VT_SHIFT];
    if (__builtin_expect(shift < VT_LEAST_GENERAL, 1)) {
        sum = vt_finish(sum, channel[VT_MULTIPLIER], channel[VT_ROUNDING], shift, 0);
    } else {
        sum = vt_finish_general(sum, channel);
    }
    return (int8_t)vt_saturate_s8(sum);
}

/* One column by two couples of output channels, of which `a` and `b` are the streams of weights; the assembly knows the order. */
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

void vt_matrix1_s8(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                   int8_t *output)
{
    const int32_t words = matrix->blocks * BLOCK;
    int32_t channels = matrix->channels;
    while (channels > 0) {
        /* Without a second couple of channels the first one is computed twice. */
        const int32_t couple = channels > 2 ? words : 0;
        vt_row row = {weights, weights + couple, columns, weights + words, {0, 0, 0, 0}};
        vt_multiply_row(&row);
        const int32_t count = channels < 4 ? channels : 4;
        for (int32_t i = 0; i < count; ++i, constants += VT_CHANNEL_WORDS) {
            *output++ = vt_finish_any(vt_add(row.sums[i], constants[VT_BIAS]), constants);
        }
        weights += 2 * words;
        channels -= 4;
    }
}

/* What a product of three columns goes through, two output channels at a time; the assembly below knows the order. */
typedef struct {
    const uint32_t *columns;
    int32_t stream_bytes; /* weights of two channels */
    int8_t *output;
    int32_t pitch;
    const int8_t *end;
    const int32_t *constants;
    const uint32_t *weights;
} vt_product;

#if VT_DSP
/* One pair of elements, two channels by three pixels: 12 multiply-accumulates in 13 cycles (M4). The loads stand together
 * because only so do they overlap. r2-r4 and r5-r7 are the sums of the first and second channel. */
#define VT_STEP                                                                                                        \
    "ldr r9, [r0], #4\n\t"                                                                                             \
    "ldr r11, [r1, #4]\n\t"                                                                                            \
    "ldr r12, [r1, #8]\n\t"                                                                                            \
    "ldr r10, [r1], #12\n\t"                                                                                           \
    "sxtb16 r8, r9\n\t"                                                                                                \
    "sxtb16 r9, r9, ror #8\n\t"                                                                                        \
    "smlad r2, r10, r8, r2\n\t"                                                                                        \
    "smlad r5, r10, r9, r5\n\t"                                                                                        \
    "smlad r3, r11, r8, r3\n\t"                                                                                        \
    "smlad r6, r11, r9, r6\n\t"                                                                                        \
    "smlad r4, r12, r8, r4\n\t"                                                                                        \
    "smlad r7, r12, r9, r7\n\t"

/* Rounding of negative results towards zero, for halves to go away from it. */
#define VT_TOWARDS_ZERO(s0, s1, s2)                                                                                    \
    "add " s0 ", " s0 ", " s0 ", asr #31\n\t"                                                                          \
    "add " s1 ", " s1 ", " s1 ", asr #31\n\t"                                                                          \
    "add " s2 ", " s2 ", " s2 ", asr #31\n\t"
#define VT_ANYWHERE(s0, s1, s2) ""

/* Three sums of a channel whose constants are at r1 + `at`. */
#define VT_FINISH(at, s0, s1, s2, rounding)                                                                            \
    "ldr r8, [r1, #" at " + 4]\n\t"                                                                                    \
    "ldr r9, [r1, #" at " + 8]\n\t"                                                                                    \
    "ldr r10, [r1, #" at " + 12]\n\t"                                                                                  \
    "smmlar " s0 ", " s0 ", r8, " s0 "\n\t"                                                                            \
    "smmlar " s1 ", " s1 ", r8, " s1 "\n\t"                                                                            \
    "smmlar " s2 ", " s2 ", r8, " s2 "\n\t" rounding(s0, s1, s2)                                                       \
    "add " s0 ", " s0 ", r9\n\t"                                                                                       \
    "add " s1 ", " s1 ", r9\n\t"                                                                                       \
    "add " s2 ", " s2 ", r9\n\t"                                                                                       \
    "asr " s0 ", " s0 ", r10\n\t"                                                                                      \
    "asr " s1 ", " s1 ", r10\n\t"                                                                                      \
    "asr " s2 ", " s2 ", r10\n\t"                                                                                      \
    "ssat " s0 ", #8, " s0 "\n\t"                                                                                      \
    "ssat " s1 ", #8, " s1 "\n\t"                                                                                      \
    "ssat " s2 ", #8, " s2 "\n\t"

/* All registers are in use and a copy of `product` lies on the stack, so this is one statement that doesn't depend on a
 * compiler's choices. r7 and r11 are saved by hand: either may be a frame pointer, which can't be named as clobbered. */
#define VT_PRODUCT(product, rounding)                                                                                  \
    do {                                                                                                               \
        register const vt_product *from __asm__("r0") = product;                                                       \
        __asm__ volatile("push {r7, r11}\n\t"                                                                          \
                         "ldm r0!, {r1-r6}\n\t"                                                                        \
                         "push {r1-r6}\n\t"                                                                            \
                         "ldr r0, [r0] @ weights\n"                                                                    \
                         "1:\n\t"                                                                                      \
                         "ldr r1, [sp, #0] @ columns\n\t"                                                              \
                         "ldr lr, [sp, #4] @ stream_bytes\n\t"                                                         \
                         "ldr r12, [sp, #20] @ constants\n\t"                                                          \
                         "add lr, lr, r0\n\t"                                                                          \
                         "ldr r2, [r12, #0]\n\t"                                                                       \
                         "ldr r5, [r12, #16]\n\t"                                                                      \
                         "mov r3, r2\n\t"                                                                              \
                         "mov r4, r2\n\t"                                                                              \
                         "mov r6, r5\n\t"                                                                              \
                         "mov r7, r5\n\t"                                                                              \
                         ".balign 4\n"                                                                                 \
                         "2:\n\t" VT_STEP VT_STEP VT_STEP VT_STEP                                                      \
                         "cmp r0, lr\n\t"                                                                              \
                         "bne 2b\n\t"                                                                                  \
                         "ldr r1, [sp, #20] @ constants\n\t"                                                           \
                         "ldr r12, [sp, #8] @ output\n\t"                                                              \
                         "ldr lr, [sp, #12] @ pitch\n\t"                                                               \
                         "ldr r11, [sp, #16] @ end\n\t"                                                                \
                         VT_FINISH("0", "r2", "r3", "r4", rounding)                                                    \
                         VT_FINISH("16", "r5", "r6", "r7", rounding)                                                   \
                         "add r8, r12, lr\n\t"                                                                         \
                         "add r9, r8, lr\n\t"                                                                          \
                         "strb r2, [r12], #1\n\t"                                                                      \
                         "strb r5, [r12], #1\n\t"                                                                      \
                         "strb r3, [r8]\n\t"                                                                           \
                         "strb r6, [r8, #1]\n\t"                                                                       \
                         "strb r4, [r9]\n\t"                                                                           \
                         "strb r7, [r9, #1]\n\t"                                                                       \
                         "add r1, r1, #32\n\t"                                                                         \
                         "str r1, [sp, #20]\n\t"                                                                       \
                         "str r12, [sp, #8]\n\t"                                                                       \
                         "cmp r12, r11\n\t"                                                                            \
                         "bne 1b\n\t"                                                                                  \
                         "add sp, sp, #24\n\t"                                                                         \
                         "pop {r7, r11}"                                                                               \
                         : "+r"(from)                                                                                  \
                         :                                                                                             \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");        \
    } while (0)

VT_INLINE void vt_multiply(const vt_product *product, int positive)
{
    if (positive) {
        VT_PRODUCT(product, VT_ANYWHERE);
    } else {
        VT_PRODUCT(product, VT_TOWARDS_ZERO);
    }
}
#endif

/* The same in C, for any channels. */
static inline void vt_multiply_general(vt_product product)
{
    do {
        const int32_t bias_a = product.constants[VT_BIAS];
        const int32_t bias_b = product.constants[VT_CHANNEL_WORDS + VT_BIAS];
        int32_t a0 = bias_a, a1 = bias_a, a2 = bias_a;
        int32_t b0 = bias_b, b1 = bias_b, b2 = bias_b;
        const uint32_t *x = product.columns;
        for (int32_t i = 0; i < product.stream_bytes; i += 4, x += 3) {
            const uint32_t word = *product.weights++;
            const uint32_t w0 = vt_even_bytes(word);
            const uint32_t w1 = vt_odd_bytes(word);
            a0 = vt_mac_pair(x[0], w0, a0);
            b0 = vt_mac_pair(x[0], w1, b0);
            a1 = vt_mac_pair(x[1], w0, a1);
            b1 = vt_mac_pair(x[1], w1, b1);
            a2 = vt_mac_pair(x[2], w0, a2);
            b2 = vt_mac_pair(x[2], w1, b2);
        }
        int8_t *const output = product.output;
        const int32_t pitch = product.pitch;
        output[0] = vt_finish_any(a0, product.constants);
        output[pitch] = vt_finish_any(a1, product.constants);
        output[2 * pitch] = vt_finish_any(a2, product.constants);
        product.constants += VT_CHANNEL_WORDS;
        output[1] = vt_finish_any(b0, product.constants);
        output[pitch + 1] = vt_finish_any(b1, product.constants);
        output[2 * pitch + 1] = vt_finish_any(b2, product.constants);
        product.constants += VT_CHANNEL_WORDS;
        product.output += 2;
    } while (product.output != product.end);
}

/* The ways to requantise. */
enum { ANY, POSITIVE, GENERAL };

VT_INLINE void vt_multiply_as(const vt_product *product, int kind)
{
#if VT_DSP
    if (kind != GENERAL) {
        vt_multiply(product, kind == POSITIVE);
        return;
    }
#endif
    (void)kind;
    vt_multiply_general(*product);
}

/* Channels two by two; an odd one and its padding go to a buffer first. */
VT_INLINE void vt_matrix3(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, int kind)
{
    const int32_t channels = matrix->channels;
    const int32_t even = channels & ~1;
    const int32_t stream_words = matrix->blocks * BLOCK;
    vt_product product = {columns, stream_words * 4, output, channels, output + even, constants, weights};
    if (even != 0) {
        vt_multiply_as(&product, kind);
    }
    if (even != channels) {
        int8_t buffer[6];
        product.output = buffer;
        product.pitch = 2;
        product.end = buffer + 2;
        product.constants = constants + even * VT_CHANNEL_WORDS;
        product.weights = weights + even / 2 * stream_words;
        vt_multiply_as(&product, kind);
        output[even] = buffer[0];
        output[channels + even] = buffer[2];
        output[2 * channels + even] = buffer[4];
    }
}

void vt_matrix3_s8(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                   int8_t *output)
{
    vt_matrix3(matrix, columns, weights, constants, output, ANY);
}

void vt_matrix3_s8_positive(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                            const int32_t *constants, int8_t *output)
{
    vt_matrix3(matrix, columns, weights, constants, output, POSITIVE);
}

void vt_matrix3_s8_general(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                           const int32_t *constants, int8_t *output)
{
    vt_matrix3(matrix, columns, weights, constants, output, GENERAL);
}
