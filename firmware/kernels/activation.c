#include "activation.h"

#include "vt_quant.h"
#include "vt_sigmoid.h"

static int32_t vt_sigmoid_input(const vt_sigmoid_s16_params *params, int16_t value)
{
    const int32_t half = params->shift > 0 ? 1 << (params->shift - 1) : 0;
    return vt_mac(half, value, params->multiplier) >> params->shift;
}

void vt_logistic_s16(const vt_sigmoid_s16_params *params, const uint16_t *sigmoid, const int16_t *input,
                     int16_t *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = vt_logistic_q15(sigmoid, vt_sigmoid_input(params, input[i]));
    }
}

void vt_tanh_s16(const vt_sigmoid_s16_params *params, const uint16_t *sigmoid, const int16_t *input, int16_t *output,
                 int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = vt_tanh_q15(sigmoid, vt_sigmoid_input(params, input[i]));
    }
}

void vt_relu_s16(const vt_relu_s16_params *params, const int16_t *input, int16_t *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        const int32_t value = input[i] + params->input_offset;
        const int32_t scaled = value >= 0
                                   ? vt_requantise(value, params->positive_multiplier, params->positive_shift)
                                   : vt_requantise(value, params->negative_multiplier, params->negative_shift);
        const int32_t sum = vt_add(scaled, params->output_offset);
        output[i] = (int16_t)vt_clamp(sum, params->activation_min, params->activation_max);
    }
}

void vt_clamp_all_f32(float low, float high, const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = vt_clamp_f32(input[i], low, high);
    }
}

void vt_hard_swish_f32(const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = input[i] * vt_clamp_f32(input[i] + 3.0f, 0.0f, 6.0f) / 6.0f;
    }
}

void vt_leaky_relu_f32(float alpha, const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = input[i] > 0.0f ? input[i] : input[i] * alpha;
    }
}

void vt_logistic_f32(const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = vt_logistic(input[i]);
    }
}

void vt_tanh_f32(const float *input, float *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        output[i] = vt_hyperbolic_tangent(input[i]);
    }
}
