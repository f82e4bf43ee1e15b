#include "matrix_f32.h"

/* Elements of a block. */
enum { BLOCK = 4 };

void vt_matrix1_f32(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                    void *output)
{
    const float *w = (const float *)(const void *)weights;
    const float *bias = (const float *)(const void *)constants;
    const int32_t elements = matrix->blocks * BLOCK - matrix->unused;
    float *to = output;
    float *const end = to + matrix->channels;
    while (to != end) {
        const float *x = (const float *)(const void *)columns;
        float a = 0.0f, b = 0.0f;
        for (int32_t i = elements; i > 0; --i, ++x, w += 2) {
            a += w[0] * x[0];
            b += w[1] * x[0];
        }
        *to++ = a + bias[0];
        if (to != end) {
            *to++ = b + bias[1];
        }
        bias += 2;
    }
}

void vt_matrix3_f32(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights, const int32_t *constants,
                    void *output)
{
    const float *w = (const float *)(const void *)weights;
    const float *bias = (const float *)(const void *)constants;
    const int32_t elements = matrix->blocks * BLOCK - matrix->unused;
    const int32_t channels = matrix->channels;
    float *to = output;
    for (int32_t c = 0; c < channels; c += 2, to += 2, bias += 2) {
        const float *x = (const float *)(const void *)columns;
        const float *const stop = x + 3 * (elements & ~1);
        float a0 = 0.0f, a1 = 0.0f, a2 = 0.0f;
        float b0 = 0.0f, b1 = 0.0f, b2 = 0.0f;
        for (; x != stop; x += 6, w += 4) {
            a0 += w[0] * x[0];
            a1 += w[0] * x[1];
            a2 += w[0] * x[2];
            b0 += w[1] * x[0];
            b1 += w[1] * x[1];
            b2 += w[1] * x[2];
            a0 += w[2] * x[3];
            a1 += w[2] * x[4];
            a2 += w[2] * x[5];
            b0 += w[3] * x[3];
            b1 += w[3] * x[4];
            b2 += w[3] * x[5];
        }
        if ((elements & 1) != 0) {
            a0 += w[0] * x[0];
            a1 += w[0] * x[1];
            a2 += w[0] * x[2];
            b0 += w[1] * x[0];
            b1 += w[1] * x[1];
            b2 += w[1] * x[2];
            w += 2;
        }
        to[0] = a0 + bias[0];
        to[channels] = a1 + bias[0];
        to[2 * channels] = a2 + bias[0];
        if (c + 1 < channels) {
            to[1] = b0 + bias[1];
            to[channels + 1] = b1 + bias[1];
            to[2 * channels + 1] = b2 + bias[1];
        }
    }
}
