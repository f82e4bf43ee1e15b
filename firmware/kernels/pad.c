#include "pad.h"

#include <string.h>

enum { VT_PAD_ROW = VT_PAD_DIMS - 1 };

/* Advances the index of an output row; 0 when there is none left. */
static inline int vt_pad_next(const int32_t *shape, const int32_t *before, const int32_t *after, int32_t *index)
{
    for (int32_t dim = VT_PAD_ROW - 1; dim >= 0; dim--) {
        if (++index[dim] < before[dim] + shape[dim] + after[dim]) {
            return 1;
        }
        index[dim] = 0;
    }
    return 0;
}

/* Whether an output row has anything of the input in it. Such rows come in the input's order. */
static inline int vt_pad_inside(const vt_pad_params *params, const int32_t *index)
{
    for (int32_t dim = 0; dim < VT_PAD_ROW; dim++) {
        if (index[dim] < params->before[dim] || index[dim] >= params->before[dim] + params->shape[dim]) {
            return 0;
        }
    }
    return 1;
}

#define PAD_KERNEL(name, type)                                                                                         \
    static inline type *name##_fill(type *output, int32_t count, type value)                                           \
    {                                                                                                                  \
        for (int32_t i = 0; i < count; i++) {                                                                          \
            *output++ = value;                                                                                         \
        }                                                                                                              \
        return output;                                                                                                 \
    }                                                                                                                  \
    void name(const vt_pad_params *params, const void *input, const void *value, void *output)                         \
    {                                                                                                                  \
        const type *source = (const type *)input;                                                                      \
        type *target = (type *)output;                                                                                 \
        const type padding = *(const type *)value;                                                                     \
        const int32_t width = params->shape[VT_PAD_ROW];                                                               \
        int32_t index[VT_PAD_ROW] = {0};                                                                               \
        do {                                                                                                           \
            if (vt_pad_inside(params, index)) {                                                                        \
                target = name##_fill(target, params->before[VT_PAD_ROW], padding);                                     \
                memcpy(target, source, (size_t)width * sizeof(type));                                                  \
                target = name##_fill(target + width, params->after[VT_PAD_ROW], padding);                              \
                source += width;                                                                                       \
            } else {                                                                                                   \
                target = name##_fill(target, params->before[VT_PAD_ROW] + width + params->after[VT_PAD_ROW], padding); \
            }                                                                                                          \
        } while (vt_pad_next(params->shape, params->before, params->after, index));                                    \
    }

PAD_KERNEL(vt_pad_8, uint8_t)
PAD_KERNEL(vt_pad_16, uint16_t)
PAD_KERNEL(vt_pad_32, uint32_t)
PAD_KERNEL(vt_pad_64, uint64_t)

/* The input's index that an output's index shows, which lies at most one reflection away. */
static inline int32_t vt_mirrored(const vt_mirror_pad_params *params, int32_t dim, int32_t index)
{
    const int32_t size = params->shape[dim];
    const int32_t at = index - params->before[dim];
    if (at < 0) {
        return -at - 1 + params->edge;
    }
    return at < size ? at : 2 * size - 1 - at - params->edge;
}

void vt_mirror_pad(const vt_mirror_pad_params *params, const void *input, void *output)
{
    const size_t run_bytes = (size_t)params->run_bytes;
    const int32_t width = params->before[VT_PAD_ROW] + params->shape[VT_PAD_ROW] + params->after[VT_PAD_ROW];
    uint8_t *target = (uint8_t *)output;
    int32_t index[VT_PAD_ROW] = {0};
    do {
        int32_t row = 0;
        for (int32_t dim = 0; dim < VT_PAD_ROW; dim++) {
            row = row * params->shape[dim] + vt_mirrored(params, dim, index[dim]);
        }
        const uint8_t *source = (const uint8_t *)input + (size_t)(row * params->shape[VT_PAD_ROW]) * run_bytes;
        for (int32_t x = 0; x < width; x++) {
            memcpy(target, source + (size_t)vt_mirrored(params, VT_PAD_ROW, x) * run_bytes, run_bytes);
            target += run_bytes;
        }
    } while (vt_pad_next(params->shape, params->before, params->after, index));
}
