#include "fully_connected.h"

#include "vt_quant.h"

/* Every output element in order; `accumulate` sees `in` and `row` at their element `d`, `store` the unit `u`. */
#define VT_UNITS_EACH(input_type, filter_type, declare, accumulate, store)                                             \
    for (int32_t n = 0; n < params->batches; ++n) {                                                                    \
        const input_type *in = input + n * params->depth;                                                              \
        for (int32_t u = 0; u < params->units; ++u) {                                                                  \
            const filter_type *row = filter + u * params->depth;                                                       \
            declare;                                                                                                   \
            for (int32_t d = 0; d < params->depth; ++d) {                                                              \
                accumulate;                                                                                            \
            }                                                                                                          \
            store;                                                                                                     \
        }                                                                                                              \
    }

void vt_fully_connected_s8(const vt_fully_connected_params *params, const int8_t *input, const int8_t *filter,
                           const int32_t *bias, const int32_t *multiplier, const int32_t *shift, int8_t *output)
{
    VT_UNITS_EACH(int8_t, int8_t, int32_t sum = 0, sum = vt_mac(sum, row[d], in[d] + params->input_offset), {
        const int32_t m = u * params->multiplier_step;
        sum = bias != NULL ? vt_add(sum, bias[u]) : sum;
        sum = vt_add(vt_requantise(sum, multiplier[m], shift[m]), params->output_offset);
        *output++ = (int8_t)vt_clamp(sum, params->activation_min, params->activation_max);
    })
}

void vt_fully_connected_s16(const vt_fully_connected_params *params, const int16_t *input, const int8_t *filter,
                            const int64_t *bias, const int32_t *multiplier, const int32_t *shift, int16_t *output)
{
    VT_UNITS_EACH(int16_t, int8_t, int64_t sum = 0, sum += row[d] * in[d], {
        const int32_t m = u * params->multiplier_step;
        sum = bias != NULL ? sum + bias[u] : sum;
        const int32_t scaled = vt_requantise_s64(sum, multiplier[m], shift[m]);
        *output++ = (int16_t)vt_clamp(scaled, params->activation_min, params->activation_max);
    })
}

void vt_fully_connected_s16_acc32(const vt_fully_connected_params *params, const int16_t *input, const int8_t *filter,
                                  const int32_t *bias, const int32_t *multiplier, const int32_t *shift,
                                  int16_t *output)
{
    VT_UNITS_EACH(int16_t, int8_t, int32_t sum = 0, sum = vt_mac(sum, row[d], in[d]), {
        const int32_t m = u * params->multiplier_step;
        sum = bias != NULL ? vt_add(sum, bias[u]) : sum;
        sum = vt_requantise(sum, multiplier[m], shift[m]);
        *output++ = (int16_t)vt_clamp(sum, params->activation_min, params->activation_max);
    })
}

void vt_fully_connected_f32(const vt_fully_connected_f32_params *params, const float *input, const float *filter,
                            const float *bias, float *output)
{
    VT_UNITS_EACH(float, float, float sum = 0.0f, sum += row[d] * in[d], {
        sum = bias != NULL ? sum + bias[u] : sum;
        *output++ = vt_clamp_f32(sum, params->activation_min, params->activation_max);
    })
}
