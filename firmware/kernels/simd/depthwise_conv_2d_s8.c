#include "depthwise_conv_2d_s8.h"

#include "clamp_s8.h"
#include "vt_simd.h"

/* In words. */
enum { LINE = VT_TILE_CHANNELS, PAIR = VT_TILE_LINES * VT_TILE_CHANNELS };

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

VT_INLINE int8_t vt_finish_one(int32_t sum, const int32_t *constants)
{
    const int32_t shift = constants[VT_SHIFT];
    const int32_t value = shift < VT_LEAST_GENERAL
                              ? vt_finish(sum, constants[VT_MULTIPLIER], constants[VT_ROUNDING], shift, 0)
                              : vt_finish_general(sum, constants);
    return (int8_t)vt_saturate_s8(value);
}

/* Outputs one by one: channels that need general arithmetic. */
static void vt_line_slowly(const uint32_t *at, int32_t count, int32_t stride, const vt_taps taps[3],
                           const int32_t *constants, int8_t *output, int32_t step)
{
    for (int32_t i = 0; i < count; ++i, output += step) {
        const int32_t begin = i * stride;
        const uint32_t *const from = at + (begin >> 1) * PAIR;
        const int32_t sum = begin & 1 ? vt_sum_odd(from, taps, constants[VT_BIAS])
                                      : vt_sum_even(from, taps, constants[VT_BIAS]);
        *output = vt_finish_one(sum, constants);
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
    int8_t *output;
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

#define VT_TOWARDS_ZERO(sum) "add " sum ", " sum ", " sum ", asr #31\n\t"
#define VT_ANYWHERE(sum) ""

/* All registers are in use, so this is one statement that doesn't depend on a compiler's choices. r7 and r11 are saved by hand:
 * either may be a frame pointer, which can't be named as clobbered. */
#define VT_CHANNEL(channel, couple, advance, towards_zero)                                                             \
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
                         "ldr r11, [r1, #4] @ multiplier\n\t"                                                          \
                         "ldr r12, [r1, #8] @ rounding\n\t"                                                            \
                         "smmlar r9, r9, r11, r9\n\t"                                                                  \
                         "smmlar r10, r10, r11, r10\n\t"                                                               \
                         towards_zero("r9") towards_zero("r10")                                                        \
                         "add r9, r9, r12\n\t"                                                                         \
                         "add r10, r10, r12\n\t"                                                                       \
                         "ldr r11, [r1, #12] @ shift\n\t"                                                              \
                         "ldr r12, [r1, #16] @ out_step\n\t"                                                           \
                         "add r0, r0, #" advance "\n\t"                                                                \
                         "asr r9, r9, r11\n\t"                                                                         \
                         "asr r10, r10, r11\n\t"                                                                       \
                         "ssat r9, #8, r9\n\t"                                                                         \
                         "ssat r10, #8, r10\n\t"                                                                       \
                         "strb r9, [r2]\n\t"                                                                           \
                         "strb r10, [r2, r12]\n\t"                                                                     \
                         "add r2, r2, r12, lsl #1\n\t"                                                                 \
                         "cmp r0, lr\n\t"                                                                              \
                         "bne 2b\n"                                                                                    \
                         "3:\n\t"                                                                                      \
                         "ldr r10, [r1, #24] @ odd\n\t"                                                                \
                         "cmp r10, #0\n\t"                                                                             \
                         "beq 4f\n\t"                                                                                  \
                         "ldr r9, [r1, #0] @ bias\n\t"                                                                 \
                         VT_SINGLE("0", "r3", "r4") VT_SINGLE("1", "r5", "r6") VT_SINGLE("2", "r7", "r8")              \
                         "ldr r10, [r1, #4] @ multiplier\n\t"                                                          \
                         "ldr r11, [r1, #8] @ rounding\n\t"                                                            \
                         "ldr r12, [r1, #12] @ shift\n\t"                                                              \
                         "smmlar r9, r9, r10, r9\n\t"                                                                  \
                         towards_zero("r9")                                                                            \
                         "add r9, r9, r11\n\t"                                                                         \
                         "asr r9, r9, r12\n\t"                                                                         \
                         "ssat r9, #8, r9\n\t"                                                                         \
                         "strb r9, [r2]\n"                                                                             \
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

VT_INLINE void vt_filter(const vt_depthwise_s8_params *params, const uint32_t *plane, int32_t along, int32_t across,
                         const vt_taps taps[3], const int32_t *constants, int8_t *output, int positive)
{
    const int32_t stride = params->along.stride;
    const int32_t step = params->along.out_step;
    const int32_t couples = along >> 1;
    const int32_t line_bytes = couples * stride * PAIR * 4;
    vt_channel channel = {
        .bias = constants[VT_BIAS],
        .multiplier = constants[VT_MULTIPLIER],
        .rounding = constants[VT_ROUNDING],
        .shift = constants[VT_SHIFT],
        .out_step = step,
        .line_bytes = line_bytes,
        .odd = along & 1,
        .at_jump = params->across.stride * LINE * 4 - line_bytes,
        .out_jump = params->across.out_step - 2 * couples * step,
        .lines = across,
        .taps = {taps[0], taps[1], taps[2]},
        .at = plane,
        .output = output,
    };
    if (stride == 1) {
        if (positive) {
            VT_CHANNEL(&channel, VT_COUPLE_1, "256", VT_ANYWHERE);
        } else {
            VT_CHANNEL(&channel, VT_COUPLE_1, "256", VT_TOWARDS_ZERO);
        }
    } else {
        if (positive) {
            VT_CHANNEL(&channel, VT_COUPLE_2, "512", VT_ANYWHERE);
        } else {
            VT_CHANNEL(&channel, VT_COUPLE_2, "512", VT_TOWARDS_ZERO);
        }
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
#if VT_DSP
    if (constants[VT_SHIFT] < VT_LEAST_GENERAL) {
        vt_filter(params, plane, along, across, taps, constants, output, positive);
        return;
    }
#endif
    (void)positive;
    for (; across > 0; --across) {
        vt_line_slowly(plane, along, params->along.stride, taps, constants, output, params->along.out_step);
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
            output[y * params->across.out_step + x * params->along.out_step] = vt_finish_one(sum, constants);
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
