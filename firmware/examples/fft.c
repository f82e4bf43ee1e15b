/* A 256-point complex FFT, radix 2, decimation in time: single precision where there is an FPU, Q15 elsewhere. */
#include "check.h"

#ifndef ITERATIONS
#define ITERATIONS 24
#endif

enum { POINTS = 256, LOG2_POINTS = 8 };

const unsigned iterations = ITERATIONS;

/* sin(2 pi i / 256) for the first quarter turn, Q15. */
static const int16_t quarter_sine[POINTS / 4 + 1] = {
    0, 804, 1608, 2411, 3212, 4011, 4808, 5602, 6393, 7180, 7962, 8740, 9512,
    10279, 11039, 11793, 12540, 13279, 14010, 14733, 15447, 16151, 16846, 17531, 18205, 18868,
    19520, 20160, 20788, 21403, 22006, 22595, 23170, 23732, 24279, 24812, 25330, 25833, 26320,
    26791, 27246, 27684, 28106, 28511, 28899, 29269, 29622, 29957, 30274, 30572, 30853, 31114,
    31357, 31581, 31786, 31972, 32138, 32286, 32413, 32522, 32610, 32679, 32729, 32758, 32767,
};

#ifdef __ARM_FP
typedef float Real;
#define FROM_Q15(x) ((float)(x) * (1.0f / 32768.0f))
#define SCALED(product) (product)
#define HALVED(x) ((x) * 0.5f)
typedef float Product;
#define EXPECTED 0x9bb7e059u
#else
typedef int16_t Real;
#define FROM_Q15(x) ((int16_t)(x))
#define SCALED(product) (((product) + (1 << 14)) >> 15)
#define HALVED(x) ((int16_t)((x) >> 1))
typedef int32_t Product;
#define EXPECTED 0xe1a3a183u
#endif

typedef struct {
    Real re, im;
} Complex;

Complex output[POINTS];

static Complex input[POINTS];
static Complex twiddles[POINTS / 2];

static int sine_q15(int i) {
    const int within = i & (POINTS / 2 - 1);
    const int value = quarter_sine[within <= POINTS / 4 ? within : POINTS / 2 - within];
    return (i & (POINTS / 2)) != 0 ? -value : value;
}

static void make_tables(void) {
    for (int i = 0; i < POINTS / 2; i++) {
        twiddles[i].re = FROM_Q15(sine_q15(i + POINTS / 4));
        twiddles[i].im = FROM_Q15(-sine_q15(i));
    }
    uint32_t state = 0x5eed0002u;
    for (int i = 0; i < POINTS; i++) {
        input[i].re = FROM_Q15((int16_t)next_random(&state));
        input[i].im = FROM_Q15((int16_t)next_random(&state));
    }
}

KERNEL void bit_reverse(const Complex *from, Complex *to) {
    for (unsigned i = 0; i < POINTS; i++) {
        unsigned reversed = 0;
        for (unsigned bit = 0; bit < LOG2_POINTS; bit++) {
            reversed |= ((i >> bit) & 1u) << (LOG2_POINTS - 1 - bit);
        }
        to[reversed] = from[i];
    }
}

/* In place; every stage halves, so the result is the transform divided by the number of points. */
KERNEL void fft_stages(Complex *data, const Complex *factors) {
    for (int half = 1; half < POINTS; half *= 2) {
        const int stride = POINTS / 2 / half;
        for (int start = 0; start < POINTS; start += 2 * half) {
            for (int k = 0; k < half; k++) {
                Complex *upper = &data[start + k];
                Complex *lower = upper + half;
                const Complex w = factors[k * stride];
                const Product re = SCALED((Product)w.re * lower->re - (Product)w.im * lower->im);
                const Product im = SCALED((Product)w.re * lower->im + (Product)w.im * lower->re);
                const Complex top = *upper;
                upper->re = HALVED(top.re + re);
                upper->im = HALVED(top.im + im);
                lower->re = HALVED(top.re - re);
                lower->im = HALVED(top.im - im);
            }
        }
    }
}

KERNEL void fft(const Complex *from, Complex *to) {
    bit_reverse(from, to);
    fft_stages(to, twiddles);
}

int main(void) {
    make_tables();
    for (unsigned i = iteration_count(); i > 0; i--) {
        fft(input, output);
    }
    return check_output("fft", output, sizeof output, EXPECTED);
}
