/* The logistic function and the hyperbolic tangent: of int16 by a table of the former, and of float32. */
#ifndef VT_SIGMOID_H
#define VT_SIGMOID_H

#include "vt_math.h"

/* |x| with 3 * 4096 per unit to its logistic function with `bits` + 16 fraction bits, linear between the table's values,
 * which are 2^bits apart. */
static inline int32_t vt_sigmoid_of(const uint16_t *sigmoid, int32_t bits, uint32_t magnitude, int32_t largest)
{
    const uint32_t at = magnitude >> bits;
    if (at >= 255) {
        return largest;
    }
    const uint32_t low = sigmoid[at];
    return (int32_t)((low << bits) + (magnitude & ((1u << bits) - 1)) * (sigmoid[at + 1] - low));
}

static inline uint32_t vt_magnitude(int32_t value)
{
    return value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
}

/* x with 3 * 4096 per unit to 1 / (1 + exp(-x)) with 15 fraction bits. */
static inline int16_t vt_logistic_q15(const uint16_t *sigmoid, int32_t x)
{
    const int32_t value = vt_sigmoid_of(sigmoid, 9, vt_magnitude(x), 0x7FFF << 10);
    return (int16_t)((x >= 0 ? value + (1 << 9) : (1 << 25) - value + (1 << 9) - 1) >> 10);
}

/* x with 3 * 4096 per unit to tanh(x) = 2 / (1 + exp(-2x)) - 1 with 15 fraction bits. */
static inline int16_t vt_tanh_q15(const uint16_t *sigmoid, int32_t x)
{
    const int32_t value = vt_sigmoid_of(sigmoid, 8, vt_magnitude(x), 0xFFFF << 8);
    return (int16_t)((x >= 0 ? value - (1 << 23) + (1 << 7) : -value + (1 << 23) + (1 << 7) - 1) >> 8);
}

/* As TensorFlow Lite has it: exp(x) far below zero, 1 far above. */
static inline float vt_logistic(float x)
{
    if (x > 16.619047164916992f) {
        return 1.0f;
    }
    return x < -9.0f ? vt_exponential(x) : 1.0f / (1.0f + vt_exponential(-x));
}

static inline float vt_hyperbolic_tangent(float x)
{
    const float magnitude = x < 0.0f ? -x : x;
    if (magnitude < 0.625f) {
        /* x + x^3 P(x^2) with P of the least largest error in the interval, 4e-9. */
        const float square = x * x;
        float sum = -0.00571704f;
        sum = sum * square + 0.02065059f;
        sum = sum * square - 0.0537435f;
        sum = sum * square + 0.13331491f;
        sum = sum * square - 0.33333284f;
        return sum * square * x + x;
    }
    const float result = 1.0f - 2.0f / (vt_exponential(2.0f * magnitude) + 1.0f);
    return x < 0.0f ? -result : result;
}

#endif
