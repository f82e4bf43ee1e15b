/* Products of packed weights with columns (pack_s8.h), requantised to int8.
 *
 * Weights: for each two output channels a stream of words, one for every pair of elements, whose bytes are (channel 0 element 0,
 * channel 1 element 0, channel 0 element 1, channel 1 element 1). Pairs come in blocks of four, padded with zeros.
 */
#ifndef VT_MATRIX_S8_H
#define VT_MATRIX_S8_H

#include <stdint.h>

typedef struct {
    int32_t blocks;   /* of four pairs, in a column; at least one */
    int32_t channels; /* of the output; an odd one is padded with one of zero weights */
} vt_matrix;

/* `constants` has VT_CHANNEL_WORDS words per channel (vt_simd.h). Element c of pixel p goes to output[p * channels + c]. */
typedef void vt_matrix_kernel(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                              const int32_t *constants, int8_t *output);

/* One column. */
vt_matrix_kernel vt_matrix1_s8;
/* Three columns, interleaved word by word: */
vt_matrix_kernel vt_matrix3_s8;
/* where -128 is the output's zero point, */
vt_matrix_kernel vt_matrix3_s8_positive;
/* and where some channel is in general form. */
vt_matrix_kernel vt_matrix3_s8_general;

#endif
