/* Rows divided by their Euclidean norms. */
#ifndef VT_L2_NORMALIZATION_H
#define VT_L2_NORMALIZATION_H

#include <stdint.h>

typedef struct {
    int32_t rows, depth;
    int32_t input_offset;
} vt_l2_normalization_params;

/* The output has 7 fraction bits. */
void vt_l2_normalization_s8(const vt_l2_normalization_params *params, const int8_t *input, int8_t *output);
void vt_l2_normalization_f32(const vt_l2_normalization_params *params, const float *input, float *output);

#endif
