#include "pool_2d.h"

#include <float.h>

#include "vt_quant.h"

/* Every output element in order; `accumulate` sees the input's element as `value`, `store` the `count` of elements. */
#define VT_POOL_EACH(input_type, declare, accumulate, store)                                                           \
    const vt_window *window = &params->window;                                                                         \
    for (int32_t n = 0; n < window->batches; ++n) {                                                                    \
        for (int32_t y = 0; y < window->out_h; ++y) {                                                                  \
            const int32_t top = y * window->stride_h - window->pad_h;                                                  \
            const vt_span rows = vt_inside(top, window->in_h, window->filter_h, 1);                                    \
            for (int32_t x = 0; x < window->out_w; ++x) {                                                              \
                const int32_t left = x * window->stride_w - window->pad_w;                                             \
                const vt_span columns = vt_inside(left, window->in_w, window->filter_w, 1);                            \
                const int32_t count = (rows.end - rows.first) * (columns.end - columns.first);                         \
                for (int32_t c = 0; c < window->in_c; ++c) {                                                           \
                    declare;                                                                                           \
                    for (int32_t fy = rows.first; fy < rows.end; ++fy) {                                               \
                        for (int32_t fx = columns.first; fx < columns.end; ++fx) {                                     \
                            const input_type value =                                                                   \
                                input[((top + fy) * window->in_w + left + fx) * window->in_c + c];                     \
                            accumulate;                                                                                \
                        }                                                                                              \
                    }                                                                                                  \
                    store;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        input += window->in_h * window->in_w * window->in_c;                                                           \
    }

/* sum / count, halves away from zero. */
static int32_t vt_average(int32_t sum, int32_t count)
{
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

void vt_average_pool_2d_s8(const vt_pool_2d_params *params, const int8_t *input, int8_t *output)
{
    VT_POOL_EACH(int8_t, int32_t sum = 0, sum += value, {
        *output++ = (int8_t)vt_clamp(vt_average(sum, count), params->activation_min, params->activation_max);
    })
}

void vt_average_pool_2d_s16(const vt_pool_2d_params *params, const int16_t *input, int16_t *output)
{
    VT_POOL_EACH(int16_t, int32_t sum = 0, sum = vt_add(sum, value), {
        *output++ = (int16_t)vt_clamp(vt_average(sum, count), params->activation_min, params->activation_max);
    })
}

void vt_average_pool_2d_f32(const vt_pool_2d_f32_params *params, const float *input, float *output)
{
    VT_POOL_EACH(float, float sum = 0.0f, sum += value, {
        *output++ = vt_clamp_f32(sum / (float)count, params->activation_min, params->activation_max);
    })
}

void vt_max_pool_2d_s8(const vt_pool_2d_params *params, const int8_t *input, int8_t *output)
{
    VT_POOL_EACH(int8_t, int32_t largest = INT8_MIN, largest = value > largest ? value : largest, {
        (void)count;
        *output++ = (int8_t)vt_clamp(largest, params->activation_min, params->activation_max);
    })
}

void vt_max_pool_2d_s16(const vt_pool_2d_params *params, const int16_t *input, int16_t *output)
{
    VT_POOL_EACH(int16_t, int32_t largest = INT16_MIN, largest = value > largest ? value : largest, {
        (void)count;
        *output++ = (int16_t)vt_clamp(largest, params->activation_min, params->activation_max);
    })
}

void vt_max_pool_2d_f32(const vt_pool_2d_f32_params *params, const float *input, float *output)
{
    VT_POOL_EACH(float, float largest = -FLT_MAX, largest = value > largest ? value : largest, {
        (void)count;
        *output++ = vt_clamp_f32(largest, params->activation_min, params->activation_max);
    })
}
