/* int8 convolution of weights and constants packed as matrix_s8_scalar.h says, for cores without the DSP extension. */
#ifndef VT_SIMD_CONV_2D_S8_SCALAR_H
#define VT_SIMD_CONV_2D_S8_SCALAR_H

#include "matrix_s8_scalar.h"
#include "pack_s8_scalar.h"
#include "windows.h"

/* See windows.h. */
void vt_pointwise_s8_scalar(const vt_pixels_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch);
void vt_conv_2d_s8_scalar(const vt_windows_params *params, const int8_t *input, const uint32_t *weights,
                        const int32_t *constants, int8_t *output, void *scratch);

#endif
