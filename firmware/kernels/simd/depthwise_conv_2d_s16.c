#include "depthwise_conv_2d_s16.h"

#include "clamp_s16.h"
#include "depthwise_tile.h"

#if VT_DSP
#define VT_FINISH_COUPLE                                                                                               \
    "ldr r11, [r1, #4] @ multiplier\n\t"                                                                               \
    "ldr r12, [r1, #16] @ out_step\n\t"                                                                                \
    "smmulr r9, r9, r11\n\t"                                                                                           \
    "smmulr r10, r10, r11\n\t"                                                                                         \
    "ssat r9, #16, r9\n\t"                                                                                             \
    "ssat r10, #16, r10\n\t"                                                                                           \
    "strh r9, [r2]\n\t"                                                                                                \
    "strh r10, [r2, r12]\n\t"                                                                                          \
    "add r2, r2, r12, lsl #1\n\t"

#define VT_FINISH_SINGLE                                                                                               \
    "ldr r10, [r1, #4] @ multiplier\n\t"                                                                               \
    "smmulr r9, r9, r10\n\t"                                                                                           \
    "ssat r9, #16, r9\n\t"                                                                                             \
    "strh r9, [r2]"
#endif

static void vt_channel_3x3_s16(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                               const uint32_t *weights, const int32_t *constants, void *output)
{
#if VT_DSP
    vt_channel channel;
    vt_begin_channel(&channel, params, plane, along, across, weights, output);
    channel.bias = constants[VT_BIAS_S16];
    channel.multiplier = constants[VT_MULTIPLIER_S16];
    if (params->along.stride == 1) {
        VT_CHANNEL(&channel, VT_COUPLE_1, "256", VT_FINISH_COUPLE, VT_FINISH_SINGLE);
    } else {
        VT_CHANNEL(&channel, VT_COUPLE_2, "512", VT_FINISH_COUPLE, VT_FINISH_SINGLE);
    }
#else
    int16_t *to = output;
    vt_taps taps[3];
    vt_taps_of(weights, taps);
    for (; across > 0; --across) {
        for (int32_t x = 0; x < along; ++x) {
            const int32_t sum = vt_sum_3x3(plane, x, params->along.stride, taps, constants[VT_BIAS_S16]);
            to[x * params->along.out_step / 2] = vt_finish_s16(sum, constants);
        }
        plane += params->across.stride * LINE;
        to += params->across.out_step / 2;
    }
#endif
}

static void vt_channel_any_s16(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                               const uint32_t *weights, const int32_t *constants, void *output)
{
    vt_filter_any(params, plane, along, across, weights, constants, output, 1);
}

void vt_depthwise_3x3_s16_simd(const vt_depthwise_params *params, const int16_t *input,
                               const uint32_t *weights, const int32_t *constants, int16_t *output,
                               void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_3x3_s16, 1);
    vt_clamp_s16(output, params->batches * params->out_bytes / 2, params->activation_min, params->activation_max);
}

void vt_depthwise_s16_simd(const vt_depthwise_params *params, const int16_t *input,
                           const uint32_t *weights, const int32_t *constants, int16_t *output,
                           void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_any_s16, 1);
    vt_clamp_s16(output, params->batches * params->out_bytes / 2, params->activation_min, params->activation_max);
}
