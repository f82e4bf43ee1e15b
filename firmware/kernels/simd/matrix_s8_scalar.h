/* Products of matrices on cores without the DSP extension, requantised to int8.
 *
 * Columns are of words (pack_s8_scalar.h), four elements a block. Weights are as matrix.h says, pairs being
 * neighbours, so two words a block. `constants` has VT_CHANNEL_WORDS words per channel (vt_simd.h).
 */
#ifndef VT_MATRIX_S8_SCALAR_H
#define VT_MATRIX_S8_SCALAR_H

#include "matrix.h"

/* One column. */
vt_matrix_kernel vt_matrix1_s8_scalar;
/* Three columns, interleaved word by word. */
vt_matrix_kernel vt_matrix3_s8_scalar;

#endif
