#include "pack_s16.h"

#include "vt_simd.h"

VT_INLINE uint32_t *vt_pack(uint32_t *column, const uint8_t *run, int32_t bytes, int32_t rows, int32_t row_step,
                            int32_t step)
{
    const int32_t rest = bytes & 3;
    row_step -= bytes - rest;
    for (; rows > 0; --rows, run += row_step) {
        for (int32_t fours = bytes >> 4; fours > 0; --fours) {
            const uint32_t a = vt_load_word(run);
            const uint32_t b = vt_load_word(run + 4);
            const uint32_t c = vt_load_word(run + 8);
            const uint32_t d = vt_load_word(run + 12);
            run += 16;
            column[0] = a;
            column[step] = b;
            column[2 * step] = c;
            column[3 * step] = d;
            column += 4 * step;
            VT_WALKS(run);
            VT_WALKS(column);
        }
        for (int32_t ones = (bytes >> 2) & 3; ones > 0; --ones) {
            *column = vt_load_word(run);
            run += 4;
            column += step;
            VT_WALKS(run);
            VT_WALKS(column);
        }
        if (rest != 0) {
            *column = run[0] | (uint32_t)run[1] << 8;
            column += step;
        }
    }
    return column;
}

uint32_t *vt_pack1_s16(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step)
{
    return vt_pack(column, run, bytes, rows, row_step, 1);
}

uint32_t *vt_pack3_s16(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step)
{
    return vt_pack(column, run, bytes, rows, row_step, 3);
}
