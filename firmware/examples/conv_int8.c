/* An int8 convolution as TensorFlow Lite defines it: 12x12x8 by sixteen 3x3 filters, no padding, 32-bit sums,
   a multiplier and a shift per output channel. */
#include "check.h"

#ifndef ITERATIONS
#define ITERATIONS 1
#endif

enum {
    IN_SIDE = 12,
    IN_CHANNELS = 8,
    KERNEL_SIDE = 3,
    OUT_SIDE = IN_SIDE - KERNEL_SIDE + 1,
    OUT_CHANNELS = 16,
    INPUT_OFFSET = 5,
    OUTPUT_OFFSET = -3,
};

const unsigned iterations = ITERATIONS;
int8_t output[OUT_SIDE][OUT_SIDE][OUT_CHANNELS];

static int8_t input[IN_SIDE][IN_SIDE][IN_CHANNELS];
static int8_t weights[OUT_CHANNELS][KERNEL_SIDE][KERNEL_SIDE][IN_CHANNELS];
static int32_t biases[OUT_CHANNELS];
static int32_t multipliers[OUT_CHANNELS];
static int8_t shifts[OUT_CHANNELS];

static int8_t requantise(int32_t sum, int32_t multiplier, int shift) {
    const int64_t rounding = (int64_t)1 << (shift - 1);
    int32_t value = (int32_t)(((int64_t)sum * multiplier + rounding) >> shift) + OUTPUT_OFFSET;
    value = value < -128 ? -128 : value;
    value = value > 127 ? 127 : value;
    return (int8_t)value;
}

/* One pixel's channels, unrolled by hand as fast kernels are; -O2 keeps loops. */
static inline int32_t dot8(const int8_t *pixel, const int8_t *weight) {
    _Static_assert(IN_CHANNELS == 8, "dot8 covers all channels");
    return (pixel[0] + INPUT_OFFSET) * weight[0] + (pixel[1] + INPUT_OFFSET) * weight[1] +
           (pixel[2] + INPUT_OFFSET) * weight[2] + (pixel[3] + INPUT_OFFSET) * weight[3] +
           (pixel[4] + INPUT_OFFSET) * weight[4] + (pixel[5] + INPUT_OFFSET) * weight[5] +
           (pixel[6] + INPUT_OFFSET) * weight[6] + (pixel[7] + INPUT_OFFSET) * weight[7];
}

static int32_t window_sum(int y, int x, int channel) {
    int32_t sum = biases[channel];
    for (int ky = 0; ky < KERNEL_SIDE; ky++) {
        for (int kx = 0; kx < KERNEL_SIDE; kx++) {
            const int8_t *pixel = input[y + ky][x + kx];
            const int8_t *weight = weights[channel][ky][kx];
            sum += dot8(pixel, weight);
        }
    }
    return sum;
}

KERNEL void conv_int8(void) {
    for (int y = 0; y < OUT_SIDE; y++) {
        for (int x = 0; x < OUT_SIDE; x++) {
            for (int channel = 0; channel < OUT_CHANNELS; channel++) {
                const int32_t sum = window_sum(y, x, channel);
                output[y][x][channel] = requantise(sum, multipliers[channel], shifts[channel]);
            }
        }
    }
}

static void make_parameters(void) {
    fill_random(input, sizeof input, 0x5eed0003u);
    fill_random(weights, sizeof weights, 0x5eed0004u);
    uint32_t state = 0x5eed0005u;
    for (int channel = 0; channel < OUT_CHANNELS; channel++) {
        biases[channel] = (int32_t)next_random(&state) >> 20;
        multipliers[channel] = (int32_t)(0x40000000u | (next_random(&state) >> 2));
        shifts[channel] = (int8_t)(38 + (channel & 3));
    }
}

int main(void) {
    make_parameters();
    for (unsigned i = iteration_count(); i > 0; i--) {
        conv_int8();
    }
    return check_output("conv_int8", output, sizeof output, 0xb7a1f4feu);
}
