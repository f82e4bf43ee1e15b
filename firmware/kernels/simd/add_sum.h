/* One sum of two elements (add.h). */
#ifndef VT_SIMD_ADD_SUM_H
#define VT_SIMD_ADD_SUM_H

#include "add.h"
#include "vt_simd.h"

VT_INLINE int32_t vt_sum(const vt_add_simd_params *params, int32_t half, int32_t scaled, int32_t bits)
{
    int32_t value = vt_scale(params->scaled_offset + scaled * (1 << bits), params->scaled_multiplier);
    value = (value + (value >> 31) + params->scaled_rounding) >> params->scaled_shift;
    value += params->half_offset + half * (1 << (bits - 1));
    return vt_finish(value, params->multiplier, params->rounding, params->shift, 0);
}

#endif
