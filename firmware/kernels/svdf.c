#include "svdf.h"

#include <string.h>

#include "vt_quant.h"

static int16_t vt_svdf_feature(const vt_svdf_params *params, const int8_t *input, const int8_t *weights)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < params->inputs; ++i) {
        sum = vt_mac(sum, weights[i], input[i] + params->input_offset);
    }
    const int32_t scaled = vt_requantise(sum, params->feature_multiplier, params->feature_shift);
    return (int16_t)vt_clamp(scaled, INT16_MIN, INT16_MAX);
}

void vt_svdf_s8(const vt_svdf_params *params, const int8_t *input, const int8_t *features, const int16_t *times,
                const int32_t *bias, int16_t *state, int8_t *output)
{
    const int32_t memory = params->memory;
    for (int32_t batch = 0; batch < params->batches; ++batch, input += params->inputs) {
        for (int32_t unit = 0; unit < params->filters / params->rank; ++unit) {
            int32_t sum = bias != NULL ? bias[unit] : 0;
            for (int32_t f = unit * params->rank; f < (unit + 1) * params->rank; ++f, state += memory) {
                memmove(state, state + 1, (size_t)(memory - 1) * sizeof *state);
                state[memory - 1] = vt_svdf_feature(params, input, features + f * params->inputs);
                for (int32_t t = 0; t < memory; ++t) {
                    sum = vt_mac(sum, times[f * memory + t], state[t]);
                }
            }
            const int32_t scaled = vt_requantise(sum, params->time_multiplier, params->time_shift);
            *output++ = (int8_t)vt_clamp(vt_add(scaled, params->output_offset), INT8_MIN, INT8_MAX);
        }
    }
}

static float vt_dot(const float *a, const float *b, int32_t count)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

void vt_svdf_f32(const vt_svdf_f32_params *params, const float *input, const float *features, const float *times,
                 const float *bias, float *state, float *output)
{
    const int32_t memory = params->memory;
    for (int32_t batch = 0; batch < params->batches; ++batch, input += params->inputs) {
        for (int32_t unit = 0; unit < params->filters / params->rank; ++unit) {
            float sum = bias != NULL ? bias[unit] : 0.0f;
            for (int32_t f = unit * params->rank; f < (unit + 1) * params->rank; ++f, state += memory) {
                memmove(state, state + 1, (size_t)(memory - 1) * sizeof *state);
                state[memory - 1] = vt_dot(features + f * params->inputs, input, params->inputs);
                sum += vt_dot(times + f * memory, state, memory);
            }
            *output++ = vt_clamp_f32(sum, params->activation_min, params->activation_max);
        }
    }
}
