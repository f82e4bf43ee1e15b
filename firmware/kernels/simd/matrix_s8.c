#include "matrix_s8.h"

#include "product.h"

void vt_matrix1_s8(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                   void *output)
{
    int8_t *to = output;
    const int32_t words = matrix->blocks * VT_BLOCK;
    int32_t channels = matrix->channels;
    while (channels > 0) {
        /* Without a second couple of channels the first one is computed twice. */
        const int32_t couple = channels > 2 ? words : 0;
        vt_row row = {weights, weights + couple, columns, weights + words, {0, 0, 0, 0}};
        vt_multiply_row(&row);
        const int32_t count = channels < 4 ? channels : 4;
        for (int32_t i = 0; i < count; ++i, constants += VT_CHANNEL_WORDS) {
            *to++ = vt_finish_s8(vt_add(row.sums[i], constants[VT_BIAS]), constants);
        }
        weights += 2 * words;
        channels -= 4;
    }
}

#if VT_DSP
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

#define VT_FINISH_COUPLE(rounding)                                                                                     \
    VT_FINISH("0", "r2", "r3", "r4", rounding)                                                                         \
    VT_FINISH("16", "r5", "r6", "r7", rounding)                                                                        \
    "add r8, r12, lr\n\t"                                                                                              \
    "add r9, r8, lr\n\t"                                                                                               \
    "strb r5, [r12, #1]\n\t"                                                                                           \
    "strb r2, [r12], #2\n\t"                                                                                           \
    "strb r3, [r8]\n\t"                                                                                                \
    "strb r6, [r8, #1]\n\t"                                                                                            \
    "strb r4, [r9]\n\t"                                                                                                \
    "strb r7, [r9, #1]\n\t"

static __attribute__((noinline)) void vt_multiply_any(const vt_product *product)
{
    VT_PRODUCT(product, "16", "32", VT_FINISH_COUPLE(VT_TOWARDS_ZERO));
}

static __attribute__((noinline)) void vt_multiply_positive(const vt_product *product)
{
    VT_PRODUCT(product, "16", "32", VT_FINISH_COUPLE(VT_ANYWHERE));
}
#endif

/* The same in C, for any channels. */
static inline void vt_multiply_general(vt_product product)
{
    int8_t *output = product.output;
    for (; output != product.end; output += 2) {
        int32_t sums[2][3];
        vt_sums_of(&product, product.constants[VT_BIAS], product.constants[VT_CHANNEL_WORDS + VT_BIAS], sums);
        for (int32_t c = 0; c < 2; ++c, product.constants += VT_CHANNEL_WORDS) {
            for (int32_t i = 0; i < 3; ++i) {
                output[i * product.pitch + c] = vt_finish_s8(sums[c][i], product.constants);
            }
        }
    }
}

/* The ways to requantise. */
enum { ANY, POSITIVE, GENERAL };

VT_INLINE void vt_multiply_as(const vt_product *product, int kind)
{
#if VT_DSP
    if (kind != GENERAL) {
        (kind == POSITIVE ? vt_multiply_positive : vt_multiply_any)(product);
        return;
    }
#endif
    (void)kind;
    vt_multiply_general(*product);
}

/* Channels two by two; an odd one and its padding go to a buffer first. */
VT_INLINE void vt_matrix3(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                          const int32_t *constants, void *to, int kind)
{
    int8_t *const output = to;
    const int32_t channels = matrix->channels;
    const int32_t even = channels & ~1;
    const int32_t stream_words = matrix->blocks * VT_BLOCK;
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
                   void *output)
{
    vt_matrix3(matrix, columns, weights, constants, output, ANY);
}

void vt_matrix3_s8_positive(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                            const int32_t *constants, void *output)
{
    vt_matrix3(matrix, columns, weights, constants, output, POSITIVE);
}

void vt_matrix3_s8_general(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                           const int32_t *constants, void *output)
{
    vt_matrix3(matrix, columns, weights, constants, output, GENERAL);
}
