/* The geometry of a window that slides over an image (NHWC), and the part of it that lies inside the image. */
#ifndef VT_WINDOW_H
#define VT_WINDOW_H

#include <stdint.h>

typedef struct {
    int32_t batches;
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t filter_h, filter_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_h, pad_w; /* before the first row and column */
} vt_window;

/* Filter elements first..end-1 along one axis fall inside an image of `size`, the first filter element being at `origin`
 * (which may be negative) and the others `dilation` apart. */
typedef struct {
    int32_t first, end;
} vt_span;

static inline vt_span vt_inside(int32_t origin, int32_t size, int32_t filter, int32_t dilation)
{
    vt_span span = {0, filter};
    if (origin < 0) {
        span.first = (dilation - 1 - origin) / dilation;
    }
    if (origin + (filter - 1) * dilation >= size) {
        span.end = origin >= size ? 0 : (size - origin + dilation - 1) / dilation;
    }
    return span;
}

#endif
