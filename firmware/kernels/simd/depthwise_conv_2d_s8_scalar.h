/* int8 depthwise convolution on cores without the DSP extension. */
#ifndef VT_SIMD_DEPTHWISE_CONV_2D_S8_SCALAR_H
#define VT_SIMD_DEPTHWISE_CONV_2D_S8_SCALAR_H

#include "vt_window.h"

typedef struct {
    vt_window window;
    int32_t multiplier; /* output channels for each of the input */
    int32_t filler;     /* the input's zero point, of which padding is made */
    int32_t strip_w;    /* pixels that one row of the output sees */
    int32_t activation_min, activation_max;
} vt_depthwise_s8_scalar_params;

/* `weights` are (output channels, height, width), `constants` as in matrix_s8_scalar.h. `scratch` holds, for a row of
 * the output, the rows of the input that it sees, with their padding. */
void vt_depthwise_s8_scalar(const vt_depthwise_s8_scalar_params *params, const int8_t *input, const int8_t *weights,
                            const int32_t *constants, int8_t *output, void *scratch);

#endif
