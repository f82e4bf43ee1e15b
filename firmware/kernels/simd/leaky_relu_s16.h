/* int16 LEAKY_RELU. */
#ifndef VT_SIMD_LEAKY_RELU_S16_H
#define VT_SIMD_LEAKY_RELU_S16_H

#include <stdint.h>

/* Positive values are shifted to the left, scaled, rounded and shifted to the right, negative ones scaled, rounded and
 * shifted. Multipliers are as `vt_scale` takes them (vt_simd.h). */
typedef struct {
    int32_t positive_left, positive_multiplier, positive_rounding, positive_shift;
    int32_t negative_multiplier, negative_rounding, negative_shift;
} vt_leaky_relu_s16_simd_params;

/* `output` may be `input`. */
void vt_leaky_relu_s16_simd(const vt_leaky_relu_s16_simd_params *params, const int16_t *input, int16_t *output,
                            int32_t count);

#endif
