/* Products of packed weights with columns (vt_pack.h), requantised to int8.
 *
 * Weights: for each two output channels a stream of words, one for every pair of elements, whose bytes are (channel 0 element 0,
 * channel 1 element 0, channel 0 element 1, channel 1 element 1). Pairs come in blocks of four, padded with zeros.
 */
#ifndef VT_MATRIX_S8_H
#define VT_MATRIX_S8_H

#include <stdint.h>

typedef struct {
    int32_t blocks;   /* of four pairs, in a column */
    int32_t channels; /* of the output, an odd one is padded with one of zero weights */
    int32_t activation_min, activation_max;
} vt_matrix;

/* What the kernels for three columns and for one have in common: `constants` has VT_CHANNEL_WORDS words per channel.
 * Three columns are interleaved word by word. Element c of pixel p goes to output[p * channels + c].
 */
typedef void vt_matrix_kernel(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                              const int32_t *constants, int8_t *output);

/* An activation range of all int8: */
vt_matrix_kernel vt_matrix3_s8, vt_matrix1_s8;
/* The same, and -128 is the output's zero point: */
vt_matrix_kernel vt_matrix3_s8_positive, vt_matrix1_s8_positive;
/* Any activation range: */
vt_matrix_kernel vt_matrix3_s8_clamped, vt_matrix1_s8_clamped;

#endif
