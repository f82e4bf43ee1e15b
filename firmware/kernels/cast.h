/* Conversion between element types as in C, where C leaves it open as TensorFlow Lite does. */
#ifndef VT_CAST_H
#define VT_CAST_H

#include <stdint.h>

/* vt_cast_<from>_<to>. Integers wrap around; from float32, numbers out of range saturate. `b8` is a bool in a byte:
 * 1 for whatever isn't 0. */
#define VT_CAST_TO(from, from_type)                                                                                    \
    void vt_cast_##from##_s8(const from_type *input, int8_t *output, int32_t count);                                   \
    void vt_cast_##from##_u8(const from_type *input, uint8_t *output, int32_t count);                                  \
    void vt_cast_##from##_b8(const from_type *input, uint8_t *output, int32_t count);                                  \
    void vt_cast_##from##_s16(const from_type *input, int16_t *output, int32_t count);                                 \
    void vt_cast_##from##_s32(const from_type *input, int32_t *output, int32_t count);                                 \
    void vt_cast_##from##_s64(const from_type *input, int64_t *output, int32_t count);                                 \
    void vt_cast_##from##_f32(const from_type *input, float *output, int32_t count);

VT_CAST_TO(s8, int8_t)
VT_CAST_TO(u8, uint8_t)
VT_CAST_TO(s16, int16_t)
VT_CAST_TO(s32, int32_t)
VT_CAST_TO(s64, int64_t)
VT_CAST_TO(f32, float)

#endif
