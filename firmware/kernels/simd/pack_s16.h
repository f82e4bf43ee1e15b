/* Columns of int16: pairs as they stand in memory; of a run of an odd number of elements the last pair's second is
 * arbitrary. */
#ifndef VT_PACK_S16_H
#define VT_PACK_S16_H

#include "matrix.h"

/* Pairs side by side, or every third word. */
vt_pack_kernel vt_pack1_s16, vt_pack3_s16;

#endif
