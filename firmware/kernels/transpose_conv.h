/* Transposed convolution: input NHWC, filter (out_c, h, w, in_c), bias (out_c) or NULL. Strides and padding are those of
 * the convolution whose input would be this one's output; dilation is not used. */
#ifndef VT_TRANSPOSE_CONV_H
#define VT_TRANSPOSE_CONV_H

#include "vt_window.h"

typedef struct {
    vt_window window;
    int32_t input_offset;
    int32_t output_offset;
    int32_t activation_min, activation_max;
} vt_transpose_conv_params;

typedef struct {
    vt_window window;
    float activation_min, activation_max;
} vt_transpose_conv_f32_params;

/* `multiplier` and `shift` have one element per output channel. */
void vt_transpose_conv_s8(const vt_transpose_conv_params *params, const int8_t *input, const int8_t *filter,
                          const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output);

void vt_transpose_conv_s16(const vt_transpose_conv_params *params, const int16_t *input, const int8_t *filter,
                           const int64_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output);

void vt_transpose_conv_f32(const vt_transpose_conv_f32_params *params, const float *input, const float *filter,
                           const float *bias, float *output);

#endif
