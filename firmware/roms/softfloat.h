/* Arithmetic and elementary functions in single or double precision, instantiated by WIDTH 32 or 64.

   As the RP2040's boot ROM has them (datasheet 2.8.3.2): rounding to nearest, ties to even; denormal operands and
   results are zero; NaNs are taken as infinities and never returned. Arguments and results are the bits of the numbers,
   in the registers where the soft-float procedure call standard has them.

   A number inside is a sign, an exponent and a mantissa: mantissa * 2^(exponent - BIAS - TOP), the mantissa's leading
   one at bit TOP = WIDTH - 2, with a "sticky" lowest bit that is one if anything below was not zero. Fractions are
   words in Q(WIDTH): 2^-WIDTH per unit.

   Add, subtract, multiply, divide, square root and conversions are exact but for the one rounding. The elementary
   functions are right to 0.55 (single) or 1 (double) unit in the last place, but sines, cosines and tangents of angles
   beyond an eighth of a turn have an absolute error of up to 2^-29 (2^-60), as the angle is reduced in fixed point. */
#include <stdint.h>

#if WIDTH == 32
typedef uint32_t Word;
typedef int32_t Signed;
#define FRACTION 23
#define BIAS 127
#define F(name) rom_f##name
#define CONSTANT(high, low) 0x##high##u
#else
typedef uint64_t Word;
typedef int64_t Signed;
#define FRACTION 52
#define BIAS 1023
#define F(name) rom_d##name
#define CONSTANT(high, low) 0x##high##low##ull
#endif

#define TOP (WIDTH - 2)
#define GUARD (TOP - FRACTION)
#define SIGN ((Word)1 << (WIDTH - 1))
#define HIDDEN ((Word)1 << FRACTION)
#define SPECIAL (2 * BIAS + 1) /* the exponent of infinities and NaNs */
#define INFINITE ((Word)SPECIAL << FRACTION)
#define ALL (~(Word)0)

extern uint32_t rom_clz32(uint32_t value);

typedef struct {
    Word sign;
    int exponent;
    Word mantissa;
} Number;

/* ---- words -------------------------------------------------------------------------------------------------- */

static inline int leading_zeros(Word value) {
#if WIDTH == 64
    const uint32_t high = (uint32_t)(value >> 32);
    return (int)(high ? rom_clz32(high) : 32 + rom_clz32((uint32_t)value));
#else
    return (int)rom_clz32(value);
#endif
}

static inline Word F(shift_right_sticky)(Word value, int distance) {
    if (distance >= WIDTH) {
        return value != 0;
    }
    return distance == 0 ? value : value >> distance | (value << (WIDTH - distance) != 0);
}

static inline uint64_t multiply32(uint32_t a, uint32_t b) {
    const uint32_t a1 = a >> 16, a0 = a & 0xffffu, b1 = b >> 16, b0 = b & 0xffffu;
    uint32_t high = a1 * b1;
    uint32_t low = a0 * b0;
    const uint32_t middle = a1 * b0;
    const uint32_t middle2 = a0 * b1;
    high += (middle >> 16) + (middle2 >> 16);
    const uint64_t sum = (uint64_t)low + (middle << 16) + (uint64_t)(middle2 << 16);
    high += (uint32_t)(sum >> 32);
    low = (uint32_t)sum;
    return (uint64_t)high << 32 | low;
}

/* The high word of a product; the low one is left at `low`. */
static __attribute__((noinline)) Word F(multiply)(Word a, Word b, Word *low) {
#if WIDTH == 32
    const uint64_t product = multiply32(a, b);
    *low = (Word)product;
    return (Word)(product >> 32);
#else
    const uint32_t a1 = (uint32_t)(a >> 32), a0 = (uint32_t)a, b1 = (uint32_t)(b >> 32), b0 = (uint32_t)b;
    const uint64_t bottom = multiply32(a0, b0);
    const uint64_t middle = multiply32(a1, b0) + (bottom >> 32);
    const uint64_t middle2 = multiply32(a0, b1) + (uint32_t)middle;
    *low = middle2 << 32 | (uint32_t)bottom;
    return multiply32(a1, b1) + (middle >> 32) + (middle2 >> 32);
#endif
}

static inline Word multiply_high(Word a, Word b) {
    Word low;
    return F(multiply)(a, b, &low);
}

/* ---- packing ------------------------------------------------------------------------------------------------ */

static inline int exponent_of(Word bits) {
    return (int)(bits >> FRACTION) & SPECIAL;
}

/* Infinities come out as 1.0 with the exponent SPECIAL, zeros with a mantissa that must not be used. */
static inline Number unpack(Word bits) {
    const int exponent = exponent_of(bits);
    const Word fraction = exponent == SPECIAL ? 0 : bits & (HIDDEN - 1);
    return (Number){bits & SIGN, exponent, (fraction | HIDDEN) << GUARD};
}

/* The nearest number in the format; 0 or infinity where the exponent is out of range. */
static inline __attribute__((always_inline)) Word F(pack_here)(Word sign, int exponent, Word mantissa) {
    if ((unsigned)exponent - 1 >= SPECIAL - 1) {
        return exponent <= 0 ? sign : sign | INFINITE;
    }
    const Word rest = mantissa << (WIDTH - GUARD);
    Word result = mantissa >> GUARD;
    result += rest > SIGN || (rest == SIGN && (result & 1) != 0);
    return sign | (((Word)(exponent - 1) << FRACTION) + result);
}

static __attribute__((noinline)) Word F(pack)(Word sign, int exponent, Word mantissa) {
    return F(pack_here)(sign, exponent, mantissa);
}

/* `pack` for a mantissa with its leading one anywhere; zero is +0. */
static Word F(pack_any)(Word sign, int exponent, Word mantissa) {
    if (mantissa == 0) {
        return 0;
    }
    if ((mantissa & SIGN) != 0) {
        return F(pack)(sign, exponent + 1, F(shift_right_sticky)(mantissa, 1));
    }
    const int shift = leading_zeros(mantissa) - 1;
    return F(pack)(sign, exponent - shift, mantissa << shift);
}

/* ---- add, subtract, multiply, divide ------------------------------------------------------------------------ */

/* The sum of numbers that aren't zero, the first at least as large. */
static inline Word F(add_ordered)(Number a, Number b) {
    b.mantissa = F(shift_right_sticky)(b.mantissa, a.exponent - b.exponent);
    return F(pack_any)(a.sign, a.exponent, a.sign == b.sign ? a.mantissa + b.mantissa : a.mantissa - b.mantissa);
}

#if WIDTH == 64 /* rp2040_float.c has faster ones for the smaller words */
Word F(add)(Word a, Word b) {
    if (a << 1 < b << 1) {
        const Word larger = b;
        b = a;
        a = larger;
    }
    if (exponent_of(a) == SPECIAL) {
        return (a & SIGN) | INFINITE;
    }
    if (exponent_of(b) == 0) {
        return exponent_of(a) == 0 ? a & b & SIGN : a;
    }
    return F(add_ordered)(unpack(a), unpack(b));
}

/* Infinity times zero is infinity. */
Word F(mul)(Word a, Word b) {
    const Word sign = (a ^ b) & SIGN;
    if (exponent_of(a) == SPECIAL || exponent_of(b) == SPECIAL) {
        return sign | INFINITE;
    }
    if (exponent_of(a) == 0 || exponent_of(b) == 0) {
        return sign;
    }
    Word low;
    const Word high = F(multiply)((a | HIDDEN) << (WIDTH - 1 - FRACTION), (b | HIDDEN) << (WIDTH - 1 - FRACTION), &low);
    const int exponent = exponent_of(a) + exponent_of(b) - BIAS;
    if ((high & SIGN) != 0) {
        return F(pack)(sign, exponent + 1, high >> 1 | (((high & 1) | low) != 0));
    }
    return F(pack)(sign, exponent, high | (low != 0));
}

Word F(sub)(Word a, Word b) {
    return F(add)(a, b ^ SIGN);
}
#endif

/* Quotient of two mantissas, with its leading one at TOP or, by an exponent of -1, below; `bits` of it are exact. */
static __attribute__((noinline)) Word F(divide)(Word a, Word b, int bits, int *exponent) {
    *exponent = a < b ? -1 : 0;
    a <<= a < b;
    Word quotient = 0;
    for (int left = bits; left > 0; left--) {
        quotient <<= 1;
        if (a >= b) {
            a -= b;
            quotient |= 1;
        }
        a <<= 1;
    }
    return quotient << (WIDTH - 1 - bits) | (a != 0);
}

#if WIDTH == 64
/* Zero divided by zero is infinity, and so is infinity divided by infinity. */
Word F(div)(Word a, Word b) {
    const Word sign = (a ^ b) & SIGN;
    if (exponent_of(a) == SPECIAL || exponent_of(b) == 0) {
        return sign | INFINITE;
    }
    if (exponent_of(a) == 0 || exponent_of(b) == SPECIAL) {
        return sign;
    }
    int shift;
    const Word quotient = F(divide)(unpack(a).mantissa, unpack(b).mantissa, FRACTION + 3, &shift);
    return F(pack)(sign, exponent_of(a) - exponent_of(b) + BIAS + shift, quotient);
}
#endif

/* -Infinity for negative numbers. */
Word F(sqrt)(Word a) {
    int exponent = exponent_of(a);
    if (exponent == 0) {
        return a & SIGN;
    }
    if ((a & SIGN) != 0 || exponent == SPECIAL) {
        return (a & SIGN) | INFINITE;
    }
    Word mantissa = unpack(a).mantissa;
    exponent -= BIAS;
    mantissa <<= exponent & 1;
    Word root = 0;
    Word rest = 0;
    for (int left = FRACTION + 3; left > 0; left--) {
        rest = rest << 2 | mantissa >> (WIDTH - 2);
        mantissa <<= 2;
        const Word trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    return F(pack)(0, (exponent >> 1) + BIAS, root << (TOP - FRACTION - 2) | (rest != 0));
}

/* ---- comparison --------------------------------------------------------------------------------------------- */

static inline Signed ordered(Word bits) {
    const int exponent = exponent_of(bits);
    const Word size = exponent == 0 ? 0 : exponent == SPECIAL ? INFINITE : bits & ~SIGN;
    return (bits & SIGN) != 0 ? -(Signed)size : (Signed)size;
}

/* -1, 0 or 1. */
int F(cmp)(Word a, Word b) {
    const Signed left = ordered(a);
    const Signed right = ordered(b);
    return left < right ? -1 : left > right;
}

/* ---- integers and fixed point ------------------------------------------------------------------------------- */

/* Converted to 64 bits with `places` after the point, towards -infinity; clamped to `most` and to -most - 1, or to 0 if
   there is no sign. */
static int64_t F(to_fixed)(Word bits, int places, uint64_t most, int has_sign) {
    const int exponent = exponent_of(bits);
    const int negative = (bits & SIGN) != 0;
    if (exponent == 0 || (negative && !has_sign)) {
        return 0;
    }
    uint64_t size = (bits & (HIDDEN - 1)) | HIDDEN;
    const int shift = exponent - BIAS - FRACTION + places;
    if (exponent == SPECIAL || shift >= 64 - FRACTION) {
        size = most + (uint64_t)negative;
    } else if (shift >= 0) {
        size <<= shift;
    } else if (shift > -64) {
        const uint64_t whole = size >> -shift;
        size = whole + (negative && whole << -shift != size);
    } else {
        size = (uint64_t)negative;
    }
    if (size > most) {
        size = most + (uint64_t)negative;
    }
    return (int64_t)(negative ? 0 - size : size);
}

int32_t F(2fix)(Word bits, int places) {
    return (int32_t)F(to_fixed)(bits, places, INT32_MAX, 1);
}

int32_t F(2int)(Word bits) {
    return F(2fix)(bits, 0);
}

uint32_t F(2ufix)(Word bits, int places) {
    return (uint32_t)F(to_fixed)(bits, places, UINT32_MAX, 0);
}

uint32_t F(2uint)(Word bits) {
    return F(2ufix)(bits, 0);
}

int64_t F(2fix64)(Word bits, int places) {
    return F(to_fixed)(bits, places, INT64_MAX, 1);
}

int64_t F(2int64)(Word bits) {
    return F(2fix64)(bits, 0);
}

uint64_t F(2ufix64)(Word bits, int places) {
    return (uint64_t)F(to_fixed)(bits, places, UINT64_MAX, 0);
}

uint64_t F(2uint64)(Word bits) {
    return F(2ufix64)(bits, 0);
}

static Word F(from_fixed)(Word sign, uint64_t size, int places) {
    if (size == 0) {
        return 0;
    }
    const uint32_t high = (uint32_t)(size >> 32);
    const int shift = (int)(high != 0 ? rom_clz32(high) : 32 + rom_clz32((uint32_t)size));
    size <<= shift;
    const uint64_t lost = size & (((uint64_t)1 << (65 - WIDTH)) - 1);
    return F(pack)(sign, BIAS + 63 - shift - places, (Word)(size >> (65 - WIDTH)) | (lost != 0));
}

Word F(_fix642)(int64_t value, int places) {
    return value < 0 ? F(from_fixed)(SIGN, 0 - (uint64_t)value, places) : F(from_fixed)(0, (uint64_t)value, places);
}

Word F(_int642)(int64_t value) {
    return F(_fix642)(value, 0);
}

Word F(_ufix642)(uint64_t value, int places) {
    return F(from_fixed)(0, value, places);
}

Word F(_uint642)(uint64_t value) {
    return F(from_fixed)(0, value, 0);
}

Word F(_fix2)(int32_t value, int places) {
    return F(_fix642)(value, places);
}

Word F(_int2)(int32_t value) {
    return F(_fix642)(value, 0);
}

Word F(_ufix2)(uint32_t value, int places) {
    return F(from_fixed)(0, value, places);
}

Word F(_uint2)(uint32_t value) {
    return F(from_fixed)(0, value, 0);
}

/* ---- elementary functions ----------------------------------------------------------------------------------- */

#define TWO_OVER_PI CONSTANT(a2f9836e, 4e441529)
#define TWO_OVER_PI_LOW (WIDTH == 32 ? (Word)0x4e441529u : (Word)0xfc2757d1f534ddc0ull)
#define HALF_LOG2_E CONSTANT(b8aa3b29, 5c17f0bb)
#define HALF_LOG2_E_LOW (WIDTH == 32 ? (Word)0x5c17f0bbu : (Word)0xbe87fed0691d3e88ull)
#define QUARTER_PI CONSTANT(c90fdaa2, 2168c234)
#define THREE_SIXTEENTH_PI CONSTANT(96cbe3f9, 990e91a7)
#define LN_2 CONSTANT(b17217f7, d1cf79ab)
#define TAN_EIGHTH_PI CONSTANT(6a09e667, f3bcc908)
#define SQRT_2 CONSTANT(b504f333, f9de6484) /* Q(WIDTH - 1) */

/* The factor's integer part times the argument's size, and the fraction behind it; the factor is given in Q(WIDTH), in
   two words, and the argument is taken 2^scale times. */
static __attribute__((noinline)) int F(reduce)(Word bits, Word high, Word low, int scale, Word *fraction) {
    const Word mantissa = (bits | HIDDEN) << (WIDTH - 1 - FRACTION);
    Word tail;
    const Word product = F(multiply)(mantissa, high, &tail);
    const Word more = multiply_high(mantissa, low);
    tail += more;
    const Word top = product + (tail < more);
    const int shift = exponent_of(bits) - BIAS + 1 + scale;
    if (shift <= 0) {
        *fraction = shift > -WIDTH ? top >> -shift : 0;
        return 0;
    }
    if (shift >= WIDTH) {
        *fraction = 0;
        return 0;
    }
    *fraction = top << shift | tail >> (WIDTH - shift);
    return (int)(top >> (WIDTH - shift));
}

/* 1 - square/c[0] (1 - square/c[1] (1 - ...)), all in Q(WIDTH). */
static __attribute__((noinline)) Word F(alternating)(Word square, const Word *inverse, int terms) {
    Word sum = ALL;
    while (terms-- > 0) {
        sum = ALL - multiply_high(multiply_high(square, sum), inverse[terms]);
    }
    return sum;
}

#if WIDTH == 32
#define SINE_TERMS 5
#define EXP_TERMS 11
#define LN_TERMS 5
#define ATAN_TERMS 10
#else
#define SINE_TERMS 10
#define EXP_TERMS 19
#define LN_TERMS 11
#define ATAN_TERMS 23
#endif

#define OVER(n) (Word)(ALL / (n))

static const Word sine_inverse[] = {
    OVER(2 * 3), OVER(4 * 5), OVER(6 * 7), OVER(8 * 9), OVER(10 * 11),
#if WIDTH == 64
    OVER(12 * 13), OVER(14 * 15), OVER(16 * 17), OVER(18 * 19), OVER(20 * 21),
#endif
};

static const Word cosine_inverse[] = {
    OVER(1 * 2), OVER(3 * 4), OVER(5 * 6), OVER(7 * 8), OVER(9 * 10),
#if WIDTH == 64
    OVER(11 * 12), OVER(13 * 14), OVER(15 * 16), OVER(17 * 18), OVER(19 * 20),
#endif
};

static const Word inverse[] = {
    ALL, OVER(2), OVER(3), OVER(4), OVER(5), OVER(6), OVER(7), OVER(8), OVER(9), OVER(10), OVER(11), OVER(12), OVER(13),
    OVER(14), OVER(15), OVER(16), OVER(17), OVER(18), OVER(19), OVER(20), OVER(21),
#if WIDTH == 64
    OVER(22), OVER(23), OVER(24), OVER(25), OVER(26), OVER(27), OVER(28), OVER(29), OVER(30), OVER(31), OVER(32), OVER(33),
    OVER(34), OVER(35), OVER(36), OVER(37), OVER(38), OVER(39), OVER(40), OVER(41), OVER(42), OVER(43), OVER(44), OVER(45),
    OVER(46), OVER(47),
#endif
};

/* An angle as quarter turns and a rest of at most an eighth of a turn either way. */
typedef struct {
    int quarters;
    Word sign;     /* of the rest */
    int exponent;  /* of the rest; `mantissa` has its leading one at the highest bit, or is 0 */
    Word mantissa;
    Word rest;     /* in Q(WIDTH) */
} Angle;

static __attribute__((noinline)) Angle F(angle_of)(Word bits) {
    Angle angle = {0, bits & SIGN, exponent_of(bits), 0, 0};
    const int exponent = angle.exponent - BIAS;
    if (angle.exponent == 0 || exponent >= WIDTH - 2) {
        return angle;
    }
    Word fraction;
    angle.quarters = F(reduce)(bits, TWO_OVER_PI, TWO_OVER_PI_LOW, 0, &fraction);
    if ((fraction & SIGN) != 0) {
        angle.quarters++;
        fraction = 0 - fraction;
        angle.sign ^= SIGN;
    } else if (angle.quarters == 0) {
        angle.mantissa = (bits | HIDDEN) << (WIDTH - 1 - FRACTION);
        angle.rest = exponent < -WIDTH ? 0 : angle.mantissa >> (-1 - exponent);
    }
    if ((bits & SIGN) != 0) {
        angle.quarters = -angle.quarters;
    }
    if (angle.mantissa == 0 && fraction != 0) {
        angle.rest = multiply_high(fraction, QUARTER_PI) << 1;
        const int shift = leading_zeros(angle.rest);
        angle.mantissa = angle.rest << shift;
        angle.exponent = BIAS - 1 - shift;
    }
    return angle;
}

/* Sine of the angle and of `more` quarter turns added to it. */
static __attribute__((noinline)) Number F(sine)(const Angle *angle, int more) {
    const int quarters = angle->quarters + more;
    const Word square = multiply_high(angle->rest, angle->rest);
    const Word turned = (quarters & 2) != 0 ? SIGN : 0;
    if ((quarters & 1) != 0) {
        const Word value = F(alternating)(square, cosine_inverse, SINE_TERMS);
        return (Number){turned, BIAS - 1, F(shift_right_sticky)(value, 1)};
    }
    const Word value = multiply_high(angle->mantissa, F(alternating)(square, sine_inverse, SINE_TERMS));
    const Word sign = turned ^ angle->sign;
    if ((value & SIGN) == 0) {
        return (Number){sign, angle->exponent - 1, value};
    }
    return (Number){sign, angle->exponent, F(shift_right_sticky)(value, 1)};
}

static Word F(pack_sine)(const Angle *angle, int more) {
    const Number number = F(sine)(angle, more);
    return number.mantissa == 0 ? number.sign : F(pack_any)(number.sign, number.exponent, number.mantissa);
}

Word F(cos)(Word bits) {
    const Angle angle = F(angle_of)(bits);
    return F(pack_sine)(&angle, 1);
}

Word F(tan)(Word bits) {
    const Angle angle = F(angle_of)(bits);
    const Number above = F(sine)(&angle, 0);
    const Number below = F(sine)(&angle, 1);
    const Word sign = above.sign ^ below.sign;
    if (above.mantissa == 0 || below.mantissa == 0) {
        return above.mantissa == 0 ? sign : sign | INFINITE;
    }
    int shift;
    const Word quotient = F(divide)(above.mantissa, below.mantissa, WIDTH - 2, &shift);
    return F(pack_any)(sign, above.exponent - below.exponent + BIAS + shift, quotient);
}

Word F(exp)(Word bits) {
    const int exponent = exponent_of(bits);
    const int negative = (bits & SIGN) != 0;
    if (exponent >= BIAS + 11) {
        return negative ? 0 : INFINITE;
    }
    Word fraction = 0;
    int power = exponent == 0 ? 0 : F(reduce)(bits, HALF_LOG2_E, HALF_LOG2_E_LOW, 1, &fraction);
    if (negative) {
        power = -power - (fraction != 0);
        fraction = 0 - fraction;
    }
    const Word rest = multiply_high(fraction, LN_2);
    Word sum = SIGN; /* in Q(WIDTH - 1) */
    for (int n = EXP_TERMS; n > 0; n--) {
        const Word product = multiply_high(rest, sum);
        sum = SIGN + (n == 1 ? product : multiply_high(product, inverse[n - 1]));
    }
    return F(pack)(0, BIAS + power, F(shift_right_sticky)(sum, 1));
}

/* Sum of square^k / (2k + 1) from k = 1 on, with alternating signs if `flip`; in Q(WIDTH). */
static Word F(odd_series)(Word square, int terms, int flip) {
    Word sum = 0;
    for (int k = terms; k > 0; k--) {
        sum = multiply_high(square, inverse[2 * k] + (flip ? 0 - sum : sum));
    }
    return sum;
}

/* A quotient below 1/2 of words whose leading ones are at TOP: quotient * 2^(power - TOP), and in Q(WIDTH). */
typedef struct {
    Word quotient;
    int power;
    Word fraction;
} Ratio;

static Ratio F(ratio_of)(Word above, Word below, int power) {
    int shift;
    const Word quotient = F(divide)(above, below, WIDTH - 1, &shift);
    const int right = -2 - power - shift;
    return (Ratio){quotient, power + shift, right < WIDTH ? quotient >> right : 0};
}

/* -Infinity for zero and below. ln m is 2 atanh((m - 1) / (m + 1)), for m from sqrt(1/2) to sqrt(2). */
Word F(ln)(Word bits) {
    int exponent = exponent_of(bits);
    if ((bits & SIGN) != 0 || exponent == 0) {
        return SIGN | INFINITE;
    }
    if (exponent == SPECIAL) {
        return INFINITE;
    }
    const Word mantissa = (bits | HIDDEN) << (WIDTH - 1 - FRACTION);
    exponent -= BIAS;
    Number log = {0, 0, 0};
    Word above = mantissa - SIGN;                 /* m - 1 in Q(WIDTH - 1) */
    Word below = (mantissa >> 2) + (SIGN >> 2);   /* m + 1 in Q(WIDTH - 3) */
    if (mantissa > SQRT_2) {
        exponent++;
        log.sign = SIGN;
        above = 0 - mantissa;                     /* 2 - m, with half of m for m */
        below = (mantissa >> 2) + (SIGN >> 1);    /* 2 + m */
    }
    if (above != 0) {
        const int up = leading_zeros(above) - 1;
        const Ratio ratio = F(ratio_of)(above << up, below, -2 - up);
        const Word series = F(odd_series)(multiply_high(ratio.fraction, ratio.fraction), LN_TERMS, 0);
        log.mantissa = multiply_high(ratio.quotient << 1, SIGN + (series >> 1));
        log.exponent = BIAS + ratio.power + 1;
        if ((log.mantissa & SIGN) != 0) {
            log.mantissa >>= 1;
            log.exponent++;
        }
    }
    if (exponent == 0) {
        return F(pack_any)(log.sign, log.exponent, log.mantissa);
    }
    Word tail;
    const Word product = F(multiply)((Word)(exponent < 0 ? -exponent : exponent), LN_2, &tail);
    const int shift = product == 0 ? WIDTH : leading_zeros(product);
    const Word whole = shift == WIDTH ? tail : product << shift | tail >> (WIDTH - shift);
    const Number power = {exponent < 0 ? SIGN : 0, BIAS - 1 + WIDTH - shift, F(shift_right_sticky)(whole, 1)};
    return log.mantissa == 0 ? F(pack)(power.sign, power.exponent, power.mantissa) : F(add_ordered)(power, log);
}

/* The arc tangent of a ratio, from 0 to tan(pi/8). */
static Number F(arc_tangent)(Ratio ratio) {
    const Word series = F(odd_series)(multiply_high(ratio.fraction, ratio.fraction), ATAN_TERMS, 1);
    const Word value = multiply_high(ratio.quotient << 1, ALL - series);
    if ((value & SIGN) == 0) {
        return (Number){0, BIAS + ratio.power - 1, value};
    }
    return (Number){0, BIAS + ratio.power, F(shift_right_sticky)(value, 1)};
}

/* Infinite arguments are taken as numbers of the same size. */
Word F(atan2)(Word y, Word x) {
    int eighths = 0; /* of half a turn, to which `rest` is added or from which it is taken */
    Number rest = {0, 0, 0};
    const int swapped = y << 1 > x << 1;
    const Number small = unpack(swapped ? x : y);
    const Number large = unpack(swapped ? y : x);
    if (small.exponent != 0) {
        const int distance = large.exponent - small.exponent;
        const Word aligned = distance <= 2 ? small.mantissa >> distance : 0;
        if (aligned > multiply_high(large.mantissa, TAN_EIGHTH_PI)) {
            eighths = 1;
            const Word above = large.mantissa - aligned;
            const Word below = large.mantissa + aligned;
            const int down = (below & SIGN) != 0;
            if (above != 0) {
                const int up = leading_zeros(above) - 1;
                rest = F(arc_tangent)(F(ratio_of)(above << up, below >> down, -up - down));
            }
            rest.sign = SIGN;
        } else {
            rest = F(arc_tangent)(F(ratio_of)(small.mantissa, large.mantissa, -distance));
        }
    }
    if (swapped) {
        eighths = 2 - eighths;
        rest.sign ^= SIGN;
    }
    if ((x & SIGN) != 0) {
        eighths = 4 - eighths;
        rest.sign ^= SIGN;
    }
    const Word sign = y & SIGN;
    if (eighths == 0) {
        return sign | F(pack_any)(0, rest.exponent, rest.mantissa);
    }
    const Word angle = eighths == 3 ? THREE_SIXTEENTH_PI : QUARTER_PI;
    const int exponent = eighths == 1 ? BIAS - 1 : eighths == 2 ? BIAS : BIAS + 1;
    const Number base = {0, exponent, F(shift_right_sticky)(angle, 1)};
    return sign | (rest.mantissa == 0 ? F(pack)(0, base.exponent, base.mantissa) : F(add_ordered)(base, rest));
}
