/* Functions of float32 that a C library would have, which the kernels do without. */
#ifndef VT_MATH_H
#define VT_MATH_H

#include <stdint.h>
#include <string.h>

static inline float vt_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t vt_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^value within 2 units in the last place: value = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, 2^n. */
static inline float vt_exponential(float value)
{
    if (value != value) {
        return value;
    }
    if (value > 88.7228394f) {
        return vt_float_of_bits(0x7F800000u);
    }
    if (value < -103.972084f) {
        return 0.0f;
    }
    const int32_t n = (int32_t)(value * 1.44269504f + (value < 0.0f ? -0.5f : 0.5f));
    /* ln 2 in two parts, the first with few enough bits for its product with n to be exact. */
    const float r = (value - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    float sum = 1.0f / 5040.0f;
    sum = sum * r + 1.0f / 720.0f;
    sum = sum * r + 1.0f / 120.0f;
    sum = sum * r + 1.0f / 24.0f;
    sum = sum * r + 1.0f / 6.0f;
    sum = sum * r + 0.5f;
    sum = sum * r * r + r + 1.0f;
    /* In two steps, for results that are subnormal or near the largest number. */
    const int32_t half = n / 2;
    return sum * vt_float_of_bits((uint32_t)(half + 127) << 23) * vt_float_of_bits((uint32_t)(n - half + 127) << 23);
}

/* The correctly rounded square root of the normal number `value`, bit by bit. */
static inline float vt_square_root_by_bits(float value)
{
    const uint32_t bits = vt_bits_of_float(value);
    const int32_t exponent = (int32_t)(bits >> 23) - 127;
    const uint64_t mantissa = (bits & 0x7FFFFFu) | 0x800000u;
    const uint64_t radicand = mantissa << (25 + (exponent & 1));
    uint64_t root = 0;
    for (int32_t bit = 24; bit >= 0; bit--) {
        const uint64_t candidate = root | ((uint64_t)1 << bit);
        if (candidate * candidate <= radicand) {
            root = candidate;
        }
    }
    const uint32_t rounded = (uint32_t)((root + 1) >> 1);
    const int32_t half = exponent >> 1;
    return vt_float_of_bits(((uint32_t)(half + 126) << 23) + rounded);
}

/* The correctly rounded square root; not a number for negative ones. */
static inline float vt_square_root(float value)
{
#if defined(__ARM_FP) && (__ARM_FP & 4)
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t"(root) : "t"(value));
    return root;
#else
    const uint32_t bits = vt_bits_of_float(value);
    if ((bits << 1) == 0 || (bits >> 31) != 0 || bits >= 0x7F800000u) {
        return (bits << 1) == 0 || bits == 0x7F800000u ? value : vt_float_of_bits(0x7FC00000u);
    }
    if (bits < 0x800000u) {
        return vt_square_root_by_bits(value * 16777216.0f) * (1.0f / 4096.0f);
    }
    return vt_square_root_by_bits(value);
#endif
}

#endif
