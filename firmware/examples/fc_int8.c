/* An int8 fully connected layer: 256 inputs, 64 outputs, one multiplier and shift for the layer. */
#include "check.h"

#ifndef ITERATIONS
#define ITERATIONS 12
#endif

enum { INPUTS = 256, OUTPUTS = 64, INPUT_OFFSET = 128, OUTPUT_OFFSET = -11, MULTIPLIER = 1518500250, SHIFT = 42 };

const unsigned iterations = ITERATIONS;
int8_t output[OUTPUTS];

static int8_t input[INPUTS];
static int8_t weights[OUTPUTS][INPUTS];
static int32_t biases[OUTPUTS];

static int8_t requantise(int32_t sum) {
    const int64_t scaled = (int64_t)sum * MULTIPLIER + ((int64_t)1 << (SHIFT - 1));
    int32_t value = (int32_t)(scaled >> SHIFT) + OUTPUT_OFFSET;
    value = value < -128 ? -128 : value;
    value = value > 127 ? 127 : value;
    return (int8_t)value;
}

KERNEL void fc_int8(const int8_t *from, int8_t *to) {
    for (int row = 0; row < OUTPUTS; row++) {
        int32_t sum = biases[row];
        for (int column = 0; column < INPUTS; column++) {
            sum += (from[column] + INPUT_OFFSET) * weights[row][column];
        }
        to[row] = requantise(sum);
    }
}

int main(void) {
    fill_random(input, sizeof input, 0x5eed0006u);
    fill_random(weights, sizeof weights, 0x5eed0007u);
    uint32_t state = 0x5eed0008u;
    for (int row = 0; row < OUTPUTS; row++) {
        biases[row] = (int32_t)next_random(&state) >> 18;
    }
    for (unsigned i = iteration_count(); i > 0; i--) {
        fc_int8(input, output);
    }
    return check_output("fc_int8", output, sizeof output, 0x2b1f53f4u);
}
