/* Mean and sum over some dimensions. */
#ifndef VT_REDUCE_H
#define VT_REDUCE_H

#include <stdint.h>

#define VT_REDUCE_DIMS 4

/* Extents and steps in elements of the dimensions that stay and of those that go, outermost first; unused ones have
 * extent 1. The output is dense. */
typedef struct {
    int32_t kept[VT_REDUCE_DIMS], kept_step[VT_REDUCE_DIMS];
    int32_t reduced[VT_REDUCE_DIMS], reduced_step[VT_REDUCE_DIMS];
} vt_reduction;

typedef struct {
    vt_reduction loop;
    int32_t offset; /* added to a sum: the input's zero point times the number of its elements, negated */
    int32_t multiplier, shift;
    int32_t output_offset;
} vt_reduce_params;

typedef struct {
    vt_reduction loop;
    float count; /* what a sum is divided by */
} vt_reduce_f32_params;

void vt_reduce_s8(const vt_reduce_params *params, const int8_t *input, int8_t *output);
void vt_reduce_s16(const vt_reduce_params *params, const int16_t *input, int16_t *output);
void vt_mean_f32(const vt_reduce_f32_params *params, const float *input, float *output);
void vt_sum_f32(const vt_reduce_f32_params *params, const float *input, float *output);

#endif
