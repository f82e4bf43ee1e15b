/* Convolution as a product of matrices: the window of each output pixel is a column, three of which are multiplied at
 * once. */
#ifndef VT_WINDOWS_H
#define VT_WINDOWS_H

#include "matrix.h"
#include "vt_window.h"

/* Those of an element type: columns are packed and multiplied three at a time or one by one. */
typedef struct {
    vt_pack_kernel *pack3, *pack1;
    vt_matrix_kernel *matrix3, *matrix1;
} vt_kernels;

typedef struct {
    vt_matrix matrix;
    vt_kernels kernels;
    int32_t in_bytes, out_bytes; /* of a pixel */
    int32_t activation_min, activation_max;
    int32_t pixels;
} vt_pixels_params;

typedef struct {
    vt_matrix matrix;
    vt_kernels kernels;
    int32_t in_bytes, out_bytes; /* of a pixel */
    int32_t activation_min, activation_max;
    vt_window window;
    vt_span inner_rows, inner_columns; /* of the output: those whose windows are all inside, side by side */
    int32_t run_bytes;                 /* of a filter row */
    int32_t filler;                    /* padding is made of this byte */
} vt_windows_params;

/* 1x1 with stride 1: every pixel is a column. `scratch` holds three columns. */
void vt_multiply_pixels(const vt_pixels_params *params, const void *input, const uint32_t *weights,
                        const int32_t *constants, void *output, void *scratch);

/* Any window. `scratch` holds three columns and two filter rows. */
void vt_multiply_windows(const vt_windows_params *params, const void *input, const uint32_t *weights,
                         const int32_t *constants, void *output, void *scratch);

#endif
