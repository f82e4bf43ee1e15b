#include "conv_2d_s8.h"

#include "clamp_s8.h"
#include "pack_s8.h"
#include "vt_simd.h"

/* Pairs of a block of the matrix kernels. */
enum { BLOCK = 4, COLUMNS = 3 };

typedef uint32_t *vt_pack_function(uint32_t *column, const int8_t *run, int32_t count, int32_t rows, int32_t row_step);

void vt_pointwise_s8_simd(const vt_pointwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch)
{
    uint32_t *const columns = scratch;
    int8_t *const outputs = output;
    const int32_t in_c = params->in_c;
    int32_t pixels = params->pixels;
    for (; pixels >= COLUMNS; pixels -= COLUMNS) {
        for (int32_t i = 0; i < COLUMNS; ++i) {
            vt_pack3_s8(columns + i, input, in_c, 1, 0);
            input += in_c;
        }
        params->three(&params->matrix, columns, weights, constants, output);
        output += COLUMNS * params->matrix.channels;
    }
    for (; pixels > 0; --pixels) {
        vt_pack1_s8(columns, input, in_c, 1, 0);
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

/* What windows are packed with: a filter row of padding, and one to put a partly padded row together. */
typedef struct {
    const vt_conv_2d_s8_simd_params *params;
    vt_pack_function *pack;
    const int8_t *padding;
    int8_t *line;
} vt_packer;

/* Rows of a window whose taps aren't all inside the image, or not side by side: first..end-1 of them are inside. */
static uint32_t *vt_pack_parts(const vt_packer *packer, uint32_t *column, const int8_t *row, int32_t rows, int32_t left)
{
    const vt_window *window = &packer->params->window;
    const vt_span taps = vt_inside(left, window->in_w, window->filter_w, window->dilation_w);
    const int32_t in_c = window->in_c;
    const int32_t tap_step = window->dilation_w * in_c;
    const int32_t row_step = window->dilation_h * window->in_w * in_c;
    const int32_t each = window->dilation_w == 1 && taps.end > taps.first ? taps.end - taps.first : 1;
    vt_copy(packer->line, packer->padding, packer->params->run);
    row += left * in_c;
    for (; rows > 0; --rows, row += row_step) {
        for (int32_t tap = taps.first; tap < taps.end; tap += each) {
            vt_copy(packer->line + tap * in_c, row + tap * tap_step, each * in_c);
        }
        column = packer->pack(column, packer->line, packer->params->run, 1, 0);
    }
    return column;
}

/* The window of one output pixel as a column, wherever it is. */
static void vt_pack_edge(const vt_packer *packer, const int8_t *image, int32_t top, int32_t left, uint32_t *column)
{
    const vt_window *window = &packer->params->window;
    const int32_t run = packer->params->run;
    const vt_span rows = vt_inside(top, window->in_h, window->filter_h, window->dilation_h);
    const int32_t row_bytes = window->in_w * window->in_c;
    const int32_t inside = rows.end - rows.first;
    if (inside <= 0) {
        packer->pack(column, packer->padding, run, window->filter_h, 0);
        return;
    }
    const int8_t *const row = image + (top + rows.first * window->dilation_h) * row_bytes;
    column = packer->pack(column, packer->padding, run, rows.first, 0);
    if (window->dilation_w == 1 && left >= 0 && left + window->filter_w <= window->in_w) {
        column = packer->pack(column, row + left * window->in_c, run, inside, window->dilation_h * row_bytes);
    } else {
        column = vt_pack_parts(packer, column, row, inside, left);
    }
    packer->pack(column, packer->padding, run, window->filter_h - rows.end, 0);
}

typedef struct {
    int32_t y, x;
    const int8_t *image;
} vt_pixel;

VT_INLINE void vt_next(vt_pixel *pixel, const vt_window *window)
{
    if (++pixel->x == window->out_w) {
        pixel->x = 0;
        if (++pixel->y == window->out_h) {
            pixel->y = 0;
            pixel->image += window->in_h * window->in_w * window->in_c;
        }
    }
}

VT_INLINE void vt_pack_window(const vt_packer *packer, const vt_pixel *pixel, uint32_t *column, vt_pack_function *pack)
{
    const vt_conv_2d_s8_simd_params *params = packer->params;
    const vt_window *window = &params->window;
    const int32_t top = pixel->y * window->stride_h - window->pad_h;
    const int32_t left = pixel->x * window->stride_w - window->pad_w;
    if (pixel->x >= params->inner_columns.first && pixel->x < params->inner_columns.end &&
        pixel->y >= params->inner_rows.first && pixel->y < params->inner_rows.end) {
        const int8_t *const first = pixel->image + (top * window->in_w + left) * window->in_c;
        pack(column, first, params->run, window->filter_h, window->dilation_h * window->in_w * window->in_c);
    } else {
        vt_pack_edge(packer, pixel->image, top, left, column);
    }
}

void vt_conv_2d_s8_simd(const vt_conv_2d_s8_simd_params *params, const int8_t *input, const uint32_t *weights,
                        const int32_t *constants, int8_t *output, void *scratch)
{
    const vt_window *window = &params->window;
    uint32_t *const columns = scratch;
    int8_t *const outputs = output;
    int8_t *const padding = (int8_t *)(columns + COLUMNS * BLOCK * params->matrix.blocks);
    vt_packer packer = {params, vt_pack3_s8, padding, padding + params->run};
    vt_pixel pixel = {0, 0, input};
    int32_t pixels = window->batches * window->out_h * window->out_w;
    vt_fill(padding, params->filler, params->run);
    for (; pixels >= COLUMNS; pixels -= COLUMNS) {
        for (int32_t i = 0; i < COLUMNS; ++i) {
            vt_pack_window(&packer, &pixel, columns + i, vt_pack3_s8);
            vt_next(&pixel, window);
        }
        params->three(&params->matrix, columns, weights, constants, output);
        output += COLUMNS * params->matrix.channels;
    }
    packer.pack = vt_pack1_s8;
    for (; pixels > 0; --pixels) {
        vt_pack_window(&packer, &pixel, columns, vt_pack1_s8);
        vt_next(&pixel, window);
        vt_matrix1_s8(&params->matrix, columns, weights, constants, output);
        output += params->matrix.channels;
    }
    vt_clamp_s8(outputs, (int32_t)(output - outputs), params->activation_min, params->activation_max);
}
