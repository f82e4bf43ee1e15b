/* int8 pooling of at least four channels, four at a time. */
#ifndef VT_SIMD_POOL_2D_S8_H
#define VT_SIMD_POOL_2D_S8_H

#include "pool_2d.h"

/* A window of at most 255 elements: sums stay within 16 bits. */
void vt_average_pool_2d_s8_simd(const vt_pool_2d_params *params, const int8_t *input, int8_t *output);

void vt_max_pool_2d_s8_simd(const vt_pool_2d_params *params, const int8_t *input, int8_t *output);

#endif
