#include "clamp_s8.h"

#include "vt_simd.h"

void vt_clamp_s8(int8_t *values, int32_t count, int32_t low, int32_t high)
{
    if (low == INT8_MIN && high == INT8_MAX) {
        return;
    }
#if VT_DSP
    const int8x4_t lowest = (int8x4_t)(0x01010101u * ((uint32_t)low & 0xFFu));
    const int8x4_t highest = (int8x4_t)(0x01010101u * ((uint32_t)high & 0xFFu));
    for (; count >= 4; count -= 4, values += 4) {
        int8x4_t four = (int8x4_t)vt_load_word(values);
        (void)__ssub8(four, lowest);
        four = (int8x4_t)__sel((uint8x4_t)four, (uint8x4_t)lowest);
        (void)__ssub8(highest, four);
        four = (int8x4_t)__sel((uint8x4_t)four, (uint8x4_t)highest);
        __builtin_memcpy(values, &four, sizeof four);
    }
#endif
    for (; count > 0; --count, ++values) {
        *values = (int8_t)vt_clamp(*values, low, high);
    }
}
