/* Quantisation by division: signed and unsigned divides by operands of many sizes, saturation in IT blocks. */
#include "check.h"

#ifndef ITERATIONS
#define ITERATIONS 24
#endif

enum { VALUES = 1024, CHANNELS = 16 };

const unsigned iterations = ITERATIONS;

struct {
    int8_t quantised[VALUES];
    uint8_t shares[VALUES];
} output;

static int32_t values[VALUES];
static int32_t scales[CHANNELS];

static int32_t clamp(int32_t value, int32_t low, int32_t high) {
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}

/* Each value over its channel's scale, half away from zero. */
KERNEL void quantise(const int32_t *from, int8_t *to) {
    for (int i = 0; i < VALUES; i++) {
        const int32_t scale = scales[i % CHANNELS];
        const int32_t half = from[i] < 0 ? -(scale / 2) : scale / 2;
        to[i] = (int8_t)clamp((from[i] + half) / scale, -128, 127);
    }
}

/* Each magnitude's share of the largest in its channel, 0..255. */
KERNEL void share_of_peak(const int32_t *from, uint8_t *to) {
    for (int channel = 0; channel < CHANNELS; channel++) {
        uint32_t peak = 1;
        for (int i = channel; i < VALUES; i += CHANNELS) {
            const uint32_t magnitude = (uint32_t)(from[i] < 0 ? -from[i] : from[i]);
            peak = magnitude > peak ? magnitude : peak;
        }
        for (int i = channel; i < VALUES; i += CHANNELS) {
            const uint32_t magnitude = (uint32_t)(from[i] < 0 ? -from[i] : from[i]);
            to[i] = (uint8_t)((magnitude * 255u) / peak);
        }
    }
}

static void make_values(void) {
    uint32_t state = 0x5eed000au;
    for (int i = 0; i < CHANNELS; i++) {
        scales[i] = 1 + (int32_t)(next_random(&state) >> (20 + i / 2));
    }
    for (int i = 0; i < VALUES; i++) {
        values[i] = (int32_t)next_random(&state) >> (8 + i % 16);
    }
}

int main(void) {
    make_values();
    for (unsigned i = iteration_count(); i > 0; i--) {
        quantise(values, output.quantised);
        share_of_peak(values, output.shares);
    }
    return check_output("quantise", &output, sizeof output, 0xe252f55cu);
}
