#include "depthwise_conv_2d_s8.h"

#include "clamp_s8.h"
#include "depthwise_tile.h"

#if VT_DSP
#define VT_TOWARDS_ZERO(sum) "add " sum ", " sum ", " sum ", asr #31\n\t"
#define VT_ANYWHERE(sum) ""

#define VT_FINISH_COUPLE(towards_zero)                                                                                 \
    "ldr r11, [r1, #4] @ multiplier\n\t"                                                                               \
    "ldr r12, [r1, #8] @ rounding\n\t"                                                                                 \
    "smmlar r9, r9, r11, r9\n\t"                                                                                       \
    "smmlar r10, r10, r11, r10\n\t"                                                                                    \
    towards_zero("r9") towards_zero("r10")                                                                             \
    "add r9, r9, r12\n\t"                                                                                              \
    "add r10, r10, r12\n\t"                                                                                            \
    "ldr r11, [r1, #12] @ shift\n\t"                                                                                   \
    "ldr r12, [r1, #16] @ out_step\n\t"                                                                                \
    "asr r9, r9, r11\n\t"                                                                                              \
    "asr r10, r10, r11\n\t"                                                                                            \
    "ssat r9, #8, r9\n\t"                                                                                              \
    "ssat r10, #8, r10\n\t"                                                                                            \
    "strb r9, [r2]\n\t"                                                                                                \
    "strb r10, [r2, r12]\n\t"                                                                                          \
    "add r2, r2, r12, lsl #1\n\t"

#define VT_FINISH_SINGLE(towards_zero)                                                                                 \
    "ldr r10, [r1, #4] @ multiplier\n\t"                                                                               \
    "ldr r11, [r1, #8] @ rounding\n\t"                                                                                 \
    "ldr r12, [r1, #12] @ shift\n\t"                                                                                   \
    "smmlar r9, r9, r10, r9\n\t"                                                                                       \
    towards_zero("r9")                                                                                                 \
    "add r9, r9, r11\n\t"                                                                                              \
    "asr r9, r9, r12\n\t"                                                                                              \
    "ssat r9, #8, r9\n\t"                                                                                              \
    "strb r9, [r2]"

#define VT_FILTER(couple, advance, towards_zero)                                                                       \
    VT_CHANNEL(&channel, couple, advance, VT_FINISH_COUPLE(towards_zero), VT_FINISH_SINGLE(towards_zero))

VT_INLINE void vt_filter(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                         const uint32_t *weights, const int32_t *constants, int8_t *output, int positive)
{
    vt_channel channel;
    vt_begin_channel(&channel, params, plane, along, across, weights, output);
    channel.bias = constants[VT_BIAS];
    channel.multiplier = constants[VT_MULTIPLIER];
    channel.rounding = constants[VT_ROUNDING];
    channel.shift = constants[VT_SHIFT];
    if (params->along.stride == 1) {
        if (positive) {
            VT_FILTER(VT_COUPLE_1, "256", VT_ANYWHERE);
        } else {
            VT_FILTER(VT_COUPLE_1, "256", VT_TOWARDS_ZERO);
        }
    } else {
        if (positive) {
            VT_FILTER(VT_COUPLE_2, "512", VT_ANYWHERE);
        } else {
            VT_FILTER(VT_COUPLE_2, "512", VT_TOWARDS_ZERO);
        }
    }
}
#endif

VT_INLINE void vt_channel_3x3(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                              const uint32_t *weights, const int32_t *constants, int8_t *output, int positive)
{
#if VT_DSP
    if (constants[VT_SHIFT] < VT_LEAST_GENERAL) {
        vt_filter(params, plane, along, across, weights, constants, output, positive);
        return;
    }
#endif
    (void)positive;
    vt_taps taps[3];
    vt_taps_of(weights, taps);
    for (; across > 0; --across) {
        for (int32_t x = 0; x < along; ++x) {
            const int32_t sum = vt_sum_3x3(plane, x, params->along.stride, taps, constants[VT_BIAS]);
            output[x * params->along.out_step] = vt_finish_s8(sum, constants);
        }
        plane += params->across.stride * LINE;
        output += params->across.out_step;
    }
}

static void vt_channel_3x3_s8(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                              const uint32_t *weights, const int32_t *constants, void *output)
{
    vt_channel_3x3(params, plane, along, across, weights, constants, output, 0);
}

static void vt_channel_3x3_s8_positive(const vt_depthwise_params *params, const uint32_t *plane, int32_t along,
                                       int32_t across, const uint32_t *weights, const int32_t *constants, void *output)
{
    vt_channel_3x3(params, plane, along, across, weights, constants, output, 1);
}

static void vt_channel_any_s8(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                              const uint32_t *weights, const int32_t *constants, void *output)
{
    vt_filter_any(params, plane, along, across, weights, constants, output, 0);
}

void vt_depthwise_3x3_s8_simd(const vt_depthwise_params *params, const int8_t *input,
                              const uint32_t *weights, const int32_t *constants, int8_t *output,
                              void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_3x3_s8, 0);
    vt_clamp_s8(output, params->batches * params->out_bytes, params->activation_min, params->activation_max);
}

void vt_depthwise_3x3_s8_simd_positive(const vt_depthwise_params *params, const int8_t *input,
                                       const uint32_t *weights, const int32_t *constants, int8_t *output,
                                       void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_3x3_s8_positive, 0);
    vt_clamp_s8(output, params->batches * params->out_bytes, params->activation_min, params->activation_max);
}

void vt_depthwise_s8_simd(const vt_depthwise_params *params, const int8_t *input,
                          const uint32_t *weights, const int32_t *constants, int8_t *output,
                          void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_any_s8, 0);
    vt_clamp_s8(output, params->batches * params->out_bytes, params->activation_min, params->activation_max);
}
