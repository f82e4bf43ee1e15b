#include "conv_2d.h"

#include "vt_quant.h"

/* Where one output pixel reads: the part of the filter that is inside the image, and the image's first element under it. */
typedef struct {
    vt_span rows, columns;
    int32_t first_row, first_column;
} vt_conv_site;

static vt_conv_site vt_conv_site_at(const vt_window *window, int32_t out_y, int32_t out_x)
{
    const int32_t y = out_y * window->stride_h - window->pad_h;
    const int32_t x = out_x * window->stride_w - window->pad_w;
    vt_conv_site site;
    site.rows = vt_inside(y, window->in_h, window->filter_h, window->dilation_h);
    site.columns = vt_inside(x, window->in_w, window->filter_w, window->dilation_w);
    site.first_row = y;
    site.first_column = x;
    return site;
}

/* The sum over one filter; `input` and `filter` are at the first channel of the group. */
#define VT_CONV_SUM(accumulate)                                                                                        \
    for (int32_t fy = site->rows.first; fy < site->rows.end; ++fy) {                                                   \
        const int32_t row = (site->first_row + fy * window->dilation_h) * window->in_w;                                \
        for (int32_t fx = site->columns.first; fx < site->columns.end; ++fx) {                                         \
            const int32_t pixel = row + site->first_column + fx * window->dilation_w;                                  \
            const int32_t at = pixel * window->in_c;                                                                   \
            const int32_t tap = (fy * window->filter_w + fx) * filter_c;                                               \
            for (int32_t c = 0; c < filter_c; ++c) {                                                                   \
                accumulate;                                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }

static int32_t vt_sum_s8(const vt_window *window, int32_t filter_c, const vt_conv_site *site, const int8_t *input,
                         const int8_t *filter, int32_t input_offset)
{
    int32_t sum = 0;
    VT_CONV_SUM(sum = vt_mac(sum, filter[tap + c], input[at + c] + input_offset))
    return sum;
}

static int64_t vt_sum_s16(const vt_window *window, int32_t filter_c, const vt_conv_site *site, const int16_t *input,
                          const int8_t *filter)
{
    int64_t sum = 0;
    VT_CONV_SUM(sum += filter[tap + c] * input[at + c])
    return sum;
}

static int32_t vt_sum_s16_acc32(const vt_window *window, int32_t filter_c, const vt_conv_site *site,
                                const int16_t *input, const int8_t *filter)
{
    int32_t sum = 0;
    VT_CONV_SUM(sum = vt_mac(sum, filter[tap + c], input[at + c]))
    return sum;
}

static float vt_sum_f32(const vt_window *window, int32_t filter_c, const vt_conv_site *site, const float *input,
                        const float *filter)
{
    float sum = 0.0f;
    VT_CONV_SUM(sum += filter[tap + c] * input[at + c])
    return sum;
}

/* Every output element in order. `image` is the batch's input at the channel's group, `kernel` the channel's filter. */
#define VT_CONV_EACH(input_type, store)                                                                                \
    const vt_window *window = &params->window;                                                                         \
    const int32_t filter_c = params->filter_c;                                                                         \
    const int32_t filter_size = window->filter_h * window->filter_w * filter_c;                                        \
    const int32_t group_out_c = window->out_c / (window->in_c / filter_c);                                             \
    for (int32_t n = 0; n < window->batches; ++n) {                                                                    \
        for (int32_t y = 0; y < window->out_h; ++y) {                                                                  \
            for (int32_t x = 0; x < window->out_w; ++x) {                                                              \
                const vt_conv_site site = vt_conv_site_at(window, y, x);                                               \
                for (int32_t oc = 0; oc < window->out_c; ++oc) {                                                       \
                    const input_type *image = input + oc / group_out_c * filter_c;                                     \
                    store;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        input += window->in_h * window->in_w * window->in_c;                                                           \
    }

void vt_conv_2d_s8(const vt_conv_2d_params *params, const int8_t *input, const int8_t *filter, const int32_t *bias,
                   const int32_t *multiplier, const int32_t *shift, int8_t *output)
{
    VT_CONV_EACH(int8_t, {
        int32_t sum = vt_sum_s8(window, filter_c, &site, image, filter + oc * filter_size, params->input_offset);
        sum = bias != NULL ? vt_add(sum, bias[oc]) : sum;
        sum = vt_add(vt_requantise(sum, multiplier[oc], shift[oc]), params->output_offset);
        *output++ = (int8_t)vt_clamp(sum, params->activation_min, params->activation_max);
    })
}

void vt_conv_2d_s16(const vt_conv_2d_params *params, const int16_t *input, const int8_t *filter, const int64_t *bias,
                    const int32_t *multiplier, const int32_t *shift, int16_t *output)
{
    VT_CONV_EACH(int16_t, {
        int64_t sum = vt_sum_s16(window, filter_c, &site, image, filter + oc * filter_size);
        sum = bias != NULL ? sum + bias[oc] : sum;
        const int32_t scaled = vt_requantise_s64(sum, multiplier[oc], shift[oc]);
        *output++ = (int16_t)vt_clamp(scaled, params->activation_min, params->activation_max);
    })
}

void vt_conv_2d_s16_acc32(const vt_conv_2d_params *params, const int16_t *input, const int8_t *filter,
                          const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output)
{
    VT_CONV_EACH(int16_t, {
        int32_t sum = vt_sum_s16_acc32(window, filter_c, &site, image, filter + oc * filter_size);
        sum = bias != NULL ? vt_add(sum, bias[oc]) : sum;
        sum = vt_requantise(sum, multiplier[oc], shift[oc]);
        *output++ = (int16_t)vt_clamp(sum, params->activation_min, params->activation_max);
    })
}

void vt_conv_2d_f32(const vt_conv_2d_f32_params *params, const float *input, const float *filter, const float *bias,
                    float *output)
{
    VT_CONV_EACH(float, {
        float sum = vt_sum_f32(window, filter_c, &site, image, filter + oc * filter_size);
        sum = bias != NULL ? sum + bias[oc] : sum;
        *output++ = vt_clamp_f32(sum, params->activation_min, params->activation_max);
    })
}
