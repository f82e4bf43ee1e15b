/* Scaling of images (NHWC) to another height and width. */
#ifndef VT_RESIZE_H
#define VT_RESIZE_H

#include <stdint.h>

typedef struct {
    int32_t batches;
    int32_t in_h, in_w;
    int32_t out_h, out_w;
    int32_t pixel_bytes;
} vt_resize_nearest_params;

/* Scales are input / output size, in units of 1/1024. */
typedef struct {
    int32_t batches;
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    int32_t scale_h, scale_w;
    int32_t half_pixel_centers;
} vt_resize_bilinear_params;

typedef struct {
    int32_t batches;
    int32_t in_h, in_w, channels;
    int32_t out_h, out_w;
    float scale_h, scale_w;
    int32_t half_pixel_centers;
} vt_resize_bilinear_f32_params;

/* `rows` and `columns` are the input's row and column that each of the output shows. */
void vt_resize_nearest_neighbor(const vt_resize_nearest_params *params, const int16_t *rows, const int16_t *columns,
                                const void *input, void *output);

void vt_resize_bilinear_s8(const vt_resize_bilinear_params *params, const int8_t *input, int8_t *output);
void vt_resize_bilinear_s16(const vt_resize_bilinear_params *params, const int16_t *input, int16_t *output);
void vt_resize_bilinear_f32(const vt_resize_bilinear_f32_params *params, const float *input, float *output);

#endif
