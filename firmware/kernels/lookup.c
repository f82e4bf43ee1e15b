#include "lookup.h"

#include "vt_math.h"

void vt_lookup_s8(const int8_t *table, const int8_t *input, int8_t *output, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        output[i] = table[(uint8_t)input[i]];
    }
}

void vt_lookup_s16(const int16_t *table, const int16_t *input, int16_t *output, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t offset = input[i] + 32768;
        const int32_t base = table[offset >> 7];
        const int32_t slope = (int16_t)(table[(offset >> 7) + 1] - base);
        output[i] = (int16_t)(base + ((slope * (offset & 127) + 64) >> 7));
    }
}

void vt_exp_f32(const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        output[i] = vt_exponential(input[i]);
    }
}

void vt_rsqrt_f32(const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        output[i] = 1.0f / vt_square_root(input[i]);
    }
}
