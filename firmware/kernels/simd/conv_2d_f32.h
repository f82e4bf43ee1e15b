/* float32 convolution of weights and bias packed as matrix_f32.h says. */
#ifndef VT_SIMD_CONV_2D_F32_H
#define VT_SIMD_CONV_2D_F32_H

#include "matrix_f32.h"
#include "pack_s16.h"
#include "windows.h"

/* See windows.h; columns of words are packed as pairs of int16 are. */
void vt_pointwise_f32_simd(const vt_pixels_params *params, float low, float high, const float *input,
                           const float *weights, const float *bias, float *output, void *scratch);
void vt_conv_2d_f32_simd(const vt_windows_params *params, float low, float high, const float *input,
                         const float *weights, const float *bias, float *output, void *scratch);

#endif
