#include "matrix_s8_scalar.h"

#include "vt_simd.h"

/* Words of a block in a column, and in a stream of weights. */
enum { COLUMN_WORDS = 4, STREAM_WORDS = 2 };

/* Three columns by a couple of channels; the assembly knows the order. */
typedef struct {
    const int8_t *weights, *stop;
    const int32_t *columns;
    int32_t sums[6]; /* of the first channel, then of the second */
} vt_product;

#if defined(__ARM_ARCH_6M__)
/* x0 to x2 are in r0 to r2, the sums in r8 to r12 and lr; the weight is the low byte of r4. Sums may be in high
 * registers, since those can be added to. */
#define VT_FIRST_CHANNEL                                                                                               \
    "sxtb r3, r4\n\t"                                                                                                  \
    "movs r7, r0\n\t"                                                                                                  \
    "muls r7, r3\n\t"                                                                                                  \
    "add r8, r7\n\t"                                                                                                   \
    "movs r7, r1\n\t"                                                                                                  \
    "muls r7, r3\n\t"                                                                                                  \
    "add r9, r7\n\t"                                                                                                   \
    "movs r7, r2\n\t"                                                                                                  \
    "muls r7, r3\n\t"                                                                                                  \
    "add r10, r7\n\t"                                                                                                  \
    "lsrs r4, #8\n\t"

#define VT_SECOND_CHANNEL                                                                                              \
    "sxtb r3, r4\n\t"                                                                                                  \
    "muls r0, r3\n\t"                                                                                                  \
    "add r11, r0\n\t"                                                                                                  \
    "muls r1, r3\n\t"                                                                                                  \
    "add r12, r1\n\t"                                                                                                  \
    "muls r2, r3\n\t"                                                                                                  \
    "add lr, r2\n\t"

/* Two elements: 12 multiply-accumulates in 49 cycles. */
#define VT_STEP                                                                                                        \
    "ldm r6!, {r4}\n\t"                                                                                                \
    "ldm r5!, {r0-r2}\n\t" VT_FIRST_CHANNEL VT_SECOND_CHANNEL                                                          \
    "lsrs r4, #8\n\t"                                                                                                  \
    "ldm r5!, {r0-r2}\n\t" VT_FIRST_CHANNEL VT_SECOND_CHANNEL

/* r7 and r11 are saved by hand: either may be a frame pointer, which can't be named as clobbered. */
static __attribute__((noinline)) void vt_multiply(vt_product *product)
{
    register vt_product *from __asm__("r0") = product;
    __asm__ volatile(".syntax unified\n\t"
                     "mov r1, r11\n\t"
                     "push {r1, r7}\n\t"
                     "ldr r1, [r0, #4] @ stop\n\t"
                     "push {r0, r1}\n\t"
                     "ldr r6, [r0, #0] @ weights\n\t"
                     "ldr r5, [r0, #8] @ columns\n\t"
                     "movs r0, #0\n\t"
                     "mov r8, r0\n\t"
                     "mov r9, r0\n\t"
                     "mov r10, r0\n\t"
                     "mov r11, r0\n\t"
                     "mov r12, r0\n\t"
                     "mov lr, r0\n"
                     "1:\n\t" VT_STEP VT_STEP
                     "ldr r0, [sp, #4] @ stop\n\t"
                     "cmp r6, r0\n\t"
                     "bne 1b\n\t"
                     "pop {r0, r1}\n\t"
                     "mov r2, r8\n\t"
                     "str r2, [r0, #12]\n\t"
                     "mov r2, r9\n\t"
                     "str r2, [r0, #16]\n\t"
                     "mov r2, r10\n\t"
                     "str r2, [r0, #20]\n\t"
                     "mov r2, r11\n\t"
                     "str r2, [r0, #24]\n\t"
                     "mov r2, r12\n\t"
                     "str r2, [r0, #28]\n\t"
                     "mov r2, lr\n\t"
                     "str r2, [r0, #32]\n\t"
                     "pop {r1, r7}\n\t"
                     "mov r11, r1"
                     : "+r"(from)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");
}
#elif defined(__thumb2__)
/* Element `i` of a block: 6 multiply-accumulates in 18 cycles. */
#define VT_ELEMENT(weight_a, weight_b, x0, x1, x2)                                                                     \
    "ldrsb r9, [r0, #" weight_a "]\n\t"                                                                                \
    "ldrsb r10, [r0, #" weight_b "]\n\t"                                                                               \
    "ldr r11, [r1, #" x0 "]\n\t"                                                                                       \
    "ldr r12, [r1, #" x1 "]\n\t"                                                                                       \
    "ldr lr, [r1, #" x2 "]\n\t"                                                                                        \
    "mla r3, r9, r11, r3\n\t"                                                                                          \
    "mla r6, r10, r11, r6\n\t"                                                                                         \
    "mla r4, r9, r12, r4\n\t"                                                                                          \
    "mla r7, r10, r12, r7\n\t"                                                                                         \
    "mla r5, r9, lr, r5\n\t"                                                                                           \
    "mla r8, r10, lr, r8\n\t"

/* r7 and r11 are saved by hand: either may be a frame pointer, which can't be named as clobbered. */
static __attribute__((noinline)) void vt_multiply(vt_product *product)
{
    register vt_product *from __asm__("r0") = product;
    __asm__ volatile("push {r0, r7, r11}\n\t"
                     "ldm r0, {r0, r2} @ weights, stop\n\t"
                     "ldr r1, [sp]\n\t"
                     "ldr r1, [r1, #8] @ columns\n\t"
                     "movs r3, #0\n\t"
                     "movs r4, #0\n\t"
                     "movs r5, #0\n\t"
                     "movs r6, #0\n\t"
                     "movs r7, #0\n\t"
                     "mov r8, #0\n\t"
                     ".balign 4\n"
                     "1:\n\t"
                     VT_ELEMENT("0", "1", "0", "4", "8")
                     VT_ELEMENT("2", "3", "12", "16", "20")
                     VT_ELEMENT("4", "5", "24", "28", "32")
                     VT_ELEMENT("6", "7", "36", "40", "44")
                     "adds r0, r0, #8\n\t"
                     "adds r1, r1, #48\n\t"
                     "cmp r0, r2\n\t"
                     "bne 1b\n\t"
                     "pop {r0, r9, r11}\n\t"
                     "add r0, r0, #12\n\t"
                     "stm r0, {r3-r8}\n\t"
                     "mov r7, r9"
                     : "+r"(from)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");
}
#else
static void vt_multiply(vt_product *product)
{
    const int32_t *x = product->columns;
    for (int32_t i = 0; i < 6; ++i) {
        product->sums[i] = 0;
    }
    for (const int8_t *weights = product->weights; weights != product->stop; weights += 2, x += 3) {
        for (int32_t i = 0; i < 6; ++i) {
            product->sums[i] = vt_mac(product->sums[i], weights[i / 3], x[i % 3]);
        }
    }
}
#endif

void vt_matrix3_s8_scalar(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                          const int32_t *constants, void *output)
{
    const int32_t stream_words = matrix->blocks * STREAM_WORDS;
    const int32_t channels = matrix->channels;
    int8_t *to = output;
    for (int32_t c = 0; c < channels; c += 2, to += 2, weights += stream_words) {
        vt_product product;
        product.weights = (const int8_t *)weights;
        product.stop = (const int8_t *)(weights + stream_words);
        product.columns = (const int32_t *)columns;
        vt_multiply(&product);
        const int32_t *sums = product.sums;
        for (int32_t i = 0; i < 2 && c + i < channels; ++i, sums += 3, constants += VT_CHANNEL_WORDS) {
            const int32_t bias = constants[VT_BIAS];
            to[i] = vt_finish_s8(vt_add(sums[0], bias), constants);
            to[i + channels] = vt_finish_s8(vt_add(sums[1], bias), constants);
            to[i + 2 * channels] = vt_finish_s8(vt_add(sums[2], bias), constants);
        }
    }
}

void vt_matrix1_s8_scalar(const vt_matrix *matrix, const uint32_t *columns, const uint32_t *weights,
                          const int32_t *constants, void *output)
{
    const int32_t elements = matrix->blocks * COLUMN_WORDS;
    const int8_t *w = (const int8_t *)weights;
    int8_t *to = output;
    int8_t *const end = to + matrix->channels;
    while (to != end) {
        uint32_t a = (uint32_t)constants[VT_BIAS];
        uint32_t b = (uint32_t)constants[VT_CHANNEL_WORDS + VT_BIAS];
        for (int32_t i = 0; i < elements; i += 2, w += 4) {
            const uint32_t x = columns[i];
            const uint32_t y = columns[i + 1];
            a += (uint32_t)(int32_t)w[0] * x + (uint32_t)(int32_t)w[2] * y;
            b += (uint32_t)(int32_t)w[1] * x + (uint32_t)(int32_t)w[3] * y;
        }
        *to++ = vt_finish_s8((int32_t)a, constants);
        constants += VT_CHANNEL_WORDS;
        if (to != end) {
            *to++ = vt_finish_s8((int32_t)b, constants);
            constants += VT_CHANNEL_WORDS;
        }
    }
}
