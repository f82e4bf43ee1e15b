#include "matrix_s16.h"

#include "product.h"

#if VT_DSP
/* Three sums of a channel, scaled and rounded in one instruction. */
#define VT_FINISH(multiplier, s0, s1, s2)                                                                              \
    "smmulr " s0 ", " s0 ", " multiplier "\n\t"                                                                        \
    "smmulr " s1 ", " s1 ", " multiplier "\n\t"                                                                        \
    "smmulr " s2 ", " s2 ", " multiplier "\n\t"                                                                        \
    "ssat " s0 ", #16, " s0 "\n\t"                                                                                     \
    "ssat " s1 ", #16, " s1 "\n\t"                                                                                     \
    "ssat " s2 ", #16, " s2 "\n\t"

#define VT_FINISH_COUPLE                                                                                               \
    "ldr r8, [r1, #4]\n\t"                                                                                             \
    "ldr r9, [r1, #12]\n\t"                                                                                            \
    VT_FINISH("r8", "r2", "r3", "r4")                                                                                  \
    VT_FINISH("r9", "r5", "r6", "r7")                                                                                  \
    "add r8, r12, lr\n\t"                                                                                              \
    "add r9, r8, lr\n\t"                                                                                               \
    "strh r2, [r12], #2\n\t"                                                                                           \
    "strh r5, [r12], #2\n\t"                                                                                           \
    "strh r3, [r8]\n\t"                                                                                                \
    "strh r6, [r8, #2]\n\t"                                                                                            \
    "strh r4, [r9]\n\t"                                                                                                \
    "strh r7, [r9, #2]\n\t"

static __attribute__((noinline)) void vt_multiply(vt_product *product)
{
    VT_PRODUCT(product, "8", "16", VT_FINISH_COUPLE);
}
#else
static __attribute__((noinline)) void vt_multiply(vt_product *product)
{
    int16_t *output = product->output;
    const int32_t pitch = product->pitch / (int32_t)sizeof *output;
    for (; output != product->end; output += 2) {
        int32_t sums[2][3];
        const int32_t *const second = product->constants + VT_CHANNEL_WORDS_S16;
        vt_sums_of(product, product->constants[VT_BIAS_S16], second[VT_BIAS_S16], sums);
        for (int32_t c = 0; c < 2; ++c, product->constants += VT_CHANNEL_WORDS_S16) {
            for (int32_t i = 0; i < 3; ++i) {
                output[i * pitch + c] = vt_finish_s16(sums[c][i], product->constants);
            }
        }
    }
}
#endif

void vt_matrix1_s16(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                    void *output)
{
    int16_t *to = output;
    const int32_t words = matrix->blocks * VT_BLOCK;
    int32_t channels = matrix->channels;
    while (channels > 0) {
        /* Without a second couple of channels the first one is computed twice. */
        const int32_t couple = channels > 2 ? words : 0;
        vt_row row = {weights, weights + couple, columns, weights + words, {0, 0, 0, 0}};
        vt_multiply_row(&row);
        const int32_t count = channels < 4 ? channels : 4;
        for (int32_t i = 0; i < count; ++i, constants += VT_CHANNEL_WORDS_S16) {
            *to++ = vt_finish_s16(vt_add(row.sums[i], constants[VT_BIAS_S16]), constants);
        }
        weights += 2 * words;
        channels -= 4;
    }
}

void vt_matrix3_s16(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                    void *output)
{
    int16_t *const to = output;
    const int32_t channels = matrix->channels;
    const int32_t even = channels & ~1;
    const int32_t stream_words = matrix->blocks * VT_BLOCK;
    vt_product product = {columns, stream_words * 4, to, channels * 2, to + even, constants, weights};
    if (even != 0) {
        vt_multiply(&product);
    }
    if (even != channels) {
        /* An odd channel and its padding go to a buffer first. */
        int16_t buffer[6];
        product.output = buffer;
        product.pitch = 4;
        product.end = buffer + 2;
        product.constants = constants + even * VT_CHANNEL_WORDS_S16;
        product.weights = weights + even / 2 * stream_words;
        vt_multiply(&product);
        to[even] = buffer[0];
        to[channels + even] = buffer[2];
        to[2 * channels + even] = buffer[4];
    }
}
