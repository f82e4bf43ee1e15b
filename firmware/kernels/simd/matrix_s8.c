#include "matrix_s8.h"

#include "vt_simd.h"

enum { BLOCK = 4 };

/* The sums of two channels by three pixels. */
typedef struct {
    int32_t a0, a1, a2, b0, b1, b2;
} vt_sums;

#if VT_DSP && defined(__OPTIMIZE__)
/* Where the loop ends is the 14th register that the loop needs; a compiler that keeps a frame pointer has 13. */
#if defined(__clang__)
#define VT_STOP "m"
#define VT_COMPARE_STOP "ldr %[x0], %[stop]\n\tcmp %[w], %[x0]\n\t"
#else
#define VT_STOP "r"
#define VT_COMPARE_STOP "cmp %[w], %[stop]\n\t"
#endif

/* One pair of elements: 12 multiply-accumulates. The loads stand together because only so do they overlap (M4). */
#define VT_STEP                                                                                                        \
    "ldr %[w1], [%[w]], #4\n\t"                                                                                        \
    "ldr %[x1], [%[x], #4]\n\t"                                                                                        \
    "ldr %[x2], [%[x], #8]\n\t"                                                                                        \
    "ldr %[x0], [%[x]], #12\n\t"                                                                                       \
    "sxtb16 %[w0], %[w1]\n\t"                                                                                          \
    "sxtb16 %[w1], %[w1], ror #8\n\t"                                                                                  \
    "smlad %[a0], %[x0], %[w0], %[a0]\n\t"                                                                             \
    "smlad %[b0], %[x0], %[w1], %[b0]\n\t"                                                                             \
    "smlad %[a1], %[x1], %[w0], %[a1]\n\t"                                                                             \
    "smlad %[b1], %[x1], %[w1], %[b1]\n\t"                                                                             \
    "smlad %[a2], %[x2], %[w0], %[a2]\n\t"                                                                             \
    "smlad %[b2], %[x2], %[w1], %[b2]\n\t"

/* The loop is one statement: split, compilers move the sums about between its parts. */
VT_INLINE const uint32_t *vt_multiply_3(const uint32_t *weights, const uint32_t *stop, const uint32_t *x, vt_sums *sums)
{
    int32_t a0 = sums->a0, a1 = a0, a2 = a0;
    int32_t b0 = sums->b0, b1 = b0, b2 = b0;
    uint32_t w0, w1, x0, x1, x2;
    __asm__ volatile("1:\n\t" VT_STEP VT_STEP VT_STEP VT_STEP VT_COMPARE_STOP "bne 1b"
                     : [w] "+r"(weights), [x] "+r"(x), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [b0] "+r"(b0),
                       [b1] "+r"(b1), [b2] "+r"(b2), [w0] "=&r"(w0), [w1] "=&r"(w1), [x0] "=&r"(x0), [x1] "=&r"(x1),
                       [x2] "=&r"(x2)
                     : [stop] VT_STOP(stop)
                     : "cc", "memory");
    *sums = (vt_sums){a0, a1, a2, b0, b1, b2};
    return weights;
}
#else
VT_INLINE const uint32_t *vt_multiply_3(const uint32_t *weights, const uint32_t *stop, const uint32_t *x, vt_sums *sums)
{
    vt_sums s = {sums->a0, sums->a0, sums->a0, sums->b0, sums->b0, sums->b0};
    for (; weights != stop; weights++, x += 3) {
        const uint32_t w0 = vt_even_bytes(*weights);
        const uint32_t w1 = vt_odd_bytes(*weights);
        s.a0 = vt_mac_pair(x[0], w0, s.a0);
        s.b0 = vt_mac_pair(x[0], w1, s.b0);
        s.a1 = vt_mac_pair(x[1], w0, s.a1);
        s.b1 = vt_mac_pair(x[1], w1, s.b1);
        s.a2 = vt_mac_pair(x[2], w0, s.a2);
        s.b2 = vt_mac_pair(x[2], w1, s.b2);
    }
    *sums = s;
    return stop;
}
#endif

typedef struct {
    int32_t low, high;
    int positive, clamped;
} vt_activation;

VT_INLINE int8_t vt_activate(int32_t value, const vt_activation *activation)
{
    return (int8_t)(activation->clamped ? vt_clamp(value, activation->low, activation->high) : vt_saturate_s8(value));
}

/* Three pixels of a channel. */
VT_INLINE void vt_finish_3(int32_t s0, int32_t s1, int32_t s2, const int32_t *channel, const vt_activation *activation,
                           int8_t *output, int32_t pitch)
{
    const int32_t multiplier = channel[VT_MULTIPLIER];
    const int32_t rounding = channel[VT_ROUNDING];
    const int32_t shift = channel[VT_SHIFT];
    if (__builtin_expect(shift < VT_LEAST_GENERAL, 1)) {
        s0 = vt_finish(s0, multiplier, rounding, shift, activation->positive);
        s1 = vt_finish(s1, multiplier, rounding, shift, activation->positive);
        s2 = vt_finish(s2, multiplier, rounding, shift, activation->positive);
    } else {
        s0 = vt_finish_general(s0, channel);
        s1 = vt_finish_general(s1, channel);
        s2 = vt_finish_general(s2, channel);
    }
    output[0] = vt_activate(s0, activation);
    output[pitch] = vt_activate(s1, activation);
    output[2 * pitch] = vt_activate(s2, activation);
}

VT_INLINE void vt_finish_1(int32_t sum, const int32_t *channel, const vt_activation *activation, int8_t *output)
{
    const int32_t shift = channel[VT_SHIFT];
    if (__builtin_expect(shift < VT_LEAST_GENERAL, 1)) {
        sum = vt_finish(sum, channel[VT_MULTIPLIER], channel[VT_ROUNDING], shift, activation->positive);
    } else {
        sum = vt_finish_general(sum, channel);
    }
    *output = vt_activate(sum, activation);
}

VT_INLINE void vt_matrix_3(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                           const int32_t *constants, int8_t *output, int positive, int clamped)
{
    const vt_activation activation = {matrix->activation_min, matrix->activation_max, positive, clamped};
    const int32_t pitch = matrix->channels;
    const int32_t words = matrix->blocks * BLOCK;
    const int8_t *const end = output + pitch;
    do {
        vt_sums sums;
        sums.a0 = constants[VT_BIAS];
        sums.b0 = constants[VT_CHANNEL_WORDS + VT_BIAS];
        weights = vt_multiply_3(weights, weights + words, columns, &sums);
        vt_finish_3(sums.a0, sums.a1, sums.a2, constants, &activation, output++, pitch);
        if (output == end) {
            return;
        }
        vt_finish_3(sums.b0, sums.b1, sums.b2, constants + VT_CHANNEL_WORDS, &activation, output++, pitch);
        constants += 2 * VT_CHANNEL_WORDS;
    } while (output != end);
}

VT_INLINE void vt_matrix_1(const vt_matrix *matrix, const uint32_t *column, const uint32_t *weights,
                           const int32_t *constants, int8_t *output, int positive, int clamped)
{
    const vt_activation activation = {matrix->activation_min, matrix->activation_max, positive, clamped};
    const int32_t words = matrix->blocks * BLOCK;
    const int8_t *const end = output + matrix->channels;
    do {
        int32_t a = constants[VT_BIAS];
        int32_t b = constants[VT_CHANNEL_WORDS + VT_BIAS];
        const uint32_t *x = column;
        const uint32_t *const stop = weights + words;
        do {
            const uint32_t w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
            weights += BLOCK;
            a = vt_mac_pair(x[0], vt_even_bytes(w0), a);
            b = vt_mac_pair(x[0], vt_odd_bytes(w0), b);
            a = vt_mac_pair(x[1], vt_even_bytes(w1), a);
            b = vt_mac_pair(x[1], vt_odd_bytes(w1), b);
            a = vt_mac_pair(x[2], vt_even_bytes(w2), a);
            b = vt_mac_pair(x[2], vt_odd_bytes(w2), b);
            a = vt_mac_pair(x[3], vt_even_bytes(w3), a);
            b = vt_mac_pair(x[3], vt_odd_bytes(w3), b);
            x += BLOCK;
        } while (weights != stop);
        vt_finish_1(a, constants, &activation, output++);
        if (output == end) {
            return;
        }
        vt_finish_1(b, constants + VT_CHANNEL_WORDS, &activation, output++);
        constants += 2 * VT_CHANNEL_WORDS;
    } while (output != end);
}

#define VT_MATRIX_KERNELS(suffix, positive, clamped)                                                                   \
    void vt_matrix3_s8##suffix(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,              \
                               const int32_t *constants, int8_t *output)                                               \
    {                                                                                                                  \
        vt_matrix_3(matrix, columns, weights, constants, output, positive, clamped);                                   \
    }                                                                                                                  \
    void vt_matrix1_s8##suffix(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,              \
                               const int32_t *constants, int8_t *output)                                               \
    {                                                                                                                  \
        vt_matrix_1(matrix, columns, weights, constants, output, positive, clamped);                                   \
    }

VT_MATRIX_KERNELS(, 0, 0)
VT_MATRIX_KERNELS(_positive, 1, 0)
VT_MATRIX_KERNELS(_clamped, 0, 1)
