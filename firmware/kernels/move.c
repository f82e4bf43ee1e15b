#include "move.h"

#include <string.h>

typedef struct {
    int32_t index[VT_MOVE_DIMS - 1];
    int32_t input;
    int32_t output;
} vt_move_cursor;

/* Advances to the next innermost loop; 0 when there is none. */
static inline int vt_move_next(const vt_move_params *params, vt_move_cursor *cursor)
{
    for (int32_t dim = VT_MOVE_DIMS - 2; dim >= 0; dim--) {
        cursor->input += params->input_step[dim];
        cursor->output += params->output_step[dim];
        if (++cursor->index[dim] < params->shape[dim]) {
            return 1;
        }
        cursor->input -= params->input_step[dim] * params->shape[dim];
        cursor->output -= params->output_step[dim] * params->shape[dim];
        cursor->index[dim] = 0;
    }
    return 0;
}

void vt_move_runs(const vt_move_params *params, const void *input, void *output)
{
    const int32_t count = params->shape[VT_MOVE_DIMS - 1];
    const int32_t input_step = params->input_step[VT_MOVE_DIMS - 1];
    const int32_t output_step = params->output_step[VT_MOVE_DIMS - 1];
    const size_t run_bytes = (size_t)params->run_bytes;
    vt_move_cursor cursor = {{0}, params->input_offset, params->output_offset};
    do {
        int32_t from = cursor.input;
        int32_t to = cursor.output;
        for (int32_t i = 0; i < count; i++) {
            memcpy((uint8_t *)output + to, (const uint8_t *)input + from, run_bytes);
            from += input_step;
            to += output_step;
        }
    } while (vt_move_next(params, &cursor));
}

#define MOVE_KERNEL(name, type)                                                                                        \
    void name(const vt_move_params *params, const void *input, void *output)                                           \
    {                                                                                                                  \
        const int32_t count = params->shape[VT_MOVE_DIMS - 1];                                                         \
        const int32_t input_step = params->input_step[VT_MOVE_DIMS - 1];                                               \
        const int32_t output_step = params->output_step[VT_MOVE_DIMS - 1];                                             \
        const type *source = (const type *)input;                                                                      \
        type *target = (type *)output;                                                                                 \
        vt_move_cursor cursor = {{0}, params->input_offset, params->output_offset};                                    \
        do {                                                                                                           \
            int32_t from = cursor.input;                                                                               \
            int32_t to = cursor.output;                                                                                \
            for (int32_t i = 0; i < count; i++) {                                                                      \
                target[to] = source[from];                                                                             \
                from += input_step;                                                                                    \
                to += output_step;                                                                                     \
            }                                                                                                          \
        } while (vt_move_next(params, &cursor));                                                                       \
    }

MOVE_KERNEL(vt_move_8, uint8_t)
MOVE_KERNEL(vt_move_16, uint16_t)
MOVE_KERNEL(vt_move_32, uint32_t)
MOVE_KERNEL(vt_move_64, uint64_t)

void vt_copy(const void *input, void *output, int32_t size_bytes)
{
    if (output != input) {
        memcpy(output, input, (size_t)size_bytes);
    }
}
