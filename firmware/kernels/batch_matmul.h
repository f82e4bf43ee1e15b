/* Products of matrices, batch by batch. */
#ifndef VT_BATCH_MATMUL_H
#define VT_BATCH_MATMUL_H

#include "vt_broadcast.h"

/* `batches` steps over the batches of both inputs, its innermost loop of extent 1. Elements of the inputs' matrices are
 * `row` and `column` apart; the output is dense, (rows, columns) each. */
typedef struct {
    vt_broadcast batches;
    int32_t rows, depth, columns;
    int32_t left_row, left_column, right_row, right_column;
} vt_matmul_shape;

typedef struct {
    vt_matmul_shape shape;
    int32_t left_offset, right_offset, output_offset;
    int32_t multiplier, shift;
} vt_batch_matmul_params;

typedef struct {
    vt_matmul_shape shape;
} vt_batch_matmul_f32_params;

void vt_batch_matmul_s8(const vt_batch_matmul_params *params, const int8_t *left, const int8_t *right, int8_t *output);
void vt_batch_matmul_s16(const vt_batch_matmul_params *params, const int16_t *left, const int16_t *right,
                         int16_t *output);
void vt_batch_matmul_f32(const vt_batch_matmul_f32_params *params, const float *left, const float *right,
                         float *output);

#endif
