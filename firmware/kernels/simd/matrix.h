/* Products of packed weights with columns of pairs of int16.
 *
 * Weights: for each two output channels a stream of words, one for every pair of elements, whose bytes are (channel 0
 * element 0, channel 1 element 0, channel 0 element 1, channel 1 element 1). Pairs come in blocks of four, padded with
 * zeros.
 */
#ifndef VT_MATRIX_H
#define VT_MATRIX_H

#include <stdint.h>

typedef struct {
    int32_t blocks;   /* of four pairs, in a column; at least one */
    int32_t channels; /* of the output; an odd one is padded with one of zero weights */
    int32_t unused;   /* elements of the last block: float32 can't multiply what isn't there by zero */
} vt_matrix;

/* Element c of pixel p goes to output[p * channels + c]. `constants` depend on the type. */
typedef void vt_matrix_kernel(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                              const int32_t *constants, void *output);

/* Writes the pairs of `rows` runs of `bytes` that begin `row_step` bytes apart; returns where the next pair goes. */
typedef uint32_t *vt_pack_kernel(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step);

#endif
