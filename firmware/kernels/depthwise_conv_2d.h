/* Depthwise convolution: input NHWC, filter (h, w, in_c * multiplier), bias (in_c * multiplier) or NULL. */
#ifndef VT_DEPTHWISE_CONV_2D_H
#define VT_DEPTHWISE_CONV_2D_H

#include "vt_window.h"

typedef struct {
    vt_window window;
    int32_t multiplier; /* output channels of one input channel */
    int32_t input_offset;
    int32_t output_offset;
    int32_t activation_min, activation_max;
} vt_depthwise_conv_2d_params;

typedef struct {
    vt_window window;
    int32_t multiplier;
    float activation_min, activation_max;
} vt_depthwise_conv_2d_f32_params;

/* `multiplier` and `shift` have one element per output channel. */
void vt_depthwise_conv_2d_s8(const vt_depthwise_conv_2d_params *params, const int8_t *input, const int8_t *filter,
                             const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output);

void vt_depthwise_conv_2d_s16(const vt_depthwise_conv_2d_params *params, const int16_t *input, const int8_t *filter,
                              const int64_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output);

void vt_depthwise_conv_2d_f32(const vt_depthwise_conv_2d_f32_params *params, const float *input, const float *filter,
                              const float *bias, float *output);

#endif
