/* Singular value decomposition filter: each filter's output of now is kept in a memory of its last ones, over which the
 * weights of time run; `rank` filters make one unit. */
#ifndef VT_SVDF_H
#define VT_SVDF_H

#include <stdint.h>

typedef struct {
    int32_t batches, inputs, filters, memory, rank;
    int32_t input_offset, output_offset;
    int32_t feature_multiplier, feature_shift; /* from input * feature weight to the state's scale */
    int32_t time_multiplier, time_shift;       /* from state * time weight to the output's scale */
} vt_svdf_params;

typedef struct {
    int32_t batches, inputs, filters, memory, rank;
    float activation_min, activation_max;
} vt_svdf_f32_params;

/* Features (filters, inputs), times (filters, memory), bias (filters / rank) or NULL, state (batches, filters, memory). */
void vt_svdf_s8(const vt_svdf_params *params, const int8_t *input, const int8_t *features, const int16_t *times,
                const int32_t *bias, int16_t *state, int8_t *output);
void vt_svdf_f32(const vt_svdf_f32_params *params, const float *input, const float *features, const float *times,
                 const float *bias, float *state, float *output);

#endif
