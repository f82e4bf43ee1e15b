/* Data movement: nested loops that copy runs of bytes or single elements from one place to another.
 * Concatenation, splitting, slicing, packing, unpacking and transposition are such loops.
 */
#ifndef VT_MOVE_H
#define VT_MOVE_H

#include <stdint.h>

#define VT_MOVE_DIMS 6

/* Extents and steps, outermost first (unused outer dimensions: extent 1, step 0), and where both sides begin.
 * vt_move_runs: all in bytes, `run_bytes` are copied at once; vt_move_8 … vt_move_64: in elements of so many bits.
 */
typedef struct {
    int32_t shape[VT_MOVE_DIMS];
    int32_t input_step[VT_MOVE_DIMS];
    int32_t output_step[VT_MOVE_DIMS];
    int32_t input_offset;
    int32_t output_offset;
    int32_t run_bytes;
} vt_move_params;

void vt_move_runs(const vt_move_params *params, const void *input, void *output);
void vt_move_8(const vt_move_params *params, const void *input, void *output);
void vt_move_16(const vt_move_params *params, const void *input, void *output);
void vt_move_32(const vt_move_params *params, const void *input, void *output);
void vt_move_64(const vt_move_params *params, const void *input, void *output);

/* Copies all of a tensor, unless both are in the same place. */
void vt_copy(const void *input, void *output, int32_t size_bytes);

#endif
