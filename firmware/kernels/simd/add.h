/* What the additions of int8 and int16 have in common. */
#ifndef VT_SIMD_ADD_H
#define VT_SIMD_ADD_H

#include <stdint.h>

/* Both inputs come to twice the larger scale, with some bits more. That of the larger scale counts (value + its
 * offset) with one bit less than the other, which is then scaled, rounded and shifted by `scaled_*`. Multipliers are
 * as `vt_scale` takes them (vt_simd.h); offsets have their bits already. */
typedef struct {
    int32_t count;
    int32_t half_offset, scaled_offset;
    int32_t scaled_multiplier, scaled_rounding, scaled_shift;
    int32_t multiplier, rounding, shift;
    int32_t activation_min, activation_max;
} vt_add_simd_params;

#endif
