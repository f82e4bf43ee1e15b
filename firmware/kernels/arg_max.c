#include "arg_max.h"

#define VT_ARG_KERNEL(name, type, index_type, better)                                                                  \
    void name(const vt_arg_max_params *params, const type *input, index_type *output)                                  \
    {                                                                                                                  \
        for (int32_t outer = 0; outer < params->outer; outer++) {                                                      \
            for (int32_t inner = 0; inner < params->inner; inner++) {                                                  \
                const type *at = input + inner;                                                                        \
                type best = *at;                                                                                       \
                index_type best_index = 0;                                                                             \
                for (int32_t i = 1; i < params->axis; i++) {                                                           \
                    at += params->inner;                                                                               \
                    if (*at better best) {                                                                             \
                        best = *at;                                                                                    \
                        best_index = i;                                                                                \
                    }                                                                                                  \
                }                                                                                                      \
                *output++ = best_index;                                                                                \
            }                                                                                                          \
            input += params->axis * params->inner;                                                                     \
        }                                                                                                              \
    }

#define VT_ARG_KERNELS(type, name)                                                                                     \
    VT_ARG_KERNEL(vt_arg_max_##name##_s32, type, int32_t, >)                                                           \
    VT_ARG_KERNEL(vt_arg_max_##name##_s64, type, int64_t, >)                                                           \
    VT_ARG_KERNEL(vt_arg_min_##name##_s32, type, int32_t, <)                                                           \
    VT_ARG_KERNEL(vt_arg_min_##name##_s64, type, int64_t, <)

VT_ARG_KERNELS(int8_t, s8)
VT_ARG_KERNELS(uint8_t, u8)
VT_ARG_KERNELS(int16_t, s16)
VT_ARG_KERNELS(int32_t, s32)
VT_ARG_KERNELS(float, f32)
