#include "pool_2d_s8.h"

#include "clamp_s8.h"
#include "vt_simd.h"

enum { AT_ONCE = 4 };

/* The part of a window that is inside the image, from four channels of its first pixel on; steps are in bytes. */
typedef struct {
    const int8_t *first;
    int32_t rows, columns;
    int32_t row_step, column_step;
} vt_part;

typedef uint32_t vt_pool(const vt_part *part);

static int32_t vt_rounded(int32_t sum, int32_t count)
{
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

static uint32_t vt_average_of_four(const vt_part *part)
{
    uint32_t even = 0;
    uint32_t odd = 0;
    const int8_t *row = part->first;
    for (int32_t y = 0; y < part->rows; ++y, row += part->row_step) {
        const int8_t *at = row;
        for (int32_t x = 0; x < part->columns; ++x, at += part->column_step) {
            const uint32_t four = vt_load_word(at);
            even = vt_add_even_bytes(even, four);
            odd = vt_add_odd_bytes(odd, four);
        }
    }
    const int32_t count = part->rows * part->columns;
    const int32_t a = vt_rounded(vt_low_half(even), count);
    const int32_t b = vt_rounded(vt_low_half(odd), count);
    const int32_t c = vt_rounded(vt_high_half(even), count);
    const int32_t d = vt_rounded(vt_high_half(odd), count);
    return ((uint32_t)a & 0xFFu) | ((uint32_t)b & 0xFFu) << 8 | ((uint32_t)c & 0xFFu) << 16 | (uint32_t)d << 24;
}

static uint32_t vt_largest_of_four(const vt_part *part)
{
    uint32_t largest = 0x80808080u;
    const int8_t *row = part->first;
    for (int32_t y = 0; y < part->rows; ++y, row += part->row_step) {
        const int8_t *at = row;
        for (int32_t x = 0; x < part->columns; ++x, at += part->column_step) {
            largest = vt_max_bytes(largest, vt_load_word(at));
        }
    }
    return largest;
}

VT_INLINE void vt_pool_image(const vt_window *window, const int8_t *image, int8_t *output, vt_pool *pool)
{
    const int32_t channels = window->in_c;
    vt_part part = {image, 0, 0, window->in_w * channels, channels};
    for (int32_t y = 0; y < window->out_h; ++y) {
        const int32_t top = y * window->stride_h - window->pad_h;
        const vt_span rows = vt_inside(top, window->in_h, window->filter_h, 1);
        for (int32_t x = 0; x < window->out_w; ++x, output += channels) {
            const int32_t left = x * window->stride_w - window->pad_w;
            const vt_span columns = vt_inside(left, window->in_w, window->filter_w, 1);
            const int8_t *const pixel = image + (top + rows.first) * part.row_step + (left + columns.first) * channels;
            part.rows = rows.end - rows.first;
            part.columns = columns.end - columns.first;
            for (int32_t c = 0; c < channels; c += AT_ONCE) {
                /* The last four overlap those before where channels aren't a multiple of four. */
                const int32_t base = c < channels - AT_ONCE ? c : channels - AT_ONCE;
                part.first = pixel + base;
                vt_store_word(output + base, pool(&part));
            }
        }
    }
}

VT_INLINE void vt_pool_s8(const vt_pool_2d_params *params, const int8_t *input, int8_t *output, vt_pool *pool)
{
    const vt_window *window = &params->window;
    const int32_t in_bytes = window->in_h * window->in_w * window->in_c;
    const int32_t out_bytes = window->out_h * window->out_w * window->in_c;
    for (int32_t n = 0; n < window->batches; ++n) {
        vt_pool_image(window, input + n * in_bytes, output + n * out_bytes, pool);
    }
    vt_clamp_s8(output, window->batches * out_bytes, params->activation_min, params->activation_max);
}

void vt_average_pool_2d_s8_simd(const vt_pool_2d_params *params, const int8_t *input, int8_t *output)
{
    vt_pool_s8(params, input, output, vt_average_of_four);
}

void vt_max_pool_2d_s8_simd(const vt_pool_2d_params *params, const int8_t *input, int8_t *output)
{
    vt_pool_s8(params, input, output, vt_largest_of_four);
}
