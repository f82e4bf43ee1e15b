#include "pack_s8.h"

#include "vt_simd.h"

/* Sixteen bytes: four loads in a row overlap, stores cost a cycle each. */
VT_INLINE void vt_pack_16(uint32_t *column, const int8_t *run, int32_t step)
{
    const uint32_t a = vt_load_word(run);
    const uint32_t b = vt_load_word(run + 4);
    const uint32_t c = vt_load_word(run + 8);
    const uint32_t d = vt_load_word(run + 12);
    column[0] = vt_even_bytes(a);
    column[step] = vt_odd_bytes(a);
    column[2 * step] = vt_even_bytes(b);
    column[3 * step] = vt_odd_bytes(b);
    column[4 * step] = vt_even_bytes(c);
    column[5 * step] = vt_odd_bytes(c);
    column[6 * step] = vt_even_bytes(d);
    column[7 * step] = vt_odd_bytes(d);
}

VT_INLINE uint32_t *vt_pack_rest(uint32_t *column, const int8_t *run, int32_t count, int32_t step)
{
    switch (count) {
    case 1:
        column[0] = (uint32_t)(int32_t)run[0];
        return column + step;
    case 2:
        column[0] = vt_pair(run[0], run[1]);
        return column + step;
    case 3:
        column[0] = vt_pair(run[0], run[2]);
        column[step] = (uint32_t)(int32_t)run[1];
        return column + 2 * step;
    default:
        return column;
    }
}

VT_INLINE uint32_t *vt_pack(uint32_t *column, const int8_t *run, int32_t count, int32_t step)
{
    for (; count >= 16; count -= 16, run += 16, column += 8 * step) {
        vt_pack_16(column, run, step);
    }
    for (; count >= 4; count -= 4, run += 4, column += 2 * step) {
        const uint32_t word = vt_load_word(run);
        column[0] = vt_even_bytes(word);
        column[step] = vt_odd_bytes(word);
    }
    return vt_pack_rest(column, run, count, step);
}

uint32_t *vt_pack1_s8(uint32_t *column, const int8_t *run, int32_t count)
{
    return vt_pack(column, run, count, 1);
}

uint32_t *vt_pack3_s8(uint32_t *column, const int8_t *run, int32_t count)
{
    return vt_pack(column, run, count, 3);
}
