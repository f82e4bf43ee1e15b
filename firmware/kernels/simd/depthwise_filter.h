/* Filtering a channel of a tile (depthwise.h), as the depthwise kernels of int8 and int16 have in common. */
#ifndef VT_DEPTHWISE_FILTER_H
#define VT_DEPTHWISE_FILTER_H

#include "depthwise.h"
#include "vt_simd.h"

/* In words. */
enum { LINE = VT_TILE_CHANNELS, PAIR = VT_TILE_LINES * VT_TILE_CHANNELS };

/* One filter line: (w0, w1) and (w1, w2). */
typedef struct {
    uint32_t first, last;
} vt_taps;

/* One output that begins with the first of a pair. */
VT_INLINE int32_t vt_sum_even(const uint32_t *at, const vt_taps taps[3], int32_t sum)
{
    for (int32_t line = 0; line < 3; ++line, at += LINE) {
        sum = vt_mac_low_high(at[PAIR], taps[line].last, vt_mac_pair(at[0], taps[line].first, sum));
    }
    return sum;
}

/* One that begins with the second. */
VT_INLINE int32_t vt_sum_odd(const uint32_t *at, const vt_taps taps[3], int32_t sum)
{
    for (int32_t line = 0; line < 3; ++line, at += LINE) {
        sum = vt_mac_pair(at[PAIR], taps[line].last, vt_mac_high_low(at[0], taps[line].first, sum));
    }
    return sum;
}

/* One filter's taps, widened. */
VT_INLINE void vt_taps_of(const uint32_t *weights, vt_taps taps[3])
{
    for (int32_t i = 0; i < 3; ++i) {
        taps[i].first = vt_even_bytes(weights[i]);
        taps[i].last = vt_odd_bytes(weights[i]);
    }
}

#if VT_DSP
/* Outputs of a channel, two by two along each line, `odd` by itself at its end; the assembly knows the order. */
typedef struct {
    int32_t bias, multiplier, rounding, shift;
    int32_t out_step;
    int32_t line_bytes; /* of the pairs that couples of outputs begin with */
    int32_t odd;
    int32_t at_jump, out_jump; /* from the end of a line to the next */
    int32_t lines;
    vt_taps taps[3];
    const uint32_t *at;
    void *output;
} vt_channel;

/* Pairs (x0, x1) and (x2, x3) of a line; r3 to r8 are its taps' `first` and `last`. */
#define VT_LOAD(line)                                                                                                  \
    "ldr r11, [r0, #16 * " line "]\n\t"                                                                                \
    "ldr r12, [r0, #256 + 16 * " line "]\n\t"

/* Two neighbouring outputs of stride 1, in r9 and r10; the latter begins with `start`. */
#define VT_COUPLE_1(line, first, last, start)                                                                          \
    VT_LOAD(line)                                                                                                      \
    "smlad r10, r12, " last ", " start "\n\t"                                                                          \
    "smlatb r10, r11, " first ", r10\n\t"                                                                              \
    "smlad r9, r11, " first ", r9\n\t"                                                                                 \
    "smlabt r9, r12, " last ", r9\n\t"

/* Of stride 2, from (x4, x5) too. */
#define VT_COUPLE_2(line, first, last, start)                                                                          \
    VT_LOAD(line)                                                                                                      \
    "smlad r10, r12, " first ", " start "\n\t"                                                                         \
    "smlad r9, r11, " first ", r9\n\t"                                                                                 \
    "smlabt r9, r12, " last ", r9\n\t"                                                                                 \
    "ldr r11, [r0, #512 + 16 * " line "]\n\t"                                                                          \
    "smlabt r10, r11, " last ", r10\n\t"

#define VT_SINGLE(line, first, last)                                                                                   \
    VT_LOAD(line)                                                                                                      \
    "smlad r9, r11, " first ", r9\n\t"                                                                                 \
    "smlabt r9, r12, " last ", r9\n\t"

/* All registers are in use, so this is one statement that doesn't depend on a compiler's choices. r7 and r11 are saved
 * by hand: either may be a frame pointer, which can't be named as clobbered.
 *
 * `finish` finds a couple's sums in r9 and r10, `finish_single` one in r9, both the channel in r1; they store to r2
 * on, and the former leaves r2 behind what it stored. r10 (of a single), r11 and r12 are free. */
#define VT_CHANNEL(channel, couple, advance, finish, finish_single)                                                    \
    do {                                                                                                               \
        register vt_channel *from __asm__("r1") = channel;                                                             \
        __asm__ volatile("push {r7, r11}\n\t"                                                                          \
                         "add r12, r1, #40\n\t"                                                                        \
                         "ldm r12, {r3-r10} @ taps, at, output\n\t"                                                    \
                         "mov r0, r9\n\t"                                                                              \
                         "mov r2, r10\n"                                                                               \
                         "1: @ line\n\t"                                                                               \
                         "ldr lr, [r1, #20] @ line_bytes\n\t"                                                          \
                         "adds lr, lr, r0\n\t"                                                                         \
                         "cmp r0, lr\n\t"                                                                              \
                         "beq 3f\n\t"                                                                                  \
                         ".balign 4\n"                                                                                 \
                         "2: @ couple of outputs\n\t"                                                                  \
                         "ldr r9, [r1, #0] @ bias\n\t"                                                                 \
                         couple("0", "r3", "r4", "r9")                                                                 \
                         couple("1", "r5", "r6", "r10")                                                                \
                         couple("2", "r7", "r8", "r10")                                                                \
                         "add r0, r0, #" advance "\n\t" finish                                                         \
                         "cmp r0, lr\n\t"                                                                              \
                         "bne 2b\n"                                                                                    \
                         "3:\n\t"                                                                                      \
                         "ldr r10, [r1, #24] @ odd\n\t"                                                                \
                         "cmp r10, #0\n\t"                                                                             \
                         "beq 4f\n\t"                                                                                  \
                         "ldr r9, [r1, #0] @ bias\n\t"                                                                 \
                         VT_SINGLE("0", "r3", "r4") VT_SINGLE("1", "r5", "r6") VT_SINGLE("2", "r7", "r8")              \
                         finish_single "\n"                                                                           \
                         "4: @ next line\n\t"                                                                          \
                         "ldr r9, [r1, #36] @ lines\n\t"                                                               \
                         "ldr r11, [r1, #28] @ at_jump\n\t"                                                            \
                         "ldr r12, [r1, #32] @ out_jump\n\t"                                                           \
                         "subs r9, r9, #1\n\t"                                                                         \
                         "str r9, [r1, #36]\n\t"                                                                       \
                         "add r0, r0, r11\n\t"                                                                         \
                         "add r2, r2, r12\n\t"                                                                         \
                         "bne 1b\n\t"                                                                                  \
                         "pop {r7, r11}"                                                                               \
                         : "+r"(from)                                                                                  \
                         :                                                                                             \
                         : "r0", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");        \
    } while (0)

/* The channel, but for what it is finished with. */
VT_INLINE void vt_begin_channel(vt_channel *channel, const vt_depthwise_params *params, const uint32_t *plane,
                                int32_t along, int32_t across, const uint32_t *weights, void *output)
{
    const int32_t step = params->along.out_step;
    const int32_t couples = along >> 1;
    const int32_t line_bytes = couples * params->along.stride * PAIR * 4;
    channel->out_step = step;
    channel->line_bytes = line_bytes;
    channel->odd = along & 1;
    channel->at_jump = params->across.stride * LINE * 4 - line_bytes;
    channel->out_jump = params->across.out_step - 2 * couples * step;
    channel->lines = across;
    vt_taps_of(weights, channel->taps);
    channel->at = plane;
    channel->output = output;
}
#endif

/* Output x of a 3x3 filter; `at` is the line's first pair. */
VT_INLINE int32_t vt_sum_3x3(const uint32_t *at, int32_t x, int32_t stride, const vt_taps taps[3], int32_t bias)
{
    const int32_t begin = x * stride;
    const uint32_t *const from = at + (begin >> 1) * PAIR;
    return begin & 1 ? vt_sum_odd(from, taps, bias) : vt_sum_even(from, taps, bias);
}

/* What any filter is applied with. */
typedef struct {
    const uint32_t *even, *odd; /* weights for outputs that begin with the first and the second of a pair */
    int32_t lines, words;
} vt_filter_weights;

/* One output, from the pair it begins in. */
VT_INLINE int32_t vt_sum_any(const vt_filter_weights *filter, const uint32_t *at, int odd, int32_t sum)
{
    const uint32_t *weights = odd ? filter->odd : filter->even;
    for (int32_t line = filter->lines; line > 0; --line, at += LINE) {
        const uint32_t *pair = at;
        for (int32_t i = filter->words; i > 0; --i, pair += PAIR) {
            sum = vt_mac_pair(*pair, *weights++, sum);
        }
    }
    return sum;
}

/* Two outputs that begin in one pair. */
VT_INLINE void vt_sums_any(const vt_filter_weights *filter, const uint32_t *at, int32_t bias, int32_t sums[2])
{
    const uint32_t *even = filter->even;
    const uint32_t *odd = filter->odd;
    int32_t first = bias;
    int32_t second = bias;
    for (int32_t line = filter->lines; line > 0; --line, at += LINE) {
        const uint32_t *pair = at;
        for (int32_t i = filter->words; i > 0; --i, pair += PAIR) {
            const uint32_t a = *even++;
            const uint32_t b = *odd++;
            const uint32_t x = *pair;
            first = vt_mac_pair(x, a, first);
            second = vt_mac_pair(x, b, second);
        }
    }
    sums[0] = first;
    sums[1] = second;
}

VT_INLINE void vt_finish_to(void *output, int32_t at, int32_t sum, const int32_t *constants, int wide)
{
    if (wide) {
        *(int16_t *)((uint8_t *)output + at) = vt_finish_s16(sum, constants);
    } else {
        *((int8_t *)output + at) = vt_finish_s8(sum, constants);
    }
}

/* A channel's part of a tile under any filter. `wide`: outputs are int16, else int8. */
VT_INLINE void vt_filter_any(const vt_depthwise_params *params, const uint32_t *plane, int32_t along, int32_t across,
                             const uint32_t *weights, const int32_t *constants, uint8_t *output, int wide)
{
    const int32_t words = params->along.filter / 2 + 1;
    const int32_t lines = params->across.filter;
    const vt_filter_weights filter = {weights, weights + lines * words, lines, words};
    const int32_t stride = params->along.stride;
    const int32_t step = params->along.out_step;
    const int32_t bias = constants[0];
    for (; across > 0; --across) {
        int32_t x = 0;
        if (stride == 1) {
            for (; x + 2 <= along; x += 2) {
                int32_t sums[2];
                vt_sums_any(&filter, plane + (x >> 1) * PAIR, bias, sums);
                vt_finish_to(output, x * step, sums[0], constants, wide);
                vt_finish_to(output, (x + 1) * step, sums[1], constants, wide);
            }
        }
        for (; x < along; ++x) {
            const int32_t begin = x * stride;
            const int32_t sum = vt_sum_any(&filter, plane + (begin >> 1) * PAIR, begin & 1, bias);
            vt_finish_to(output, x * step, sum, constants, wide);
        }
        plane += params->across.stride * LINE;
        output += params->across.out_step;
    }
}

#endif
