/* A 64-tap FIR low-pass over a block of 256 samples, Q15. */
#include "check.h"

#ifndef ITERATIONS
#define ITERATIONS 12
#endif

enum { TAPS = 64, BLOCK = 256 };

const unsigned iterations = ITERATIONS;
int16_t output[BLOCK];

static int16_t coefficients[TAPS];
static int16_t samples[BLOCK + TAPS - 1];

KERNEL void fir_q15(const int16_t *input, const int16_t *taps, int16_t *filtered) {
    for (int n = 0; n < BLOCK; n++) {
        int32_t sum = 1 << 14;
        for (int k = 0; k < TAPS; k++) {
            sum += input[n + k] * taps[k];
        }
        filtered[n] = (int16_t)(sum >> 15);
    }
}

/* A triangle whose sum stays below one, so that 32 bits hold every partial sum. */
static void make_coefficients(void) {
    for (int k = 0; k < TAPS / 2; k++) {
        coefficients[k] = coefficients[TAPS - 1 - k] = (int16_t)(31 * (k + 1));
    }
}

int main(void) {
    make_coefficients();
    fill_random(samples, sizeof samples, 0x0f1e2d3cu);
    for (unsigned i = iteration_count(); i > 0; i--) {
        fir_q15(samples, coefficients, output);
    }
    return check_output("fir", output, sizeof output, 0xedc0b4b9u);
}
