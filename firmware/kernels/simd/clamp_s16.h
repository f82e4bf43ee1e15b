/* An activation range narrower than int16, applied after the fact: kernels saturate to int16 by themselves. */
#ifndef VT_CLAMP_S16_H
#define VT_CLAMP_S16_H

#include <stdint.h>

/* Nothing to do for -32768..32767. */
void vt_clamp_s16(int16_t *values, int32_t count, int32_t low, int32_t high);

#endif
