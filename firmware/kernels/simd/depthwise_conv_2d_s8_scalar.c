#include "depthwise_conv_2d_s8_scalar.h"

#include "clamp_s8.h"
#include "vt_simd.h"

static void vt_copy(int8_t *to, const int8_t *from, int32_t count)
{
    if ((((uintptr_t)to | (uintptr_t)from) & 3) == 0) {
        for (; count >= 4; count -= 4, to += 4, from += 4) {
            vt_store_word(__builtin_assume_aligned(to, 4), vt_load_word(__builtin_assume_aligned(from, 4)));
        }
    }
    for (; count > 0; --count) {
        *to++ = *from++;
    }
}

static void vt_fill(int8_t *to, int32_t value, int32_t count)
{
    for (; count > 0; --count) {
        *to++ = (int8_t)value;
    }
}

/* A row of the image with its padding; `row` may be outside. */
static void vt_strip_row(const vt_depthwise_s8_scalar_params *params, const int8_t *image, int32_t row, int8_t *to)
{
    const vt_window *window = &params->window;
    const int32_t channels = window->in_c;
    if (row < 0 || row >= window->in_h) {
        vt_fill(to, params->filler, params->strip_w * channels);
        return;
    }
    const int32_t before = window->pad_w < params->strip_w ? window->pad_w : params->strip_w;
    const int32_t most = params->strip_w - before;
    const int32_t inside = window->in_w < most ? window->in_w : most;
    vt_fill(to, params->filler, before * channels);
    vt_copy(to + before * channels, image + row * window->in_w * channels, inside * channels);
    vt_fill(to + (before + inside) * channels, params->filler, (most - inside) * channels);
}

/* A row of three taps. */
VT_INLINE int32_t vt_three_taps(const int8_t *at, int32_t step, const int8_t *weights, int32_t sum)
{
    return vt_mac(vt_mac(vt_mac(sum, at[0], weights[0]), at[step], weights[1]), at[2 * step], weights[2]);
}

/* One pixel's channels; rows of the strip are `row_step` apart. */
static void vt_pixel_3x3(const int8_t *at, int32_t channels, int32_t row_step, const int8_t *weights,
                         const int32_t *constants, int8_t *output)
{
    const int8_t *middle = at + row_step;
    const int8_t *lower = middle + row_step;
    for (int8_t *const end = output + channels; output != end; ++output) {
        int32_t sum = vt_three_taps(at++, channels, weights, constants[VT_BIAS]);
        sum = vt_three_taps(middle++, channels, weights + 3, sum);
        sum = vt_three_taps(lower++, channels, weights + 6, sum);
        *output = vt_finish_s8(sum, constants);
        weights += 9;
        constants += VT_CHANNEL_WORDS;
    }
}

static void vt_pixel(const vt_depthwise_s8_scalar_params *params, const int8_t *at, const int8_t *weights,
                     const int32_t *constants, int8_t *output)
{
    const vt_window *window = &params->window;
    const int32_t row_step = params->strip_w * window->in_c;
    const int32_t step = window->dilation_w * window->in_c;
    for (int32_t c = 0; c < window->in_c; ++c, ++at) {
        for (int32_t m = 0; m < params->multiplier; ++m, constants += VT_CHANNEL_WORDS) {
            const int8_t *row = at;
            int32_t sum = constants[VT_BIAS];
            for (int32_t fy = window->filter_h; fy > 0; --fy, row += row_step) {
                const int8_t *tap = row;
                for (int32_t fx = window->filter_w; fx > 0; --fx, tap += step) {
                    sum = vt_mac(sum, *tap, *weights++);
                }
            }
            *output++ = vt_finish_s8(sum, constants);
        }
    }
}

void vt_depthwise_s8_scalar(const vt_depthwise_s8_scalar_params *params, const int8_t *input, const int8_t *weights,
                            const int32_t *constants, int8_t *output, void *scratch)
{
    const vt_window *window = &params->window;
    const int32_t row_step = params->strip_w * window->in_c;
    const int32_t small = window->filter_h == 3 && window->filter_w == 3 && window->dilation_w == 1;
    int8_t *to = output;
    for (int32_t i = 0; i < window->batches * window->out_h; ++i) {
        const int32_t y = i % window->out_h;
        const int8_t *const image = input + i / window->out_h * window->in_h * window->in_w * window->in_c;
        const int8_t *at = scratch;
        for (int32_t fy = 0; fy < window->filter_h; ++fy) {
            const int32_t row = y * window->stride_h - window->pad_h + fy * window->dilation_h;
            vt_strip_row(params, image, row, (int8_t *)scratch + fy * row_step);
        }
        for (int32_t x = 0; x < window->out_w; ++x, at += window->stride_w * window->in_c, to += window->out_c) {
            if (small && params->multiplier == 1) {
                vt_pixel_3x3(at, window->in_c, row_step, weights, constants, to);
            } else {
                vt_pixel(params, at, weights, constants, to);
            }
        }
    }
    vt_clamp_s8(output, (int32_t)(to - output), params->activation_min, params->activation_max);
}
