#include "windows.h"

#include "product.h"

enum { COLUMNS = 3 };

void vt_multiply_pixels(const vt_pixels_params *params, const void *input, const uint32_t *weights,
                        const int32_t *constants, void *output, void *scratch)
{
    uint32_t *const columns = scratch;
    const uint8_t *from = input;
    uint8_t *to = output;
    const int32_t bytes = params->in_bytes;
    int32_t pixels = params->pixels;
    for (; pixels >= COLUMNS; pixels -= COLUMNS) {
        for (int32_t i = 0; i < COLUMNS; ++i, from += bytes) {
            params->kernels.pack3(columns + i, from, bytes, 1, 0);
        }
        params->kernels.matrix3(&params->matrix, columns, weights, constants, to);
        to += COLUMNS * params->out_bytes;
    }
    for (; pixels > 0; --pixels, from += bytes) {
        params->kernels.pack1(columns, from, bytes, 1, 0);
        params->kernels.matrix1(&params->matrix, columns, weights, constants, to);
        to += params->out_bytes;
    }
}

static void vt_copy(uint8_t *to, const uint8_t *from, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = from[i];
    }
}

static void vt_fill(uint8_t *to, int32_t value, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        to[i] = (uint8_t)value;
    }
}

/* What windows are packed with: a filter row of padding, and one to put a partly padded row together. */
typedef struct {
    const vt_windows_params *params;
    vt_pack_kernel *pack;
    const uint8_t *padding;
    uint8_t *line;
} vt_packer;

/* Rows of a window whose taps aren't all inside the image, or not side by side: first..end-1 of them are inside. */
static uint32_t *vt_pack_parts(const vt_packer *packer, uint32_t *column, const uint8_t *row, int32_t rows,
                               int32_t left)
{
    const vt_window *window = &packer->params->window;
    const vt_span taps = vt_inside(left, window->in_w, window->filter_w, window->dilation_w);
    const int32_t in_bytes = packer->params->in_bytes;
    const int32_t tap_step = window->dilation_w * in_bytes;
    const int32_t row_step = window->dilation_h * window->in_w * in_bytes;
    const int32_t each = window->dilation_w == 1 && taps.end > taps.first ? taps.end - taps.first : 1;
    vt_copy(packer->line, packer->padding, packer->params->run_bytes);
    row += left * in_bytes;
    for (; rows > 0; --rows, row += row_step) {
        for (int32_t tap = taps.first; tap < taps.end; tap += each) {
            vt_copy(packer->line + tap * in_bytes, row + tap * tap_step, each * in_bytes);
        }
        column = packer->pack(column, packer->line, packer->params->run_bytes, 1, 0);
    }
    return column;
}

/* The window of one output pixel as a column, wherever it is. */
static void vt_pack_edge(const vt_packer *packer, const uint8_t *image, int32_t top, int32_t left, uint32_t *column)
{
    const vt_window *window = &packer->params->window;
    const int32_t run = packer->params->run_bytes;
    const vt_span rows = vt_inside(top, window->in_h, window->filter_h, window->dilation_h);
    const int32_t row_bytes = window->in_w * packer->params->in_bytes;
    const int32_t inside = rows.end - rows.first;
    if (inside <= 0) {
        packer->pack(column, packer->padding, run, window->filter_h, 0);
        return;
    }
    const uint8_t *const row = image + (top + rows.first * window->dilation_h) * row_bytes;
    column = packer->pack(column, packer->padding, run, rows.first, 0);
    if (window->dilation_w == 1 && left >= 0 && left + window->filter_w <= window->in_w) {
        const uint8_t *const first = row + left * packer->params->in_bytes;
        column = packer->pack(column, first, run, inside, window->dilation_h * row_bytes);
    } else {
        column = vt_pack_parts(packer, column, row, inside, left);
    }
    packer->pack(column, packer->padding, run, window->filter_h - rows.end, 0);
}

typedef struct {
    int32_t y, x;
    const uint8_t *image;
} vt_pixel;

VT_INLINE void vt_next(vt_pixel *pixel, const vt_window *window, int32_t in_bytes)
{
    if (++pixel->x == window->out_w) {
        pixel->x = 0;
        if (++pixel->y == window->out_h) {
            pixel->y = 0;
            pixel->image += window->in_h * window->in_w * in_bytes;
        }
    }
}

VT_INLINE void vt_pack_window(const vt_packer *packer, vt_pixel *pixel, uint32_t *column)
{
    const vt_windows_params *params = packer->params;
    const vt_window *window = &params->window;
    const int32_t top = pixel->y * window->stride_h - window->pad_h;
    const int32_t left = pixel->x * window->stride_w - window->pad_w;
    if (pixel->x >= params->inner_columns.first && pixel->x < params->inner_columns.end &&
        pixel->y >= params->inner_rows.first && pixel->y < params->inner_rows.end) {
        const uint8_t *const first = pixel->image + (top * window->in_w + left) * params->in_bytes;
        packer->pack(column, first, params->run_bytes, window->filter_h,
                     window->dilation_h * window->in_w * params->in_bytes);
    } else {
        vt_pack_edge(packer, pixel->image, top, left, column);
    }
    vt_next(pixel, window, params->in_bytes);
}

void vt_multiply_windows(const vt_windows_params *params, const void *input, const uint32_t *weights,
                         const int32_t *constants, void *output, void *scratch)
{
    const vt_window *window = &params->window;
    uint32_t *const columns = scratch;
    uint8_t *to = output;
    uint8_t *const padding = (uint8_t *)(columns + COLUMNS * VT_BLOCK * params->matrix.blocks);
    vt_packer packer = {params, params->kernels.pack3, padding, padding + params->run_bytes};
    vt_pixel pixel = {0, 0, input};
    int32_t pixels = window->batches * window->out_h * window->out_w;
    vt_fill(padding, params->filler, params->run_bytes);
    for (; pixels >= COLUMNS; pixels -= COLUMNS) {
        for (int32_t i = 0; i < COLUMNS; ++i) {
            vt_pack_window(&packer, &pixel, columns + i);
        }
        params->kernels.matrix3(&params->matrix, columns, weights, constants, to);
        to += COLUMNS * params->out_bytes;
    }
    packer.pack = params->kernels.pack1;
    for (; pixels > 0; --pixels) {
        vt_pack_window(&packer, &pixel, columns);
        params->kernels.matrix1(&params->matrix, columns, weights, constants, to);
        to += params->out_bytes;
    }
}
