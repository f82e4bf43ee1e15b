#include "depthwise_conv_2d_s8_scalar.h"

#include "clamp_s8.h"
#include "vt_simd.h"

/* Where a window reads: steps are in bytes. */
typedef struct {
    const int8_t *first;
    int32_t row_step, column_step;
} vt_site;

/* A row of three taps. */
VT_INLINE int32_t vt_three_taps(const int8_t *at, int32_t step, const int8_t *weights, int32_t sum)
{
    return sum + at[0] * weights[0] + at[step] * weights[1] + at[2 * step] * weights[2];
}

static int32_t vt_sum_inside(const vt_window *window, const vt_site *site, const int8_t *weights)
{
    const int8_t *row = site->first;
    const int32_t step = site->column_step;
    int32_t sum = 0;
    for (int32_t fy = window->filter_h; fy > 0; --fy, row += site->row_step) {
        const int8_t *at = row;
        int32_t taps = window->filter_w;
        for (; taps >= 3; taps -= 3, weights += 3, at += 3 * step) {
            sum = vt_three_taps(at, step, weights, sum);
        }
        for (; taps > 0; --taps, at += step) {
            sum += *at * *weights++;
        }
    }
    return sum;
}

static int32_t vt_sum_3x3(const vt_site *site, const int8_t *weights)
{
    const int8_t *at = site->first;
    const int32_t step = site->column_step;
    int32_t sum = vt_three_taps(at, step, weights, 0);
    at += site->row_step;
    sum = vt_three_taps(at, step, weights + 3, sum);
    at += site->row_step;
    return vt_three_taps(at, step, weights + 6, sum);
}

/* The part of a window that is inside the image. */
typedef struct {
    vt_span rows, columns;
} vt_part;

/* The sum over that part, of elements less the input's zero point. */
static int32_t vt_sum_part(const vt_depthwise_s8_scalar_params *params, const vt_site *site, const vt_part *part,
                           const int8_t *weights)
{
    const int32_t filter_w = params->window.filter_w;
    const int32_t zero = params->input_zero;
    const int32_t count = part->columns.end - part->columns.first;
    const int8_t *row = site->first + part->rows.first * site->row_step + part->columns.first * site->column_step;
    int32_t sum = 0;
    weights += part->rows.first * filter_w + part->columns.first;
    for (int32_t fy = part->rows.end - part->rows.first; fy > 0; --fy, row += site->row_step, weights += filter_w) {
        const int8_t *at = row;
        for (int32_t fx = 0; fx < count; ++fx, at += site->column_step) {
            sum += (*at - zero) * weights[fx];
        }
    }
    return sum;
}

static void vt_edge_pixel(const vt_depthwise_s8_scalar_params *params, vt_site site, const vt_part *part,
                          const int8_t *weights, const int32_t *bias, const int32_t *constants, int8_t *output)
{
    const vt_window *window = &params->window;
    const int32_t taps = window->filter_h * window->filter_w;
    for (int32_t c = 0; c < window->in_c; ++c, ++site.first) {
        for (int32_t m = 0; m < params->multiplier; ++m, weights += taps, constants += VT_CHANNEL_WORDS) {
            const int32_t sum = vt_sum_part(params, &site, part, weights);
            *output++ = vt_finish_s8(vt_add(sum, *bias++), constants);
        }
    }
}

static void vt_inner_pixel(const vt_depthwise_s8_scalar_params *params, vt_site site, const int8_t *weights,
                           const int32_t *constants, int8_t *output)
{
    const vt_window *window = &params->window;
    const int32_t taps = window->filter_h * window->filter_w;
    const int32_t small = window->filter_h == 3 && window->filter_w == 3;
    for (int32_t c = 0; c < window->in_c; ++c, ++site.first) {
        for (int32_t m = 0; m < params->multiplier; ++m, weights += taps, constants += VT_CHANNEL_WORDS) {
            const int32_t sum = small ? vt_sum_3x3(&site, weights) : vt_sum_inside(window, &site, weights);
            *output++ = vt_finish_s8(vt_add(sum, constants[VT_BIAS]), constants);
        }
    }
}

static void vt_pixel(const vt_depthwise_s8_scalar_params *params, const int8_t *image, int32_t y, int32_t x,
                     const int8_t *weights, const int32_t *bias, const int32_t *constants, int8_t *output)
{
    const vt_window *window = &params->window;
    const int32_t top = y * window->stride_h - window->pad_h;
    const int32_t left = x * window->stride_w - window->pad_w;
    const int32_t row_bytes = window->in_w * window->in_c;
    const vt_site site = {image + top * row_bytes + left * window->in_c, window->dilation_h * row_bytes,
                          window->dilation_w * window->in_c};
    const vt_part part = {vt_inside(top, window->in_h, window->filter_h, window->dilation_h),
                          vt_inside(left, window->in_w, window->filter_w, window->dilation_w)};
    if (part.rows.first == 0 && part.rows.end == window->filter_h && part.columns.first == 0 &&
        part.columns.end == window->filter_w) {
        vt_inner_pixel(params, site, weights, constants, output);
    } else {
        vt_edge_pixel(params, site, &part, weights, bias, constants, output);
    }
}

void vt_depthwise_s8_scalar(const vt_depthwise_s8_scalar_params *params, const int8_t *input, const int8_t *weights,
                            const int32_t *bias, const int32_t *constants, int8_t *output)
{
    const vt_window *window = &params->window;
    int8_t *to = output;
    for (int32_t n = 0; n < window->batches; ++n) {
        for (int32_t y = 0; y < window->out_h; ++y) {
            for (int32_t x = 0; x < window->out_w; ++x, to += window->out_c) {
                vt_pixel(params, input, y, x, weights, bias, constants, to);
            }
        }
        input += window->in_h * window->in_w * window->in_c;
    }
    vt_clamp_s8(output, (int32_t)(to - output), params->activation_min, params->activation_max);
}
