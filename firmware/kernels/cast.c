#include "cast.h"

#include "vt_quant.h"

/* Towards zero, saturating; 0 for what isn't a number. */
static inline int32_t vt_whole_s32(float value)
{
    if (value >= 2147483648.0f) {
        return INT32_MAX;
    }
    return value > -2147483648.0f ? (int32_t)value : value == value ? INT32_MIN : 0;
}

static inline int64_t vt_whole_s64(float value)
{
    if (value >= 9223372036854775808.0f) {
        return INT64_MAX;
    }
    return value > -9223372036854775808.0f ? (int64_t)value : value == value ? INT64_MIN : 0;
}

#define VT_CAST_KERNEL(from, from_type, to, to_type, result)                                                           \
    void vt_cast_##from##_##to(const from_type *input, to_type *output, int32_t count)                                 \
    {                                                                                                                  \
        for (int32_t i = 0; i < count; i++) {                                                                          \
            const from_type x = input[i];                                                                              \
            output[i] = (result);                                                                                      \
        }                                                                                                              \
    }

#define VT_CAST_INTEGER(from, from_type)                                                                               \
    VT_CAST_KERNEL(from, from_type, s8, int8_t, (int8_t)(uint8_t)x)                                                    \
    VT_CAST_KERNEL(from, from_type, u8, uint8_t, (uint8_t)x)                                                           \
    VT_CAST_KERNEL(from, from_type, b8, uint8_t, (uint8_t)(x != 0))                                                    \
    VT_CAST_KERNEL(from, from_type, s16, int16_t, (int16_t)(uint16_t)x)                                                \
    VT_CAST_KERNEL(from, from_type, s32, int32_t, (int32_t)(uint32_t)x)                                                \
    VT_CAST_KERNEL(from, from_type, s64, int64_t, (int64_t)x)                                                          \
    VT_CAST_KERNEL(from, from_type, f32, float, (float)x)

VT_CAST_INTEGER(s8, int8_t)
VT_CAST_INTEGER(u8, uint8_t)
VT_CAST_INTEGER(s16, int16_t)
VT_CAST_INTEGER(s32, int32_t)
VT_CAST_INTEGER(s64, int64_t)

VT_CAST_KERNEL(f32, float, s8, int8_t, (int8_t)vt_clamp(vt_whole_s32(x), INT8_MIN, INT8_MAX))
VT_CAST_KERNEL(f32, float, u8, uint8_t, (uint8_t)vt_clamp(vt_whole_s32(x), 0, UINT8_MAX))
VT_CAST_KERNEL(f32, float, b8, uint8_t, (uint8_t)(x != 0.0f))
VT_CAST_KERNEL(f32, float, s16, int16_t, (int16_t)vt_clamp(vt_whole_s32(x), INT16_MIN, INT16_MAX))
VT_CAST_KERNEL(f32, float, s32, int32_t, vt_whole_s32(x))
VT_CAST_KERNEL(f32, float, s64, int64_t, vt_whole_s64(x))
VT_CAST_KERNEL(f32, float, f32, float, x)
