#include "quantise.h"

#include "vt_quant.h"

/* The nearest integer, halves away from zero; numbers out of range, and those that aren't numbers, go to the limits. */
static inline int32_t vt_round_f32(float value)
{
    if (!(value > -2147483648.0f)) {
        return INT32_MIN;
    }
    if (value >= 2147483648.0f) {
        return INT32_MAX;
    }
    const int32_t whole = (int32_t)value;
    const float rest = value - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

/* Clamped before the zero point is added, which can't overflow then. */
static inline int32_t vt_quantized(float value, float scale, int32_t zero_point, int32_t low, int32_t high)
{
    return vt_clamp(vt_round_f32(value / scale), low - zero_point, high - zero_point) + zero_point;
}

#define VT_QUANTIZE_KERNEL(name, type)                                                                                 \
    void name(const vt_quantize_params *params, const float *input, type *output)                                      \
    {                                                                                                                  \
        for (int32_t i = 0; i < params->count; i++) {                                                                  \
            output[i] = (type)vt_quantized(input[i], params->scale, params->zero_point, params->output_min,            \
                                           params->output_max);                                                        \
        }                                                                                                              \
    }

VT_QUANTIZE_KERNEL(vt_quantize_f32_s8, int8_t)
VT_QUANTIZE_KERNEL(vt_quantize_f32_u8, uint8_t)
VT_QUANTIZE_KERNEL(vt_quantize_f32_s16, int16_t)

void vt_quantize_channels_f32_s8(const vt_channel_params *params, const float *scales, const int32_t *zero_points,
                                 const float *input, int8_t *output)
{
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t channel = 0; channel < params->channels; channel++) {
            for (int32_t i = 0; i < params->inner; i++) {
                *output++ = (int8_t)vt_quantized(*input++, scales[channel], zero_points[channel], params->output_min,
                                                 params->output_max);
            }
        }
    }
}

#define VT_DEQUANTIZE_KERNEL(name, type)                                                                               \
    void name(const vt_dequantize_params *params, const type *input, float *output)                                    \
    {                                                                                                                  \
        for (int32_t i = 0; i < params->count; i++) {                                                                  \
            output[i] = params->scale * (float)(input[i] - params->zero_point);                                        \
        }                                                                                                              \
    }

VT_DEQUANTIZE_KERNEL(vt_dequantize_s8, int8_t)
VT_DEQUANTIZE_KERNEL(vt_dequantize_u8, uint8_t)
VT_DEQUANTIZE_KERNEL(vt_dequantize_s16, int16_t)

void vt_dequantize_channels_s8(const vt_channel_params *params, const float *scales, const int32_t *zero_points,
                               const int8_t *input, float *output)
{
    for (int32_t outer = 0; outer < params->outer; outer++) {
        for (int32_t channel = 0; channel < params->channels; channel++) {
            for (int32_t i = 0; i < params->inner; i++) {
                *output++ = scales[channel] * (float)(*input++ - zero_points[channel]);
            }
        }
    }
}

#define VT_REQUANTIZE_KERNEL(name, from, to)                                                                           \
    void name(const vt_requantize_params *params, const from *input, to *output)                                       \
    {                                                                                                                  \
        for (int32_t i = 0; i < params->count; i++) {                                                                  \
            const int32_t value = vt_add(input[i], -params->input_zero_point);                                         \
            const int32_t scaled = vt_requantise(value, params->multiplier, params->shift);                            \
            output[i] = (to)vt_clamp(vt_add(scaled, params->output_zero_point), params->output_min,                    \
                                     params->output_max);                                                              \
        }                                                                                                              \
    }

VT_REQUANTIZE_KERNEL(vt_requantize_s8_s8, int8_t, int8_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s8_u8, int8_t, uint8_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s8_s16, int8_t, int16_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s8_s32, int8_t, int32_t)
VT_REQUANTIZE_KERNEL(vt_requantize_u8_s8, uint8_t, int8_t)
VT_REQUANTIZE_KERNEL(vt_requantize_u8_u8, uint8_t, uint8_t)
VT_REQUANTIZE_KERNEL(vt_requantize_u8_s16, uint8_t, int16_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s16_s8, int16_t, int8_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s16_s16, int16_t, int16_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s16_s32, int16_t, int32_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s32_s8, int32_t, int8_t)
VT_REQUANTIZE_KERNEL(vt_requantize_s32_s16, int32_t, int16_t)
