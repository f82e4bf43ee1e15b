/* Padding with a value, or with the image of the input in its edges. */
#ifndef VT_PAD_H
#define VT_PAD_H

#include <stdint.h>

#define VT_PAD_DIMS 5

/* Extents of the input and what is added before and after, outermost first, in elements; unused outer dimensions have
 * extent 1 and nothing added.
 */
typedef struct {
    int32_t shape[VT_PAD_DIMS];
    int32_t before[VT_PAD_DIMS];
    int32_t after[VT_PAD_DIMS];
} vt_pad_params;

/* The same, with the innermost dimension in elements of `run_bytes`. `edge` is 1 if the edge itself isn't repeated
 * (REFLECT), 0 if it is (SYMMETRIC).
 */
typedef struct {
    int32_t shape[VT_PAD_DIMS];
    int32_t before[VT_PAD_DIMS];
    int32_t after[VT_PAD_DIMS];
    int32_t edge;
    int32_t run_bytes;
} vt_mirror_pad_params;

void vt_pad_8(const vt_pad_params *params, const void *input, const void *value, void *output);
void vt_pad_16(const vt_pad_params *params, const void *input, const void *value, void *output);
void vt_pad_32(const vt_pad_params *params, const void *input, const void *value, void *output);
void vt_pad_64(const vt_pad_params *params, const void *input, const void *value, void *output);
void vt_mirror_pad(const vt_mirror_pad_params *params, const void *input, void *output);

#endif
