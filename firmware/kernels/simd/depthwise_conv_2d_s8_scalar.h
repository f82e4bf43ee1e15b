/* int8 depthwise convolution on cores without the DSP extension. */
#ifndef VT_SIMD_DEPTHWISE_CONV_2D_S8_SCALAR_H
#define VT_SIMD_DEPTHWISE_CONV_2D_S8_SCALAR_H

#include "vt_window.h"

typedef struct {
    vt_window window;
    int32_t multiplier; /* output channels for each of the input */
    int32_t input_zero; /* its zero point */
    int32_t activation_min, activation_max;
} vt_depthwise_s8_scalar_params;

/* `weights` are (output channels, height, width), `constants` as in matrix_s8_scalar.h; `bias` is the start value of sums over
 * elements less their zero point. */
void vt_depthwise_s8_scalar(const vt_depthwise_s8_scalar_params *params, const int8_t *input, const int8_t *weights,
                            const int32_t *bias, const int32_t *constants, int8_t *output);

#endif
