#include "depthwise_conv_2d_s8.h"

#include "clamp_s8.h"
#include "vt_simd.h"

/* In words. */
enum { LINE = VT_TILE_CHANNELS, PAIR = VT_TILE_LINES * VT_TILE_CHANNELS };

/* What an output line of a channel is computed with; the assembly below knows the order. */
typedef struct {
    int32_t bias, multiplier, rounding, shift;
    int32_t step; /* between outputs */
    const uint32_t *stop;
} vt_line;

/* One filter line: (w0, w1) and (w1, w2). */
typedef struct {
    uint32_t first, last;
} vt_taps;

typedef void vt_channel_kernel(const vt_depthwise_s8_params *params, const uint32_t *plane, int32_t along,
                               int32_t across, const uint32_t *weights, const int32_t *constants, int8_t *output);

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

VT_INLINE int8_t vt_finish_one(int32_t sum, const int32_t *constants, int positive)
{
    const int32_t shift = constants[VT_SHIFT];
    const int32_t value = shift < VT_LEAST_GENERAL
                              ? vt_finish(sum, constants[VT_MULTIPLIER], constants[VT_ROUNDING], shift, positive)
                              : vt_finish_general(sum, constants);
    return (int8_t)vt_saturate_s8(value);
}

/* Outputs one by one: what is left over at the end of a line, and channels that need general arithmetic. */
static void vt_line_slowly(const uint32_t *at, int32_t count, int32_t stride, const vt_taps taps[3],
                           const int32_t *constants, int8_t *output, int32_t step)
{
    for (int32_t i = 0; i < count; ++i, output += step) {
        const int32_t begin = i * stride;
        const uint32_t *const from = at + (begin >> 1) * PAIR;
        const int32_t sum = begin & 1 ? vt_sum_odd(from, taps, constants[VT_BIAS])
                                      : vt_sum_even(from, taps, constants[VT_BIAS]);
        *output = vt_finish_one(sum, constants, 0);
    }
}

#if VT_DSP && defined(__OPTIMIZE__)
#define VT_LOAD_TWO(line)                                                                                              \
    "ldr %[t0], [%[at], #16 * " #line "]\n\t"                                                                          \
    "ldr %[t1], [%[at], #256 + 16 * " #line "]\n\t"

/* Two neighbouring outputs of stride 1 from pairs (x0, x1) and (x2, x3). */
#define VT_MAC_STRIDE_1(line, first)                                                                                   \
    VT_LOAD_TWO(line)                                                                                                  \
    "smlad %[s1], %[t1], %[v" #line "], %[" first "]\n\t"                                                              \
    "smlatb %[s1], %[t0], %[u" #line "], %[s1]\n\t"                                                                    \
    "smlad %[s0], %[t0], %[u" #line "], %[s0]\n\t"                                                                     \
    "smlabt %[s0], %[t1], %[v" #line "], %[s0]\n\t"

/* Two neighbouring outputs of stride 2 from pairs (x0, x1), (x2, x3) and (x4, x5). */
#define VT_MAC_STRIDE_2(line, first)                                                                                   \
    VT_LOAD_TWO(line)                                                                                                  \
    "smlad %[s1], %[t1], %[u" #line "], %[" first "]\n\t"                                                              \
    "smlad %[s0], %[t0], %[u" #line "], %[s0]\n\t"                                                                     \
    "smlabt %[s0], %[t1], %[v" #line "], %[s0]\n\t"                                                                    \
    "ldr %[t0], [%[at], #512 + 16 * " #line "]\n\t"                                                                    \
    "smlabt %[s1], %[t0], %[v" #line "], %[s1]\n\t"

#define VT_TOWARDS_ZERO                                                                                                \
    "add %[s0], %[s0], %[s0], asr #31\n\t"                                                                             \
    "add %[s1], %[s1], %[s1], asr #31\n\t"

/* Outputs two by two up to line->stop; a statement for the whole loop, so that all of it stays in registers. */
#define VT_LINE(mac, advance, towards_zero)                                                                            \
    do {                                                                                                               \
        int32_t s0, s1;                                                                                                \
        uint32_t t0, t1;                                                                                               \
        __asm__ volatile("1:\n\t"                                                                                      \
                         "ldr %[s0], [%[line], #0]\n\t" /* bias */                                                     \
                         mac(0, "s0") mac(1, "s1") mac(2, "s1")                                                        \
                         "add %[at], %[at], #" advance "\n\t"                                                          \
                         "ldr %[t0], [%[line], #4]\n\t" /* multiplier */                                               \
                         "ldr %[t1], [%[line], #8]\n\t" /* rounding */                                                 \
                         "smmlar %[s0], %[s0], %[t0], %[s0]\n\t"                                                       \
                         "smmlar %[s1], %[s1], %[t0], %[s1]\n\t"                                                       \
                         towards_zero                                                                                  \
                         "add %[s0], %[s0], %[t1]\n\t"                                                                 \
                         "add %[s1], %[s1], %[t1]\n\t"                                                                 \
                         "ldr %[t0], [%[line], #12]\n\t" /* shift */                                                   \
                         "ldr %[t1], [%[line], #16]\n\t" /* step */                                                    \
                         "asr %[s0], %[s0], %[t0]\n\t"                                                                 \
                         "asr %[s1], %[s1], %[t0]\n\t"                                                                 \
                         "ldr %[t0], [%[line], #20]\n\t" /* stop */                                                    \
                         "ssat %[s0], #8, %[s0]\n\t"                                                                   \
                         "ssat %[s1], #8, %[s1]\n\t"                                                                   \
                         "strb %[s0], [%[out]]\n\t"                                                                    \
                         "add %[out], %[out], %[t1]\n\t"                                                               \
                         "strb %[s1], [%[out]]\n\t"                                                                    \
                         "add %[out], %[out], %[t1]\n\t"                                                               \
                         "cmp %[at], %[t0]\n\t"                                                                        \
                         "bne 1b"                                                                                      \
                         : [at] "+r"(at), [out] "+r"(output), [s0] "=&r"(s0), [s1] "=&r"(s1), [t0] "=&r"(t0),          \
                           [t1] "=&r"(t1)                                                                              \
                         : [line] "r"(line), [u0] "r"(taps[0].first), [v0] "r"(taps[0].last), [u1] "r"(taps[1].first), \
                           [v1] "r"(taps[1].last), [u2] "r"(taps[2].first), [v2] "r"(taps[2].last)                     \
                         : "cc", "memory");                                                                            \
    } while (0)

VT_INLINE void vt_line_fast(const uint32_t *at, const vt_line *line, int32_t stride, const vt_taps taps[3],
                            const int32_t *constants, int8_t *output, int positive)
{
    (void)constants;
    if (stride == 1) {
        if (positive) {
            VT_LINE(VT_MAC_STRIDE_1, "256", "");
        } else {
            VT_LINE(VT_MAC_STRIDE_1, "256", VT_TOWARDS_ZERO);
        }
    } else {
        if (positive) {
            VT_LINE(VT_MAC_STRIDE_2, "512", "");
        } else {
            VT_LINE(VT_MAC_STRIDE_2, "512", VT_TOWARDS_ZERO);
        }
    }
}
#else
VT_INLINE void vt_line_fast(const uint32_t *at, const vt_line *line, int32_t stride, const vt_taps taps[3],
                            const int32_t *constants, int8_t *output, int positive)
{
    for (; at != line->stop; at += stride * PAIR) {
        const int32_t first = vt_sum_even(at, taps, line->bias);
        const int32_t second = stride == 1 ? vt_sum_odd(at, taps, line->bias) : vt_sum_even(at + PAIR, taps, line->bias);
        *output = vt_finish_one(first, constants, positive);
        output += line->step;
        *output = vt_finish_one(second, constants, positive);
        output += line->step;
    }
}
#endif

/* A channel's part of the tile: `along` by `across` outputs. */
VT_INLINE void vt_channel_3x3(const vt_depthwise_s8_params *params, const uint32_t *plane, int32_t along, int32_t across,
                              const uint32_t *weights, const int32_t *constants, int8_t *output, int positive)
{
    vt_taps taps[3];
    for (int32_t i = 0; i < 3; ++i) {
        taps[i].first = vt_even_bytes(weights[i]);
        taps[i].last = vt_odd_bytes(weights[i]);
    }
    const int32_t stride = params->along.stride;
    const int32_t step = params->along.out_step;
    const int32_t couples = constants[VT_SHIFT] < VT_LEAST_GENERAL ? along >> 1 : 0;
    const int32_t done = couples * stride * PAIR;
    const int32_t left = along - 2 * couples;
    vt_line line = {constants[VT_BIAS], constants[VT_MULTIPLIER], constants[VT_ROUNDING], constants[VT_SHIFT], step, 0};
    for (; across > 0; --across) {
        line.stop = plane + done;
        if (couples > 0) {
            if (stride == 1) {
                vt_line_fast(plane, &line, 1, taps, constants, output, positive);
            } else {
                vt_line_fast(plane, &line, 2, taps, constants, output, positive);
            }
        }
        if (left > 0) {
            vt_line_slowly(line.stop, left, stride, taps, constants, output + 2 * couples * step, step);
        }
        plane += params->across.stride * LINE;
        output += params->across.out_step;
    }
}

static void vt_channel_3x3_any(const vt_depthwise_s8_params *params, const uint32_t *plane, int32_t along,
                               int32_t across, const uint32_t *weights, const int32_t *constants, int8_t *output)
{
    vt_channel_3x3(params, plane, along, across, weights, constants, output, 0);
}

static void vt_channel_3x3_positive(const vt_depthwise_s8_params *params, const uint32_t *plane, int32_t along,
                                    int32_t across, const uint32_t *weights, const int32_t *constants, int8_t *output)
{
    vt_channel_3x3(params, plane, along, across, weights, constants, output, 1);
}

static void vt_channel_any(const vt_depthwise_s8_params *params, const uint32_t *plane, int32_t along, int32_t across,
                           const uint32_t *weights, const int32_t *constants, int8_t *output)
{
    const int32_t words = params->along.filter / 2 + 1;
    const int32_t lines = params->across.filter;
    for (int32_t y = 0; y < across; ++y) {
        for (int32_t x = 0; x < along; ++x) {
            const int32_t begin = x * params->along.stride;
            const uint32_t *at = plane + y * params->across.stride * LINE + (begin >> 1) * PAIR;
            const uint32_t *w = weights + (begin & 1) * lines * words;
            int32_t sum = constants[VT_BIAS];
            for (int32_t line = 0; line < lines; ++line, at += LINE) {
                const uint32_t *pair = at;
                for (int32_t i = 0; i < words; ++i, pair += PAIR) {
                    sum = vt_mac_pair(*pair, *w++, sum);
                }
            }
            output[y * params->across.out_step + x * params->along.out_step] = vt_finish_one(sum, constants, 0);
        }
    }
}

/* Pixels of a tile along one line of pairs: where its first and second pixel are read; outside the image at a constant. */
typedef struct {
    const int8_t *first, *second;
    int32_t first_step, second_step;
} vt_source;

/* Four channels of two pixels as four pairs. */
VT_INLINE void vt_store_pairs(uint32_t *to, uint32_t a, uint32_t b)
{
    const uint32_t low = vt_low_halves(a, b);
    const uint32_t high = vt_high_halves(a, b);
    to[0] = vt_even_bytes(low);
    to[1] = vt_odd_bytes(low);
    to[2] = vt_even_bytes(high);
    to[3] = vt_odd_bytes(high);
}

static void vt_widen(uint32_t *to, vt_source source, int32_t lines)
{
    for (; lines > 0; --lines, to += LINE) {
        const uint32_t a = vt_load_word(source.first);
        const uint32_t b = vt_load_word(source.second);
        source.first += source.first_step;
        source.second += source.second_step;
        vt_store_pairs(to, a, b);
    }
}

/* The same where the image has fewer than four channels and its last pixel no word to load. */
static void vt_widen_few(uint32_t *to, vt_source source, int32_t lines, int32_t channels)
{
    for (; lines > 0; --lines, to += LINE) {
        for (int32_t c = 0; c < channels; ++c) {
            to[c] = vt_pair(source.first[c], source.second[c]);
        }
        source.first += source.first_step;
        source.second += source.second_step;
    }
}

typedef struct {
    int32_t along, across;         /* the first output's place */
    int32_t along_size, across_size; /* outputs */
} vt_tile;

static int32_t vt_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t vt_most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Fills the tile for the channels from `image` on: all of it at `first`, else what is inside the image. */
static void vt_fill_tile(const vt_depthwise_s8_params *params, const vt_tile *tile, const int8_t *image,
                         uint32_t *pairs, int first)
{
    const vt_depthwise_axis *along = &params->along;
    const vt_depthwise_axis *across = &params->across;
    const uint32_t filler = 0x01010101u * ((uint32_t)params->filler & 0xFFu);
    const int32_t top = tile->across * across->stride - across->pad;
    const int32_t lines = (tile->across_size - 1) * across->stride + across->filter;
    const int32_t begin = vt_most(0, -top);
    const int32_t end = vt_least(lines, across->in - top);
    int32_t x = tile->along * along->stride - along->pad;
    const int32_t pixels = (tile->along_size - 1) * along->stride + along->filter;
    const int32_t after = x + pixels;
    for (; x < after; x += 2, pairs += PAIR) {
        const int32_t has_first = x >= 0 && x < along->in;
        const int32_t has_second = x + 1 >= 0 && x + 1 < along->in;
        if (first) {
            for (int32_t line = 0; line < lines; ++line) {
                vt_store_pairs(pairs + line * LINE, filler, filler);
            }
        }
        if (end > begin && (has_first || has_second)) {
            const int8_t *const at = image + x * along->in_step + (top + begin) * across->in_step;
            vt_source source = {at, at + along->in_step, across->in_step, across->in_step};
            if (!has_first) {
                source.first = (const int8_t *)&filler;
                source.first_step = 0;
            }
            if (!has_second) {
                source.second = (const int8_t *)&filler;
                source.second_step = 0;
            }
            if (params->channels >= VT_TILE_CHANNELS) {
                vt_widen(pairs + begin * LINE, source, end - begin);
            } else {
                vt_widen_few(pairs + begin * LINE, source, end - begin, params->channels);
            }
        }
    }
}

VT_INLINE void vt_depthwise_tile(const vt_depthwise_s8_params *params, const vt_tile *tile, const int8_t *image,
                                 const uint32_t *weights, const int32_t *constants, int8_t *output, uint32_t *pairs,
                                 vt_channel_kernel *kernel)
{
    const int32_t channels = params->channels;
    const int32_t at_once = vt_least(channels, VT_TILE_CHANNELS);
    output += tile->along * params->along.out_step + tile->across * params->across.out_step;
    for (int32_t c = 0; c < channels; c += VT_TILE_CHANNELS) {
        /* The last four overlap those before where channels aren't a multiple of four. */
        const int32_t base = vt_least(c, channels - at_once);
        vt_fill_tile(params, tile, image + base, pairs, c == 0);
        for (int32_t i = 0; i < at_once; ++i) {
            for (int32_t m = 0; m < params->multiplier; ++m) {
                const int32_t oc = (base + i) * params->multiplier + m;
                kernel(params, pairs + i, tile->along_size, tile->across_size, weights + oc * params->weight_words,
                       constants + oc * VT_CHANNEL_WORDS, output + oc);
            }
        }
    }
}

VT_INLINE void vt_depthwise(const vt_depthwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                            const int32_t *constants, int8_t *output, uint32_t *pairs, vt_channel_kernel *kernel)
{
    const vt_depthwise_axis *along = &params->along;
    const vt_depthwise_axis *across = &params->across;
    int8_t *const outputs = output;
    vt_tile tile;
    for (int32_t n = 0; n < params->batches; ++n) {
        for (tile.across = 0; tile.across < across->out; tile.across += across->tile) {
            tile.across_size = vt_least(across->tile, across->out - tile.across);
            for (tile.along = 0; tile.along < along->out; tile.along += along->tile) {
                tile.along_size = vt_least(along->tile, along->out - tile.along);
                vt_depthwise_tile(params, &tile, input, weights, constants, output, pairs, kernel);
            }
        }
        input += params->in_bytes;
        output += params->out_bytes;
    }
    vt_clamp_s8(outputs, params->batches * params->out_bytes, params->activation_min, params->activation_max);
}

void vt_depthwise_3x3_s8_simd(const vt_depthwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                              const int32_t *constants, int8_t *output, void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_3x3_any);
}

void vt_depthwise_3x3_s8_simd_positive(const vt_depthwise_s8_params *params, const int8_t *input,
                                       const uint32_t *weights, const int32_t *constants, int8_t *output,
                                       void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_3x3_positive);
}

void vt_depthwise_s8_simd(const vt_depthwise_s8_params *params, const int8_t *input, const uint32_t *weights,
                          const int32_t *constants, int8_t *output, void *scratch)
{
    vt_depthwise(params, input, weights, constants, output, scratch, vt_channel_any);
}
