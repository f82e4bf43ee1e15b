#include "batch_matmul.h"

#include "vt_quant.h"

/* Every output element in order; `accumulate` sees one element `a` of the left and one `b` of the right matrix. */
#define VT_MATMUL_EACH(type, declare, accumulate, store)                                                               \
    const vt_matmul_shape *shape = &params->shape;                                                                     \
    vt_broadcast_cursor cursor = {{0}, 0, 0};                                                                          \
    do {                                                                                                               \
        for (int32_t row = 0; row < shape->rows; ++row) {                                                              \
            for (int32_t column = 0; column < shape->columns; ++column) {                                              \
                const type *x = left + cursor.offset1 + row * shape->left_row;                                         \
                const type *y = right + cursor.offset2 + column * shape->right_column;                                 \
                declare;                                                                                               \
                for (int32_t d = 0; d < shape->depth; ++d) {                                                           \
                    const type a = x[d * shape->left_column];                                                          \
                    const type b = y[d * shape->right_row];                                                            \
                    accumulate;                                                                                        \
                }                                                                                                      \
                store;                                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    } while (vt_broadcast_next(&shape->batches, &cursor));

void vt_batch_matmul_s8(const vt_batch_matmul_params *params, const int8_t *left, const int8_t *right, int8_t *output)
{
    VT_MATMUL_EACH(int8_t, int32_t sum = 0, sum = vt_mac(sum, a + params->left_offset, b + params->right_offset), {
        const int32_t scaled = vt_requantise(sum, params->multiplier, params->shift);
        *output++ = (int8_t)vt_clamp(vt_add(scaled, params->output_offset), INT8_MIN, INT8_MAX);
    })
}

void vt_batch_matmul_s16(const vt_batch_matmul_params *params, const int16_t *left, const int16_t *right,
                         int16_t *output)
{
    VT_MATMUL_EACH(int16_t, int64_t sum = 0, sum += a * b, {
        *output++ = (int16_t)vt_clamp(vt_requantise_s64(sum, params->multiplier, params->shift), INT16_MIN, INT16_MAX);
    })
}

void vt_batch_matmul_f32(const vt_batch_matmul_f32_params *params, const float *left, const float *right,
                         float *output)
{
    VT_MATMUL_EACH(float, float sum = 0.0f, sum += a * b, *output++ = sum)
}
