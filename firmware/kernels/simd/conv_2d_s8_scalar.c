#include "conv_2d_s8_scalar.h"

#include "clamp_s8.h"

void vt_pointwise_s8_scalar(const vt_pixels_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch)
{
    vt_multiply_pixels(params, input, weights, constants, output, scratch);
    vt_clamp_s8(output, params->pixels * params->matrix.channels, params->activation_min, params->activation_max);
}

void vt_conv_2d_s8_scalar(const vt_windows_params *params, const int8_t *input, const uint32_t *weights,
                        const int32_t *constants, int8_t *output, void *scratch)
{
    const vt_window *window = &params->window;
    const int32_t count = window->batches * window->out_h * window->out_w * window->out_c;
    vt_multiply_windows(params, input, weights, constants, output, scratch);
    vt_clamp_s8(output, count, params->activation_min, params->activation_max);
}
