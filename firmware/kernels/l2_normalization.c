#include "l2_normalization.h"

#include "vt_fixed.h"
#include "vt_math.h"

/* A real factor: multiplier / 2^31 * 2^shift. */
typedef struct {
    int32_t multiplier, shift;
} vt_factor;

/* 1 / sqrt(value) by five steps of Newton's iteration with 3 integer bits; 1 for 0. */
static vt_factor vt_inverse_square_root(int32_t value)
{
    vt_factor factor = {INT32_MAX, 0};
    if (value <= 1) {
        return factor;
    }
    int32_t right = 11;
    while (value >= 1 << 29) {
        value /= 4;
        ++right;
    }
    /* Into 2^27..2^29 by pairs of bits, which is 0.5..2 once halved. */
    const int32_t pairs = (vt_leading_zeros((uint32_t)value) - 1) / 2 - 1;
    right -= pairs;
    value = vt_shift_left(value, 2 * pairs);
    const int32_t half = vt_rounding_divide(value >> 1, 1);
    const int32_t three_halves = (1 << 28) + (1 << 27);
    int32_t x = 1 << 28;
    for (int32_t step = 0; step < 5; ++step) {
        const int32_t square = vt_doubling_high_multiply(x, x);
        const int32_t cube = vt_saturating_shift_left(vt_doubling_high_multiply(square, x), 6);
        const int32_t change = vt_doubling_high_multiply(three_halves, x) - vt_doubling_high_multiply(half, cube);
        x = vt_saturating_shift_left(change, 3);
    }
    x = vt_doubling_high_multiply(x, 1518500250); /* times the square root of 1/2 */
    factor.multiplier = right < 0 ? vt_shift_left(x, -right) : x;
    factor.shift = right < 0 ? 0 : -right;
    return factor;
}

void vt_l2_normalization_s8(const vt_l2_normalization_params *params, const int8_t *input, int8_t *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; ++row, input += depth, output += depth) {
        int32_t sum = 0;
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t value = input[c] + params->input_offset;
            sum = vt_mac(sum, value, value);
        }
        const vt_factor factor = vt_inverse_square_root(sum);
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t value = input[c] + params->input_offset;
            const int32_t scaled = vt_requantise(value, factor.multiplier, factor.shift + 7);
            output[c] = (int8_t)vt_clamp(scaled, INT8_MIN, INT8_MAX);
        }
    }
}

void vt_l2_normalization_f32(const vt_l2_normalization_params *params, const float *input, float *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; ++row, input += depth, output += depth) {
        float sum = 0.0f;
        for (int32_t c = 0; c < depth; ++c) {
            sum += input[c] * input[c];
        }
        const float norm = vt_square_root(sum);
        const float divisor = norm > 1e-6f ? norm : 1e-6f;
        for (int32_t c = 0; c < depth; ++c) {
            output[c] = input[c] / divisor;
        }
    }
}
