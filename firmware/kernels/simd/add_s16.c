#include "add_s16.h"

#include "add_sum.h"
#include "clamp_s16.h"

void vt_add_s16_simd(const vt_add_simd_params *params, const int16_t *half, const int16_t *scaled, int16_t *output)
{
    /* A copy that stores can't be taken to change. */
    const vt_add_simd_params p = *params;
    for (int32_t i = 0; i < p.count; ++i) {
        output[i] = (int16_t)vt_saturate_s16(vt_sum(&p, half[i], scaled[i], 15));
    }
    vt_clamp_s16(output, p.count, p.activation_min, p.activation_max);
}
