#include "add_s8.h"

#include "clamp_s8.h"
#include "vt_simd.h"

VT_INLINE int32_t vt_sum(const vt_add_s8_simd_params *params, int32_t half, int32_t scaled)
{
    int32_t value = vt_scale(params->scaled_offset + scaled * (1 << 20), params->scaled_multiplier);
    value = (value + (value >> 31) + params->scaled_rounding) >> params->scaled_shift;
    value += params->half_offset + half * (1 << 19);
    value = vt_finish(value, params->multiplier, params->rounding, params->shift, 0);
    return vt_saturate_s8(value);
}

void vt_add_s8_simd(const vt_add_s8_simd_params *params, const int8_t *half, const int8_t *scaled, int8_t *output)
{
    /* A copy that stores can't be taken to change. */
    const vt_add_s8_simd_params p = *params;
    int8_t *const outputs = output;
    int32_t count = p.count;
    for (; count >= 4; count -= 4) {
        const uint32_t a = vt_load_word(half);
        const uint32_t b = vt_load_word(scaled);
        half += 4;
        scaled += 4;
        output[0] = (int8_t)vt_sum(&p, (int8_t)(uint8_t)a, (int8_t)(uint8_t)b);
        output[1] = (int8_t)vt_sum(&p, (int8_t)(uint8_t)(a >> 8), (int8_t)(uint8_t)(b >> 8));
        output[2] = (int8_t)vt_sum(&p, (int8_t)(uint8_t)(a >> 16), (int8_t)(uint8_t)(b >> 16));
        output[3] = (int8_t)vt_sum(&p, (int8_t)(uint8_t)(a >> 24), (int8_t)(uint8_t)(b >> 24));
        output += 4;
    }
    for (; count > 0; --count) {
        *output++ = (int8_t)vt_sum(&p, *half++, *scaled++);
    }
    vt_clamp_s8(outputs, p.count, p.activation_min, p.activation_max);
}
