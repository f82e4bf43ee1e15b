/* Products of matrices, requantised to int8. `constants` has VT_CHANNEL_WORDS words per channel (vt_simd.h). */
#ifndef VT_MATRIX_S8_H
#define VT_MATRIX_S8_H

#include "matrix.h"

/* One column. */
vt_matrix_kernel vt_matrix1_s8;
/* Three columns, interleaved word by word: */
vt_matrix_kernel vt_matrix3_s8;
/* where -128 is the output's zero point, */
vt_matrix_kernel vt_matrix3_s8_positive;
/* and where some channel is in general form. */
vt_matrix_kernel vt_matrix3_s8_general;

#endif
