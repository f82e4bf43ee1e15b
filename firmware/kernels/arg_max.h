/* The index of the largest or smallest element along an axis, the first of several. */
#ifndef VT_ARG_MAX_H
#define VT_ARG_MAX_H

#include <stdint.h>

/* The input as (outer, axis, inner). */
typedef struct {
    int32_t outer, axis, inner;
} vt_arg_max_params;

/* vt_arg_<max|min>_<input>_<index>. */
#define VT_ARG_MAX_OF(type, name)                                                                                      \
    void vt_arg_max_##name##_s32(const vt_arg_max_params *params, const type *input, int32_t *output);                 \
    void vt_arg_max_##name##_s64(const vt_arg_max_params *params, const type *input, int64_t *output);                 \
    void vt_arg_min_##name##_s32(const vt_arg_max_params *params, const type *input, int32_t *output);                 \
    void vt_arg_min_##name##_s64(const vt_arg_max_params *params, const type *input, int64_t *output);

VT_ARG_MAX_OF(int8_t, s8)
VT_ARG_MAX_OF(uint8_t, u8)
VT_ARG_MAX_OF(int16_t, s16)
VT_ARG_MAX_OF(int32_t, s32)
VT_ARG_MAX_OF(float, f32)

#endif
