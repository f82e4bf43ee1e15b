/* Products of matrices, requantised to int16. Sums must stay within 32 bits.
 *
 * `constants` has two words per channel: the sum's start value, and the multiplier, in units of 2^-32.
 */
#ifndef VT_MATRIX_S16_H
#define VT_MATRIX_S16_H

#include "matrix.h"

/* One column. */
vt_matrix_kernel vt_matrix1_s16;
/* Three columns, interleaved word by word. */
vt_matrix_kernel vt_matrix3_s16;

#endif
