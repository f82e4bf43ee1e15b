/* Double precision for the substitute of the RP2040's boot ROM. */
#define WIDTH 64
#include "softfloat.h"

uint64_t rom_dsin(uint64_t bits) {
    const Angle angle = F(angle_of)(bits);
    return F(pack_sine)(&angle, 0);
}

/* Sine and cosine; rom_dsincos brings them into registers. */
void rom_dsincos_at(uint64_t bits, uint64_t results[2]);
void rom_dsincos_at(uint64_t bits, uint64_t results[2]) {
    const Angle angle = F(angle_of)(bits);
    results[0] = F(pack_sine)(&angle, 0);
    results[1] = F(pack_sine)(&angle, 1);
}

uint32_t rom_d2float(uint64_t bits) {
    const uint32_t sign = (uint32_t)(bits >> 32) & 0x80000000u;
    const int exponent = exponent_of(bits) - BIAS + 127;
    if (exponent <= 0) {
        return sign;
    }
    if (exponent >= 255) {
        return sign | 0x7f800000u;
    }
    const uint64_t mantissa = (bits & (HIDDEN - 1)) | HIDDEN;
    const uint32_t rest = (uint32_t)mantissa << 3;
    uint32_t result = (uint32_t)(mantissa >> 29);
    result += rest > 0x80000000u || (rest == 0x80000000u && (result & 1) != 0);
    return sign | (((uint32_t)(exponent - 1) << 23) + result);
}
