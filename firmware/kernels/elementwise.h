/* Arithmetic of two inputs, element by element, with broadcasting and fused activations. */
#ifndef VT_ELEMENTWISE_H
#define VT_ELEMENTWISE_H

#include <stdint.h>

#include "vt_broadcast.h"

/* Both inputs are rescaled to twice the larger scale with `left_shift` bits of headroom, combined, and rescaled to the
 * output's scale. A difference is a sum whose second multiplier is negative.
 */
typedef struct {
    vt_broadcast loop;
    int32_t input1_offset;
    int32_t input2_offset;
    int32_t output_offset;
    int32_t left_shift;
    int32_t input1_multiplier;
    int32_t input1_shift;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t activation_min;
    int32_t activation_max;
} vt_add_params;

/* int16 of power-of-two scales: one input is in the output's scale, the other one finer by `shift` bits. */
typedef struct {
    vt_broadcast loop;
    int32_t input1_shift;
    int32_t input2_shift;
    int32_t activation_min;
    int32_t activation_max;
} vt_add_pot_params;

typedef struct {
    vt_broadcast loop;
    int32_t input1_offset;
    int32_t input2_offset;
    int32_t output_offset;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t activation_min;
    int32_t activation_max;
} vt_mul_params;

typedef struct {
    vt_broadcast loop;
    float activation_min;
    float activation_max;
} vt_elementwise_f32_params;

typedef struct {
    vt_broadcast loop;
    int32_t activation_min;
    int32_t activation_max;
} vt_elementwise_s32_params;

typedef struct {
    vt_broadcast loop;
} vt_elementwise_params;

void vt_add_s8(const vt_add_params *params, const int8_t *input1, const int8_t *input2, int8_t *output);
void vt_add_u8(const vt_add_params *params, const uint8_t *input1, const uint8_t *input2, uint8_t *output);
void vt_add_s16(const vt_add_params *params, const int16_t *input1, const int16_t *input2, int16_t *output);
void vt_add_pot_s16(const vt_add_pot_params *params, const int16_t *input1, const int16_t *input2, int16_t *output);
void vt_sub_pot_s16(const vt_add_pot_params *params, const int16_t *input1, const int16_t *input2, int16_t *output);
void vt_add_f32(const vt_elementwise_f32_params *params, const float *input1, const float *input2, float *output);
void vt_sub_f32(const vt_elementwise_f32_params *params, const float *input1, const float *input2, float *output);
void vt_add_s32(const vt_elementwise_s32_params *params, const int32_t *input1, const int32_t *input2, int32_t *output);
void vt_sub_s32(const vt_elementwise_s32_params *params, const int32_t *input1, const int32_t *input2, int32_t *output);

void vt_mul_s8(const vt_mul_params *params, const int8_t *input1, const int8_t *input2, int8_t *output);
void vt_mul_u8(const vt_mul_params *params, const uint8_t *input1, const uint8_t *input2, uint8_t *output);
void vt_mul_s16(const vt_mul_params *params, const int16_t *input1, const int16_t *input2, int16_t *output);
void vt_mul_f32(const vt_elementwise_f32_params *params, const float *input1, const float *input2, float *output);
void vt_mul_s32(const vt_elementwise_s32_params *params, const int32_t *input1, const int32_t *input2, int32_t *output);

void vt_squared_difference_s8(const vt_add_params *params, const int8_t *input1, const int8_t *input2, int8_t *output);
void vt_squared_difference_s16(const vt_add_params *params, const int16_t *input1, const int16_t *input2,
                               int16_t *output);
void vt_squared_difference_f32(const vt_elementwise_params *params, const float *input1, const float *input2,
                               float *output);
void vt_squared_difference_s32(const vt_elementwise_params *params, const int32_t *input1, const int32_t *input2,
                               int32_t *output);

void vt_maximum_s8(const vt_elementwise_params *params, const int8_t *input1, const int8_t *input2, int8_t *output);
void vt_maximum_u8(const vt_elementwise_params *params, const uint8_t *input1, const uint8_t *input2, uint8_t *output);
void vt_maximum_s16(const vt_elementwise_params *params, const int16_t *input1, const int16_t *input2, int16_t *output);
void vt_maximum_s32(const vt_elementwise_params *params, const int32_t *input1, const int32_t *input2, int32_t *output);
void vt_maximum_s64(const vt_elementwise_params *params, const int64_t *input1, const int64_t *input2, int64_t *output);
void vt_maximum_f32(const vt_elementwise_params *params, const float *input1, const float *input2, float *output);
void vt_minimum_s8(const vt_elementwise_params *params, const int8_t *input1, const int8_t *input2, int8_t *output);
void vt_minimum_u8(const vt_elementwise_params *params, const uint8_t *input1, const uint8_t *input2, uint8_t *output);
void vt_minimum_s16(const vt_elementwise_params *params, const int16_t *input1, const int16_t *input2, int16_t *output);
void vt_minimum_s32(const vt_elementwise_params *params, const int32_t *input1, const int32_t *input2, int32_t *output);
void vt_minimum_s64(const vt_elementwise_params *params, const int64_t *input1, const int64_t *input2, int64_t *output);
void vt_minimum_f32(const vt_elementwise_params *params, const float *input1, const float *input2, float *output);

#endif
