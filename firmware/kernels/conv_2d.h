/* Two-dimensional convolution: input NHWC, filter (out_c, h, w, in_c / groups), bias (out_c) or NULL. */
#ifndef VT_CONV_2D_H
#define VT_CONV_2D_H

#include "vt_window.h"

typedef struct {
    vt_window window;
    int32_t filter_c; /* input channels of one group */
    int32_t input_offset;
    int32_t output_offset;
    int32_t activation_min, activation_max;
} vt_conv_2d_params;

typedef struct {
    vt_window window;
    int32_t filter_c;
    float activation_min, activation_max;
} vt_conv_2d_f32_params;

/* `multiplier` and `shift` have one element per output channel. */
void vt_conv_2d_s8(const vt_conv_2d_params *params, const int8_t *input, const int8_t *filter, const int32_t *bias,
                   const int32_t *multiplier, const int32_t *shift, int8_t *output);

/* int16 activations, 64-bit accumulators. */
void vt_conv_2d_s16(const vt_conv_2d_params *params, const int16_t *input, const int8_t *filter, const int64_t *bias,
                    const int32_t *multiplier, const int32_t *shift, int16_t *output);

/* int16 activations, 32-bit accumulators. */
void vt_conv_2d_s16_acc32(const vt_conv_2d_params *params, const int16_t *input, const int8_t *filter,
                          const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output);

void vt_conv_2d_f32(const vt_conv_2d_f32_params *params, const float *input, const float *filter, const float *bias,
                    float *output);

#endif
