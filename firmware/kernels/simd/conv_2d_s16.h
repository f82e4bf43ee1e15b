/* int16 convolution of weights and constants packed as matrix_s16.h says. */
#ifndef VT_SIMD_CONV_2D_S16_H
#define VT_SIMD_CONV_2D_S16_H

#include "matrix_s16.h"
#include "pack_s16.h"
#include "windows.h"

/* See windows.h. */
void vt_pointwise_s16_simd(const vt_pixels_params *params, const int16_t *input, const uint32_t *weights,
                           const int32_t *constants, int16_t *output, void *scratch);
void vt_conv_2d_s16_simd(const vt_windows_params *params, const int16_t *input, const uint32_t *weights,
                         const int32_t *constants, int16_t *output, void *scratch);

#endif
