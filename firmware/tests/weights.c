/* One int8 fully connected layer, its weights read once from where the linker put constants and once from a copy in RAM.
   What the first costs more, divided by WEIGHT_BYTES, is the cost of a byte that streams in from that memory. They are
   larger than the caches in front of the flash of an STM32L4+, U5 or F7. */
#include "check.h"
#include "print.h"

enum { INPUTS = 512, OUTPUTS = 32, WEIGHT_BYTES = INPUTS * OUTPUTS };

static const int8_t constant[OUTPUTS][INPUTS] __attribute__((aligned(32))) = {
    [0 ... OUTPUTS / 2 - 1] = {[0 ... INPUTS - 1] = 3},
    [OUTPUTS / 2 ... OUTPUTS - 1] = {[0 ... INPUTS - 1] = -5},
};
static int8_t copied[OUTPUTS][INPUTS] __attribute__((aligned(32)));
static int8_t input[INPUTS];

struct {
    int32_t from_constants[OUTPUTS], from_copy[OUTPUTS];
} output;

KERNEL void layer(const int8_t (*weights)[INPUTS], int32_t *sums) {
    for (int row = 0; row < OUTPUTS; row++) {
        int32_t sum = 0;
        for (int column = 0; column < INPUTS; column++) {
            sum += input[column] * weights[row][column];
        }
        sums[row] = sum;
    }
}

KERNEL void weights_in_constants(void) {
    layer(constant, output.from_constants);
}

KERNEL void weights_in_ram(void) {
    layer((const int8_t(*)[INPUTS])copied, output.from_copy);
}

static int differ(void) {
    int count = 0;
    for (int row = 0; row < OUTPUTS; row++) {
        count += output.from_constants[row] != output.from_copy[row];
    }
    return count;
}

int main(void) {
    fill_random(input, sizeof input, 0x5eed0009u);
    for (int row = 0; row < OUTPUTS; row++) {
        for (int column = 0; column < INPUTS; column++) {
            copied[row][column] = constant[row][column];
        }
    }
    weights_in_ram();
    weights_in_constants();
    print_text(differ() ? "weights differ\n" : "weights ok\n");
    return differ();
}
