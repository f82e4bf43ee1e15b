/* An activation range narrower than int8, applied after the fact: kernels saturate to int8 by themselves. */
#ifndef VT_CLAMP_S8_H
#define VT_CLAMP_S8_H

#include <stdint.h>

/* Nothing to do for -128..127. */
void vt_clamp_s8(int8_t *values, int32_t count, int32_t low, int32_t high);

#endif
