#include "gather.h"

#include <string.h>

#define VT_GATHER_KERNEL(name, type)                                                                                   \
    void name(const vt_gather_params *params, const void *input, const type *indices, void *output)                    \
    {                                                                                                                  \
        const size_t run_bytes = (size_t)params->run_bytes;                                                            \
        const uint8_t *source = (const uint8_t *)input;                                                                \
        uint8_t *target = (uint8_t *)output;                                                                           \
        for (int32_t batch = 0; batch < params->batches; batch++) {                                                    \
            for (int32_t outer = 0; outer < params->outer; outer++) {                                                  \
                for (int32_t i = 0; i < params->indices; i++) {                                                        \
                    const type index = indices[i];                                                                     \
                    const int32_t at = index < 0 ? 0 : index < params->axis ? (int32_t)index : params->axis - 1;       \
                    memcpy(target, source + (size_t)at * run_bytes, run_bytes);                                        \
                    target += run_bytes;                                                                               \
                }                                                                                                      \
                source += (size_t)params->axis * run_bytes;                                                            \
            }                                                                                                          \
            indices += params->indices;                                                                                \
        }                                                                                                              \
    }

VT_GATHER_KERNEL(vt_gather_s16, int16_t)
VT_GATHER_KERNEL(vt_gather_s32, int32_t)
VT_GATHER_KERNEL(vt_gather_s64, int64_t)
