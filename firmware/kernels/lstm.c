#include "lstm.h"

#include <string.h>

#include "vt_quant.h"
#include "vt_sigmoid.h"

static int32_t vt_clamp_s16(int32_t value)
{
    return vt_clamp(value, INT16_MIN, INT16_MAX);
}

/* One unit's gate before its function, with 12 fraction bits. */
static int32_t vt_lstm_sum_s8(const vt_lstm_params *params, const vt_lstm_gate *gate, int32_t unit, const int8_t *input,
                              const int8_t *hidden)
{
    const int8_t *weights = gate->input_weights + unit * params->shape.inputs;
    int32_t sum = ((const int32_t *)gate->bias)[unit];
    for (int32_t i = 0; i < params->shape.inputs; ++i) {
        sum = vt_mac(sum, weights[i], input[i] + params->input_offset);
    }
    weights = gate->hidden_weights + unit * params->shape.units;
    int32_t recurrent = 0;
    for (int32_t i = 0; i < params->shape.units; ++i) {
        recurrent = vt_mac(recurrent, weights[i], hidden[i] + params->hidden_offset);
    }
    const int32_t a = vt_clamp_s16(vt_requantise(sum, gate->input_multiplier, gate->input_shift));
    const int32_t b = vt_clamp_s16(vt_requantise(recurrent, gate->hidden_multiplier, gate->hidden_shift));
    return vt_clamp_s16(a + b);
}

static int32_t vt_lstm_sum_s16(const vt_lstm_params *params, const vt_lstm_gate *gate, int32_t unit,
                               const int16_t *input, const int16_t *hidden)
{
    const int8_t *weights = gate->input_weights + unit * params->shape.inputs;
    int64_t sum = ((const int64_t *)gate->bias)[unit];
    for (int32_t i = 0; i < params->shape.inputs; ++i) {
        sum += weights[i] * input[i];
    }
    weights = gate->hidden_weights + unit * params->shape.units;
    int64_t recurrent = 0;
    for (int32_t i = 0; i < params->shape.units; ++i) {
        recurrent += weights[i] * hidden[i];
    }
    const int32_t a = vt_clamp_s16(vt_requantise_s64(sum, gate->input_multiplier, gate->input_shift));
    const int32_t b = vt_clamp_s16(vt_requantise_s64(recurrent, gate->hidden_multiplier, gate->hidden_shift));
    return vt_clamp_s16(a + b);
}

static float vt_lstm_sum_f32(const vt_lstm_shape *shape, const vt_lstm_f32_gate *gate, int32_t unit, const float *input,
                             const float *hidden)
{
    const float *weights = gate->input_weights + unit * shape->inputs;
    float sum = 0.0f;
    for (int32_t i = 0; i < shape->inputs; ++i) {
        sum += weights[i] * input[i];
    }
    weights = gate->hidden_weights + unit * shape->units;
    float recurrent = 0.0f;
    for (int32_t i = 0; i < shape->units; ++i) {
        recurrent += weights[i] * hidden[i];
    }
    return sum + gate->bias[unit] + recurrent;
}

/* The new cell state from three gates' sums, all with 12 fraction bits. */
static int16_t vt_lstm_cell(const vt_lstm_params *params, const uint16_t *sigmoid, int32_t input_sum, int32_t forget_sum,
                            int32_t cell_sum, int16_t cell)
{
    const int32_t in = vt_logistic_q15(sigmoid, 3 * input_sum);
    const int32_t forget = vt_logistic_q15(sigmoid, 3 * forget_sum);
    const int32_t candidate = vt_tanh_q15(sigmoid, 3 * cell_sum);
    const int32_t kept = vt_clamp_s16(vt_requantise(forget * cell, params->forget_multiplier, params->forget_shift));
    const int32_t added = vt_clamp_s16(vt_requantise(in * candidate, params->update_multiplier, params->update_shift));
    const int32_t sum = vt_clamp_s16(kept + added);
    return (int16_t)(params->cell_clip > 0 ? vt_clamp(sum, -params->cell_clip, params->cell_clip) : sum);
}

/* The new hidden state from the output gate's sum and the new cell state. */
static int32_t vt_lstm_hidden(const vt_lstm_params *params, const uint16_t *sigmoid, int32_t output_sum, int16_t cell)
{
    const int32_t half = params->tanh_shift > 0 ? 1 << (params->tanh_shift - 1) : 0;
    const int32_t scaled = vt_mac(half, cell, params->tanh_multiplier) >> params->tanh_shift;
    const int32_t product = vt_tanh_q15(sigmoid, scaled) * vt_logistic_q15(sigmoid, 3 * output_sum);
    const int32_t value = vt_requantise(product, params->output_multiplier, params->output_shift);
    return vt_clamp(value + params->hidden_zero_point, params->hidden_min, params->hidden_max);
}

/* Every step of every batch; `step` sees `in`, `out` and the batch's `h` and `c`. The new hidden state is the output, and
 * takes the old one's place once all units are done. */
#define VT_LSTM_STEPS(type, step)                                                                                      \
    const vt_lstm_shape *shape = &params->shape;                                                                       \
    for (int32_t batch = 0; batch < shape->batches; ++batch) {                                                         \
        type *h = hidden + batch * shape->units;                                                                       \
        for (int32_t t = 0; t < shape->steps; ++t) {                                                                   \
            const int32_t at = batch * shape->batch_stride + t * shape->step_stride;                                   \
            const type *in = input + at * shape->inputs;                                                               \
            type *out = output + at * shape->units;                                                                    \
            for (int32_t unit = 0; unit < shape->units; ++unit) {                                                      \
                step;                                                                                                  \
            }                                                                                                          \
            memcpy(h, out, (size_t)shape->units * sizeof *h);                                                          \
        }                                                                                                              \
    }

void vt_lstm_s8(const vt_lstm_params *params, const uint16_t *sigmoid, const int8_t *input, int8_t *hidden,
                int16_t *cell, int8_t *output)
{
    VT_LSTM_STEPS(int8_t, {
        int16_t *c = cell + batch * shape->units + unit;
        const int32_t input_sum = vt_lstm_sum_s8(params, &params->input_gate, unit, in, h);
        const int32_t forget_sum = vt_lstm_sum_s8(params, &params->forget_gate, unit, in, h);
        const int32_t cell_sum = vt_lstm_sum_s8(params, &params->cell_gate, unit, in, h);
        const int32_t output_sum = vt_lstm_sum_s8(params, &params->output_gate, unit, in, h);
        *c = vt_lstm_cell(params, sigmoid, input_sum, forget_sum, cell_sum, *c);
        out[unit] = (int8_t)vt_lstm_hidden(params, sigmoid, output_sum, *c);
    })
}

void vt_lstm_s16(const vt_lstm_params *params, const uint16_t *sigmoid, const int16_t *input, int16_t *hidden,
                 int16_t *cell, int16_t *output)
{
    VT_LSTM_STEPS(int16_t, {
        int16_t *c = cell + batch * shape->units + unit;
        const int32_t input_sum = vt_lstm_sum_s16(params, &params->input_gate, unit, in, h);
        const int32_t forget_sum = vt_lstm_sum_s16(params, &params->forget_gate, unit, in, h);
        const int32_t cell_sum = vt_lstm_sum_s16(params, &params->cell_gate, unit, in, h);
        const int32_t output_sum = vt_lstm_sum_s16(params, &params->output_gate, unit, in, h);
        *c = vt_lstm_cell(params, sigmoid, input_sum, forget_sum, cell_sum, *c);
        out[unit] = (int16_t)vt_lstm_hidden(params, sigmoid, output_sum, *c);
    })
}

void vt_lstm_f32(const vt_lstm_f32_params *params, const float *input, float *hidden, float *cell, float *output)
{
    VT_LSTM_STEPS(float, {
        float *c = cell + batch * shape->units + unit;
        const float in_gate = vt_logistic(vt_lstm_sum_f32(shape, &params->input_gate, unit, in, h));
        const float forget = vt_logistic(vt_lstm_sum_f32(shape, &params->forget_gate, unit, in, h));
        const float candidate = vt_hyperbolic_tangent(vt_lstm_sum_f32(shape, &params->cell_gate, unit, in, h));
        const float out_gate = vt_logistic(vt_lstm_sum_f32(shape, &params->output_gate, unit, in, h));
        const float sum = forget * *c + in_gate * candidate;
        *c = params->cell_clip > 0.0f ? vt_clamp_f32(sum, -params->cell_clip, params->cell_clip) : sum;
        out[unit] = vt_hyperbolic_tangent(*c) * out_gate;
    })
}
