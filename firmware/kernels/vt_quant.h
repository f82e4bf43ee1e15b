/* Fixed-point arithmetic that the quantised kernels share.
 *
 * A real multiplier is a 31-bit fraction and a power of two: value * multiplier / 2^31 * 2^shift. Right shifts of negative
 * numbers are arithmetic on every compiler that these kernels are built with; sums that could leave 32 bits wrap around.
 */
#ifndef VT_QUANT_H
#define VT_QUANT_H

#include <stddef.h>
#include <stdint.h>

/* a + b, wrapping around. */
static inline int32_t vt_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* accumulator + a * b, wrapping around. */
static inline int32_t vt_mac(int32_t accumulator, int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)accumulator + (uint32_t)a * (uint32_t)b);
}

static inline int32_t vt_clamp(int32_t value, int32_t low, int32_t high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

static inline float vt_clamp_f32(float value, float low, float high)
{
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* value * 2^exponent, wrapping around; exponent in 0..31. */
static inline int32_t vt_shift_left(int32_t value, int32_t exponent)
{
    return (int32_t)((uint32_t)value << exponent);
}

/* The high half of 2 * a * b, rounded; saturates where a and b are both the smallest number. */
static inline int32_t vt_doubling_high_multiply(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* value / 2^exponent, halves away from zero; exponent in 0..31. */
static inline int32_t vt_rounding_divide(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1);
    const int32_t threshold = (mask >> 1) + (value < 0);
    return (value >> exponent) + ((value & mask) > threshold);
}

/* value * multiplier / 2^31 * 2^shift with a rounding after each step; multiplier >= 0, shift in -31..30. */
static inline int32_t vt_requantise(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int64_t product = (int64_t)vt_shift_left(value, left) * multiplier;
    return vt_rounding_divide((int32_t)((product + ((int64_t)1 << 30)) >> 31), right);
}

/* The same of a 64-bit value with the multiplier rounded to 15 bits; multiplier >= 0, shift in -31..14. */
static inline int32_t vt_requantise_s64(int64_t value, int32_t multiplier, int32_t shift)
{
    const int32_t reduced = multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
    const int32_t right = 15 - shift;
    const uint64_t product = (uint64_t)value * (uint64_t)reduced + ((uint64_t)1 << (right - 1));
    return (int32_t)((int64_t)product >> right);
}

#endif
