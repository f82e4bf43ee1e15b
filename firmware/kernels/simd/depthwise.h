/* Depthwise convolution: four channels at a time are brought into a tile of pairs of int16, from which each is
 * filtered.
 *
 * "Along" is the axis that pairs lie on, "across" the other one; either may be the image's width. A tile holds, for
 * each pair of pixels along and each line across, a pair per channel: word (pair * VT_TILE_LINES + line) * 4 +
 * channel.
 */
#ifndef VT_DEPTHWISE_H
#define VT_DEPTHWISE_H

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
} vt_depthwise_params;

/* Weights of 3x3 filters with stride 1 or 2 along: three words per output channel, for each filter line across the
 * bytes (w0, w1, w1, w2). Of any others, with up to VT_TILE_LINES lines across, for each line pairs of int16: (w0,
 * w1), (w2, w3) and so on for outputs that begin with the first of a pair; then, for odd strides along, for every line
 * (0, w0), (w1, w2) and so on for the others. Both have filter / 2 + 1 words a line.
 *
 * `scratch` holds the tile, which has a pair more than it needs.
 */

#endif
