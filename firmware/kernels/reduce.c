#include "reduce.h"

#include "vt_quant.h"

/* Every combination of indices of four nested dimensions, `at` being the offset of its element. */
#define VT_NESTED(extent, step, at, body)                                                                              \
    for (int32_t at##_0 = 0; at##_0 < (extent)[0]; ++at##_0) {                                                         \
        for (int32_t at##_1 = 0; at##_1 < (extent)[1]; ++at##_1) {                                                     \
            for (int32_t at##_2 = 0; at##_2 < (extent)[2]; ++at##_2) {                                                 \
                const int32_t at##_row = at##_0 * (step)[0] + at##_1 * (step)[1] + at##_2 * (step)[2];                 \
                for (int32_t at##_3 = 0; at##_3 < (extent)[3]; ++at##_3) {                                             \
                    const int32_t at = at##_row + at##_3 * (step)[3];                                                  \
                    body                                                                                               \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define VT_REDUCE(declare, accumulate, store)                                                                          \
    const vt_reduction *loop = &params->loop;                                                                          \
    VT_NESTED(loop->kept, loop->kept_step, from, {                                                                     \
        declare;                                                                                                       \
        VT_NESTED(loop->reduced, loop->reduced_step, within, accumulate;)                                              \
        store;                                                                                                         \
    })

static int32_t vt_reduced(const vt_reduce_params *params, int32_t sum, int32_t low, int32_t high)
{
    const int32_t scaled = vt_requantise(vt_add(sum, params->offset), params->multiplier, params->shift);
    return vt_clamp(vt_add(scaled, params->output_offset), low, high);
}

void vt_reduce_s8(const vt_reduce_params *params, const int8_t *input, int8_t *output)
{
    VT_REDUCE(int32_t sum = 0, sum = vt_add(sum, input[from + within]),
              *output++ = (int8_t)vt_reduced(params, sum, INT8_MIN, INT8_MAX))
}

void vt_reduce_s16(const vt_reduce_params *params, const int16_t *input, int16_t *output)
{
    VT_REDUCE(int32_t sum = 0, sum = vt_add(sum, input[from + within]),
              *output++ = (int16_t)vt_reduced(params, sum, INT16_MIN, INT16_MAX))
}

void vt_mean_f32(const vt_reduce_f32_params *params, const float *input, float *output)
{
    VT_REDUCE(float sum = 0.0f, sum += input[from + within], *output++ = sum / params->count)
}

void vt_sum_f32(const vt_reduce_f32_params *params, const float *input, float *output)
{
    VT_REDUCE(float sum = 0.0f, sum += input[from + within], *output++ = sum)
}
