/* Slices of a tensor picked by index along one axis. */
#ifndef VT_GATHER_H
#define VT_GATHER_H

#include <stdint.h>

/* The input as (batches, outer, axis, run), the indices as (batches, indices): batches with batch_dims > 0 only. */
typedef struct {
    int32_t batches;
    int32_t outer;
    int32_t axis;
    int32_t indices;
    int32_t run_bytes;
} vt_gather_params;

/* An index outside the axis is taken as the nearest one inside. The type is that of the indices. */
void vt_gather_s16(const vt_gather_params *params, const void *input, const int16_t *indices, void *output);
void vt_gather_s32(const vt_gather_params *params, const void *input, const int32_t *indices, void *output);
void vt_gather_s64(const vt_gather_params *params, const void *input, const int64_t *indices, void *output);

#endif
