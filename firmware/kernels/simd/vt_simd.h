/* The DSP extension's operations on pairs of int16 in a word (low half first), and requantisation built on them.
 *
 * On a core with the extension these are instructions; elsewhere plain C with the same results, so that the kernels
 * can be tested on any machine. Words are little-endian, as on every target.
 */
#ifndef VT_SIMD_H
#define VT_SIMD_H

#include <stdint.h>

#include "vt_quant.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__arm__)
#define VT_DSP 1
#include <arm_acle.h>
#else
#define VT_DSP 0
#endif

#define VT_INLINE static inline __attribute__((always_inline))

/* Keeps a pointer that walks along what it is: compilers that count in another way spend more on it than on short
 * loops. */
#define VT_WALKS(pointer) __asm__("" : "+r"(pointer))

/* Four bytes from any address; the cores with the extension load unaligned words, at a cycle or two more (unless
 * CCR.UNALIGN_TRP is set). Everything else is aligned as its type: scratch memory to words. */
VT_INLINE uint32_t vt_load_word(const void *at)
{
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

VT_INLINE void vt_store_word(void *at, uint32_t word)
{
    __builtin_memcpy(at, &word, sizeof word);
}

VT_INLINE int32_t vt_low_half(uint32_t pair)
{
    return (int16_t)(uint16_t)pair;
}

VT_INLINE int32_t vt_high_half(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair >> 16);
}

VT_INLINE uint32_t vt_pair(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}

#if VT_DSP

/* sum + low(a) * low(b) + high(a) * high(b), wrapping around. */
VT_INLINE int32_t vt_mac_pair(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

/* sum + low(a) * high(b) */
VT_INLINE int32_t vt_mac_low_high(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlabt((int32_t)a, (int32_t)b, sum);
}

/* sum + high(a) * low(b) */
VT_INLINE int32_t vt_mac_high_low(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlatb((int32_t)a, (int32_t)b, sum);
}

/* Bytes 0 and 2 as a pair. */
VT_INLINE uint32_t vt_even_bytes(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}

/* Bytes 1 and 3 as a pair. */
VT_INLINE uint32_t vt_odd_bytes(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* pair + bytes 0 and 2, each sum in its half. */
VT_INLINE uint32_t vt_add_even_bytes(uint32_t pair, uint32_t word)
{
    return (uint32_t)__sxtab16((int16x2_t)pair, (int8x4_t)word);
}

/* pair + bytes 1 and 3 */
VT_INLINE uint32_t vt_add_odd_bytes(uint32_t pair, uint32_t word)
{
    uint32_t sum;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(sum) : "r"(pair), "r"(word));
    return sum;
}

/* The larger of each two signed bytes. */
VT_INLINE uint32_t vt_max_bytes(uint32_t a, uint32_t b)
{
    (void)__ssub8((int8x4_t)a, (int8x4_t)b);
    return (uint32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

/* The smaller of each. */
VT_INLINE uint32_t vt_min_bytes(uint32_t a, uint32_t b)
{
    (void)__ssub8((int8x4_t)b, (int8x4_t)a);
    return (uint32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

/* The pair of a's and b's low halves. */
VT_INLINE uint32_t vt_low_halves(uint32_t a, uint32_t b)
{
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
}

/* The pair of a's and b's high halves. */
VT_INLINE uint32_t vt_high_halves(uint32_t a, uint32_t b)
{
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(b), "r"(a));
    return pair;
}

VT_INLINE int32_t vt_saturate_s8(int32_t value)
{
    return __ssat(value, 8);
}

VT_INLINE int32_t vt_saturate_s16(int32_t value)
{
    return __ssat(value, 16);
}

/* round(value * (2^32 + multiplier) / 2^32), exact; multiplier < 0. */
VT_INLINE int32_t vt_scale(int32_t value, int32_t multiplier)
{
    int32_t scaled;
    __asm__("smmlar %0, %1, %2, %1" : "=r"(scaled) : "r"(value), "r"(multiplier));
    return scaled;
}

/* round(value * multiplier / 2^32), halves up */
VT_INLINE int32_t vt_scale_down(int32_t value, int32_t multiplier)
{
    int32_t scaled;
    __asm__("smmulr %0, %1, %2" : "=r"(scaled) : "r"(value), "r"(multiplier));
    return scaled;
}

/* The larger of each two signed halves. */
VT_INLINE uint32_t vt_max_halves(uint32_t a, uint32_t b)
{
    (void)__ssub16((int16x2_t)a, (int16x2_t)b);
    return (uint32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

/* The smaller of each. */
VT_INLINE uint32_t vt_min_halves(uint32_t a, uint32_t b)
{
    (void)__ssub16((int16x2_t)b, (int16x2_t)a);
    return (uint32_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

#else

VT_INLINE int32_t vt_mac_pair(uint32_t a, uint32_t b, int32_t sum)
{
    return vt_mac(vt_mac(sum, vt_low_half(a), vt_low_half(b)), vt_high_half(a), vt_high_half(b));
}

VT_INLINE int32_t vt_mac_low_high(uint32_t a, uint32_t b, int32_t sum)
{
    return vt_mac(sum, vt_low_half(a), vt_high_half(b));
}

VT_INLINE int32_t vt_mac_high_low(uint32_t a, uint32_t b, int32_t sum)
{
    return vt_mac(sum, vt_high_half(a), vt_low_half(b));
}

VT_INLINE uint32_t vt_even_bytes(uint32_t word)
{
    return vt_pair((int8_t)(uint8_t)word, (int8_t)(uint8_t)(word >> 16));
}

VT_INLINE uint32_t vt_odd_bytes(uint32_t word)
{
    return vt_even_bytes(word >> 8);
}

VT_INLINE uint32_t vt_add_even_bytes(uint32_t pair, uint32_t word)
{
    const uint32_t bytes = vt_even_bytes(word);
    return ((pair + bytes) & 0xFFFFu) | ((pair & 0xFFFF0000u) + (bytes & 0xFFFF0000u));
}

VT_INLINE uint32_t vt_add_odd_bytes(uint32_t pair, uint32_t word)
{
    return vt_add_even_bytes(pair, word >> 8);
}

/* a where `keep` says so of a and b, byte by byte, else b. */
#define VT_SELECT_BYTES(keep)                                                                                          \
    uint32_t word = 0;                                                                                                 \
    for (int32_t i = 0; i < 32; i += 8) {                                                                              \
        const int8_t x = (int8_t)(uint8_t)(a >> i);                                                                    \
        const int8_t y = (int8_t)(uint8_t)(b >> i);                                                                    \
        word |= (uint32_t)(uint8_t)((keep) ? x : y) << i;                                                              \
    }                                                                                                                  \
    return word

VT_INLINE uint32_t vt_max_bytes(uint32_t a, uint32_t b)
{
    VT_SELECT_BYTES(x >= y);
}

VT_INLINE uint32_t vt_min_bytes(uint32_t a, uint32_t b)
{
    VT_SELECT_BYTES(x <= y);
}

VT_INLINE uint32_t vt_low_halves(uint32_t a, uint32_t b)
{
    return (a & 0xFFFFu) | (b << 16);
}

VT_INLINE uint32_t vt_high_halves(uint32_t a, uint32_t b)
{
    return (a >> 16) | (b & 0xFFFF0000u);
}

VT_INLINE int32_t vt_saturate_s8(int32_t value)
{
    return vt_clamp(value, -128, 127);
}

VT_INLINE int32_t vt_saturate_s16(int32_t value)
{
    return vt_clamp(value, -32768, 32767);
}

#if defined(__ARM_ARCH_6M__)
/* From four products of halves: there is no longer multiplication, and the library's takes three times as long. */
static __attribute__((noinline, unused)) int32_t vt_scale(int32_t value, int32_t multiplier)
{
    const int32_t value_low = (int32_t)((uint32_t)value & 0xFFFFu);
    const int32_t low = (int32_t)((uint32_t)multiplier & 0xFFFFu);
    const int32_t value_high = value >> 16;
    const int32_t high = multiplier >> 16;
    const uint32_t lowest = (uint32_t)value_low * (uint32_t)low;
    const int32_t first = value_low * high + (int32_t)(lowest >> 16);
    const int32_t second = value_high * low + (int32_t)((uint32_t)first & 0xFFFFu);
    const int32_t upper = vt_add(value_high * high, (first >> 16) + (second >> 16));
    return vt_add(vt_add(upper, value), (second >> 15) & 1);
}
#else
VT_INLINE int32_t vt_scale(int32_t value, int32_t multiplier)
{
    const int64_t product = (int64_t)value * multiplier + (int64_t)value * ((int64_t)1 << 32);
    return (int32_t)((product + ((int64_t)1 << 31)) >> 32);
}
#endif

VT_INLINE int32_t vt_scale_down(int32_t value, int32_t multiplier)
{
    return (int32_t)(((int64_t)value * multiplier + ((int64_t)1 << 31)) >> 32);
}

VT_INLINE int32_t vt_larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

VT_INLINE int32_t vt_smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

VT_INLINE uint32_t vt_max_halves(uint32_t a, uint32_t b)
{
    return vt_pair(vt_larger(vt_low_half(a), vt_low_half(b)), vt_larger(vt_high_half(a), vt_high_half(b)));
}

VT_INLINE uint32_t vt_min_halves(uint32_t a, uint32_t b)
{
    return vt_pair(vt_smaller(vt_low_half(a), vt_low_half(b)), vt_smaller(vt_high_half(a), vt_high_half(b)));
}

#endif

/* An output channel's constants: the sum's start value, the multiplier less 2 (in units of 2^31) as `vt_scale` takes
 * it, what is added before the last shift (half a unit and the output's zero point), and that shift, 1 to 31. Channels
 * that this form can't express have VT_GENERAL + shift there, the multiplier as it is, and the zero point alone.
 */
enum { VT_BIAS, VT_MULTIPLIER, VT_ROUNDING, VT_SHIFT, VT_CHANNEL_WORDS };
enum { VT_GENERAL = 96, VT_LEAST_GENERAL = 64 };

/* An int16 output channel's constants: the sum's start value, and the multiplier in units of 2^-32. */
enum { VT_BIAS_S16, VT_MULTIPLIER_S16, VT_CHANNEL_WORDS_S16 };

/* A sum scaled, rounded (halves up) and saturated to int16. */
VT_INLINE int16_t vt_finish_s16(int32_t sum, const int32_t *channel)
{
    return (int16_t)vt_saturate_s16(vt_scale_down(sum, channel[VT_MULTIPLIER_S16]));
}

/* A sum scaled, rounded, and moved to the output's zero point; with `positive` results below the zero point may be
 * off, but stay below it. */
VT_INLINE int32_t vt_finish(int32_t sum, int32_t multiplier, int32_t rounding, int32_t shift, int positive)
{
    int32_t value = vt_scale(sum, multiplier);
    if (!positive) {
        value += value >> 31;
    }
    return (value + rounding) >> shift;
}

/* The same for a general channel; out of line, as it is rare. */
static __attribute__((noinline, unused)) int32_t vt_finish_general(int32_t sum, const int32_t *channel)
{
    const int32_t value = vt_requantise(sum, channel[VT_MULTIPLIER], channel[VT_SHIFT] - VT_GENERAL);
    return vt_add(value, channel[VT_ROUNDING]);
}

/* Either way, saturated to int8. */
VT_INLINE int8_t vt_finish_s8(int32_t sum, const int32_t *channel)
{
    const int32_t shift = channel[VT_SHIFT];
    if (__builtin_expect(shift < VT_LEAST_GENERAL, 1)) {
        sum = vt_finish(sum, channel[VT_MULTIPLIER], channel[VT_ROUNDING], shift, 0);
    } else {
        sum = vt_finish_general(sum, channel);
    }
    return (int8_t)vt_saturate_s8(sum);
}

#endif
