/* Parametric rectifier: elements below zero are multiplied by `alpha`, which may be broadcast. */
#ifndef VT_PRELU_H
#define VT_PRELU_H

#include "vt_broadcast.h"

typedef struct {
    vt_broadcast loop;
    int32_t input_offset, alpha_offset, output_offset;
    int32_t positive_multiplier, positive_shift;
    int32_t negative_multiplier, negative_shift;
} vt_prelu_params;

typedef struct {
    vt_broadcast loop;
} vt_prelu_f32_params;

void vt_prelu_s8(const vt_prelu_params *params, const int8_t *input, const int8_t *alpha, int8_t *output);
void vt_prelu_f32(const vt_prelu_f32_params *params, const float *input, const float *alpha, float *output);

#endif
