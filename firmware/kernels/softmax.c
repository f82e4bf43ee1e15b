#include "softmax.h"

#include "vt_fixed.h"
#include "vt_math.h"

/* What a row's exponentials are divided by: a factor without integer bits, and a shift to the right. */
typedef struct {
    int32_t factor;
    int32_t shift;
} vt_softmax_scale;

#define VT_SUM_BITS 12 /* integer bits of the sum of a row's exponentials */

static int32_t vt_largest_s8(const int8_t *row, int32_t depth)
{
    int32_t largest = INT8_MIN;
    for (int32_t c = 0; c < depth; ++c) {
        largest = row[c] > largest ? row[c] : largest;
    }
    return largest;
}

static vt_softmax_scale vt_softmax_scale_of(const int32_t *exponentials, const int8_t *row, int32_t depth,
                                            int32_t largest, int32_t output_bits)
{
    int32_t sum = 0;
    for (int32_t c = 0; c < depth; ++c) {
        sum = vt_add(sum, vt_rounding_divide(exponentials[largest - row[c]], VT_SUM_BITS));
    }
    const int32_t headroom = vt_leading_zeros((uint32_t)sum);
    const uint32_t normalised = headroom < 32 ? (uint32_t)sum << headroom : 0;
    vt_softmax_scale scale;
    scale.factor = vt_reciprocal_of_one_plus((int32_t)(normalised - ((uint32_t)1 << 31)));
    scale.shift = VT_SUM_BITS - headroom + 31 - output_bits;
    if (scale.shift > 31) { /* so many equal elements that each rounds to nothing */
        scale.factor = 0;
        scale.shift = 31;
    }
    return scale;
}

void vt_softmax_s8(const vt_softmax_params *params, const int32_t *exponentials, const int8_t *input, int8_t *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; ++row, input += depth, output += depth) {
        const int32_t largest = vt_largest_s8(input, depth);
        const vt_softmax_scale scale = vt_softmax_scale_of(exponentials, input, depth, largest, 8);
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t product = vt_doubling_high_multiply(scale.factor, exponentials[largest - input[c]]);
            output[c] = (int8_t)vt_clamp(vt_rounding_divide(product, scale.shift) + INT8_MIN, INT8_MIN, INT8_MAX);
        }
    }
}

void vt_softmax_s8_s16(const vt_softmax_params *params, const int32_t *exponentials, const int8_t *input,
                       int16_t *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; ++row, input += depth, output += depth) {
        const int32_t largest = vt_largest_s8(input, depth);
        const vt_softmax_scale scale = vt_softmax_scale_of(exponentials, input, depth, largest, 16);
        for (int32_t c = 0; c < depth; ++c) {
            const int32_t product = vt_doubling_high_multiply(scale.factor, exponentials[largest - input[c]]);
            output[c] = (int16_t)vt_clamp(vt_rounding_divide(product, scale.shift) + INT16_MIN, INT16_MIN, INT16_MAX);
        }
    }
}

static void vt_softmax_row_s16(const vt_softmax_s16_params *params, const int16_t *exponentials,
                               const int16_t *reciprocals, const int16_t *input, int16_t *output)
{
    const int32_t depth = params->depth;
    int32_t largest = INT16_MIN;
    for (int32_t c = 0; c < depth; ++c) {
        largest = input[c] > largest ? input[c] : largest;
    }
    int32_t sum = 0;
    for (int32_t c = 0; c < depth; ++c) {
        const int32_t scaled = vt_requantise(input[c] - largest, params->multiplier, params->shift);
        const int32_t centred = vt_clamp(vt_add(scaled, INT16_MAX), INT16_MIN, INT16_MAX);
        output[c] = vt_interpolate_s16(exponentials, (int16_t)centred);
        sum = vt_add(sum, output[c]);
    }
    /* The sum as 2^n * (1 + x), x in 0..1 being the index of the table of 1 / (1 + x). */
    const int32_t headroom = vt_leading_zeros((uint32_t)sum);
    const int32_t mantissa = (int32_t)((((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14);
    const int32_t x = vt_clamp(mantissa - ((1 << 15) + (1 << 16)), INT16_MIN, INT16_MAX);
    const int64_t reciprocal = vt_interpolate_s16(reciprocals, (int16_t)x);
    const int32_t shift = 31 - headroom;
    for (int32_t c = 0; c < depth; ++c) {
        const int64_t scaled = (output[c] * reciprocal + ((int64_t)1 << (shift - 1))) >> shift;
        output[c] = (int16_t)vt_clamp((int32_t)scaled, 0, INT16_MAX);
    }
}

void vt_softmax_s16(const vt_softmax_s16_params *params, const int16_t *exponentials, const int16_t *reciprocals,
                    const int16_t *input, int16_t *output)
{
    for (int32_t row = 0; row < params->rows; ++row) {
        const int32_t at = row * params->depth;
        vt_softmax_row_s16(params, exponentials, reciprocals, input + at, output + at);
    }
}

void vt_softmax_f32(const vt_softmax_f32_params *params, const float *input, float *output)
{
    const int32_t depth = params->depth;
    for (int32_t row = 0; row < params->rows; ++row, input += depth, output += depth) {
        float largest = input[0];
        for (int32_t c = 1; c < depth; ++c) {
            largest = input[c] > largest ? input[c] : largest;
        }
        float sum = 0.0f;
        for (int32_t c = 0; c < depth; ++c) {
            output[c] = vt_exponential((input[c] - largest) * params->beta);
            sum += output[c];
        }
        for (int32_t c = 0; c < depth; ++c) {
            output[c] /= sum;
        }
    }
}
