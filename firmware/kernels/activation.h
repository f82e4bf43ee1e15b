/* Functions of one element, where they aren't looked up in a table; `count` elements. */
#ifndef VT_ACTIVATION_H
#define VT_ACTIVATION_H

#include <stdint.h>

typedef struct {
    int32_t multiplier, shift; /* input * multiplier / 2^shift has 3 * 4096 per unit */
} vt_sigmoid_s16_params;

/* `sigmoid` has 256 elements: 65536 / (1 + exp(-i / 24)). */
void vt_logistic_s16(const vt_sigmoid_s16_params *params, const uint16_t *sigmoid, const int16_t *input,
                     int16_t *output, int32_t count);
void vt_tanh_s16(const vt_sigmoid_s16_params *params, const uint16_t *sigmoid, const int16_t *input, int16_t *output,
                 int32_t count);

/* Elements below zero by one multiplier, the others by another. */
typedef struct {
    int32_t input_offset, output_offset;
    int32_t positive_multiplier, positive_shift;
    int32_t negative_multiplier, negative_shift;
    int32_t activation_min, activation_max;
} vt_relu_s16_params;

void vt_relu_s16(const vt_relu_s16_params *params, const int16_t *input, int16_t *output, int32_t count);

void vt_clamp_all_f32(float low, float high, const float *input, float *output, int32_t count);
void vt_hard_swish_f32(const float *input, float *output, int32_t count);
void vt_leaky_relu_f32(float alpha, const float *input, float *output, int32_t count);
void vt_logistic_f32(const float *input, float *output, int32_t count);
void vt_tanh_f32(const float *input, float *output, int32_t count);

#endif
