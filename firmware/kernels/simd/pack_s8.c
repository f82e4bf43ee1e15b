#include "pack_s8.h"

#include "vt_simd.h"

/* What is left after the fours, at most three bytes. */
VT_INLINE uint32_t *vt_pack_rest(uint32_t *column, const int8_t *run, int32_t count, int32_t step)
{
    if (count == 1) {
        column[0] = (uint32_t)(int32_t)run[0];
        return column + step;
    }
    if (count == 2) {
        column[0] = vt_pair(run[0], run[1]);
        return column + step;
    }
    column[0] = vt_pair(run[0], run[2]);
    column[step] = (uint32_t)(int32_t)run[1];
    return column + 2 * step;
}

VT_INLINE uint32_t *vt_pack(uint32_t *column, const int8_t *run, int32_t count, int32_t rows, int32_t row_step,
                            int32_t step)
{
    const int32_t rest = count & 3;
    row_step -= count - rest;
    for (; rows > 0; --rows, run += row_step) {
        /* Sixteen bytes: four loads in a row overlap, stores cost a cycle each. */
        for (int32_t sixteens = count >> 4; sixteens > 0; --sixteens) {
            const uint32_t a = vt_load_word(run);
            const uint32_t b = vt_load_word(run + 4);
            const uint32_t c = vt_load_word(run + 8);
            const uint32_t d = vt_load_word(run + 12);
            run += 16;
            column[0] = vt_even_bytes(a);
            column[step] = vt_odd_bytes(a);
            column[2 * step] = vt_even_bytes(b);
            column[3 * step] = vt_odd_bytes(b);
            column[4 * step] = vt_even_bytes(c);
            column[5 * step] = vt_odd_bytes(c);
            column[6 * step] = vt_even_bytes(d);
            column[7 * step] = vt_odd_bytes(d);
            column += 8 * step;
            VT_WALKS(run);
            VT_WALKS(column);
        }
        for (int32_t fours = (count >> 2) & 3; fours > 0; --fours) {
            const uint32_t word = vt_load_word(run);
            run += 4;
            column[0] = vt_even_bytes(word);
            column[step] = vt_odd_bytes(word);
            column += 2 * step;
            VT_WALKS(run);
            VT_WALKS(column);
        }
        if (rest != 0) {
            column = vt_pack_rest(column, run, rest, step);
        }
    }
    return column;
}

uint32_t *vt_pack1_s8(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step)
{
    return vt_pack(column, run, bytes, rows, row_step, 1);
}

uint32_t *vt_pack3_s8(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step)
{
    return vt_pack(column, run, bytes, rows, row_step, 3);
}
