#include "clamp_s8.h"

#include "vt_simd.h"

void vt_clamp_s8(int8_t *values, int32_t count, int32_t low, int32_t high)
{
    if (low == INT8_MIN && high == INT8_MAX) {
        return;
    }
#if VT_DSP
    const uint32_t lowest = 0x01010101u * ((uint32_t)low & 0xFFu);
    const uint32_t highest = 0x01010101u * ((uint32_t)high & 0xFFu);
    for (; count >= 4; count -= 4, values += 4) {
        vt_store_word(values, vt_min_bytes(vt_max_bytes(vt_load_word(values), lowest), highest));
    }
#endif
    for (; count > 0; --count, ++values) {
        *values = (int8_t)vt_clamp(*values, low, high);
    }
}
