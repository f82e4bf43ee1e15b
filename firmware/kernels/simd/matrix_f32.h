/* Products of matrices of float32: sums in the reference kernels' order, several at a time.
 *
 * Columns are words of float32, four elements a block. Weights are float32: for each two output channels (channel 0
 * element 0, channel 1 element 0, channel 0 element 1, …). `constants` is the bias, float32 too.
 */
#ifndef VT_MATRIX_F32_H
#define VT_MATRIX_F32_H

#include "matrix.h"

/* One column. */
vt_matrix_kernel vt_matrix1_f32;
/* Three columns, interleaved word by word. */
vt_matrix_kernel vt_matrix3_f32;

#endif
