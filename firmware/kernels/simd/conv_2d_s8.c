#include "conv_2d_s8.h"

#include "clamp_s8.h"
#include "pack_s8.h"

/* Pairs of a block of the matrix kernels. */
enum { BLOCK = 4, COLUMNS = 3 };

typedef uint32_t *vt_pack_function(uint32_t *column, const int8_t *run, int32_t count);

void vt_pointwise_s8_simd(const vt_pointwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch)
{
    uint32_t *const columns = scratch;
    int8_t *const outputs = output;
    const int32_t in_c = params->in_c;
    int32_t pixels = params->pixels;
    for (; pixels >= COLUMNS; pixels -= COLUMNS) {
        for (int32_t i = 0; i < COLUMNS; ++i) {
            vt_pack3_s8(columns + i, input, in_c);
            input += in_c;
        }
        params->three(&params->matrix, columns, weights, constants, output);
        output += COLUMNS * params->matrix.channels;
    }
    for (; pixels > 0; --pixels) {
        vt_pack1_s8(columns, input, in_c);
        input += in_c;
        vt_matrix1_s8(&params->matrix, columns, weights, constants, output);
        output += params->matrix.channels;
    }
    vt_clamp_s8(outputs, (int32_t)(output - outputs), params->activation_min, params->activation_max);
}

static void vt_copy(int8_t *to, const int8_t *from, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

static void vt_fill(int8_t *to, int32_t value, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = (int8_t)value;
    }
}

/* One row of the filter whose taps aren't all inside the image or not side by side. */
static const int8_t *vt_gather(const vt_conv_2d_s8_simd_params *params, const int8_t *image, int32_t row, int32_t left,
                               int8_t *line)
{
    const vt_window *window = &params->window;
    if (row < 0 || row >= window->in_h) {
        vt_fill(line, params->filler, params->run);
        return line;
    }
    for (int32_t fx = 0; fx < window->filter_w; ++fx) {
        const int32_t column = left + fx * window->dilation_w;
        int8_t *const to = line + fx * window->in_c;
        if (column < 0 || column >= window->in_w) {
            vt_fill(to, params->filler, window->in_c);
        } else {
            vt_copy(to, image + (row * window->in_w + column) * window->in_c, window->in_c);
        }
    }
    return line;
}

/* The window of one output pixel as a column. */
static void vt_pack_window(const vt_conv_2d_s8_simd_params *params, const int8_t *image, int32_t y, int32_t x,
                           uint32_t *column, vt_pack_function *pack, int8_t *line)
{
    const vt_window *window = &params->window;
    const int32_t left = x * window->stride_w - window->pad_w;
    const int32_t inside = window->dilation_w == 1 && left >= 0 && left + window->filter_w <= window->in_w;
    int32_t row = y * window->stride_h - window->pad_h;
    for (int32_t fy = 0; fy < window->filter_h; ++fy) {
        const int8_t *run;
        if (inside && row >= 0 && row < window->in_h) {
            run = image + (row * window->in_w + left) * window->in_c;
        } else {
            run = vt_gather(params, image, row, left, line);
        }
        column = pack(column, run, params->run);
        row += window->dilation_h;
    }
}

typedef struct {
    int32_t y, x;
    const int8_t *image;
} vt_pixel;

static void vt_next(vt_pixel *pixel, const vt_window *window)
{
    if (++pixel->x == window->out_w) {
        pixel->x = 0;
        if (++pixel->y == window->out_h) {
            pixel->y = 0;
            pixel->image += window->in_h * window->in_w * window->in_c;
        }
    }
}

void vt_conv_2d_s8_simd(const vt_conv_2d_s8_simd_params *params, const int8_t *input, const uint32_t *weights,
                        const int32_t *constants, int8_t *output, void *scratch)
{
    const vt_window *window = &params->window;
    uint32_t *const columns = scratch;
    int8_t *const outputs = output;
    int8_t *const line = (int8_t *)(columns + COLUMNS * BLOCK * params->matrix.blocks);
    vt_pixel pixel = {0, 0, input};
    int32_t pixels = window->batches * window->out_h * window->out_w;
    for (; pixels >= COLUMNS; pixels -= COLUMNS) {
        for (int32_t i = 0; i < COLUMNS; ++i) {
            vt_pack_window(params, pixel.image, pixel.y, pixel.x, columns + i, vt_pack3_s8, line);
            vt_next(&pixel, window);
        }
        params->three(&params->matrix, columns, weights, constants, output);
        output += COLUMNS * params->matrix.channels;
    }
    for (; pixels > 0; --pixels) {
        vt_pack_window(params, pixel.image, pixel.y, pixel.x, columns, vt_pack1_s8, line);
        vt_next(&pixel, window);
        vt_matrix1_s8(&params->matrix, columns, weights, constants, output);
        output += params->matrix.channels;
    }
    vt_clamp_s8(outputs, (int32_t)(output - outputs), params->activation_min, params->activation_max);
}
