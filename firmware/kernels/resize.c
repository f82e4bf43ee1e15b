#include "resize.h"

#include <string.h>

void vt_resize_nearest_neighbor(const vt_resize_nearest_params *params, const int16_t *rows, const int16_t *columns,
                                const void *input, void *output)
{
    const size_t pixel_bytes = (size_t)params->pixel_bytes;
    const size_t row_bytes = (size_t)params->in_w * pixel_bytes;
    const uint8_t *image = (const uint8_t *)input;
    uint8_t *target = (uint8_t *)output;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t y = 0; y < params->out_h; y++) {
            const uint8_t *row = image + (size_t)rows[y] * row_bytes;
            for (int32_t x = 0; x < params->out_w; x++) {
                memcpy(target, row + (size_t)columns[x] * pixel_bytes, pixel_bytes);
                target += pixel_bytes;
            }
        }
        image += (size_t)params->in_h * row_bytes;
    }
}

/* Two neighbours along one axis, and the weight of the second; that of the first is what is missing to 1. */
typedef struct {
    int32_t first, second;
    int32_t weight; /* of 1024 */
} vt_neighbours;

typedef struct {
    int32_t first, second;
    float weight;
} vt_neighbours_f32;

static inline vt_neighbours vt_neighbours_of(int32_t index, int32_t scale, int32_t half_pixel_centers, int32_t size)
{
    const int32_t at = index * scale + (half_pixel_centers ? scale / 2 - 512 : 0);
    const int32_t lower = at / 1024;
    const int32_t upper = (at + 1023) / 1024;
    vt_neighbours result;
    result.first = lower > 0 ? lower : 0;
    result.second = upper < size ? upper : size - 1;
    result.weight = at - 1024 * result.first;
    return result;
}

static inline vt_neighbours_f32 vt_neighbours_of_f32(int32_t index, float scale, int32_t half_pixel_centers,
                                                     int32_t size)
{
    const float at = half_pixel_centers ? ((float)index + 0.5f) * scale - 0.5f : (float)index * scale;
    const int32_t lower = at > 0.0f ? (int32_t)at : 0;
    const int32_t upper = lower + ((float)lower < at);
    vt_neighbours_f32 result;
    result.first = lower;
    result.second = upper < size ? upper : size - 1;
    result.weight = at - (float)lower;
    return result;
}

/* `sum_type` holds a product of an element and 2^20 with room for weights a little outside 0..1024. */
#define VT_RESIZE_BILINEAR(name, type, sum_type)                                                                       \
    void name(const vt_resize_bilinear_params *params, const type *input, type *output)                                \
    {                                                                                                                  \
        const int32_t channels = params->channels;                                                                     \
        const int32_t row = params->in_w * channels;                                                                   \
        for (int32_t batch = 0; batch < params->batches; batch++) {                                                    \
            for (int32_t oy = 0; oy < params->out_h; oy++) {                                                           \
                const vt_neighbours y =                                                                                \
                    vt_neighbours_of(oy, params->scale_h, params->half_pixel_centers, params->in_h);                   \
                const type *upper = input + y.first * row;                                                             \
                const type *lower = input + y.second * row;                                                            \
                for (int32_t ox = 0; ox < params->out_w; ox++) {                                                       \
                    const vt_neighbours x =                                                                            \
                        vt_neighbours_of(ox, params->scale_w, params->half_pixel_centers, params->in_w);               \
                    const int32_t left = x.first * channels;                                                           \
                    const int32_t right = x.second * channels;                                                         \
                    for (int32_t c = 0; c < channels; c++) {                                                           \
                        const sum_type sum =                                                                           \
                            (sum_type)upper[left + c] * ((1024 - y.weight) * (1024 - x.weight)) +                      \
                            (sum_type)lower[left + c] * (y.weight * (1024 - x.weight)) +                               \
                            (sum_type)upper[right + c] * ((1024 - y.weight) * x.weight) +                              \
                            (sum_type)lower[right + c] * (y.weight * x.weight);                                        \
                        *output++ = (type)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));                      \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
            input += params->in_h * row;                                                                               \
        }                                                                                                              \
    }

VT_RESIZE_BILINEAR(vt_resize_bilinear_s8, int8_t, int32_t)
VT_RESIZE_BILINEAR(vt_resize_bilinear_s16, int16_t, int64_t)

void vt_resize_bilinear_f32(const vt_resize_bilinear_f32_params *params, const float *input, float *output)
{
    const int32_t channels = params->channels;
    const int32_t row = params->in_w * channels;
    for (int32_t batch = 0; batch < params->batches; batch++) {
        for (int32_t oy = 0; oy < params->out_h; oy++) {
            const vt_neighbours_f32 y =
                vt_neighbours_of_f32(oy, params->scale_h, params->half_pixel_centers, params->in_h);
            const float *upper = input + y.first * row;
            const float *lower = input + y.second * row;
            for (int32_t ox = 0; ox < params->out_w; ox++) {
                const vt_neighbours_f32 x =
                    vt_neighbours_of_f32(ox, params->scale_w, params->half_pixel_centers, params->in_w);
                const int32_t left = x.first * channels;
                const int32_t right = x.second * channels;
                for (int32_t c = 0; c < channels; c++) {
                    *output++ = upper[left + c] * (1.0f - y.weight) * (1.0f - x.weight) +
                                lower[left + c] * y.weight * (1.0f - x.weight) +
                                upper[right + c] * (1.0f - y.weight) * x.weight +
                                lower[right + c] * y.weight * x.weight;
                }
            }
        }
        input += params->in_h * row;
    }
}
