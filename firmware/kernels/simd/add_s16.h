/* int16 addition of two tensors of one shape. */
#ifndef VT_SIMD_ADD_S16_H
#define VT_SIMD_ADD_S16_H

#include "add.h"

/* Inputs gain 15 bits, the halved one 14. `output` may share an input's memory. */
void vt_add_s16_simd(const vt_add_simd_params *params, const int16_t *half, const int16_t *scaled, int16_t *output);

#endif
