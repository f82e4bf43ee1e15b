/* int8 addition of two tensors of one shape. */
#ifndef VT_SIMD_ADD_S8_H
#define VT_SIMD_ADD_S8_H

#include "add.h"

/* Inputs gain 20 bits, the halved one 19. `output` may share an input's memory. */
void vt_add_s8_simd(const vt_add_simd_params *params, const int8_t *half, const int8_t *scaled, int8_t *output);

#endif
