#include "pack_s8_scalar.h"

#include "vt_simd.h"

VT_INLINE uint32_t *vt_pack(uint32_t *column, const int8_t *run, int32_t bytes, int32_t rows, int32_t row_step,
                            int32_t step)
{
    for (; rows > 0; --rows, run += row_step) {
        int32_t i = 0;
        for (; i < (bytes & ~3); i += 4, column += 4 * step) {
            column[0] = (uint32_t)(int32_t)run[i];
            column[step] = (uint32_t)(int32_t)run[i + 1];
            column[2 * step] = (uint32_t)(int32_t)run[i + 2];
            column[3 * step] = (uint32_t)(int32_t)run[i + 3];
        }
        for (; i < bytes; ++i, column += step) {
            column[0] = (uint32_t)(int32_t)run[i];
        }
    }
    return column;
}

uint32_t *vt_pack1_s8_scalar(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step)
{
    return vt_pack(column, run, bytes, rows, row_step, 1);
}

uint32_t *vt_pack3_s8_scalar(uint32_t *column, const void *run, int32_t bytes, int32_t rows, int32_t row_step)
{
    return vt_pack(column, run, bytes, rows, row_step, 3);
}
