/* Filling tiles, and walking over an image with them (depthwise.h). `wide`: elements are int16, else int8. */
#ifndef VT_DEPTHWISE_TILE_H
#define VT_DEPTHWISE_TILE_H

#include "depthwise_filter.h"

/* Filters a channel's part of a tile, `along` by `across` outputs. */
typedef void vt_channel_kernel(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                               const uint32_t *weights, const int32_t *constants, void *output);

/* Where a line of pairs reads its pixels: outside the image at a constant. */
typedef struct {
    const uint8_t *first, *second;
    int32_t first_step, second_step;
} vt_source;

/* Four channels of two pixels as four pairs. */
VT_INLINE void vt_pairs_of_bytes(uint32_t *to, uint32_t a, uint32_t b)
{
    const uint32_t low = vt_low_halves(a, b);
    const uint32_t high = vt_high_halves(a, b);
    to[0] = vt_even_bytes(low);
    to[1] = vt_odd_bytes(low);
    to[2] = vt_even_bytes(high);
    to[3] = vt_odd_bytes(high);
}

static inline void vt_fill_line(uint32_t *to, vt_source source, int32_t lines, int wide)
{
    for (; lines > 0; --lines, to += LINE) {
        const uint32_t a = vt_load_word(source.first);
        const uint32_t b = vt_load_word(source.second);
        if (wide) {
            const uint32_t c = vt_load_word(source.first + 4);
            const uint32_t d = vt_load_word(source.second + 4);
            to[0] = vt_low_halves(a, b);
            to[1] = vt_high_halves(a, b);
            to[2] = vt_low_halves(c, d);
            to[3] = vt_high_halves(c, d);
        } else {
            vt_pairs_of_bytes(to, a, b);
        }
        source.first += source.first_step;
        source.second += source.second_step;
    }
}

VT_INLINE int32_t vt_element(const uint8_t *at, int wide)
{
    return wide ? (int16_t)(uint16_t)(at[0] | (uint32_t)at[1] << 8) : (int8_t)at[0];
}

/* The same where the image has fewer than four channels, so that its last pixel may not be followed by more. */
static inline void vt_fill_line_of_few(uint32_t *to, vt_source source, int32_t lines, int32_t channels, int wide)
{
    for (; lines > 0; --lines, to += LINE) {
        for (int32_t c = 0; c < channels; ++c) {
            const int32_t first = vt_element(source.first + (c << wide), wide);
            to[c] = vt_pair(first, vt_element(source.second + (c << wide), wide));
        }
        source.first += source.first_step;
        source.second += source.second_step;
    }
}

typedef struct {
    int32_t along, across;           /* the first output's place */
    int32_t along_size, across_size; /* outputs */
} vt_tile;

VT_INLINE int32_t vt_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

VT_INLINE int32_t vt_most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Fills the tile with the channels from `image` on: all of it if `whole`, else what is inside the image. */
static inline void vt_fill_tile(const vt_depthwise_params *params, const vt_tile *tile, const uint8_t *image,
                            uint32_t *pairs, int whole, int wide)
{
    const vt_depthwise_axis *along = &params->along;
    const vt_depthwise_axis *across = &params->across;
    const uint32_t filler[2] = {0x01010101u * ((uint32_t)params->filler & 0xFFu), 0};
    const vt_source outside = {(const uint8_t *)filler, (const uint8_t *)filler, 0, 0};
    const int32_t top = tile->across * across->stride - across->pad;
    const int32_t lines = (tile->across_size - 1) * across->stride + across->filter;
    const int32_t begin = vt_most(0, -top);
    const int32_t end = vt_least(lines, across->in - top);
    const int32_t pixels = (tile->along_size - 1) * along->stride + along->filter;
    int32_t x = tile->along * along->stride - along->pad;
    for (const int32_t after = x + pixels; x < after; x += 2, pairs += PAIR) {
        const int32_t has_first = x >= 0 && x < along->in;
        const int32_t has_second = x + 1 >= 0 && x + 1 < along->in;
        if (whole) {
            vt_fill_line(pairs, outside, lines, wide);
        }
        if (end <= begin || !(has_first || has_second)) {
            continue;
        }
        const uint8_t *const at = image + (top + begin) * across->in_step + x * along->in_step;
        vt_source source = outside;
        if (has_first) {
            source.first = at;
            source.first_step = across->in_step;
        }
        if (has_second) {
            source.second = at + along->in_step;
            source.second_step = across->in_step;
        }
        if (params->channels >= VT_TILE_CHANNELS) {
            vt_fill_line(pairs + begin * LINE, source, end - begin, wide);
        } else {
            vt_fill_line_of_few(pairs + begin * LINE, source, end - begin, params->channels, wide);
        }
    }
}

VT_INLINE void vt_filter_tile(const vt_depthwise_params *params, const vt_tile *tile, const uint8_t *image,
                              const uint32_t *weights, const int32_t *constants, uint8_t *output, uint32_t *pairs,
                              vt_channel_kernel *kernel, int wide)
{
    const int32_t channels = params->channels;
    const int32_t at_once = vt_least(channels, VT_TILE_CHANNELS);
    const int32_t channel_words = wide ? (int32_t)VT_CHANNEL_WORDS_S16 : (int32_t)VT_CHANNEL_WORDS;
    output += tile->along * params->along.out_step + tile->across * params->across.out_step;
    for (int32_t c = 0; c < channels; c += VT_TILE_CHANNELS) {
        /* The last four overlap those before where channels aren't a multiple of four. */
        const int32_t base = vt_least(c, channels - at_once);
        vt_fill_tile(params, tile, image + (base << wide), pairs, c == 0, wide);
        for (int32_t i = 0; i < at_once; ++i) {
            for (int32_t m = 0; m < params->multiplier; ++m) {
                const int32_t oc = (base + i) * params->multiplier + m;
                kernel(params, pairs + i, tile->along_size, tile->across_size, weights + oc * params->weight_words,
                       constants + oc * channel_words, output + (oc << wide));
            }
        }
    }
}

VT_INLINE void vt_depthwise(const vt_depthwise_params *params, const void *input, const uint32_t *weights,
                            const int32_t *constants, void *output, void *scratch, vt_channel_kernel *kernel, int wide)
{
    const vt_depthwise_axis *along = &params->along;
    const vt_depthwise_axis *across = &params->across;
    const uint8_t *from = input;
    uint8_t *to = output;
    vt_tile tile;
    for (int32_t n = 0; n < params->batches; ++n) {
        for (tile.across = 0; tile.across < across->out; tile.across += across->tile) {
            tile.across_size = vt_least(across->tile, across->out - tile.across);
            for (tile.along = 0; tile.along < along->out; tile.along += along->tile) {
                tile.along_size = vt_least(along->tile, along->out - tile.along);
                vt_filter_tile(params, &tile, from, weights, constants, to, scratch, kernel, wide);
            }
        }
        from += params->in_bytes;
        to += params->out_bytes;
    }
}

#endif
