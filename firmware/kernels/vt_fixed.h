/* Fixed-point functions: a value with n integer bits is an int32 that stands for value / 2^(31 - n). */
#ifndef VT_FIXED_H
#define VT_FIXED_H

#include "vt_quant.h"

/* value * 2^exponent, held within int32; exponent in 0..31. */
static inline int32_t vt_saturating_shift_left(int32_t value, int32_t exponent)
{
    const int32_t largest = INT32_MAX >> exponent;
    if (value > largest) {
        return INT32_MAX;
    }
    return value < -largest - 1 ? INT32_MIN : vt_shift_left(value, exponent);
}

/* 1 / (1 + value) without integer bits, for value in [0, 1) without: Newton's division from 48/17 - 32/17 d. */
static inline int32_t vt_reciprocal_of_one_plus(int32_t value)
{
    const int32_t half_denominator = (int32_t)(((int64_t)value + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + vt_doubling_high_multiply(half_denominator, -1010580540);
    for (int32_t step = 0; step < 3; ++step) {
        const int32_t error = (1 << 29) - vt_doubling_high_multiply(half_denominator, x);
        x = vt_add(x, vt_saturating_shift_left(vt_doubling_high_multiply(x, error), 2));
    }
    return vt_saturating_shift_left(x, 1);
}

/* The number of zero bits above the highest one; 32 for 0. */
static inline int32_t vt_leading_zeros(uint32_t value)
{
    return value == 0 ? 32 : __builtin_clz(value);
}

/* A function by its table of 513 values at every 128th int16, linear in between. */
static inline int16_t vt_interpolate_s16(const int16_t *table, int16_t value)
{
    const int32_t offset = value + 32768;
    const int16_t *at = table + (offset >> 7);
    const int32_t slope = (int16_t)(at[1] - at[0]);
    return (int16_t)(at[0] + ((slope * (offset & 127) + 64) >> 7));
}

#endif
