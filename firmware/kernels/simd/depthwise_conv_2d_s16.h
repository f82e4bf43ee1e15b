/* int16 depthwise convolution; `constants` as in matrix_s16.h. */
#ifndef VT_SIMD_DEPTHWISE_CONV_2D_S16_H
#define VT_SIMD_DEPTHWISE_CONV_2D_S16_H

#include "depthwise.h"

/* 3x3 with stride 1 or 2 along. */
void vt_depthwise_3x3_s16_simd(const vt_depthwise_params *params, const int16_t *input,
                               const uint32_t *weights, const int32_t *constants, int16_t *output,
                               void *scratch);

/* Any other filter. */
void vt_depthwise_s16_simd(const vt_depthwise_params *params, const int16_t *input,
                           const uint32_t *weights, const int32_t *constants, int16_t *output,
                           void *scratch);

#endif
