#include "prelu.h"

#include "vt_quant.h"

static int32_t vt_prelu_of(const vt_prelu_params *params, int32_t input, int32_t alpha)
{
    const int32_t value = input + params->input_offset;
    const int32_t scaled =
        value >= 0 ? vt_requantise(value, params->positive_multiplier, params->positive_shift)
                   : vt_requantise(vt_mac(0, value, alpha + params->alpha_offset), params->negative_multiplier,
                                   params->negative_shift);
    return vt_clamp(vt_add(scaled, params->output_offset), INT8_MIN, INT8_MAX);
}

VT_BINARY_KERNEL(vt_prelu_s8, vt_prelu_params, int8_t, (int8_t)vt_prelu_of(params, a, b))

VT_BINARY_KERNEL(vt_prelu_f32, vt_prelu_f32_params, float, a >= 0.0f ? a : a * b)
