/* Four cascaded second-order sections over 256 samples: Q29 coefficients with 64-bit sums everywhere, and the same
   cascade in single precision with fused multiply-adds where there is an FPU. */
#include "check.h"

#ifndef ITERATIONS
#define ITERATIONS 16
#endif

enum { STAGES = 4, BLOCK = 256, FRACTION_BITS = 29 };

typedef struct {
    int32_t b0, b1, b2, a1, a2;
} Section;

const unsigned iterations = ITERATIONS;

/* Stable by construction: poles at radius 0.9 and below; numerators sum to the denominators, so the gain at zero
   frequency is one. Q29: 536870912 is 1. */
static const Section sections[STAGES] = {
    {26843546, 53687091, 26843546, 644245094, -214748365},
    {53687091, 107374182, 53687091, 536870912, -214748364},
    {80530637, 107374182, 80530637, 429496730, -161061274},
    {107374182, 214748365, 107374182, 322122547, -214748364},
};

static int32_t samples[BLOCK];

#ifdef __ARM_FP
struct {
    int32_t fixed[BLOCK];
    float single[BLOCK];
} output;

static float samples_f32[BLOCK];
#else
struct {
    int32_t fixed[BLOCK];
} output;
#endif

/* Direct form I; every sample passes through all sections. */
KERNEL void biquad_q29(const int32_t *input, int32_t *filtered) {
    for (int stage = 0; stage < STAGES; stage++) {
        const Section *s = &sections[stage];
        const int32_t *from = stage == 0 ? input : filtered;
        int32_t x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        for (int n = 0; n < BLOCK; n++) {
            const int32_t x0 = from[n];
            int64_t sum = (int64_t)s->b0 * x0;
            sum += (int64_t)s->b1 * x1;
            sum += (int64_t)s->b2 * x2;
            sum += (int64_t)s->a1 * y1;
            sum += (int64_t)s->a2 * y2;
            x2 = x1;
            x1 = x0;
            y2 = y1;
            y1 = (int32_t)(sum >> FRACTION_BITS);
            filtered[n] = y1;
        }
    }
}

#ifdef __ARM_FP
static float unit(int32_t fixed) {
    return (float)fixed * (1.0f / (1 << FRACTION_BITS));
}

/* Transposed direct form II. */
KERNEL void biquad_f32(const float *input, float *filtered) {
    for (int stage = 0; stage < STAGES; stage++) {
        const Section *s = &sections[stage];
        const float b0 = unit(s->b0), b1 = unit(s->b1), b2 = unit(s->b2), a1 = unit(s->a1), a2 = unit(s->a2);
        const float *from = stage == 0 ? input : filtered;
        float d1 = 0.0f, d2 = 0.0f;
        for (int n = 0; n < BLOCK; n++) {
            const float x = from[n];
            const float y = __builtin_fmaf(b0, x, d1);
            d1 = __builtin_fmaf(a1, y, __builtin_fmaf(b1, x, d2));
            d2 = __builtin_fmaf(a2, y, b2 * x);
            filtered[n] = y;
        }
    }
}
#endif

static void make_samples(void) {
    uint32_t state = 0x5eed0001u;
    for (int n = 0; n < BLOCK; n++) {
        samples[n] = (int32_t)next_random(&state) >> 4;
#ifdef __ARM_FP
        samples_f32[n] = unit(samples[n]);
#endif
    }
}

int main(void) {
    make_samples();
    for (unsigned i = iteration_count(); i > 0; i--) {
        biquad_q29(samples, output.fixed);
#ifdef __ARM_FP
        biquad_f32(samples_f32, output.single);
#endif
    }
#ifdef __ARM_FP
    return check_output("biquad", &output, sizeof output, 0xfd26de69u);
#else
    return check_output("biquad", &output, sizeof output, 0x0c5ae8dcu);
#endif
}
