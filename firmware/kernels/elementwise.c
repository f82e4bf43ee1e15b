#include "elementwise.h"

#include "vt_quant.h"

static inline int32_t vt_difference(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* The first and the second input in the common scale. */
static inline int32_t vt_scaled1(const vt_add_params *params, int32_t a)
{
    const int32_t shifted = (params->input1_offset + a) * ((int32_t)1 << params->left_shift);
    return vt_requantise(shifted, params->input1_multiplier, params->input1_shift);
}

static inline int32_t vt_scaled2(const vt_add_params *params, int32_t b)
{
    const int32_t shifted = (params->input2_offset + b) * ((int32_t)1 << params->left_shift);
    return vt_requantise(shifted, params->input2_multiplier, params->input2_shift);
}

static inline int32_t vt_rescaled(const vt_add_params *params, int32_t value)
{
    const int32_t result = vt_requantise(value, params->output_multiplier, params->output_shift);
    return vt_clamp(result + params->output_offset, params->activation_min, params->activation_max);
}

static inline int32_t vt_sum_of(const vt_add_params *params, int32_t a, int32_t b)
{
    return vt_rescaled(params, vt_scaled1(params, a) + vt_scaled2(params, b));
}

static inline int32_t vt_squared_difference_of(const vt_add_params *params, int32_t a, int32_t b)
{
    const int32_t difference = vt_scaled1(params, a) - vt_scaled2(params, b);
    return vt_rescaled(params, vt_mac(0, difference, difference));
}

static inline int32_t vt_product_of(const vt_mul_params *params, int32_t a, int32_t b)
{
    const int32_t product = (params->input1_offset + a) * (params->input2_offset + b);
    const int32_t result = vt_requantise(product, params->output_multiplier, params->output_shift);
    return vt_clamp(result + params->output_offset, params->activation_min, params->activation_max);
}

/* Both sums saturate to int16 before the activation. */
static inline int32_t vt_sum_pot_of(const vt_add_pot_params *params, int32_t a, int32_t b)
{
    const int32_t sum =
        vt_rounding_divide(a, params->input1_shift) + vt_rounding_divide(b, params->input2_shift);
    return vt_clamp(vt_clamp(sum, INT16_MIN, INT16_MAX), params->activation_min, params->activation_max);
}

static inline int32_t vt_difference_pot_of(const vt_add_pot_params *params, int32_t a, int32_t b)
{
    const int32_t difference =
        vt_rounding_divide(a, params->input1_shift) - vt_rounding_divide(b, params->input2_shift);
    return vt_clamp(vt_clamp(difference, INT16_MIN, INT16_MAX), params->activation_min, params->activation_max);
}

VT_BINARY_KERNEL(vt_add_s8, vt_add_params, int8_t, (int8_t)vt_sum_of(params, a, b))
VT_BINARY_KERNEL(vt_add_u8, vt_add_params, uint8_t, (uint8_t)vt_sum_of(params, a, b))
VT_BINARY_KERNEL(vt_add_s16, vt_add_params, int16_t, (int16_t)vt_sum_of(params, a, b))
VT_BINARY_KERNEL(vt_add_pot_s16, vt_add_pot_params, int16_t, (int16_t)vt_sum_pot_of(params, a, b))
VT_BINARY_KERNEL(vt_sub_pot_s16, vt_add_pot_params, int16_t, (int16_t)vt_difference_pot_of(params, a, b))
VT_BINARY_KERNEL(vt_add_f32, vt_elementwise_f32_params, float,
                 vt_clamp_f32(a + b, params->activation_min, params->activation_max))
VT_BINARY_KERNEL(vt_sub_f32, vt_elementwise_f32_params, float,
                 vt_clamp_f32(a - b, params->activation_min, params->activation_max))
VT_BINARY_KERNEL(vt_add_s32, vt_elementwise_s32_params, int32_t,
                 vt_clamp(vt_add(a, b), params->activation_min, params->activation_max))
VT_BINARY_KERNEL(vt_sub_s32, vt_elementwise_s32_params, int32_t,
                 vt_clamp(vt_difference(a, b), params->activation_min, params->activation_max))

VT_BINARY_KERNEL(vt_mul_s8, vt_mul_params, int8_t, (int8_t)vt_product_of(params, a, b))
VT_BINARY_KERNEL(vt_mul_u8, vt_mul_params, uint8_t, (uint8_t)vt_product_of(params, a, b))
VT_BINARY_KERNEL(vt_mul_s16, vt_mul_params, int16_t, (int16_t)vt_product_of(params, a, b))
VT_BINARY_KERNEL(vt_mul_f32, vt_elementwise_f32_params, float,
                 vt_clamp_f32(a * b, params->activation_min, params->activation_max))
VT_BINARY_KERNEL(vt_mul_s32, vt_elementwise_s32_params, int32_t,
                 vt_clamp(vt_mac(0, a, b), params->activation_min, params->activation_max))

VT_BINARY_KERNEL(vt_squared_difference_s8, vt_add_params, int8_t, (int8_t)vt_squared_difference_of(params, a, b))
VT_BINARY_KERNEL(vt_squared_difference_s16, vt_add_params, int16_t, (int16_t)vt_squared_difference_of(params, a, b))
VT_BINARY_KERNEL(vt_squared_difference_f32, vt_elementwise_params, float, (a - b) * (a - b))
VT_BINARY_KERNEL(vt_squared_difference_s32, vt_elementwise_params, int32_t,
                 vt_mac(0, vt_difference(a, b), vt_difference(a, b)))

VT_BINARY_KERNEL(vt_maximum_s8, vt_elementwise_params, int8_t, a > b ? a : b)
VT_BINARY_KERNEL(vt_maximum_u8, vt_elementwise_params, uint8_t, a > b ? a : b)
VT_BINARY_KERNEL(vt_maximum_s16, vt_elementwise_params, int16_t, a > b ? a : b)
VT_BINARY_KERNEL(vt_maximum_s32, vt_elementwise_params, int32_t, a > b ? a : b)
VT_BINARY_KERNEL(vt_maximum_s64, vt_elementwise_params, int64_t, a > b ? a : b)
VT_BINARY_KERNEL(vt_maximum_f32, vt_elementwise_params, float, a > b ? a : b)
VT_BINARY_KERNEL(vt_minimum_s8, vt_elementwise_params, int8_t, a < b ? a : b)
VT_BINARY_KERNEL(vt_minimum_u8, vt_elementwise_params, uint8_t, a < b ? a : b)
VT_BINARY_KERNEL(vt_minimum_s16, vt_elementwise_params, int16_t, a < b ? a : b)
VT_BINARY_KERNEL(vt_minimum_s32, vt_elementwise_params, int32_t, a < b ? a : b)
VT_BINARY_KERNEL(vt_minimum_s64, vt_elementwise_params, int64_t, a < b ? a : b)
VT_BINARY_KERNEL(vt_minimum_f32, vt_elementwise_params, float, a < b ? a : b)
