/* Loops over two inputs and one output in which an input's step is 0 along what it is broadcast over. */
#ifndef VT_BROADCAST_H
#define VT_BROADCAST_H

#include <stdint.h>

#define VT_BROADCAST_DIMS 5

/* Extents and the inputs' steps in elements, outermost first; unused outer dimensions have extent 1 and step 0.
 * The output is dense.
 */
typedef struct {
    int32_t shape[VT_BROADCAST_DIMS];
    int32_t step1[VT_BROADCAST_DIMS];
    int32_t step2[VT_BROADCAST_DIMS];
} vt_broadcast;

/* Where the innermost loop stands: offsets of its first elements in both inputs. */
typedef struct {
    int32_t index[VT_BROADCAST_DIMS - 1];
    int32_t offset1;
    int32_t offset2;
} vt_broadcast_cursor;

/* Advances to the next innermost loop; 0 when there is none. */
static inline int vt_broadcast_next(const vt_broadcast *loop, vt_broadcast_cursor *cursor)
{
    for (int32_t dim = VT_BROADCAST_DIMS - 2; dim >= 0; dim--) {
        cursor->offset1 += loop->step1[dim];
        cursor->offset2 += loop->step2[dim];
        if (++cursor->index[dim] < loop->shape[dim]) {
            return 1;
        }
        cursor->offset1 -= loop->step1[dim] * loop->shape[dim];
        cursor->offset2 -= loop->step2[dim] * loop->shape[dim];
        cursor->index[dim] = 0;
    }
    return 0;
}

/* A kernel of two inputs: `result` is computed from the elements a and b and the parameters p, whose member is `loop`.
 * The output may share an input's memory where that input isn't broadcast.
 */
#define VT_BINARY_KERNEL(name, params_type, type, result)                                                              \
    void name(const params_type *params, const type *input1, const type *input2, type *output)                         \
    {                                                                                                                  \
        const vt_broadcast *loop = &params->loop;                                                                      \
        const int32_t count = loop->shape[VT_BROADCAST_DIMS - 1];                                                      \
        const int32_t step1 = loop->step1[VT_BROADCAST_DIMS - 1];                                                      \
        const int32_t step2 = loop->step2[VT_BROADCAST_DIMS - 1];                                                      \
        vt_broadcast_cursor cursor = {{0}, 0, 0};                                                                      \
        do {                                                                                                           \
            const type *x = input1 + cursor.offset1;                                                                   \
            const type *y = input2 + cursor.offset2;                                                                   \
            for (int32_t i = 0; i < count; i++) {                                                                      \
                const type a = *x;                                                                                     \
                const type b = *y;                                                                                     \
                *output++ = (result);                                                                                  \
                x += step1;                                                                                            \
                y += step2;                                                                                            \
            }                                                                                                          \
        } while (vt_broadcast_next(loop, &cursor));                                                                    \
    }

#endif
