/* Single precision for the substitute of the RP2040's boot ROM. */
#define WIDTH 32
#include "softfloat.h"

/* Infinity times zero is infinity. Products of 24 bits, of which the upper 16 and the lower 8 are multiplied apart. */
uint32_t rom_fmul(uint32_t a, uint32_t b) {
    const uint32_t sign = (a ^ b) & SIGN;
    const uint32_t exponent_a = a << 1 >> 24, exponent_b = b << 1 >> 24;
    if (exponent_a - 1 >= SPECIAL - 1 || exponent_b - 1 >= SPECIAL - 1) {
        return exponent_a == SPECIAL || exponent_b == SPECIAL ? sign | INFINITE : sign;
    }
    const uint32_t a1 = (a << 8 | SIGN) >> 16, a0 = a & 0xffu, b1 = (b << 8 | SIGN) >> 16, b0 = b & 0xffu;
    const uint32_t middle = a1 * b0 + a0 * b1;
    const uint32_t low = a0 * b0 + (middle << 8 & 0xffffu);
    uint32_t high = a1 * b1 + (middle >> 8) + (low >> 16); /* the upper 32 of 48 bits */
    int exponent = (int)(exponent_a + exponent_b) - BIAS;
    uint32_t rest = low << 16;
    if ((high & SIGN) == 0) {
        high = high << 1 | rest >> 31;
        rest <<= 1;
        exponent--;
    }
    if (exponent + 1 <= 0) {
        return sign;
    }
    const uint32_t lost = high << 24;
    uint32_t result = ((uint32_t)exponent << FRACTION) + (high >> 8);
    if (lost >= SIGN && (lost != SIGN || rest != 0 || (result & 1) != 0)) {
        result++;
    }
    return exponent + 1 >= SPECIAL || result >= INFINITE ? sign | INFINITE : sign | result;
}

static inline __attribute__((always_inline)) uint32_t sum(uint32_t a, uint32_t b) {
    if (a << 1 < b << 1) {
        const uint32_t larger = b;
        b = a;
        a = larger;
    }
    const int exponent = (int)(a << 1 >> 24);
    const int distance = exponent - (int)(b << 1 >> 24);
    if (exponent == SPECIAL) {
        return (a & SIGN) | INFINITE;
    }
    if (distance == exponent) { /* b is zero */
        return exponent == 0 ? a & b & SIGN : a;
    }
    const uint32_t sign = a & SIGN;
    uint32_t larger = (a << 8 | SIGN) >> 1;
    uint32_t smaller = (b << 8 | SIGN) >> 1;
    if (distance > 25) {
        return a; /* less than a quarter of the last place */
    }
    const uint32_t aligned = smaller >> distance;
    const uint32_t sticky = aligned << distance != smaller;
    if (((a ^ b) & SIGN) == 0) {
        uint32_t total = larger + aligned; /* its leading one at TOP or above */
        int higher = exponent;
        if ((total & SIGN) == 0) {
            total <<= 1;
            higher--;
        }
        const uint32_t lost = total << 24;
        uint32_t result = ((uint32_t)higher << FRACTION) + (total >> 8);
        if (lost >= SIGN && (lost != SIGN || sticky != 0 || (result & 1) != 0)) {
            result++;
        }
        return result >= INFINITE ? sign | INFINITE : sign | result;
    }
    larger -= aligned | sticky;
    if (larger == 0) {
        return 0;
    }
    int lower = exponent;
    if (larger >> TOP == 0) {
        const int shift = (int)rom_clz32(larger) - 1;
        larger <<= shift;
        lower -= shift;
    }
    return F(pack_here)(sign, lower, larger);
}

uint32_t rom_fadd(uint32_t a, uint32_t b) {
    return sum(a, b);
}

uint32_t rom_fsub(uint32_t a, uint32_t b) {
    return sum(a, b ^ SIGN);
}

/* 2^23 / b for b from 2^15 to 2^16, at the middle of 128 steps. */
static const uint8_t reciprocal[128] = {
    255, 253, 251, 249, 247, 245, 244, 242, 240, 238, 237, 235, 233, 232, 230, 228, 227, 225, 224, 222,
    221, 219, 218, 216, 215, 213, 212, 211, 209, 208, 207, 205, 204, 203, 202, 200, 199, 198, 197, 196,
    194, 193, 192, 191, 190, 189, 188, 187, 186, 185, 184, 183, 182, 181, 180, 179, 178, 177, 176, 175,
    174, 173, 172, 171, 170, 169, 168, 168, 167, 166, 165, 164, 163, 163, 162, 161, 160, 159, 159, 158,
    157, 156, 156, 155, 154, 153, 153, 152, 151, 151, 150, 149, 149, 148, 147, 147, 146, 145, 145, 144,
    143, 143, 142, 142, 141, 140, 140, 139, 139, 138, 137, 137, 136, 136, 135, 135, 134, 133, 133, 132,
    132, 131, 131, 130, 130, 129, 129, 128,
};

/* Zero divided by zero is infinity, and so is infinity divided by infinity. The quotient comes in two digits of 13 bits,
   each estimated by a reciprocal of 14 bits; what the estimates miss is put right by the remainder. */
uint32_t rom_fdiv(uint32_t a, uint32_t b) {
    const uint32_t sign = (a ^ b) & SIGN;
    const uint32_t exponent_a = a << 1 >> 24, exponent_b = b << 1 >> 24;
    if (exponent_a - 1 >= SPECIAL - 1 || exponent_b - 1 >= SPECIAL - 1) {
        return exponent_a == SPECIAL || exponent_b == 0 ? sign | INFINITE : sign;
    }
    a = (a << 8 | SIGN) >> 8;
    b = (b << 8 | SIGN) >> 8;
    int exponent = (int)(exponent_a - exponent_b) + BIAS;
    if (a < b) {
        a <<= 1;
        exponent--;
    }
    const int32_t rough = reciprocal[(b >> 16) - 128];
    const int32_t missing = (1 << 23) - (int32_t)(b >> 8) * rough;
    const uint32_t inverse_b = (uint32_t)((rough << 8) + (missing * rough >> 15)); /* 2^39 / b */
    const uint32_t first = (a >> 9) * inverse_b >> 17;
    int32_t rest = (int32_t)((a << 13) - first * b);
    const int32_t second = (rest >> 11) * (int32_t)inverse_b >> 16;
    uint32_t quotient = (first << 12) + (uint32_t)second; /* a / b * 2^25 */
    rest = (int32_t)(((uint32_t)rest << 12) - (uint32_t)second * b);
    for (; rest < 0; rest += (int32_t)b) {
        quotient--;
    }
    for (; rest >= (int32_t)b; rest -= (int32_t)b) {
        quotient++;
    }
    return F(pack_here)(sign, exponent, quotient << 5 | (rest != 0));
}

/* The sine in r0 and the cosine in r1, on which the SDK's sincosf counts. */
uint64_t rom_fsin(uint32_t bits) {
    const Angle angle = F(angle_of)(bits);
    return (uint64_t)F(pack_sine)(&angle, 1) << 32 | F(pack_sine)(&angle, 0);
}

uint64_t rom_f2double(uint32_t bits) {
    const uint64_t sign = (uint64_t)(bits & SIGN) << 32;
    if (exponent_of(bits) == 0) {
        return sign;
    }
    if (exponent_of(bits) == SPECIAL) {
        return sign | 0x7ff0000000000000ull;
    }
    return sign | ((uint64_t)(bits & ~SIGN) + ((uint64_t)(1023 - BIAS) << FRACTION)) << (52 - FRACTION);
}
