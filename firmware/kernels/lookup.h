/* Functions of one variable: by table where quantised, computed in float32. */
#ifndef VT_LOOKUP_H
#define VT_LOOKUP_H

#include <stdint.h>

/* `table` has 256 elements, in the order of the input's bits taken as unsigned. */
void vt_lookup_s8(const int8_t *table, const int8_t *input, int8_t *output, int32_t count);

/* `table` has 513 elements, of every 128th input from the smallest on; between them it is linear. */
void vt_lookup_s16(const int16_t *table, const int16_t *input, int16_t *output, int32_t count);

void vt_exp_f32(const float *input, float *output, int32_t count);
void vt_rsqrt_f32(const float *input, float *output, int32_t count);

#endif
