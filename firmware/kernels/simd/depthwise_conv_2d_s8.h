/* int8 depthwise convolution: four channels at a time are widened into a tile of int16 pairs, from which each is filtered.
 *
 * "Along" is the axis that pairs lie on, "across" the other one; either may be the image's width. A tile holds, for each pair of
 * pixels along and each line across, one pair per channel: word ((pair * VT_TILE_LINES) + line) * 4 + channel.
 */
#ifndef VT_SIMD_DEPTHWISE_CONV_2D_S8_H
#define VT_SIMD_DEPTHWISE_CONV_2D_S8_H

#include <stdint.h>

enum { VT_TILE_LINES = 16, VT_TILE_CHANNELS = 4 };

/* One axis. Steps are those from a pixel to the next, in bytes; `tile` outputs are computed at a time. */
typedef struct {
    int32_t in, in_step;
    int32_t out, out_step;
    int32_t filter, stride, pad;
    int32_t tile;
} vt_depthwise_axis;

typedef struct {
    int32_t batches, in_bytes, out_bytes; /* of one image */
    int32_t channels, multiplier;         /* of the input; output channels for each */
    vt_depthwise_axis along, across;
    int32_t weight_words; /* of an output channel */
    int32_t filler;       /* the input's zero point */
    int32_t activation_min, activation_max;
} vt_depthwise_s8_params;

/* 3x3 with stride 1 or 2 along: three words per output channel, for each filter line across the bytes (w0, w1, w1, w2).
 * `constants` as in matrix_s8.h; `positive` kernels need -128 as the output's zero point. `scratch` holds the tile, which has
 * a pair more than it needs. */
void vt_depthwise_3x3_s8_simd(const vt_depthwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                              const int32_t *constants, int8_t *output, void *scratch);
void vt_depthwise_3x3_s8_simd_positive(const vt_depthwise_s8_params *params, const int8_t *input,
                                       const uint32_t *weights, const int32_t *constants, int8_t *output,
                                       void *scratch);

/* Any filter of up to VT_TILE_LINES lines across. For each of these, pairs of int16: (w0, w1), (w2, w3) and so on for outputs
 * that begin with the first of a pair, then (0, w0), (w1, w2) and so on for the others, each of filter / 2 + 1 words. */
void vt_depthwise_s8_simd(const vt_depthwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch);

#endif
