/* Fully connected layer: input (batches, depth), filter (units, depth), bias (units) or NULL, output (batches, units). */
#ifndef VT_FULLY_CONNECTED_H
#define VT_FULLY_CONNECTED_H

#include <stdint.h>

typedef struct {
    int32_t batches, depth, units;
    int32_t multiplier_step; /* 1: one multiplier per unit, 0: one for all */
    int32_t input_offset;
    int32_t output_offset;
    int32_t activation_min, activation_max;
} vt_fully_connected_params;

typedef struct {
    int32_t batches, depth, units;
    float activation_min, activation_max;
} vt_fully_connected_f32_params;

void vt_fully_connected_s8(const vt_fully_connected_params *params, const int8_t *input, const int8_t *filter,
                           const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output);

/* int16 activations, 64-bit accumulators. */
void vt_fully_connected_s16(const vt_fully_connected_params *params, const int16_t *input, const int8_t *filter,
                            const int64_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output);

/* int16 activations, 32-bit accumulators. */
void vt_fully_connected_s16_acc32(const vt_fully_connected_params *params, const int16_t *input, const int8_t *filter,
                                  const int32_t *bias, const int32_t *multiplier, const int32_t *shift,
                                  int16_t *output);

void vt_fully_connected_f32(const vt_fully_connected_f32_params *params, const float *input, const float *filter,
                            const float *bias, float *output);

#endif
