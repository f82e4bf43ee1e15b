/* Columns: int8 elements widened to pairs of int16, as the matrix kernels read them.
 *
 * A run of n bytes becomes the pairs (0, 2) and (1, 3) of each four, then (0, -) for one left over, (0, 1) for two,
 * (0, 2) and (1, -) for three. What "-" is doesn't matter: its weight is 0.
 */
#ifndef VT_PACK_S8_H
#define VT_PACK_S8_H

#include "matrix.h"

/* Pairs side by side, or every third word. */
vt_pack_kernel vt_pack1_s8, vt_pack3_s8;

#endif
