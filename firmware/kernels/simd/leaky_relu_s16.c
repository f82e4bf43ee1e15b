#include "leaky_relu_s16.h"

#include "vt_simd.h"

void vt_leaky_relu_s16_simd(const vt_leaky_relu_s16_simd_params *params, const int16_t *input, int16_t *output,
                            int32_t count)
{
    /* A copy that stores can't be taken to change. */
    const vt_leaky_relu_s16_simd_params p = *params;
    for (int32_t i = 0; i < count; ++i) {
        int32_t value = input[i];
        if (value >= 0) {
            value = vt_finish(vt_shift_left(value, p.positive_left), p.positive_multiplier, p.positive_rounding,
                              p.positive_shift, 1);
        } else {
            value = vt_finish(value, p.negative_multiplier, p.negative_rounding, p.negative_shift, 0);
        }
        output[i] = (int16_t)vt_saturate_s16(value);
    }
}
