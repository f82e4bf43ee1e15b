#include "conv_2d_f32.h"

#include <float.h>

#include "vt_quant.h"

static void vt_clamp_all(float *values, int32_t count, float low, float high)
{
    if (low <= -FLT_MAX && high >= FLT_MAX) {
        return;
    }
    for (int32_t i = 0; i < count; ++i) {
        values[i] = vt_clamp_f32(values[i], low, high);
    }
}

void vt_pointwise_f32_simd(const vt_pixels_params *params, float low, float high, const float *input,
                           const float *weights, const float *bias, float *output, void *scratch)
{
    vt_multiply_pixels(params, input, (const void *)weights, (const void *)bias, output, scratch);
    vt_clamp_all(output, params->pixels * params->matrix.channels, low, high);
}

void vt_conv_2d_f32_simd(const vt_windows_params *params, float low, float high, const float *input,
                         const float *weights, const float *bias, float *output, void *scratch)
{
    const vt_window *window = &params->window;
    vt_multiply_windows(params, input, (const void *)weights, (const void *)bias, output, scratch);
    vt_clamp_all(output, window->batches * window->out_h * window->out_w * window->out_c, low, high);
}
