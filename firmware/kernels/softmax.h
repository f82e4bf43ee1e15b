/* Softmax over the last dimension: `rows` rows of `depth` elements. */
#ifndef VT_SOFTMAX_H
#define VT_SOFTMAX_H

#include <stdint.h>

typedef struct {
    int32_t rows, depth;
} vt_softmax_params;

typedef struct {
    int32_t rows, depth;
    float beta;
} vt_softmax_f32_params;

typedef struct {
    int32_t rows, depth;
    int32_t multiplier, shift; /* of input differences, to 65535 / 10 per unit */
} vt_softmax_s16_params;

/* `exponentials` has 256 elements: 2^31 * exp(-beta * i * input scale) for a difference of i to the row's largest. */
void vt_softmax_s8(const vt_softmax_params *params, const int32_t *exponentials, const int8_t *input, int8_t *output);
void vt_softmax_s8_s16(const vt_softmax_params *params, const int32_t *exponentials, const int8_t *input,
                       int16_t *output);

/* Tables of 513 elements, for vt_interpolate_s16: exp(x) of -10..0, and 1 / (1 + x) of 0..1. */
void vt_softmax_s16(const vt_softmax_s16_params *params, const int16_t *exponentials, const int16_t *reciprocals,
                    const int16_t *input, int16_t *output);

void vt_softmax_f32(const vt_softmax_f32_params *params, const float *input, float *output);

#endif
