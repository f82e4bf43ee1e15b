/* int8 addition of two tensors of one shape. */
#ifndef VT_SIMD_ADD_S8_H
#define VT_SIMD_ADD_S8_H

#include <stdint.h>

/* The input of the larger scale counts (value + its offset) << 19, the other one (value + its offset) << 20 scaled, rounded and
 * shifted by `scaled_*`; multipliers are as `vt_scale` takes them (vt_simd.h). */
typedef struct {
    int32_t count;
    int32_t half_offset;   /* << 19 */
    int32_t scaled_offset; /* << 20 */
    int32_t scaled_multiplier, scaled_rounding, scaled_shift;
    int32_t multiplier, rounding, shift;
    int32_t activation_min, activation_max;
} vt_add_s8_simd_params;

/* `output` may share an input's memory. */
void vt_add_s8_simd(const vt_add_s8_simd_params *params, const int8_t *half, const int8_t *scaled, int8_t *output);

#endif
