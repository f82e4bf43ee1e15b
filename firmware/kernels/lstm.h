/* Long short-term memory over a sequence, the state kept from call to call. */
#ifndef VT_LSTM_H
#define VT_LSTM_H

#include <stdint.h>

/* Inputs and outputs of one step are `inputs` and `units` elements; the numbers of elements from one step and from one
 * batch to the next are counted in such vectors. */
typedef struct {
    int32_t batches, steps, inputs, units;
    int32_t step_stride, batch_stride;
} vt_lstm_shape;

/* One gate: weights of the input (units, inputs) and of the hidden state (units, units), and bias (units). What they add
 * up to is taken to 12 fraction bits. */
typedef struct {
    const int8_t *input_weights;
    const int8_t *hidden_weights;
    const void *bias; /* int32_t for int8 inputs, int64_t for int16 */
    int32_t input_multiplier, input_shift;
    int32_t hidden_multiplier, hidden_shift;
} vt_lstm_gate;

typedef struct {
    const float *input_weights;
    const float *hidden_weights;
    const float *bias;
} vt_lstm_f32_gate;

typedef struct {
    vt_lstm_shape shape;
    vt_lstm_gate input_gate, forget_gate, cell_gate, output_gate;
    int32_t input_offset, hidden_offset; /* added to inputs and hidden state before their weights */
    int32_t hidden_zero_point;
    int32_t hidden_min, hidden_max;
    int32_t forget_multiplier, forget_shift; /* of forget gate * cell state */
    int32_t update_multiplier, update_shift; /* of input gate * cell gate */
    int32_t output_multiplier, output_shift; /* of output gate * tanh(cell state) */
    int32_t tanh_multiplier, tanh_shift;     /* from the cell state to 3 * 4096 per unit */
    int32_t cell_clip;                       /* 0: none */
} vt_lstm_params;

typedef struct {
    vt_lstm_shape shape;
    vt_lstm_f32_gate input_gate, forget_gate, cell_gate, output_gate;
    float cell_clip; /* 0: none */
} vt_lstm_f32_params;

/* `sigmoid` as for vt_logistic_s16; `hidden` and `cell` have `units` elements per batch. */
void vt_lstm_s8(const vt_lstm_params *params, const uint16_t *sigmoid, const int8_t *input, int8_t *hidden,
                int16_t *cell, int8_t *output);
void vt_lstm_s16(const vt_lstm_params *params, const uint16_t *sigmoid, const int16_t *input, int16_t *hidden,
                 int16_t *cell, int16_t *output);
void vt_lstm_f32(const vt_lstm_f32_params *params, const float *input, float *hidden, float *cell, float *output);

#endif
