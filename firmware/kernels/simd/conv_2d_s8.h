/* int8 convolution as a product of matrices: weights and constants packed as matrix_s8.h says, windows as columns. */
#ifndef VT_SIMD_CONV_2D_S8_H
#define VT_SIMD_CONV_2D_S8_H

#include "matrix_s8.h"
#include "vt_window.h"

typedef struct {
    vt_matrix matrix;
    vt_matrix_kernel *three; /* for three columns */
    int32_t activation_min, activation_max;
    int32_t pixels, in_c;
} vt_pointwise_s8_params;

typedef struct {
    vt_matrix matrix;
    vt_matrix_kernel *three; /* for three columns */
    int32_t activation_min, activation_max;
    vt_window window;
    vt_span inner_rows, inner_columns; /* of the output: those whose windows are all inside, side by side */
    int32_t run;    /* bytes of a filter row */
    int32_t filler; /* the input's zero point */
} vt_conv_2d_s8_simd_params;

/* 1x1 with stride 1: every pixel is a column. `scratch` holds three columns. */
void vt_pointwise_s8_simd(const vt_pointwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch);

/* Any other window. `scratch` holds three columns and two filter rows. */
void vt_conv_2d_s8_simd(const vt_conv_2d_s8_simd_params *params, const int8_t *input, const uint32_t *weights,
                        const int32_t *constants, int8_t *output, void *scratch);

#endif
