#include "add_s8.h"

#include "add_sum.h"
#include "clamp_s8.h"

VT_INLINE int8_t vt_sum_s8(const vt_add_simd_params *params, int32_t half, int32_t scaled)
{
    return (int8_t)vt_saturate_s8(vt_sum(params, half, scaled, 20));
}

void vt_add_s8_simd(const vt_add_simd_params *params, const int8_t *half, const int8_t *scaled, int8_t *output)
{
    /* A copy that stores can't be taken to change. */
    const vt_add_simd_params p = *params;
    int8_t *const outputs = output;
    int32_t count = p.count;
    for (; count >= 4; count -= 4) {
        const uint32_t a = vt_load_word(half);
        const uint32_t b = vt_load_word(scaled);
        half += 4;
        scaled += 4;
        output[0] = vt_sum_s8(&p, (int8_t)(uint8_t)a, (int8_t)(uint8_t)b);
        output[1] = vt_sum_s8(&p, (int8_t)(uint8_t)(a >> 8), (int8_t)(uint8_t)(b >> 8));
        output[2] = vt_sum_s8(&p, (int8_t)(uint8_t)(a >> 16), (int8_t)(uint8_t)(b >> 16));
        output[3] = vt_sum_s8(&p, (int8_t)(uint8_t)(a >> 24), (int8_t)(uint8_t)(b >> 24));
        output += 4;
    }
    for (; count > 0; --count) {
        *output++ = vt_sum_s8(&p, *half++, *scaled++);
    }
    vt_clamp_s8(outputs, p.count, p.activation_min, p.activation_max);
}
