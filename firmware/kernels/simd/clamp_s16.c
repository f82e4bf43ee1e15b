#include "clamp_s16.h"

#include "vt_simd.h"

void vt_clamp_s16(int16_t *values, int32_t count, int32_t low, int32_t high)
{
    if (low == INT16_MIN && high == INT16_MAX) {
        return;
    }
    const uint32_t lowest = vt_pair(low, low);
    const uint32_t highest = vt_pair(high, high);
    for (; count >= 2; count -= 2, values += 2) {
        vt_store_word(values, vt_min_halves(vt_max_halves(vt_load_word(values), lowest), highest));
    }
    if (count > 0) {
        *values = (int16_t)vt_clamp(*values, low, high);
    }
}
