/* Single precision for the substitute of the RP2040's boot ROM. */
#define WIDTH 32
#include "softfloat.h"

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
