/* Columns for cores without the DSP extension: int8 elements widened to words, in their order. */
#ifndef VT_PACK_S8_SCALAR_H
#define VT_PACK_S8_SCALAR_H

#include "matrix.h"

/* Elements side by side, or every third word. */
vt_pack_kernel vt_pack1_s8_scalar, vt_pack3_s8_scalar;

#endif
