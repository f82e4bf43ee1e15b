/* int8 depthwise convolution; `constants` as in matrix_s8.h. */
#ifndef VT_SIMD_DEPTHWISE_CONV_2D_S8_H
#define VT_SIMD_DEPTHWISE_CONV_2D_S8_H

#include "depthwise.h"

/* 3x3 with stride 1 or 2 along. */
void vt_depthwise_3x3_s8_simd(const vt_depthwise_params *params, const int8_t *input,
                              const uint32_t *weights, const int32_t *constants, int8_t *output,
                              void *scratch);
/* Where -128 is the output's zero point. */
void vt_depthwise_3x3_s8_simd_positive(const vt_depthwise_params *params, const int8_t *input,
                                       const uint32_t *weights, const int32_t *constants, int8_t *output,
                                       void *scratch);

/* Any other filter. */
void vt_depthwise_s8_simd(const vt_depthwise_params *params, const int8_t *input,
                          const uint32_t *weights, const int32_t *constants, int8_t *output,
                          void *scratch);

#endif
