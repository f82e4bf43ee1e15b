#include "depthwise_conv_2d.h"

#include "vt_quant.h"

/* Every output element in order. `accumulate` sees the indices `at` of the input and `tap` of the filter, `store` the
 * output channel `oc`. */
#define VT_DEPTHWISE_EACH(declare, accumulate, store)                                                                  \
    const vt_window *window = &params->window;                                                                         \
    for (int32_t n = 0; n < window->batches; ++n) {                                                                    \
        for (int32_t y = 0; y < window->out_h; ++y) {                                                                  \
            const int32_t top = y * window->stride_h - window->pad_h;                                                  \
            const vt_span rows = vt_inside(top, window->in_h, window->filter_h, window->dilation_h);                   \
            for (int32_t x = 0; x < window->out_w; ++x) {                                                              \
                const int32_t left = x * window->stride_w - window->pad_w;                                             \
                const vt_span columns = vt_inside(left, window->in_w, window->filter_w, window->dilation_w);           \
                for (int32_t oc = 0; oc < window->out_c; ++oc) {                                                       \
                    const int32_t c = oc / params->multiplier;                                                         \
                    declare;                                                                                           \
                    for (int32_t fy = rows.first; fy < rows.end; ++fy) {                                               \
                        const int32_t row = (top + fy * window->dilation_h) * window->in_w;                            \
                        for (int32_t fx = columns.first; fx < columns.end; ++fx) {                                     \
                            const int32_t at = (row + left + fx * window->dilation_w) * window->in_c + c;              \
                            const int32_t tap = (fy * window->filter_w + fx) * window->out_c + oc;                     \
                            accumulate;                                                                                \
                        }                                                                                              \
                    }                                                                                                  \
                    store;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        input += window->in_h * window->in_w * window->in_c;                                                           \
    }

void vt_depthwise_conv_2d_s8(const vt_depthwise_conv_2d_params *params, const int8_t *input, const int8_t *filter,
                             const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output)
{
    VT_DEPTHWISE_EACH(int32_t sum = 0, sum = vt_mac(sum, filter[tap], input[at] + params->input_offset), {
        sum = bias != NULL ? vt_add(sum, bias[oc]) : sum;
        sum = vt_add(vt_requantise(sum, multiplier[oc], shift[oc]), params->output_offset);
        *output++ = (int8_t)vt_clamp(sum, params->activation_min, params->activation_max);
    })
}

void vt_depthwise_conv_2d_s16(const vt_depthwise_conv_2d_params *params, const int16_t *input, const int8_t *filter,
                              const int64_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output)
{
    VT_DEPTHWISE_EACH(int64_t sum = 0, sum += filter[tap] * input[at], {
        sum = bias != NULL ? sum + bias[oc] : sum;
        const int32_t scaled = vt_requantise_s64(sum, multiplier[oc], shift[oc]);
        *output++ = (int16_t)vt_clamp(scaled, params->activation_min, params->activation_max);
    })
}

void vt_depthwise_conv_2d_f32(const vt_depthwise_conv_2d_f32_params *params, const float *input, const float *filter,
                              const float *bias, float *output)
{
    VT_DEPTHWISE_EACH(float sum = 0.0f, sum += filter[tap] * input[at], {
        sum = bias != NULL ? sum + bias[oc] : sum;
        *output++ = vt_clamp_f32(sum, params->activation_min, params->activation_max);
    })
}
