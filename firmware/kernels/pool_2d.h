/* Average and maximum over a window, NHWC; elements outside the image don't count. */
#ifndef VT_POOL_2D_H
#define VT_POOL_2D_H

#include "vt_window.h"

typedef struct {
    vt_window window;
    int32_t activation_min, activation_max;
} vt_pool_2d_params;

typedef struct {
    vt_window window;
    float activation_min, activation_max;
} vt_pool_2d_f32_params;

void vt_average_pool_2d_s8(const vt_pool_2d_params *params, const int8_t *input, int8_t *output);
void vt_average_pool_2d_s16(const vt_pool_2d_params *params, const int16_t *input, int16_t *output);
void vt_average_pool_2d_f32(const vt_pool_2d_f32_params *params, const float *input, float *output);

void vt_max_pool_2d_s8(const vt_pool_2d_params *params, const int8_t *input, int8_t *output);
void vt_max_pool_2d_s16(const vt_pool_2d_params *params, const int16_t *input, int16_t *output);
void vt_max_pool_2d_f32(const vt_pool_2d_f32_params *params, const float *input, float *output);

#endif
