/* Between float32 and quantised numbers, and from one quantisation to another. */
#ifndef VT_QUANTISE_H
#define VT_QUANTISE_H

#include <stdint.h>

/* quantised = round(real / scale) + zero_point, saturated to what the output's type holds. */
typedef struct {
    int32_t count;
    float scale;
    int32_t zero_point;
    int32_t output_min, output_max;
} vt_quantize_params;

typedef struct {
    int32_t count;
    float scale;
    int32_t zero_point;
} vt_dequantize_params;

/* Scales of their own for the slices along an axis: the tensor as (outer, channels, inner). */
typedef struct {
    int32_t outer, channels, inner;
    int32_t output_min, output_max;
} vt_channel_params;

typedef struct {
    int32_t count;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t output_min, output_max;
} vt_requantize_params;

void vt_quantize_f32_s8(const vt_quantize_params *params, const float *input, int8_t *output);
void vt_quantize_f32_u8(const vt_quantize_params *params, const float *input, uint8_t *output);
void vt_quantize_f32_s16(const vt_quantize_params *params, const float *input, int16_t *output);
void vt_quantize_channels_f32_s8(const vt_channel_params *params, const float *scales, const int32_t *zero_points,
                                 const float *input, int8_t *output);

void vt_dequantize_s8(const vt_dequantize_params *params, const int8_t *input, float *output);
void vt_dequantize_u8(const vt_dequantize_params *params, const uint8_t *input, float *output);
void vt_dequantize_s16(const vt_dequantize_params *params, const int16_t *input, float *output);
void vt_dequantize_channels_s8(const vt_channel_params *params, const float *scales, const int32_t *zero_points,
                               const int8_t *input, float *output);

void vt_requantize_s8_s8(const vt_requantize_params *params, const int8_t *input, int8_t *output);
void vt_requantize_s8_u8(const vt_requantize_params *params, const int8_t *input, uint8_t *output);
void vt_requantize_s8_s16(const vt_requantize_params *params, const int8_t *input, int16_t *output);
void vt_requantize_s8_s32(const vt_requantize_params *params, const int8_t *input, int32_t *output);
void vt_requantize_u8_s8(const vt_requantize_params *params, const uint8_t *input, int8_t *output);
void vt_requantize_u8_u8(const vt_requantize_params *params, const uint8_t *input, uint8_t *output);
void vt_requantize_u8_s16(const vt_requantize_params *params, const uint8_t *input, int16_t *output);
void vt_requantize_s16_s8(const vt_requantize_params *params, const int16_t *input, int8_t *output);
void vt_requantize_s16_s16(const vt_requantize_params *params, const int16_t *input, int16_t *output);
void vt_requantize_s16_s32(const vt_requantize_params *params, const int16_t *input, int32_t *output);
void vt_requantize_s32_s8(const vt_requantize_params *params, const int32_t *input, int8_t *output);
void vt_requantize_s32_s16(const vt_requantize_params *params, const int32_t *input, int16_t *output);

#endif
