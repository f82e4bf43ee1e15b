#include "transpose_conv.h"

#include "vt_quant.h"

/* The inputs first..end-1 along one axis that reach the output at `position` (counted with the padding): input i reaches
 * outputs i * stride .. i * stride + filter - 1. */
static vt_span vt_reaching(int32_t position, int32_t size, int32_t filter, int32_t stride)
{
    const int32_t behind = position - (filter - 1);
    vt_span span;
    span.first = behind > 0 ? (behind + stride - 1) / stride : 0;
    span.end = position / stride + 1;
    span.end = span.end > size ? size : span.end;
    return span;
}

/* Every output element in order; `accumulate` sees `pixel` and `tap` at their element `c`, `store` the output channel. */
#define VT_TRANSPOSE_EACH(input_type, filter_type, declare, accumulate, store)                                         \
    const vt_window *window = &params->window;                                                                         \
    const int32_t in_c = window->in_c;                                                                                 \
    for (int32_t n = 0; n < window->batches; ++n) {                                                                    \
        for (int32_t y = window->pad_h; y < window->out_h + window->pad_h; ++y) {                                      \
            const vt_span rows = vt_reaching(y, window->in_h, window->filter_h, window->stride_h);                     \
            for (int32_t x = window->pad_w; x < window->out_w + window->pad_w; ++x) {                                  \
                const vt_span columns = vt_reaching(x, window->in_w, window->filter_w, window->stride_w);              \
                for (int32_t oc = 0; oc < window->out_c; ++oc) {                                                       \
                    declare;                                                                                           \
                    for (int32_t iy = rows.first; iy < rows.end; ++iy) {                                               \
                        const int32_t fy = oc * window->filter_h + y - iy * window->stride_h;                          \
                        for (int32_t ix = columns.first; ix < columns.end; ++ix) {                                     \
                            const int32_t fx = x - ix * window->stride_w;                                              \
                            const input_type *pixel = input + (iy * window->in_w + ix) * in_c;                         \
                            const filter_type *tap = filter + (fy * window->filter_w + fx) * in_c;                     \
                            for (int32_t c = 0; c < in_c; ++c) {                                                       \
                                accumulate;                                                                            \
                            }                                                                                          \
                        }                                                                                              \
                    }                                                                                                  \
                    store;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        input += window->in_h * window->in_w * in_c;                                                                   \
    }

void vt_transpose_conv_s8(const vt_transpose_conv_params *params, const int8_t *input, const int8_t *filter,
                          const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output)
{
    VT_TRANSPOSE_EACH(int8_t, int8_t, int32_t sum = 0, sum = vt_mac(sum, tap[c], pixel[c] + params->input_offset), {
        sum = bias != NULL ? vt_add(sum, bias[oc]) : sum;
        sum = vt_add(vt_requantise(sum, multiplier[oc], shift[oc]), params->output_offset);
        *output++ = (int8_t)vt_clamp(sum, params->activation_min, params->activation_max);
    })
}

void vt_transpose_conv_s16(const vt_transpose_conv_params *params, const int16_t *input, const int8_t *filter,
                           const int64_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output)
{
    VT_TRANSPOSE_EACH(int16_t, int8_t, int64_t sum = 0, sum += tap[c] * pixel[c], {
        sum = bias != NULL ? sum + bias[oc] : sum;
        const int32_t scaled = vt_requantise_s64(sum, multiplier[oc], shift[oc]);
        *output++ = (int16_t)vt_clamp(scaled, params->activation_min, params->activation_max);
    })
}

void vt_transpose_conv_f32(const vt_transpose_conv_f32_params *params, const float *input, const float *filter,
                           const float *bias, float *output)
{
    VT_TRANSPOSE_EACH(float, float, float sum = 0.0f, sum += tap[c] * pixel[c], {
        sum = bias != NULL ? sum + bias[oc] : sum;
        *output++ = vt_clamp_f32(sum, params->activation_min, params->activation_max);
    })
}
